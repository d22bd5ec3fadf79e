//! The lock that makes legion the only one.

use crate::error::{Context, Error, Result};
use crate::paths::Paths;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// The proof that legion does not run, or is ours: without it the slot cannot be moved and QEMU not started.
///
/// An flock(2) on `/run/persona/legion.lock`. `prepare` holds it while it works; `run` takes it next, lets QEMU inherit
/// it, and so it is held until the last of the two is gone, however they end. A lock that cannot be had means somebody
/// else's legion: nothing is touched.
#[derive(Debug)]
pub struct LegionLock(Flock<File>);

impl LegionLock {
    /// Takes the lock, without waiting.
    ///
    /// # Errors
    /// When legion runs or is being prepared, or the lock file cannot be made.
    pub fn take(paths: &Paths) -> Result<Self> {
        let path = paths.legion_lock();
        let file = open(paths).doing(|| format!("opening the lock {}", path.display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Err(Error::new(format!("legion is running or being prepared: {} is held", path.display()))
                .mend("`systemctl stop legion` ends it")),
            Err((_, errno)) => Err(Error::because(format!("taking the lock {}", path.display()), std::io::Error::from(errno))),
        }
    }
}

impl AsFd for LegionLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `O_CREAT` on another user's file in a sticky folder is refused even to root (`fs.protected_regular`, proc(5)), so
/// the file is only created where there is none.
fn open(paths: &Paths) -> std::io::Result<File> {
    fs::create_dir_all(paths.run_dir())?;
    let path = paths.legion_lock();
    match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened,
    }
    match OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => File::open(&path),
        created => created,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_one_has_it_until_it_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let lock = LegionLock::take(&paths).unwrap();
        let message = LegionLock::take(&paths).unwrap_err().to_string();
        assert!(message.contains("legion is running") && message.contains("mend: "), "{message}");
        drop(lock);
        LegionLock::take(&paths).unwrap();
    }
}
