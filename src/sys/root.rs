//! The root directory of this process. A process started in the initramfs has to follow process 1 into the host's root file system by
//! itself: `switch_root(8)` moves `/dev`, `/proc`, `/run` and `/sys` there and changes the root of its own process only. Open files keep
//! working all the time; paths do not work in between.

use crate::error::{Context, Result};
use crate::sys::file;
use crate::sys::paths::Paths;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, fstat, stat};
use nix::unistd::fchdir;
use std::os::fd::OwnedFd;

/// Whether this process was started in the initramfs: it has `/etc/initrd-release`
/// (<https://systemd.io/INITRD_INTERFACE/>), or its root is the kernel's own `rootfs`.
pub fn is_initramfs(paths: &Paths) -> bool {
    paths.at("/etc/initrd-release").exists() || file::read_text(paths.mount_info()).is_ok_and(|mounts| is_rootfs(&mounts))
}

/// Whether the last file system that was mounted on `/` is the kernel's `rootfs` (`proc_pid_mountinfo(5)`).
fn is_rootfs(mounts: &str) -> bool {
    let on_root = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some("/"));
    on_root.and_then(|line| line.split_once(" - ")).is_some_and(|(_, kind)| kind.starts_with("rootfs "))
}

/// Where this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the initramfs.
    Initramfs,
    /// Process 1 is moving: paths do not work.
    Between,
    /// In the host's root file system.
    Host,
}

/// The transition out of the initramfs.
#[derive(Debug)]
pub struct Root {
    /// `/proc`, wherever it is mounted in the meantime.
    proc: OwnedFd,
    /// The initramfs' root directory.
    origin: Identity,
}

/// Device and inode.
type Identity = (u64, u64);

impl Root {
    /// Must be opened while `/proc` is in its usual place.
    ///
    /// # Errors
    /// When there is no `/proc`.
    pub fn open() -> Result<Self> {
        let proc = open("/proc", FOLDER, Mode::empty()).context(|| "opening /proc".to_owned())?;
        let origin = identity(&stat("/").context(|| "looking at the root directory".to_owned())?);
        Ok(Self { proc, origin })
    }

    /// Finds where process 1 is, and follows it.
    ///
    /// # Errors
    /// When process 1 cannot be followed.
    pub fn follow(&self) -> Result<Place> {
        let doing = || "following process 1 into the host's root file system".to_owned();
        let root = openat(&self.proc, "1/root", FOLDER, Mode::empty()).context(doing)?;
        let (there, here) = (identity(&fstat(&root).context(doing)?), identity(&stat("/").context(doing)?));
        if there != here {
            fchdir(&root).context(doing)?;
            std::os::unix::fs::chroot(".").context(doing)?;
            return Ok(Place::Host);
        }
        // pivot_root(2) moves every process.
        if here != self.origin {
            return Ok(Place::Host);
        }
        // They are moved before process 1 changes its root.
        let is_complete = ["/proc/1", "/dev/null", "/sys/class"].into_iter().all(|path| stat(path).is_ok());
        Ok(if is_complete && stat("/run/persona").is_ok() { Place::Initramfs } else { Place::Between })
    }
}

fn identity(file: &FileStat) -> Identity {
    (file.st_dev, file.st_ino)
}

const FOLDER: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    const HOST: &str = "23 28 0:21 / /proc rw shared:12 - proc proc rw\n28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n";

    #[test]
    fn the_kernels_own_root_is_an_initramfs_until_another_is_mounted_on_it() {
        let own = "1 1 0:2 / / rw - rootfs rootfs rw,size=1k\n22 1 0:21 / /proc rw - proc proc rw\n";
        assert!(is_rootfs(own));
        assert!(!is_rootfs(HOST));
        assert!(!is_rootfs(&format!("{own}{HOST}")));
        assert!(!is_rootfs("28 1 0:30 / / rw - tmpfs rootfs rw\n"), "a host may run from memory");
        assert!(!is_rootfs(""));
    }

    #[test]
    fn a_release_file_tells_too() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        assert!(!is_initramfs(&paths));
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/initrd-release"), "").unwrap();
        assert!(is_initramfs(&paths));
    }
}
