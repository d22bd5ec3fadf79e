//! Cartridges: folders that hold what makes legion a persona.

use super::firmware::{NVRAM_2M, NVRAM_4M};
use crate::error::{Context, Error, Result};
use crate::paths::Paths;
use nix::libc::{O_DIRECT, O_EXCL};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a qcow2 image begins with (QEMU's `docs/interop/qcow2.txt`).
pub(super) const QCOW2_MAGIC: &[u8] = b"QFI\xfb";

/// A cartridge that was looked at and can be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cartridge {
    /// Its name, the folder's.
    pub name: String,
    /// The folder, as the machine names it (not below `--root`).
    pub folder: PathBuf,
    /// The disk that boots.
    pub disk: Disk,
    /// The size of `nvram.fd`, its UEFI variables, in bytes. With them the guest boots by UEFI, without by legacy BIOS.
    pub nvram: Option<u64>,
}

/// A cartridge's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What it is, which also names the file.
    pub kind: DiskKind,
    /// Whether it can be opened past the host's page cache (`O_DIRECT`); tmpfs before Linux 6.6 cannot.
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
}

impl Cartridge {
    /// Looks at the cartridge `name` in the folder `cartridges` (settings' `legion.cartridges`). Changes nothing.
    ///
    /// # Errors
    /// When there is no such folder, it does not hold exactly one disk, or something in it cannot be what its name says.
    pub fn inspect(paths: &Paths, cartridges: &Path, name: &str) -> Result<Self> {
        let folder = cartridges.join(name);
        let here = paths.at(&folder);
        match fs::metadata(&here) {
            Ok(metadata) if metadata.is_dir() => {}
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::because(format!("looking at the cartridge {}", here.display()), error));
            }
            _ => {
                return Err(Error::new(format!("there is no cartridge `{name}`: {} is not a folder", here.display())).mend(format!(
                    "make the folder and put disk.qcow2 in it, or name another with `cartridge = \"...\"` (there are: {})",
                    names(paths, cartridges)
                )));
            }
        }
        Ok(Self { name: name.to_owned(), disk: disk(&here)?, nvram: nvram(&here)?, folder })
    }

    /// Keeps the host from mounting the disk while the returned file is open. Only a block device can be claimed like
    /// that (`O_EXCL`, `open(2)`): image files are left to QEMU's own locks.
    ///
    /// # Errors
    /// When the host is using the block device, which two systems at once would destroy.
    pub fn claim(&self, paths: &Paths) -> Result<Option<File>> {
        let path = paths.at(self.folder.join(self.disk.kind.file_name()));
        match self.disk.kind {
            DiskKind::Qcow2 | DiskKind::Raw => Ok(None),
            DiskKind::BlockDevice => OpenOptions::new().read(true).custom_flags(O_EXCL).open(&path).map(Some).map_err(|error| {
                Error::because(format!("opening {} for legion alone", path.display()), error)
                    .mend("unmount its file systems, swap and volumes on the host (`lsblk` shows them)")
            }),
        }
    }
}

fn names(paths: &Paths, cartridges: &Path) -> String {
    let entries = fs::read_dir(paths.at(cartridges)).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn disk(folder: &Path) -> Result<Disk> {
    // A dangling link is a disk that somebody meant to be there, so links are not followed here.
    let found: Vec<_> = DiskKind::ALL.into_iter().filter(|kind| fs::symlink_metadata(folder.join(kind.file_name())).is_ok()).collect();
    let kind = match found.as_slice() {
        [kind] => *kind,
        [] => {
            return Err(Error::new(format!("the cartridge {} has no disk", folder.display()))
                .mend("put disk.qcow2 or disk.raw in it, or link `disk` to a block device"));
        }
        several => {
            let files: Vec<_> = several.iter().map(|kind| kind.file_name()).collect();
            return Err(Error::new(format!("the cartridge {} has more than one disk: {}", folder.display(), files.join(", ")))
                .mend("move all but one out of it"));
        }
    };
    let path = folder.join(kind.file_name());
    let doing = || format!("opening the disk {}", path.display());
    let metadata = fs::metadata(&path).doing(doing)?;
    let is_right = if kind == DiskKind::BlockDevice { metadata.file_type().is_block_device() } else { metadata.is_file() };
    if !is_right {
        return Err(Error::new(format!("{} is not what its name says", path.display()))
            .mend("`disk` links to a block device; image files are called disk.qcow2 or disk.raw"));
    }
    let mut start = Vec::new();
    File::open(&path).and_then(|file| file.take(4).read_to_end(&mut start)).doing(doing)?;
    if start.is_empty() {
        return Err(Error::new(format!("the disk {} is empty", path.display())).mend("install or restore a system into it"));
    }
    if kind == DiskKind::Qcow2 && start != QCOW2_MAGIC {
        return Err(Error::new(format!("{} is not a qcow2 image", path.display()))
            .mend("if it is a raw image, call it disk.raw; `qemu-img info` tells"));
    }
    let direct = OpenOptions::new().read(true).custom_flags(O_DIRECT).open(&path).is_ok();
    Ok(Disk { kind, direct })
}

fn nvram(folder: &Path) -> Result<Option<u64>> {
    let path = folder.join("nvram.fd");
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() && [NVRAM_2M, NVRAM_4M].contains(&metadata.len()) => Ok(Some(metadata.len())),
        Ok(metadata) => Err(Error::new(format!(
            "{} does not hold UEFI variables: it has {} bytes, not {NVRAM_4M} or {NVRAM_2M}",
            path.display(),
            metadata.len()
        ))
        .mend("copy the OVMF_VARS file that came with your UEFI firmware there, or remove it to boot by legacy BIOS")),
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(&path).is_err() => Ok(None),
        Err(error) => Err(Error::because(format!("looking at {}", path.display()), error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    struct Shelf(tempfile::TempDir);

    impl Shelf {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("shelf/a")).unwrap();
            Self(root)
        }

        fn file(&self, name: &str, contents: &[u8]) -> &Self {
            fs::write(self.0.path().join("shelf/a").join(name), contents).unwrap();
            self
        }

        fn inspect(&self, name: &str) -> Result<Cartridge> {
            Cartridge::inspect(&Paths::new(self.0.path(), None), Path::new("/shelf"), name)
        }

        fn message(&self) -> String {
            self.inspect("a").unwrap_err().to_string()
        }
    }

    #[test]
    fn a_disk_alone_boots_by_legacy_bios_and_with_variables_by_uefi() {
        let shelf = Shelf::new();
        let cartridge = shelf.file("disk.qcow2", b"QFI\xfb....").inspect("a").unwrap();
        assert_eq!((cartridge.name.as_str(), cartridge.folder.as_path()), ("a", Path::new("/shelf/a")));
        assert_eq!((cartridge.disk.kind, cartridge.nvram), (DiskKind::Qcow2, None));
        assert!(cartridge.claim(&Paths::new(shelf.0.path(), None)).unwrap().is_none());
        shelf.file("nvram.fd", &vec![0; 540_672]);
        assert_eq!(shelf.inspect("a").unwrap().nvram, Some(NVRAM_4M));
    }

    #[test]
    fn what_cannot_boot_is_named_with_its_mend() {
        let shelf = Shelf::new();
        let missing = shelf.inspect("b").unwrap_err().to_string();
        assert!(missing.contains("no cartridge `b`") && missing.contains("there are: a"), "{missing}");
        assert!(shelf.message().contains("has no disk"), "{}", shelf.message());
        shelf.file("disk.qcow2", b"");
        assert!(shelf.message().contains("is empty"), "{}", shelf.message());
        shelf.file("disk.qcow2", b"raw bytes");
        assert!(shelf.message().contains("not a qcow2 image") && shelf.message().contains("mend: "), "{}", shelf.message());
        shelf.file("disk.raw", b"x");
        assert!(shelf.message().contains("more than one disk: disk.qcow2, disk.raw"), "{}", shelf.message());
    }

    #[test]
    fn a_disk_that_is_not_a_block_device_or_dangles_is_refused() {
        let shelf = Shelf::new();
        shelf.file("disk", b"x");
        assert!(shelf.message().contains("not what its name says"), "{}", shelf.message());
        let shelf = Shelf::new();
        symlink("/nowhere", shelf.0.path().join("shelf/a/disk")).unwrap();
        assert!(shelf.message().contains("opening the disk") && shelf.message().contains("No such file"), "{}", shelf.message());
    }

    #[test]
    fn variables_of_no_known_size_are_refused() {
        let shelf = Shelf::new();
        shelf.file("disk.raw", b"x").file("nvram.fd", b"short");
        assert!(shelf.message().contains("does not hold UEFI variables: it has 5 bytes"), "{}", shelf.message());
    }
}
