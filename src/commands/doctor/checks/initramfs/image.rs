//! Reads images: uncompressed archives, then a compressed one, possibly all inside a unified kernel image.

use super::cpio::{Counted, Rest, archives};
use super::pe;
use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// The parts of an image that Persona needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The fingerprint of its `persona`.
    pub binary: Option<u64>,
    /// Its settings file.
    pub settings: Option<Vec<u8>>,
    /// Its kernel modules, with underscores in their names.
    pub modules: BTreeSet<String>,
}

/// Why an image could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not exist.
    Absent,
    /// This user may not read it.
    Forbidden,
    /// The program that unpacks it is missing.
    NoTool(&'static str),
    /// It is not an image, or a damaged one.
    Damaged(String),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Absent,
            ErrorKind::PermissionDenied => Self::Forbidden,
            ErrorKind::UnexpectedEof => Self::Damaged("it ends too early".to_owned()),
            _ => Self::Damaged(error.to_string()),
        }
    }
}

/// Reads an image to its end, keeping only the needed parts.
pub(super) fn read(path: &Path) -> Result<Contents, Unreadable> {
    let (mut contents, packed) = unpacked_part(&mut File::open(path)?)?;
    if let Some(Packed { tool, offset }) = packed {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        unpack(tool, file, &mut contents)?;
    }
    Ok(contents)
}

/// The archive behind those that are not compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// The program that unpacks it.
    pub tool: &'static str,
    /// Where it begins in the file.
    pub offset: u64,
}

/// The contents of an image's archives that are not compressed, and the compressed one behind them.
///
/// # Errors
/// When it is no image.
pub fn unpacked_part(file: &mut File) -> Result<(Contents, Option<Packed>), Unreadable> {
    let (start, size) = pe::initrd(file)?;
    file.seek(SeekFrom::Start(start))?;
    let mut contents = Contents::default();
    let rest = archives(&mut Counted::new(&mut BufReader::new(file.take(size))), &mut |name, data| contents.visit(name, data))?;
    let Rest::Other(magic, offset) = rest else { return Ok((contents, None)) };
    let tool = tool(&magic).ok_or_else(|| Unreadable::Damaged("it is not an initramfs image of a known format".to_owned()))?;
    Ok((contents, Some(Packed { tool, offset: start + offset })))
}

/// No image has more in it, in bytes: it is unpacked into memory.
const MAX_UNPACKED: u64 = 4 << 30;

/// Makes a program unpack the rest of the file, and reads its output.
fn unpack(tool: &'static str, packed: File, contents: &mut Contents) -> Result<(), Unreadable> {
    let spawned = Command::new(tool).arg("-dc").stdin(packed).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Unreadable::NoTool(tool),
        _ => Unreadable::Damaged(format!("running {tool}: {error}")),
    })?;
    let read = match child.stdout.take() {
        Some(output) => {
            archives(&mut Counted::new(&mut BufReader::new(output.take(MAX_UNPACKED))), &mut |name, data| contents.visit(name, data))
        }
        None => Err(ErrorKind::BrokenPipe.into()),
    };
    // The pipe is closed by now, so it ends. Its exit status is ignored: some programs report trailing data as an error.
    let _ = child.wait();
    match read? {
        Rest::End => Ok(()),
        Rest::Other(..) => Err(Unreadable::Damaged(format!("the output of {tool} is not an archive"))),
    }
}

/// The program that unpacks data with these first bytes (`lib/decompress.c` of the kernel has the list). All of them take `-dc`.
fn tool(magic: &[u8; 6]) -> Option<&'static str> {
    match magic {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        [0xfd, b'7', b'z', b'X', b'Z', 0] | [0x5d, 0, 0, ..] => Some("xz"),
        [0x02, 0x21, 0x4c, 0x18, ..] | [0x04, 0x22, 0x4d, 0x18, ..] => Some("lz4"),
        [b'B', b'Z', b'h', ..] => Some("bzip2"),
        [0x89, b'L', b'Z', b'O', ..] => Some("lzop"),
        _ => None,
    }
}

impl Contents {
    fn visit(&mut self, name: &str, data: &mut dyn Read) -> io::Result<()> {
        const MAX_BYTES: u64 = 1 << 20;
        /// A kernel has fewer modules, and their names have at most 55 bytes (`MODULE_NAME_LEN`).
        const MAX_MODULES: usize = 16 << 10;
        const MAX_NAME: usize = 64;
        match name {
            "usr/bin/persona" => self.binary = Some(fingerprint(data)?),
            "etc/persona/persona.toml" => {
                let mut text = Vec::new();
                data.take(MAX_BYTES).read_to_end(&mut text)?;
                self.settings = Some(text);
            }
            _ => {
                // `usbhid.ko`, perhaps with `.zst` behind it.
                let module = name.rsplit('/').next().and_then(|file| file.split_once(".ko")).map(|(module, _)| module.replace('-', "_"));
                self.modules.extend(module.filter(|module| module.len() <= MAX_NAME && self.modules.len() < MAX_MODULES));
            }
        }
        Ok(())
    }
}

/// A number for comparing files within this process.
pub(super) fn fingerprint(data: &mut dyn Read) -> io::Result<u64> {
    struct Digest(DefaultHasher);
    impl Write for Digest {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Byte by byte, so that the result does not depend on the sizes of the reads.
            bytes.iter().for_each(|byte| self.0.write_u8(*byte));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hasher = Digest(DefaultHasher::new());
    io::copy(data, &mut hasher)?;
    Ok(hasher.0.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use persona_recorded::archive;

    const FILES: [(&str, &[u8]); 4] = [
        ("usr/bin/busybox", b"......"),
        ("usr/bin/persona", b"binary"),
        ("etc/persona/persona.toml", b"[menu]\n"),
        ("usr/lib/modules/6.12.10-arch1-1/kernel/drivers/vfio/pci/vfio-pci.ko.zst", b"module"),
    ];

    fn read_bytes(bytes: &[u8]) -> Result<Contents, Unreadable> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Command::new("gzip").arg("-c").arg(file.path()).output().unwrap().stdout
    }

    fn expected() -> Contents {
        Contents {
            binary: Some(fingerprint(&mut &b"binary"[..]).unwrap()),
            settings: Some(b"[menu]\n".to_vec()),
            modules: ["vfio_pci".to_owned()].into(),
        }
    }

    #[test]
    fn plain_and_compressed_behind_microcode() {
        assert_eq!(read_bytes(&archive(&FILES)), Ok(expected()));
        let mut image = archive(&[("kernel/x86/microcode/GenuineIntel.bin", b"....")]);
        image.resize(1024, 0);
        image.extend(gzip(&archive(&FILES)));
        assert_eq!(read_bytes(&image), Ok(expected()));
        assert_eq!(read_bytes(&archive(&FILES[..1])), Ok(Contents::default()));
    }

    #[test]
    fn inside_a_unified_kernel_image() {
        let image = pe::tests::unified(&gzip(&archive(&FILES)));
        assert_eq!(read_bytes(&image), Ok(expected()));
        assert!(matches!(read_bytes(b"MZ, a program of old"), Err(Unreadable::Damaged(_))));
    }

    #[test]
    fn endless_padding_and_endless_modules_take_neither_time_nor_memory() {
        let name = |number: usize| format!("usr/lib/modules/{}/m{number}{}.ko", "x".repeat(100), "-".repeat(number % 80));
        let names: Vec<String> = (0..40_000).map(name).collect();
        let mut image = archive(&names.iter().map(|name| (name.as_str(), &b""[..])).collect::<Vec<_>>());
        image.resize(64 << 20, 0);
        let contents = read_bytes(&image).unwrap();
        assert_eq!(contents.modules.len(), 16 << 10);
        assert!(contents.modules.iter().all(|module| module.len() <= 64));
    }

    #[test]
    fn what_is_no_image_is_said_to_be_none() {
        let damaged = |bytes: &[u8]| assert!(matches!(read_bytes(bytes), Err(Unreadable::Damaged(_))), "{bytes:?}");
        damaged(b"#!/bin/sh\n");
        damaged(&archive(&FILES)[..150]);
        damaged(&gzip(b"no archive at all"));
        damaged(b"\x1f\x8b nothing that gzip knows");
        assert_eq!(read(Path::new("/nowhere")), Err(Unreadable::Absent));
    }
}
