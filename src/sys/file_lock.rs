//! Locks on files, flock(2): one type for all of them.
//!
//! A lock file is private to its owner (0600): a user who can open a file can hold a lock on it, and block all others. Some of these files
//! are in a folder that others can write to. A file of another user there is removed, never trusted.

use crate::error::{Context, Error, Result};
use crate::sys::poll;
use crate::sys::syscalls;
use crate::sys::tree;
use nix::libc::{O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK};
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How long a process waits for a record that others change, too. Each holds the lock for a few system calls and an fsync.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the file is reopened if it keeps being replaced.
const MAX_ATTEMPTS: usize = 32;

/// A lock that is held until this is dropped or its process has ended in any way.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
    /// Other processes have the same open file, and hold the lock as well.
    is_shared: bool,
}

impl FileLock {
    /// Takes the lock without waiting, and creates its file if needed; none if another process holds it.
    ///
    /// # Errors
    /// When the file can be neither opened nor created, or cannot be trusted.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>> {
        Self::attempt(path, true).context(|| format!("taking the lock {}", path.display()))
    }

    /// As [`Self::try_take`], by a descriptor without write access to the file: it can be passed on.
    ///
    /// # Errors
    /// As [`Self::try_take`].
    pub(crate) fn try_take_read_only(path: &Path) -> Result<Option<Self>> {
        Self::attempt(path, false).context(|| format!("taking the lock {}", path.display()))
    }

    /// Takes the lock, and waits up to this long for a process that holds it.
    ///
    /// # Errors
    /// On timeout, and as [`Self::try_take`].
    pub(crate) fn take_within(path: &Path, limit: Duration) -> Result<Self> {
        let taken = poll::until(limit, || Self::try_take(path).transpose());
        taken.unwrap_or_else(|| {
            let message = format!("taking the lock {}: another process has held it for {} s", path.display(), limit.as_secs());
            let hint = format!("`fuser -v {}` names the process; try again once it has ended", path.display());
            Err(Error::new(message).with_hint(hint))
        })
    }

    /// The lock on a file that is open here and in other processes: they hold it together. None if another process holds it by its own open
    /// file.
    ///
    /// # Errors
    /// The system call's.
    pub(crate) fn shared(file: File) -> io::Result<Option<Self>> {
        Ok(try_lock(&file)?.then_some(Self { file, is_shared: true }))
    }

    /// Other processes have the open file now. From now on the lock is held until the last of them has closed it.
    pub(crate) fn is_given_away(&mut self) {
        self.is_shared = true;
    }

    /// The locked file.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    fn attempt(path: &Path, writes: bool) -> io::Result<Option<Self>> {
        let path = &tree::entry(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        for _ in 0..MAX_ATTEMPTS {
            let Some(file) = open(path, writes)? else { continue };
            if !try_lock(&file)? {
                return Ok(None);
            }
            let lock = Self { file, is_shared: false };
            let opened = lock.file.metadata()?;
            // It may have been removed before it was locked: then another file has its name.
            if !is_at(path, &opened)? {
                continue;
            }
            if opened.mode() & 0o077 == 0 {
                return Ok(Some(lock));
            }
            // Others can open this file. It can be replaced now, since no process holds it.
            fs::remove_file(path)?;
        }
        Err(io::Error::other("the file keeps being replaced"))
    }
}

impl AsFd for FileLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // A forked child that has not executed yet has the file open for some microseconds more.
        if !self.is_shared {
            let _ = self.file.unlock();
        }
    }
}

/// Whether a file or a folder is locked by any process now.
///
/// # Errors
/// The system call's.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the path still names this file.
pub(crate) fn is_at(path: &Path, file: &Metadata) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (file.dev(), file.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens the lock's file, and creates it if needed; none if an untrusted file was in its place, which is removed now.
///
/// `O_CREAT` on another user's file in a sticky folder is refused even to root (`fs.protected_regular`, proc(5)), so the file is created
/// only where there is none.
fn open(path: &Path, writes: bool) -> io::Result<Option<File>> {
    let is_ours = |file: &Metadata| file.is_file() && file.uid() == syscalls::effective_user();
    let mut options = OpenOptions::new();
    // Not `create_new()`: it requires a descriptor with write access.
    options.read(true).write(writes).custom_flags(O_NOFOLLOW | O_NONBLOCK).mode(0o600);
    let opened = match fs::symlink_metadata(path) {
        Ok(there) if is_ours(&there) => options.open(path),
        Ok(_) => fs::remove_file(path).and(Err(ErrorKind::NotFound.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => options.custom_flags(O_NOFOLLOW | O_NONBLOCK | O_CREAT | O_EXCL).open(path),
        Err(error) => Err(error),
    };
    match opened {
        Ok(file) => Ok(is_ours(&file.metadata()?).then_some(file)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/x.lock");
        (folder, path)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn lock_held_is_refused_until_it_is_dropped() {
        let (_folder, path) = folder();
        let lock = FileLock::try_take(&path).unwrap().unwrap();
        assert_eq!(mode(&path), 0o600);
        assert!(FileLock::try_take(&path).unwrap().is_none());
        drop(lock);
        assert!(FileLock::try_take_read_only(&path).unwrap().is_some());
    }

    #[test]
    fn lock_given_away_outlives_its_first_owner() {
        let (_folder, path) = folder();
        let mut lock = FileLock::try_take_read_only(&path).unwrap().unwrap();
        let other = lock.file().try_clone().unwrap();
        lock.is_given_away();
        drop(lock);
        assert!(FileLock::try_take(&path).unwrap().is_none());
        let again = FileLock::shared(other.try_clone().unwrap()).unwrap().unwrap();
        drop(again);
        assert!(FileLock::try_take(&path).unwrap().is_none(), "the first descriptor is still open");
        drop(other);
        // A child of another test that is just starting has it for some microseconds more.
        FileLock::take_within(&path, LOCK_TIMEOUT).unwrap();
    }

    #[test]
    fn lock_wait_ends_with_the_time_and_says_what_to_do() {
        let (_folder, path) = folder();
        let _lock = FileLock::try_take(&path).unwrap().unwrap();
        let error = FileLock::take_within(&path, Duration::from_millis(20)).unwrap_err();
        assert!(error.to_string().contains("another process has held it") && error.hint().unwrap().contains("fuser"), "{error}");
    }

    #[test]
    fn lock_file_that_others_can_open_is_replaced_unless_it_is_held() {
        let (_folder, path) = folder();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let others = File::open(&path).unwrap();
        others.lock().unwrap();
        assert!(FileLock::try_take(&path).unwrap().is_none(), "its holder may be a legion");
        others.unlock().unwrap();
        let _lock = FileLock::try_take(&path).unwrap().unwrap();
        assert_eq!(mode(&path), 0o600);
        assert!(try_lock(&others).unwrap(), "a lock on the old file does not count");
    }

    #[test]
    fn lock_file_of_another_kind_or_owner_is_replaced() {
        let (folder, path) = folder();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let target = folder.path().join("target");
        symlink(&target, &path).unwrap();
        drop(FileLock::try_take(&path).unwrap().unwrap());
        assert!(!target.exists() && fs::symlink_metadata(&path).unwrap().is_file());
        // Only root can change a file's owner.
        if syscalls::effective_user() == 0 {
            chown(&path, Some(65_534), None).unwrap();
            let others = File::open(&path).unwrap();
            others.lock().unwrap();
            let _lock = FileLock::try_take(&path).unwrap().unwrap();
            assert_eq!(fs::metadata(&path).unwrap().uid(), 0);
        }
    }
}
