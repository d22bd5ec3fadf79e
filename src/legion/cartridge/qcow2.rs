//! Reads a qcow2 image's header and tables (QEMU's `docs/interop/qcow2.txt`).

use crate::error::{Context, Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The magic number of a qcow2 image.
pub(in crate::legion) const MAGIC: &[u8] = b"QFI\xfb";

/// The largest L1 table that QEMU opens (`QCOW_MAX_L1_SIZE`), in bytes.
const LARGEST_L1: u64 = 32 << 20;
/// The offset bits of an L1 or L2 entry, in bytes.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// Flags of an L2 entry: the cluster is compressed, or reads as zero.
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;

/// The part of the header that holds the sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The disk's size as the guest sees it, in bytes.
    pub(super) size: u64,
    cluster_bits: u32,
    /// The L1 table: offset and length in bytes.
    l1: (u64, u64),
    /// The refcount table: offset and length in bytes.
    refcounts: (u64, u64),
    /// Extended L2 entries are used.
    is_extended: bool,
    /// QEMU marked it as corrupt.
    is_corrupt: bool,
    /// Where the header's extensions begin, in bytes.
    extensions: u64,
    /// The name of the image that it is a difference to: offset and length in bytes.
    backing: Option<(u64, u64)>,
    /// Its data is in another file.
    has_external_data: bool,
    is_encrypted: bool,
    /// How many snapshots are inside.
    pub(super) snapshots: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let u32_at = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let u64_at = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let version = u32_at(4)?;
        let cluster_bits = u32_at(20)?;
        if !bytes.starts_with(MAGIC) || !(2..=3).contains(&version) || !(9..=21).contains(&cluster_bits) {
            return None;
        }
        let features = if version == 2 { 0 } else { u64_at(72)? };
        Some(Self {
            size: u64_at(24)?,
            cluster_bits,
            l1: (u64_at(40)?, u64::from(u32_at(36)?) * 8),
            refcounts: (u64_at(48)?, u64::from(u32_at(56)?) << cluster_bits),
            is_extended: features & 1 << 4 != 0,
            is_corrupt: features & 1 << 1 != 0,
            extensions: if version == 2 { 72 } else { u64::from(u32_at(100)?) },
            backing: Some((u64_at(8)?, u64::from(u32_at(16)?).min(1023))).filter(|(offset, _)| *offset > 0),
            has_external_data: features & 1 << 2 != 0,
            is_encrypted: u32_at(32)? != 0,
            snapshots: u32_at(60)?,
        })
    }

    pub(super) fn read(file: &mut File, path: &Path) -> Result<Self> {
        let bytes = part(file, 0, 104).context(|| format!("reading the disk {}", path.display()))?;
        Self::parse(&bytes).ok_or_else(|| cut_short(path, "it has no valid qcow2 header"))
    }

    /// Checks that nothing but this file is read when it is opened.
    ///
    /// # Errors
    /// When it names a backing file or an external data file, or is encrypted.
    pub(super) fn ensure_alone(&self, file: &mut File, path: &Path) -> Result<()> {
        if let Some((name, _)) = self.backing_file(file, path)? {
            return Err(needs_other_file(path, &format!("its backing file {}", String::from_utf8_lossy(&name))));
        }
        self.ensure_own_data(path)
    }

    /// Checks that all data that is not in a backing file is in this file.
    ///
    /// # Errors
    /// When it names an external data file, or is encrypted.
    pub(super) fn ensure_own_data(&self, path: &Path) -> Result<()> {
        if self.has_external_data {
            return Err(needs_other_file(path, "its external data file"));
        }
        if self.is_encrypted {
            return Err(Error::new(format!("the disk {} is encrypted", path.display()))
                .with_code("image-encrypted")
                .with_hint("convert it to one that is not: `qemu-img convert`"));
        }
        Ok(())
    }

    /// The name of the backing file, and its format if the header says that (a header extension).
    pub(super) fn backing_file(&self, file: &mut File, path: &Path) -> Result<Option<(Vec<u8>, Option<String>)>> {
        const FORMAT: u64 = 0xe279_2aca;
        let Some((offset, length)) = self.backing else { return Ok(None) };
        let doing = || format!("reading the disk {}", path.display());
        let name = part(file, offset, length).context(doing)?;
        // Extensions follow the header, each with its type and length, and end where the name begins.
        let bytes = part(file, self.extensions, offset.saturating_sub(self.extensions).min(1 << self.cluster_bits)).context(doing)?;
        let mut rest = bytes.as_slice();
        while let (Some(kind), Some(length)) = (rest.get(..4), rest.get(4..8)) {
            let (kind, length) = (big_endian(kind), usize::try_from(big_endian(length)).unwrap_or(usize::MAX));
            let Some(data) = length.checked_add(8).and_then(|end| rest.get(8..end)) else { break };
            match kind {
                0 => break,
                FORMAT => return Ok(Some((name, Some(String::from_utf8_lossy(data).into_owned())))),
                _ => rest = rest.get(8 + length.next_multiple_of(8)..).unwrap_or_default(),
            }
        }
        Ok(Some((name, None)))
    }

    /// Checks that the file is long enough for its tables and all data that they reference: a partly copied image is not. Clusters that are
    /// allocated but not referenced may lie beyond the end after a crash; that is harmless.
    pub(super) fn ensure_whole(&self, file: &mut File, path: &Path) -> Result<()> {
        if self.is_corrupt {
            return Err(Error::new(format!("the disk {} is marked as corrupt", path.display()))
                .with_code("image-damaged")
                .with_hint("restore it from a copy; or make a copy, and let `qemu-img check -r all COPY` repair what it can there"));
        }
        let length = file.metadata().context(|| format!("looking at the disk {}", path.display()))?.len();
        for (offset, size) in [self.l1, self.refcounts] {
            if offset.checked_add(size).is_none_or(|end| end > length) {
                return Err(cut_short(path, "its tables lie beyond the end of the file"));
            }
        }
        if self.l1.1 > LARGEST_L1 {
            return Err(cut_short(path, "its L1 table is too large"));
        }
        match self.fault(file, length).context(|| format!("reading the disk {}", path.display()))? {
            Some(fault) => Err(cut_short(path, fault)),
            None => Ok(()),
        }
    }

    /// Why a file of `length` bytes does not hold everything that the tables reference. Reads one byte for every 8192 bytes of data.
    fn fault(&self, file: &mut File, length: u64) -> std::io::Result<Option<&'static str>> {
        const BEYOND: Option<&str> = Some("its data lies beyond the end of the file");
        let cluster = 1_u64 << self.cluster_bits;
        let l1 = part(file, self.l1.0, self.l1.1)?;
        let tables = || l1.chunks_exact(8).map(|entry| big_endian(entry) & OFFSET).filter(|l2| *l2 != 0);
        // Each has a cluster of its own. Otherwise, a small file could list one table a million times, and reading it would never end.
        if tables().count() as u64 > length >> self.cluster_bits {
            return Ok(Some("its tables overlap"));
        }
        for l2 in tables() {
            if l2 + cluster > length {
                return Ok(BEYOND);
            }
            let is_beyond = |entry: u64| entry & (COMPRESSED | ZERO) == 0 && entry & OFFSET >= length;
            if !self.is_extended && part(file, l2, cluster)?.chunks_exact(8).map(big_endian).any(is_beyond) {
                return Ok(BEYOND);
            }
        }
        Ok(None)
    }

    /// The disk's first bytes, `length` of them or one cluster: none where nothing was written. Both tables map from the start of the disk,
    /// so their first entries are used.
    pub(super) fn start(&self, file: &mut File, length: u64) -> std::io::Result<Vec<u8>> {
        let mut first = |table: u64| Ok::<_, std::io::Error>(big_endian(&part(file, table, 8)?));
        let l2 = first(self.l1.0)? & OFFSET;
        let cluster = if l2 == 0 { 0 } else { first(l2)? };
        if cluster & OFFSET == 0 || cluster & (COMPRESSED | ZERO) != 0 {
            return Ok(Vec::new());
        }
        part(file, cluster & OFFSET, length.min(1 << self.cluster_bits))
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A part of a file; shorter at its end.
pub(super) fn part(file: &mut File, offset: u64, length: u64) -> std::io::Result<Vec<u8>> {
    // Not more memory than the file can fill: growing step by step takes up to twice as much.
    let rest = file.metadata()?.len().saturating_sub(offset).min(length);
    let mut bytes = Vec::with_capacity(usize::try_from(rest).unwrap_or_default());
    file.seek(SeekFrom::Start(offset.min(i64::MAX as u64)))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An image that is read together with another file.
pub(super) fn needs_other_file(path: &Path, other: &str) -> Error {
    let hint = "an image from elsewhere may name any file of this host: look at what it names. If the files are in one folder, \
                `persona cartridge import --flatten` makes one disk of a qcow2 image and its backing files; otherwise `qemu-img convert` does";
    Error::new(format!("the image {} is not whole without another file: {other}", path.display()))
        .with_code("source-needs-other-files")
        .with_hint(hint)
}

fn cut_short(path: &Path, why: &str) -> Error {
    Error::new(format!("the disk {} is cut short or damaged: {why}", path.display()))
        .with_code("image-damaged")
        .with_hint("restore it from a copy; `qemu-img check` shows what is missing")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// A real image with one data cluster, written by QEMU's own tools.
    fn image(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("disk.qcow2");
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).arg(&path).output().unwrap();
            assert!(output.status.success(), "{program}: {output:?}");
        };
        let create = ["create", "-q", "-f", "qcow2"];
        let output = Command::new("qemu-img").args(create).arg(&path).arg("64M").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        run("qemu-io", &["-f", "qcow2", "-c", "write -P 7 32M 64k"]);
        path
    }

    fn check(path: &Path) -> Result<u64> {
        let mut file = File::open(path).unwrap();
        let header = Header::read(&mut file, path)?;
        header.ensure_whole(&mut file, path)?;
        Ok(header.size)
    }

    #[test]
    fn an_image_is_whole_until_a_byte_of_its_last_cluster_is_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = image(folder.path());
        assert_eq!(check(&path).unwrap(), 64 << 20);
        let length = std::fs::metadata(&path).unwrap().len();
        for cut in [length - (64 << 10), length / 2, 70_000, 150, 50, 0] {
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
            assert_eq!(check(&path).unwrap_err().code(), Some("image-damaged"), "{cut}");
        }
    }

    #[test]
    fn the_disks_start_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = image(folder.path());
        let start = || {
            let mut file = File::open(&path).unwrap();
            Header::read(&mut file, &path).unwrap().start(&mut file, 512).unwrap()
        };
        assert_eq!(start(), Vec::<u8>::new());
        for (write, expected) in [("write -P 9 0 1M", vec![9; 512]), ("write -z 0 1M", vec![])] {
            let output = Command::new("qemu-io").args(["-f", "qcow2", "-c", write]).arg(&path).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(start(), expected);
        }
    }

    #[test]
    fn a_table_that_is_listed_many_times_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.qcow2");
        let mut bytes = vec![0; 4 << 20];
        bytes[..8].copy_from_slice(b"QFI\xfb\0\0\0\x02");
        // Clusters of 2 MiB, and 200,000 times the same table in the second: 400 GiB to read.
        let entries = 200_000_u32;
        bytes[20..24].copy_from_slice(&21_u32.to_be_bytes());
        bytes[36..40].copy_from_slice(&entries.to_be_bytes());
        bytes[40..48].copy_from_slice(&(1_u64 << 20).to_be_bytes());
        for entry in bytes[1 << 20..].chunks_exact_mut(8).take(entries as usize) {
            entry.copy_from_slice(&(2_u64 << 20).to_be_bytes());
        }
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(check(&path).unwrap_err().code(), Some("image-damaged"));
    }

    #[test]
    fn an_image_that_qemu_marked_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = image(folder.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[79] |= 2;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(check(&path).unwrap_err().code(), Some("image-damaged"));
    }

    proptest! {
        #[test]
        fn no_header_is_too_bad_to_be_judged(mut bytes in proptest::collection::vec(any::<u8>(), 104..300), cluster_bits in 9_u8..22) {
            bytes[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
            bytes[20..24].copy_from_slice(&[0, 0, 0, cluster_bits]);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("disk");
            std::fs::write(&path, &bytes).unwrap();
            let _ = check(&path);
        }
    }
}
