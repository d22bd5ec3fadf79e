//! What a cartridge holds.

use super::firmware::{NVRAM_2M, NVRAM_4M};
use super::parts::{self, LAST_RUN, NVRAM, names_in};
use super::{Disk, DiskKind};
use super::{changes, qcow2, restoring};
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use crate::sys::tree;
use nix::libc::O_EXCL;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A cartridge that was inspected and can be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cartridge {
    /// Its name, the folder's.
    pub name: String,
    /// The folder, as a path on the machine (not below `--root`).
    pub folder: PathBuf,
    /// The disk that boots.
    pub disk: Disk,
    /// The size of `nvram.fd`, its UEFI variables, in bytes. With them the guest boots by UEFI, without by legacy BIOS.
    pub nvram: Option<u64>,
    /// The image that a blank disk is being installed from, as a path on the machine. It boots if the disk does not.
    pub install: Option<PathBuf>,
}

impl Cartridge {
    /// Inspects the cartridge `name` in the folder `cartridges` (`legion.cartridges` in the settings). Changes nothing.
    ///
    /// # Errors
    /// When there is no such folder, it does not hold exactly one disk, or a file in it does not match its name.
    pub fn inspect(paths: &Paths, cartridges: &Path, name: &str) -> Result<Self> {
        let folder = cartridges.join(name);
        let here = paths.at(&folder);
        match fs::metadata(&here) {
            Ok(metadata) if metadata.is_dir() => {}
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::caused_by(format!("looking at the cartridge {}", here.display()), error));
            }
            _ => {
                return Err(Error::new(format!("there is no cartridge `{name}`: {} is not a folder", here.display())).with_code("cartridge-missing").with_hint(format!(
                    "create it (`persona cartridge create {name} --size 200G`, or `import`), or name another with `cartridge = \"...\"` (there are: {})",
                    names(paths, cartridges)
                )));
            }
        }
        restoring::ensure_restored(&here, name)?;
        let install = parts::install_image(&here).map(|file| folder.join(file));
        Ok(Self { name: name.to_owned(), disk: Disk::inspect(&here)?, nvram: nvram(&here)?, install, folder })
    }

    /// The disk's file, below `--root`.
    pub(super) fn disk_path(&self, paths: &Paths) -> PathBuf {
        changes::place(&paths.at(&self.folder), self.disk.kind)
    }

    /// Checks that the disk is complete. One that is being changed is so once the change is completed: the next start does that.
    pub(super) fn ensure_whole(&self, paths: &Paths) -> Result<()> {
        if changes::is_changing(&paths.at(&self.folder), self.disk.kind) {
            return Ok(());
        }
        self.disk.ensure_whole(&self.disk_path(paths))
    }

    /// Records the time of this run, for `persona cartridge list`.
    ///
    /// # Errors
    /// When the cartridge cannot be written to.
    pub fn ran(&self, paths: &Paths, now: SystemTime) -> Result<()> {
        let path = paths.at(self.folder.join(LAST_RUN));
        let path = tree::entry(&path);
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW).open(&path);
        open.and_then(|file| file.set_modified(now)).context(|| format!("recording the run in {}", path.display()))
    }

    /// Prevents the host from mounting the disk while the returned file is open. Only a block device can be claimed like that (`O_EXCL`,
    /// `open(2)`): image files are protected by QEMU's own locks.
    ///
    /// # Errors
    /// When the host is using the block device: two systems on one disk would destroy it.
    pub fn claim(&self, paths: &Paths) -> Result<Option<File>> {
        let path = self.disk_path(paths);
        match self.disk.kind {
            DiskKind::Qcow2 | DiskKind::Raw => Ok(None),
            DiskKind::BlockDevice => OpenOptions::new().read(true).custom_flags(O_EXCL).open(&path).map(Some).map_err(|error| {
                Error::caused_by(format!("opening {} for exclusive use by legion", path.display()), error)
                    .with_hint("unmount its file systems and deactivate its swap and LVM volumes on the host (`lsblk` shows them)")
            }),
        }
    }
}

fn names(paths: &Paths, cartridges: &Path) -> String {
    let folder = paths.at(cartridges);
    let mut names = names_in(&folder);
    names.retain(|name| !name.starts_with('.') && folder.join(name).is_dir());
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn nvram(folder: &Path) -> Result<Option<u64>> {
    const UNUSABLE: &str = "firmware-variables-unusable";
    let path = folder.join(NVRAM);
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(&path).is_err() => return Ok(None),
        Err(error) => return Err(Error::caused_by(format!("looking at {}", path.display()), error)),
    };
    // The file holds the guest's boot entries and its keys, in whatever format: no hint says to write over it.
    if metadata.is_file() && starts_as_qcow2(&path).context(|| format!("reading {}", path.display()))? {
        let file = path.display();
        return Err(Error::new(format!("{file} is a qcow2 image: UEFI variables are to be raw")).with_code(UNUSABLE).with_hint(format!(
            "convert it: `qemu-img convert -f qcow2 -O raw {file} {file}.raw`, then `mv {file} {file}.qcow2` and `mv {file}.raw {file}`"
        )));
    }
    if metadata.is_file() && [NVRAM_2M, NVRAM_4M].contains(&metadata.len()) {
        return Ok(Some(metadata.len()));
    }
    let length = metadata.len();
    Err(Error::new(format!("{} does not hold UEFI variables: it has {length} bytes, not {NVRAM_4M} or {NVRAM_2M}", path.display()))
        .with_code(UNUSABLE)
        .with_hint(
            "rename it, so that it is kept; then copy the OVMF_VARS file that came with your UEFI firmware to its place. \
             Without nvram.fd the guest boots by legacy BIOS",
        ))
}

fn starts_as_qcow2(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(start == qcow2::MAGIC)
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

        fn code(&self) -> Option<&'static str> {
            self.inspect("a").unwrap_err().code()
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
    fn what_cannot_boot_is_refused_with_the_reason() {
        let shelf = Shelf::new();
        assert_eq!(shelf.inspect("b").unwrap_err().code(), Some("cartridge-missing"));
        assert_eq!(shelf.code(), Some("cartridge-without-disk"));
        shelf.file("disk.qcow2", b"");
        assert_eq!(shelf.code(), Some("disk-empty"));
        shelf.file("disk.qcow2", b"raw bytes");
        assert_eq!(shelf.code(), Some("disk-of-another-kind"));
        shelf.file("disk.raw", b"x");
        assert_eq!(shelf.code(), Some("cartridge-with-several-disks"));
        let message = shelf.inspect("a").unwrap_err().to_string();
        assert!(["disk.qcow2", "disk.raw"].iter().all(|disk| message.contains(disk)), "which: {message}");
    }

    #[test]
    fn a_disk_that_is_not_a_block_device_or_dangles_is_refused() {
        let shelf = Shelf::new();
        shelf.file("disk", b"x");
        assert_eq!(shelf.code(), Some("disk-of-another-kind"));
        let shelf = Shelf::new();
        symlink("/nowhere", shelf.0.path().join("shelf/a/disk")).unwrap();
        assert_eq!(shelf.inspect("a").unwrap_err().errno(), Some(nix::libc::ENOENT));
    }

    #[test]
    fn image_under_the_name_of_a_raw_disk_is_refused_and_never_shortened() {
        let mut vdi = vec![0; 4099];
        vdi[0x40..0x44].copy_from_slice(&[0x7f, 0x10, 0xda, 0xbe]);
        for (image, hint) in
            [(&b"QFI\xfb\0\0\0\x03 and more"[..], "call it disk.qcow2"), (b"KDMV", "import"), (b"vhdxfile", "import"), (&vdi, "import")]
        {
            let shelf = Shelf::new();
            let error = shelf.file("disk.raw", image).inspect("a").unwrap_err();
            assert_eq!(error.code(), Some("disk-of-another-kind"), "{error}");
            assert!(error.hint().unwrap().contains(hint) && !error.hint().unwrap().contains("truncate"), "{error}");
        }
        // A disk whose first sector says that it boots is one.
        let mut disk = vec![0; 512];
        disk[..4].copy_from_slice(b"KDMV");
        disk[510..].copy_from_slice(b"\x55\xaa");
        assert!(Shelf::new().file("disk.raw", &disk).inspect("a").is_ok());
    }

    #[test]
    fn variables_of_no_known_size_are_refused() {
        let shelf = Shelf::new();
        shelf.file("disk.raw", b"x").file("nvram.fd", b"short");
        assert_eq!(shelf.code(), Some("firmware-variables-unusable"));
        let hint = |shelf: &Shelf| shelf.inspect("a").unwrap_err().hint().unwrap().to_owned();
        assert!(hint(&shelf).starts_with("rename it"), "the guest's own variables may be in it");
        // As libvirt keeps them on Fedora, and whatever its length.
        for length in [200_000, 540_672] {
            let mut image = vec![0; length];
            image[..4].copy_from_slice(b"QFI\xfb");
            shelf.file("nvram.fd", &image);
            assert_eq!(shelf.code(), Some("firmware-variables-unusable"));
            assert!(hint(&shelf).contains("qemu-img convert -f qcow2 -O raw") && !hint(&shelf).contains("OVMF_VARS"), "{}", hint(&shelf));
        }
    }
}
