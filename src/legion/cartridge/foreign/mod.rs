//! Images from elsewhere, looked at before any tool of QEMU's opens them: what they are, whether they are whole, and whether they name other
//! files. `qemu-img` opens whatever an image names, reads zeros beyond the end of a file, and takes for a raw disk what it does not know.

use super::qcow2::{Header, needs_other_file, part};
use crate::error::{Context, Error, Result};
use std::fs::File;
use std::path::Path;

/// Bytes at the start of a file that tell what it is, by offset.
const START: u64 = 128 << 10;
/// Disks are in sectors of this many bytes.
const SECTOR: u64 = 512;
/// The largest descriptor of a VMDK, in bytes.
const MAX_DESCRIPTOR: u64 = 64 << 10;
/// A VHDX's regions are listed here, in bytes from its start.
const VHDX_REGIONS: u64 = 192 << 10;
/// Large tables are read in pieces of this many bytes.
const PIECE: u64 = 64 << 10;

/// Which other files an image may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// None.
    None,
    /// A qcow2 image may have a backing file.
    Backing,
}

/// Looks at an image file, which is open. Returns QEMU's name for its format.
///
/// # Errors
/// When it is no disk, is not whole, is encrypted, or needs other files.
pub fn examine(path: &Path, file: &File, others: Others) -> Result<&'static str> {
    let doing = || format!("looking at the image {}", path.display());
    let mut file = file.try_clone().context(doing)?;
    let length = file.metadata().context(doing)?.len();
    let start = part(&mut file, 0, START).context(doing)?;
    if start.is_empty() {
        return Err(no_disk(path, "is empty", "copy it again"));
    }
    let footer = part(&mut file, length.saturating_sub(SECTOR), SECTOR).context(doing)?;
    Ok(match kind(&start, &footer) {
        Kind::Qcow2 => {
            let header = Header::read(&mut file, path)?;
            match others {
                Others::None => header.ensure_alone(&mut file, path)?,
                Others::Backing => header.ensure_own_data(path)?,
            }
            header.ensure_whole(&mut file, path)?;
            "qcow2"
        }
        Kind::Vdi => whole_vdi(path, &start, length)?,
        Kind::Vmdk => alone_vmdk(path, &mut file, &start, length)?,
        Kind::VmdkText => {
            let hint =
                "its disk is in the files that it names: convert those with `qemu-img convert` where they are, and import the result";
            return Err(no_disk(path, "describes a disk and is none itself (VMDK)", hint));
        }
        Kind::Vhdx => whole_vhdx(path, &mut file, length).context(doing)??,
        Kind::Vhd => "vpc",
        Kind::Parallels => "parallels",
        Kind::Other(format) => format,
        Kind::Not(what, hint) => return Err(no_disk(path, what, hint)),
        Kind::Raw if length % SECTOR != 0 => {
            let hint = "if it is a disk, copy it again, or round the size of a copy up: `truncate -s %512 COPY`";
            return Err(no_disk(path, "is no disk: its size is not a multiple of 512 bytes", hint));
        }
        Kind::Raw => "raw",
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Qcow2,
    Vdi,
    Vmdk,
    /// A descriptor in a file of its own.
    VmdkText,
    Vhdx,
    Vhd,
    Parallels,
    /// Another format of QEMU's, by its name there.
    Other(&'static str),
    /// A disk as it is, by its partition table or file system.
    Raw,
    /// No disk: what it is instead, and what to do.
    Not(&'static str, &'static str),
}

/// The format that the first bytes of a disk are in, if it is one of an image and not a disk as it is. A guest may write what it likes to its
/// disk; to a boot sector, it writes the signature of one.
pub(super) fn image_format(start: &[u8]) -> Option<&'static str> {
    match kind(start, &[]) {
        _ if start.get(510..512) == Some(b"\x55\xaa") => None,
        Kind::Qcow2 => Some("qcow2"),
        Kind::Vdi => Some("vdi"),
        Kind::Vmdk | Kind::VmdkText => Some("vmdk"),
        Kind::Vhdx => Some("vhdx"),
        Kind::Vhd => Some("vpc"),
        Kind::Parallels => Some("parallels"),
        Kind::Other(format) => Some(format),
        Kind::Raw | Kind::Not(..) => None,
    }
}

/// Recognises a file by its first and last bytes.
fn kind(start: &[u8], footer: &[u8]) -> Kind {
    let has = |at: usize, magic: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(magic));
    const ARCHIVE: &str = "unpack it, and import the disk that is in it";
    match () {
        () if has(0, b"QFI\xfb") => Kind::Qcow2,
        () if has(0x40, &[0x7f, 0x10, 0xda, 0xbe]) => Kind::Vdi,
        () if has(0, b"KDMV") => Kind::Vmdk,
        () if has(0, b"COWD") => Kind::Other("vmdk"),
        () if has(0, b"# Disk DescriptorFile") => Kind::VmdkText,
        () if has(0, b"vhdxfile") => Kind::Vhdx,
        () if has(0, b"conectix") || footer.starts_with(b"conectix") => Kind::Vhd,
        () if has(0, b"WithoutFreeSpace") || has(0, b"WithouFreSpacExt") => Kind::Parallels,
        () if has(0, b"QED\0") => Kind::Other("qed"),
        () if has(0, b"LUKS\xba\xbe") => Kind::Not("is encrypted (LUKS)", "decrypt it first, and import the result"),
        () if has(0, b"\x1f\x8b") => Kind::Not("is compressed", "unpack it first: gzip -dk"),
        () if has(0, b"\xfd7zXZ\0") => Kind::Not("is compressed", "unpack it first: xz -dk"),
        () if has(0, b"\x28\xb5\x2f\xfd") => Kind::Not("is compressed", "unpack it first: zstd -d"),
        () if has(0, b"BZh") => Kind::Not("is compressed", "unpack it first: bzip2 -dk"),
        () if has(0, b"\x04\x22\x4d\x18") => Kind::Not("is compressed", "unpack it first: lz4 -d"),
        () if has(0, b"LZIP") => Kind::Not("is compressed", "unpack it first: lzip -dk"),
        () if has(0, b"PK\x03\x04") || has(0, b"7z\xbc\xaf\x27\x1c") || has(0, b"Rar!\x1a\x07") => Kind::Not("is an archive", ARCHIVE),
        () if has(257, b"ustar") => Kind::Not("is an archive or an appliance (OVA)", "`tar xf` it, and import the .vmdk that is in it"),
        () if has_partitions_or_files(start) => Kind::Raw,
        () if is_text(start) => Kind::Not("is a text and no disk", "import the disk that it belongs to"),
        () => Kind::Not(
            "has no partition table and no file system: is it a disk?",
            "look at it with `file`; an empty disk is made by `persona cartridge create`",
        ),
    }
}

/// A table of partitions (MBR, GPT with sectors of 512 or 4096 bytes), or a file system on the whole disk.
fn has_partitions_or_files(start: &[u8]) -> bool {
    const MAGICS: [(usize, &[u8]); 9] = [
        (510, b"\x55\xaa"),
        (512, b"EFI PART"),
        (4096, b"EFI PART"),
        (0x438, b"\x53\xef"),
        (0, b"XFSB"),
        (0x10040, b"_BHRfS_M"),
        (0x8001, b"CD001"),
        (0x200, b"LABELONE"),
        (0x1018, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca"),
    ];
    MAGICS.iter().any(|(at, magic)| start.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
}

fn is_text(start: &[u8]) -> bool {
    let head = &start[..start.len().min(512)];
    head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..))
}

/// VirtualBox's header: kind of image at 76, offset of the data at 344, size of a block at 376, and blocks that are there at 388.
fn whole_vdi(path: &Path, start: &[u8], length: u64) -> Result<&'static str> {
    const DIFFERENCES: [u32; 2] = [3, 4];
    let number = |at: usize| little_32(start, at).ok_or_else(|| cut_short(path));
    if DIFFERENCES.contains(&number(76)?) {
        return Err(needs_other_file(path, "the image that it is the difference to"));
    }
    let end = u64::from(number(344)?) + u64::from(number(376)?) * u64::from(number(388)?);
    if end > length { Err(cut_short(path)) } else { Ok("vdi") }
}

/// A sparse extent of VMware's with its description inside: at 28 where that is and at 36 how long, in sectors.
fn alone_vmdk(path: &Path, file: &mut File, start: &[u8], length: u64) -> Result<&'static str> {
    let sectors = |at: usize| little_64(start, at).ok_or_else(|| cut_short(path));
    let (at, size) = (sectors(28)?.saturating_mul(SECTOR), sectors(36)?.saturating_mul(SECTOR));
    let text = part(file, at, size.min(MAX_DESCRIPTOR)).context(|| format!("reading the description in {}", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    let lines = || text.lines().map(str::trim);
    if let Some(parent) = lines().find_map(|line| line.strip_prefix("parentFileNameHint=")) {
        return Err(needs_other_file(path, parent.trim_matches('"')));
    }
    // `RW 8388608 SPARSE "disk.vmdk"`: this file itself, under the name that it once had. More than one, or another kind, are other files.
    let extents: Vec<&str> = lines().filter(|line| ["RW ", "RDONLY ", "NOACCESS "].iter().any(|access| line.starts_with(access))).collect();
    let is_itself = |line: &&str| line.split_whitespace().nth(2) == Some("SPARSE") && !line.contains('/') && !line.contains("..");
    if let [extent] = extents[..]
        && is_itself(&extent)
    {
        return whole_vmdk(path, file, start, length);
    }
    match extents.iter().find(|line| !is_itself(line)).or(extents.first()) {
        Some(extent) => Err(needs_other_file(path, extent.split('"').nth(1).unwrap_or(extent))),
        // Streams have no list.
        None => whole_vmdk(path, file, start, length),
    }
}

/// The directory of grain tables at 56, the sectors of a grain at 20, the entries of a table at 44, and the disk's sectors at 12.
fn whole_vmdk(path: &Path, file: &mut File, start: &[u8], length: u64) -> Result<&'static str> {
    const AT_END: u64 = u64::MAX;
    const COMPRESSED: u32 = 1 << 16;
    let number = |at: usize| little_64(start, at).ok_or_else(|| cut_short(path));
    let entries = u64::from(little_32(start, 44).ok_or_else(|| cut_short(path))?);
    let flags = little_32(start, 8).unwrap_or_default();
    let (capacity, grain, directory) = (number(12)?, number(20)?, number(56)?);
    if directory == AT_END {
        // A stream ends with its header again and a marker of one sector.
        let footer = part(file, length.saturating_sub(2 * SECTOR), SECTOR).unwrap_or_default();
        return if footer.starts_with(b"KDMV") { Ok("vmdk") } else { Err(cut_short(path)) };
    }
    // How long a compressed grain is, only itself tells.
    let least = if flags & COMPRESSED == 0 { grain } else { 1 };
    let covered = grain.checked_mul(entries).filter(|covered| *covered > 0).ok_or_else(|| cut_short(path))?;
    let tables = capacity.div_ceil(covered).min(1 << 20);
    let doing = || format!("reading the tables of {}", path.display());
    let read = |file: &mut File, sector: u64, count: u64| -> Result<Vec<u64>> {
        let bytes = part(file, sector.saturating_mul(SECTOR), count * 4).context(doing)?;
        if (bytes.len() as u64) < count * 4 {
            return Err(cut_short(path));
        }
        Ok(bytes.chunks_exact(4).map(|entry| u64::from(u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]))).collect())
    };
    let directory = read(file, directory, tables)?;
    let listed = || directory.iter().copied().filter(|table| *table > 0);
    // Each is a part of the file of its own. Otherwise, a small file could list one a million times, and reading it would never end.
    if (listed().count() as u64).saturating_mul(entries * 4) > length {
        return Err(cut_short(path));
    }
    for table in listed() {
        // Grain 1 reads as zeros.
        let last = read(file, table, entries.min(1 << 16))?.into_iter().filter(|grain| *grain > 1).max();
        if last.is_some_and(|last| last.saturating_add(least).saturating_mul(SECTOR) > length) {
            return Err(cut_short(path));
        }
    }
    Ok("vmdk")
}

/// Microsoft's `MS-VHDX`: two tables of regions, of which the first lists where the blocks and the metadata are.
fn whole_vhdx(path: &Path, file: &mut File, length: u64) -> std::io::Result<Result<&'static str>> {
    const BLOCKS: [u8; 4] = [0x66, 0x77, 0xc2, 0x2d];
    const METADATA: [u8; 4] = [0x06, 0xa2, 0x7c, 0x8b];
    const PARAMETERS: [u8; 4] = [0x37, 0x67, 0xa1, 0xca];
    const HAS_PARENT: u32 = 2;
    const IS_PRESENT: std::ops::RangeInclusive<u64> = 6..=7;
    let broken = || Ok(Err(cut_short(path)));
    let regions = part(file, VHDX_REGIONS, 64 << 10)?;
    let region = |kind: [u8; 4]| {
        let entry = regions.get(16..)?.chunks_exact(32).take(64).find(|entry| entry.starts_with(&kind))?;
        Some((little_64(entry, 16)?, u64::from(little_32(entry, 24)?)))
    };
    let (Some((blocks, size)), Some((metadata, _))) = (region(BLOCKS), region(METADATA)) else { return broken() };
    let table = part(file, metadata, 64 << 10)?;
    let item =
        table.get(32..).and_then(|items| items.chunks_exact(32).take(64).find(|item| item.starts_with(&PARAMETERS)).map(<[u8]>::to_vec));
    let Some(offset) = item.and_then(|item| little_32(&item, 16)) else { return broken() };
    let parameters = part(file, metadata.saturating_add(u64::from(offset)), 8)?;
    let (Some(block), Some(flags)) = (little_32(&parameters, 0), little_32(&parameters, 4)) else { return broken() };
    if flags & HAS_PARENT != 0 {
        return Ok(Err(needs_other_file(path, "the image that it is the difference to")));
    }
    if blocks.checked_add(size).is_none_or(|end| end > length) {
        return broken();
    }
    for at in (0..size).step_by(PIECE as usize) {
        let entries = part(file, blocks + at, PIECE.min(size - at))?;
        let present = entries.chunks_exact(8).filter_map(|entry| little_64(entry, 0)).filter(|entry| IS_PRESENT.contains(&(entry & 7)));
        if present.map(|entry| entry >> 20 << 20).any(|start| start.saturating_add(u64::from(block)) > length) {
            return broken();
        }
    }
    Ok(Ok("vhdx"))
}

fn little_32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn little_64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

fn no_disk(path: &Path, what: &str, hint: &str) -> Error {
    Error::new(format!("{} {what}", path.display())).with_code("source-not-a-disk").with_hint(hint)
}

fn cut_short(path: &Path) -> Error {
    Error::new(format!("the image {} is cut short or damaged", path.display())).with_code("image-damaged").with_hint("copy it again")
}

#[cfg(test)]
mod tests;
