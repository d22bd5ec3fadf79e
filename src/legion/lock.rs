//! The lock that allows only one legion at a time.

use crate::error::{Context, Error, Result};
use crate::sys::file;
use crate::sys::file_lock::{FileLock, is_at};
use crate::sys::paths::Paths;
use crate::sys::poll;
use crate::sys::systemd;
use nix::libc::O_NOFOLLOW;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// The name under which systemd keeps it.
const NAME: &str = "legion-lock";

/// How long a process may have descriptors of systemd's between its start and its execution.
const FORK_TIMEOUT: Duration = Duration::from_millis(500);

/// The proof that no legion runs, or that it is ours: without it the slot cannot be moved and QEMU cannot be started.
///
/// An flock(2) on `/run/persona/legion.lock`, which only root can open: a user who can open it could hold it, and keep legion off.
/// `prepare` takes it and passes the open file to systemd, which passes it on to `run`; QEMU inherits it from there. A lock belongs to the
/// open file, not to a process, so it is held from `prepare` until `release` is done and QEMU is gone, however they end. If the lock is
/// held by another process, another legion runs: nothing is touched.
///
/// The file holds the invocation ID of the unit start that took it last. From it, `release` knows whether it follows the `prepare` that has
/// the lock.
#[derive(Debug)]
pub struct LegionLock(FileLock);

impl LegionLock {
    /// Takes the lock, without waiting.
    ///
    /// # Errors
    /// When legion runs or is being prepared, or the lock file cannot be made.
    pub fn take(paths: &Paths) -> Result<Self> {
        let path = paths.legion_lock();
        // A guest that escapes QEMU gets the inherited descriptor: it must not be writable.
        FileLock::try_take_read_only(&path)?.map(Self).ok_or_else(|| {
            Error::new(format!("legion is running or being prepared: {} is held", path.display()))
                .with_hint("`systemctl stop legion` ends it")
        })
    }

    /// Takes the lock for this start of the unit, and has systemd keep it for `run` until `release` is done. Without systemd only this
    /// process holds it.
    ///
    /// # Errors
    /// As [`Self::take`], and when systemd cannot be notified.
    pub fn take_for_service(paths: &Paths) -> Result<Self> {
        // systemd still has the descriptor of the last start if this start was requested before the last one ended. A legion that still
        // runs has its own copy.
        Self::give_back()?;
        let mut lock = Self::take_soon(paths)?;
        lock.sign(paths).context(|| format!("writing to {}", paths.legion_lock().display()))?;
        if systemd::keep_descriptor(NAME, lock.as_fd())? {
            lock.0.is_given_away();
        }
        Ok(lock)
    }

    /// Takes the lock that systemd has just closed: a process that systemd is starting has the descriptor, too, until it executes.
    fn take_soon(paths: &Paths) -> Result<Self> {
        poll::until(FORK_TIMEOUT, || Self::take(paths).ok()).map_or_else(|| Self::take(paths), Ok)
    }

    /// The lock that `prepare` took and systemd passed on to this process.
    ///
    /// # Errors
    /// When systemd passed none, when the file is not legion's lock, or when another process holds it.
    pub fn from_service(paths: &Paths) -> Result<Self> {
        let path = paths.legion_lock();
        let file = systemd::passed_descriptor(NAME)?.ok_or_else(|| {
            Error::new("legion's lock was not passed to this process").with_hint(
                "start legion.service, which does that: `systemctl start legion`. If it was started so, `systemctl cat legion` must show \
                 NotifyAccess=exec and FileDescriptorStoreMax=1",
            )
        })?;
        let doing = || format!("taking over the lock {}", path.display());
        if !is_at(&path, &file.metadata().context(doing)?).context(doing)? {
            return Err(Error::new(format!("the descriptor passed to this process is not the lock {}", path.display()))
                .with_hint("`systemctl restart legion` recreates it"));
        }
        FileLock::shared(file).context(doing)?.map(Self).ok_or_else(|| {
            Error::new(format!("legion is already running or being prepared: the lock {} is held", path.display()))
                .with_hint("`systemctl stop legion` ends it")
        })
    }

    /// Makes systemd close its copy: the lock is free as soon as this unit's processes are gone.
    ///
    /// # Errors
    /// When systemd cannot be notified.
    pub fn give_back() -> Result<()> {
        systemd::close_descriptor(NAME).map(drop)
    }

    /// Whether this start of the unit was the last to take the lock.
    pub fn is_of_this_start(paths: &Paths) -> bool {
        let holder = file::read_text(paths.legion_lock()).unwrap_or_default();
        invocation().is_some_and(|ours| ours == holder)
    }

    fn sign(&self, paths: &Paths) -> io::Result<()> {
        let path = paths.legion_lock();
        let mut file = OpenOptions::new().write(true).custom_flags(O_NOFOLLOW).open(&path)?;
        if !is_at(&path, &file.metadata()?)? {
            return Err(ErrorKind::NotFound.into());
        }
        file.set_len(0)?;
        file.write_all(invocation().unwrap_or_default().as_bytes())
    }
}

/// The ID that distinguishes this start of the unit from every other (systemd.exec(5)).
fn invocation() -> Option<String> {
    std::env::var("INVOCATION_ID").ok().filter(|id| !id.is_empty())
}

impl AsFd for LegionLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn only_one_has_it_until_it_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let lock = LegionLock::take(&paths).unwrap();
        assert_eq!(fs::metadata(paths.legion_lock()).unwrap().mode() & 0o7777, 0o600, "only its owner can hold it");
        let message = LegionLock::take(&paths).unwrap_err().to_string();
        assert!(message.contains("legion is running") && message.contains("hint: "), "{message}");
        drop(lock);
        LegionLock::take(&paths).unwrap();
    }
}
