//! Checks whether anything else uses a cartridge: two systems on one disk destroy it.

use super::partial::{self, Hold};
use super::parts::names_in;
use super::{Cartridge, DiskKind, DiskSize, changes};
use crate::error::{Context, Error, Result};
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::syscalls;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// QEMU locks one byte of an image for each permission that it uses or denies to others (`block/file-posix.c`: `RAW_LOCK_PERM_BASE` 100,
/// `RAW_LOCK_SHARED_BASE` 200, with room above).
const QEMU_LOCKS: std::ops::Range<i64> = 100..300;

/// With less free space than this, in bytes, the file system of a growing image counts as almost full.
const ALMOST_FULL: u64 = 1 << 30;

impl Cartridge {
    /// Checks that the disk is complete and that nothing uses it: no other virtual machine, no loop device or mount of the host, no program
    /// that writes to it. A change of a command that was killed is completed. While the result is held, no other `persona` changes the
    /// cartridge: hold it until the cartridge is in the slot and legion's lock protects it.
    ///
    /// # Errors
    /// When something uses it or part of it is missing; the message says what, as far as known.
    pub fn ensure_free(&self, paths: &Paths) -> Result<Hold> {
        let folder = paths.at(&self.folder);
        let hold = partial::hold(&folder)?
            .ok_or_else(|| Error::new(format!("the cartridge {} was removed just now", self.name)).with_code("cartridge-missing"))?;
        ensure_unused(paths, &self.disk_path(paths))?;
        changes::complete(paths, &folder)?;
        self.disk.ensure_whole(&self.disk_path(paths))?;
        self.claim(paths)?;
        Ok(hold)
    }

    /// A warning when the file system of a growing image is almost full: QEMU pauses the guest when it is full.
    pub fn note_on_space(&self, paths: &Paths) -> Option<String> {
        if self.disk.kind == DiskKind::BlockDevice {
            return None;
        }
        let path = self.disk_path(paths);
        let growth = self.disk.size(&path).ok()?.saturating_sub(fs::metadata(&path).ok()?.blocks() * 512);
        let free = free_space(&path)?;
        (free < growth.min(ALMOST_FULL)).then(|| {
            let (free, growth) = (DiskSize(free), DiskSize(growth));
            format!("only {free} are free where {} is, which may grow by {growth}: the guest pauses when there is no room", path.display())
        })
    }
}

/// How many bytes can still be written on the file system of this file or folder.
pub(super) fn free_space(path: &Path) -> Option<u64> {
    let file_system = nix::sys::statvfs::statvfs(path).ok()?;
    Some(file_system.blocks_available() * file_system.fragment_size())
}

/// Checks that nothing uses this image or block device, as far as visible from outside. A block device is tested by claiming it.
pub(super) fn ensure_unused(paths: &Paths, disk: &Path) -> Result<()> {
    let in_use = |by: &str, hint: &str| {
        Err(Error::new(format!("the disk {} is in use {by}", disk.display())).with_code("disk-in-use").with_hint(hint))
    };
    if let Some(device) = loop_device(paths, disk) {
        return in_use(&format!("as /dev/{device}"), &format!("unmount it and `losetup -d /dev/{device}`"));
    }
    let file = File::open(disk).context(|| format!("opening the disk {}", disk.display()))?;
    if is_locked(&file).context(|| format!("asking for locks on {}", disk.display()))? {
        return in_use("by another virtual machine or by qemu-img", "stop it first (`fuser -v` with the file's name shows it)");
    }
    // udev briefly opens block devices for writing from time to time.
    let is_file = !file.metadata().is_ok_and(|metadata| metadata.file_type().is_block_device());
    if is_file && syscalls::is_written_to(&file) {
        return in_use("by a program that writes to it", "stop it first (`fuser -v` with the file's name shows it)");
    }
    Ok(())
}

/// Whether another process holds one of QEMU's locks. Our own locks do not count, but we have none.
fn is_locked(file: &File) -> nix::Result<bool> {
    let mut lock = nix::libc::flock {
        l_type: nix::libc::F_WRLCK as i16,
        l_whence: nix::libc::SEEK_SET as i16,
        l_start: QEMU_LOCKS.start,
        l_len: QEMU_LOCKS.end - QEMU_LOCKS.start,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(lock.l_type != nix::libc::F_UNLCK as i16)
}

/// The loop device backed by this file (`Documentation/ABI/testing/sysfs-block-loop`).
fn loop_device(paths: &Paths, disk: &Path) -> Option<String> {
    let disk = fs::canonicalize(disk).ok()?;
    let backing = |folder: &Path| {
        let name = file::read_text(folder.join("loop/backing_file")).ok()?;
        fs::canonicalize(paths.at(PathBuf::from(name.strip_suffix('\n')?))).ok()
    };
    let class = paths.block_class();
    names_in(&class).into_iter().find(|device| backing(&class.join(device)).is_some_and(|file| file == disk))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::fcntl::OFlag;
    use std::os::unix::fs::OpenOptionsExt;

    fn machine() -> (tempfile::TempDir, Paths, Cartridge) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        fs::create_dir_all(paths.at("/c/a")).unwrap();
        fs::write(paths.at("/c/a/disk.raw"), vec![0; 4096]).unwrap();
        let cartridge = Cartridge::inspect(&paths, Path::new("/c"), "a").unwrap();
        (root, paths, cartridge)
    }

    fn why(cartridge: &Cartridge, paths: &Paths) -> Option<&'static str> {
        cartridge.ensure_free(paths).unwrap_err().code()
    }

    #[test]
    fn a_disk_that_a_program_writes_to_is_in_use() {
        let (_root, paths, cartridge) = machine();
        drop(cartridge.ensure_free(&paths).unwrap());
        let reader = File::open(paths.at("/c/a/disk.raw")).unwrap();
        drop(cartridge.ensure_free(&paths).unwrap());
        drop(reader);
        let writer = fs::OpenOptions::new().append(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(paths.at("/c/a/disk.raw")).unwrap();
        assert_eq!(why(&cartridge, &paths), Some("disk-in-use"));
        drop(writer);
        cartridge.ensure_free(&paths).unwrap();
    }

    #[test]
    fn a_disk_on_a_loop_device_is_in_use_even_under_another_name() {
        let (_root, paths, cartridge) = machine();
        fs::create_dir_all(paths.at("/sys/class/block/loop7/loop")).unwrap();
        std::os::unix::fs::symlink("a", paths.at("/c/b")).unwrap();
        fs::write(paths.at("/sys/class/block/loop7/loop/backing_file"), "/c/b/disk.raw\n").unwrap();
        let error = cartridge.ensure_free(&paths).unwrap_err();
        assert!(error.code() == Some("disk-in-use") && error.reason().contains("/dev/loop7"), "as what: {error}");
        fs::write(paths.at("/sys/class/block/loop7/loop/backing_file"), "/c/other.raw\n").unwrap();
        cartridge.ensure_free(&paths).unwrap();
    }

    #[test]
    fn a_raw_disk_that_ends_within_a_sector_is_cut_short() {
        let (_root, paths, cartridge) = machine();
        fs::write(paths.at("/c/a/disk.raw"), vec![0; 4095]).unwrap();
        assert_eq!(why(&cartridge, &paths), Some("image-damaged"));
    }

    #[test]
    fn a_cartridge_that_another_command_works_on_is_not_free() {
        let (_root, paths, cartridge) = machine();
        let ours = cartridge.ensure_free(&paths).unwrap();
        assert_eq!(why(&cartridge, &paths), Some("cartridge-busy"));
        drop(ours);
        cartridge.ensure_free(&paths).unwrap();
    }
}
