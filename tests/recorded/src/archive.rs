//! Archives as initramfs images are made of.

/// An archive of files, as `cpio -o -H newc` writes it but for the padding at its end
/// (Documentation/driver-api/early-userspace/buffer-format.rst).
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, contents) in files.iter().copied().chain([("TRAILER!!!", &b""[..])]) {
        let fields = [1, 0o100_644, 0, 0, 1, 0, contents.len(), 0, 0, 0, 0, name.len() + 1, 0];
        bytes.extend_from_slice(b"070701");
        fields.iter().for_each(|field| bytes.extend_from_slice(format!("{field:08x}").as_bytes()));
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(contents);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}
