//! A cartridge's disk: which of the three kinds it is, and whether the content matches the file name.

use super::qcow2::Header;
use super::{changes, foreign};
use crate::error::{Context, Error, Result};
use nix::libc::O_DIRECT;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Disks are read and written in sectors of at least this many bytes.
const SECTOR: u64 = 512;

/// A cartridge's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Its kind, which also determines the file name.
    pub kind: DiskKind,
    /// Whether it can be opened without the host's page cache (`O_DIRECT`); tmpfs before Linux 6.6 cannot.
    pub direct: bool,
}

/// The three kinds of disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskKind {
    /// `disk.qcow2`
    Qcow2,
    /// `disk.raw`
    Raw,
    /// `disk`, linked to a block device.
    BlockDevice,
}

impl DiskKind {
    const ALL: [Self; 3] = [Self::Qcow2, Self::Raw, Self::BlockDevice];

    /// The file's name inside the cartridge.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Qcow2 => "disk.qcow2",
            Self::Raw => "disk.raw",
            Self::BlockDevice => "disk",
        }
    }

    /// QEMU's name for the image format.
    pub fn driver(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw | Self::BlockDevice => "raw",
        }
    }
}

impl Disk {
    /// The only disk in this folder.
    pub(super) fn inspect(folder: &Path) -> Result<Self> {
        // A dangling link still names the intended disk, so links are not followed here.
        let is_there = |kind: &DiskKind| fs::symlink_metadata(changes::place(folder, *kind)).is_ok();
        let found: Vec<_> = DiskKind::ALL.into_iter().filter(is_there).collect();
        changes::ensure_one_disk(folder)?;
        let kind = match found.as_slice() {
            [kind] => *kind,
            [] => {
                return Err(Error::new(format!("the cartridge {} has no disk", folder.display()))
                    .with_code("cartridge-without-disk")
                    .with_hint("put disk.qcow2 or disk.raw in it, or link `disk` to a block device"));
            }
            several => {
                let files: Vec<_> = several.iter().map(|kind| kind.file_name()).collect();
                return Err(Error::new(format!("the cartridge {} has more than one disk: {}", folder.display(), files.join(", ")))
                    .with_code("cartridge-with-several-disks")
                    .with_hint("move all but one out of it"));
            }
        };
        let path = changes::place(folder, kind);
        let doing = || format!("opening the disk {}", path.display());
        let metadata = fs::metadata(&path).context(doing)?;
        let is_right = if kind == DiskKind::BlockDevice { metadata.file_type().is_block_device() } else { metadata.is_file() };
        if !is_right {
            return Err(Error::new(format!("{} has another type than its name says", path.display()))
                .with_code("disk-of-another-kind")
                .with_hint("`disk` links to a block device; image files are called disk.qcow2 or disk.raw"));
        }
        let mut start = Vec::new();
        File::open(&path).and_then(|file| file.take(SECTOR).read_to_end(&mut start)).context(doing)?;
        if start.is_empty() {
            return Err(Error::new(format!("the disk {} is empty", path.display()))
                .with_code("disk-empty")
                .with_hint("install or restore a system into it"));
        }
        ensure_format(kind, &path, &start)?;
        if kind == DiskKind::Qcow2 {
            // What the guest could have changed is not followed anywhere. QEMU opens nothing whose header is damaged.
            let mut file = File::open(&path).context(doing)?;
            if let Ok(header) = Header::read(&mut file, &path) {
                header.ensure_alone(&mut file, &path)?;
            }
        }
        let direct = OpenOptions::new().read(true).custom_flags(O_DIRECT).open(&path).is_ok();
        Ok(Self { kind, direct })
    }

    /// The disk's size as the guest sees it, in bytes. `path` is the disk's path.
    pub(super) fn size(self, path: &Path) -> Result<u64> {
        let doing = || format!("measuring the disk {}", path.display());
        let mut file = File::open(path).context(doing)?;
        match self.kind {
            DiskKind::Qcow2 => Ok(Header::read(&mut file, path)?.size),
            DiskKind::Raw | DiskKind::BlockDevice => std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).context(doing),
        }
    }

    /// The disk's first bytes, at most `length`; fewer where nothing was written. `path` is the disk's path.
    pub(super) fn start(self, path: &Path, length: u64) -> Result<Vec<u8>> {
        let doing = || format!("reading the start of the disk {}", path.display());
        let mut file = File::open(path).context(doing)?;
        if self.kind == DiskKind::Qcow2 {
            return Header::read(&mut file, path)?.start(&mut file, length).context(doing);
        }
        let mut start = Vec::new();
        file.take(length).read_to_end(&mut start).context(doing)?;
        Ok(start)
    }

    /// Checks that the image is not truncated, as far as a quick look can tell. `path` is the disk's path.
    pub(super) fn ensure_whole(self, path: &Path) -> Result<()> {
        match self.kind {
            DiskKind::Qcow2 => {
                let mut file = File::open(path).context(|| format!("opening the disk {}", path.display()))?;
                Header::read(&mut file, path)?.ensure_whole(&mut file, path)
            }
            DiskKind::Raw => match self.size(path)? % SECTOR {
                0 => Ok(()),
                _ => Err(Error::new(format!("the disk {} is cut short: its size is not a multiple of {SECTOR} bytes", path.display()))
                    .with_code("image-damaged")
                    .with_hint("restore it from a copy; or round the size of a copy of it up: `truncate -s %512 COPY`")),
            },
            DiskKind::BlockDevice => Ok(()),
        }
    }
}

/// Checks that a disk has the format that its name says, by its first bytes. A guest that met the tables of an image instead of its disk
/// would take them for an empty disk, and write over them.
fn ensure_format(kind: DiskKind, path: &Path, start: &[u8]) -> Result<()> {
    let found = foreign::image_format(start);
    let (what, hint) = match (kind, found) {
        (DiskKind::Qcow2, Some("qcow2")) | (DiskKind::Raw | DiskKind::BlockDevice, None) => return Ok(()),
        (DiskKind::Qcow2, None) => {
            ("is not a qcow2 image".to_owned(), "if it is a raw image, call it disk.raw; `qemu-img info` shows the format".to_owned())
        }
        (DiskKind::Raw, Some("qcow2")) => ("is a qcow2 image".to_owned(), "call it disk.qcow2".to_owned()),
        (_, Some(format)) => (
            format!("is a {format} image"),
            format!("make another cartridge of it: `persona cartridge import NEW-NAME {}`", path.display()),
        ),
    };
    Err(Error::new(format!("{} {what}", path.display())).with_code("disk-of-another-kind").with_hint(hint))
}
