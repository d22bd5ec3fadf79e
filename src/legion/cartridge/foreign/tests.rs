#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use std::fs::{self, OpenOptions};
use std::process::Command;

fn run(program: &str, arguments: &[&str], path: &Path) {
    let output = Command::new(program).args(arguments).arg(path).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

/// A disk with a partition table, and data at its end.
fn raw(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("disk.raw");
    let mut disk = vec![0; 8 << 20];
    disk[510..512].copy_from_slice(b"\x55\xaa");
    disk[7 << 20..].fill(7);
    fs::write(&path, disk).unwrap();
    path
}

fn examine(path: &Path) -> Result<&'static str> {
    super::examine(path, &File::open(path).unwrap(), Others::None)
}

/// A sparse extent with its directory in the second sector, and a table that has a grain in the sixth.
fn vmdk(grain: u64, entries: u32, directory: &[u32]) -> Vec<u8> {
    let mut bytes = b"KDMV".to_vec();
    bytes.resize(64 << 10, 0);
    for (at, number) in [(12, 1 << 40), (20, grain), (56, 1)] {
        bytes[at..at + 8].copy_from_slice(&u64::to_le_bytes(number));
    }
    bytes[44..48].copy_from_slice(&entries.to_le_bytes());
    for (entry, sector) in bytes[SECTOR as usize..].chunks_exact_mut(4).zip(directory) {
        entry.copy_from_slice(&sector.to_le_bytes());
    }
    let table = directory[0] as usize * SECTOR as usize;
    bytes[table..table + 4].copy_from_slice(&6_u32.to_le_bytes());
    bytes
}

#[test]
fn vmdk_of_impossible_tables_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.vmdk");
    // A grain of 2^64 sectors, and the same table ten thousand times.
    for bytes in [vmdk(u64::MAX, 1, &[100]), vmdk(1, 1 << 16, &[100; 10_000])] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(examine(&path).unwrap_err().code(), Some("image-damaged"));
    }
}

#[test]
fn image_of_each_format_is_known_and_missed_when_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let raw = raw(folder.path());
    assert_eq!(examine(&raw).unwrap(), "raw");
    for (format, options) in [
        ("qcow2", ""),
        ("vdi", ""),
        ("vdi", "static=on"),
        ("vmdk", ""),
        ("vmdk", "subformat=streamOptimized"),
        ("vhdx", ""),
        ("vpc", ""),
        ("vpc", "subformat=fixed"),
        ("parallels", ""),
    ] {
        let path = folder.path().join("image");
        let mut arguments = vec!["convert", "-f", "raw", "-O", format];
        if !options.is_empty() {
            arguments.extend(["-o", options]);
        }
        let source = raw.display().to_string();
        arguments.push(&source);
        run("qemu-img", &arguments, &path);
        assert_eq!(examine(&path).unwrap(), format, "{format} {options}");
        // What only its own check finds is left to that.
        if !["parallels", "vpc"].contains(&format) {
            let length = fs::metadata(&path).unwrap().len();
            // The end of a stream file is unused space.
            let cuts = if options.contains("stream") { vec![length / 2] } else { vec![length / 2, length - length / 8] };
            for cut in cuts {
                OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
                assert_eq!(examine(&path).unwrap_err().code(), Some("image-damaged"), "{format} {options} {cut} of {length}");
            }
        }
    }
}

#[test]
fn image_that_names_another_file_is_refused_by_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let (base, path) = (raw(folder.path()), folder.path().join("image"));
    let base = base.display().to_string();
    run("qemu-img", &["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &base], &path);
    let error = examine(&path).unwrap_err();
    assert!(error.code() == Some("source-needs-other-files") && error.to_string().contains("disk.raw"), "{error}");
    let data = format!("data_file={}/data,data_file_raw=on", folder.path().display());
    let output = Command::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-o", &data]).arg(&path).arg("1M").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(examine(&path).unwrap_err().code(), Some("source-needs-other-files"));
    run("qemu-img", &["convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=monolithicFlat", &base], &folder.path().join("flat.vmdk"));
    assert_eq!(examine(&folder.path().join("flat.vmdk")).unwrap_err().code(), Some("source-not-a-disk"));
}

#[test]
fn what_is_no_disk_is_told_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, says) in [
        (&b""[..], "empty"),
        (b"QFI\xfb", "qcow2"),
        (b"\xfd7zXZ\0rest", "xz -dk"),
        (b"\x1f\x8b\x08", "gzip -dk"),
        (b"PK\x03\x04", "archive"),
        (&tar, "OVA"),
        (b"displayName = \"x\"\n", "text"),
        (&[0; 1024], "is it a disk?"),
        (b"<!DOCTYPE html>", "text"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = examine(&path).unwrap_err();
        assert!(error.to_string().contains(says) && error.hint().is_some(), "{says}: {error}");
    }
}

proptest! {
    #[test]
    fn any_file_is_judged(
        magic in prop::sample::select(vec![&b"KDMV"[..], b"vhdxfile", b"QFI\xfb\0\0\0\x03", b"conectix", b""]),
        rest in prop::collection::vec(any::<u8>(), 0..600), is_vdi in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut bytes = [magic, &rest].concat();
        if is_vdi && bytes.len() > 0x44 {
            bytes[0x40..0x44].copy_from_slice(&[0x7f, 0x10, 0xda, 0xbe]);
        }
        fs::write(&path, bytes).unwrap();
        let _ = examine(&path);
    }
}
