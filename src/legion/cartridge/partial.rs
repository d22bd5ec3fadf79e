//! Cartridges and snapshots being created or removed: a folder called `.partial-NAME` next to `NAME`.
//!
//! A new folder is filled under this name and moved to its place by one rename; a folder to be removed is first moved back to this name by
//! one rename. So leftovers of a killed command block nothing, have a name that tells what they were, and are cleared by the next command
//! for that name. A lock tells leftovers from work in progress.

use crate::error::{Context, Error, Result};
use crate::sys::atomic;
use crate::sys::poll;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};
use nix::libc::{O_DIRECTORY, O_NOFOLLOW};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a process that works on the folder is waited for.
const HOLD_TIMEOUT: Duration = Duration::from_secs(2);
const PREFIX: &str = ".partial-";

/// A folder that nothing else works on while this is held (`flock(2)`).
pub type Hold = Flock<File>;

/// The name of the folder that a partial folder becomes or was.
pub fn name_of(file_name: &str) -> Option<&str> {
    file_name.strip_prefix(PREFIX)
}

/// The folder in which `name` is created or removed.
pub(super) fn folder(parent: &Path, name: &str) -> PathBuf {
    parent.join(format!("{PREFIX}{name}"))
}

/// A folder in work. It is removed when dropped, unless it has been moved to its place.
#[derive(Debug)]
pub(super) struct Partial {
    place: PathBuf,
    /// Where the work happens.
    pub(super) folder: PathBuf,
    _hold: Hold,
    is_done: bool,
}

impl Partial {
    /// An empty folder that will become `parent/name`. Leftovers of a killed command are cleared.
    pub(super) fn begin(parent: &Path, name: &str) -> Result<Self> {
        let folder = folder(parent, name);
        let doing = || format!("creating the folder {}", folder.display());
        loop {
            match DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Error::caused_by(doing(), error)),
                _ => {}
            }
            if let Some(hold) = hold(&folder).map_err(|error| Error::caused_by(doing(), error))? {
                let partial = Self { place: parent.join(name), folder: folder.clone(), _hold: hold, is_done: false };
                empty(&folder).context(|| format!("clearing {}", folder.display()))?;
                return Ok(partial);
            }
            // Another command held it, and has just removed it or moved it to its place.
        }
    }

    /// Removes what a killed command left of `parent/name`; returns whether there was anything.
    pub(super) fn clear(parent: &Path, name: &str) -> Result<bool> {
        let is_left = fs::symlink_metadata(folder(parent, name)).is_ok();
        if is_left {
            Self::begin(parent, name)?.remove()?;
        }
        Ok(is_left)
    }

    /// Moves the folder `parent/name` here in order to remove it. `hold` is its lock.
    pub(super) fn of(parent: &Path, name: &str, hold: Hold) -> Result<Self> {
        Self::clear(parent, name)?;
        let folder = folder(parent, name);
        atomic::rename(&parent.join(name), &folder)?;
        // Incomplete from here on, whatever happens next.
        Ok(Self { place: parent.join(name), folder, _hold: hold, is_done: false })
    }

    /// Syncs everything and moves it to its place, which must be free.
    pub(super) fn finish(mut self) -> Result<()> {
        atomic::sync_tree(&self.folder)?;
        atomic::rename(&self.folder, &self.place)?;
        self.is_done = true;
        Ok(())
    }

    /// Keeps the folder, for the next command to clear: a related part elsewhere could not be removed.
    pub(super) fn leave(mut self) {
        self.is_done = true;
    }

    /// Removes the folder and everything in it.
    pub(super) fn remove(mut self) -> Result<()> {
        self.is_done = true;
        fs::remove_dir_all(&self.folder).context(|| format!("removing {}", self.folder.display()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // A finished folder may be in use by another command by now. For an unfinished one, that failure is the one reported.
        if !self.is_done {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Whether another process works on this folder now.
pub(super) fn is_held(folder: &Path) -> bool {
    File::open(folder).is_ok_and(|folder| matches!(Flock::lock(folder, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK))))
}

/// Locks a folder against other processes; `None` when it does not exist (any more). A process that holds it is waited for a short while:
/// one that was killed needs a moment to end. Programs that this process starts hold the lock as well, so that it is not free while a
/// killed command's `qemu-img` still writes.
///
/// # Errors
/// When another process works on it, or it is not a folder that can be opened.
pub(super) fn hold(folder: &Path) -> Result<Option<Hold>> {
    let doing = || format!("opening the folder {}", folder.display());
    let attempt = || {
        let opened = match OpenOptions::new().read(true).custom_flags(O_DIRECTORY).open(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Some(Ok(None)),
            Err(error) => return Some(Err(Error::caused_by(doing(), error))),
            Ok(opened) => opened,
        };
        match Flock::lock(opened, FlockArg::LockExclusiveNonblock) {
            Ok(hold) => Some(inherited(folder, hold).context(doing)),
            Err((_, Errno::EWOULDBLOCK)) => None,
            Err((_, errno)) => Some(Err(Error::caused_by(doing(), std::io::Error::from(errno)))),
        }
    };
    poll::until(HOLD_TIMEOUT, attempt).unwrap_or_else(|| {
        Err(Error::new(format!("another `persona` is working on {}", folder.display()))
            .with_code("cartridge-busy")
            .with_hint("wait until it is done; `persona cartridge list` shows it"))
    })
}

/// The lock, if it is on the folder that is there now.
fn inherited(folder: &Path, hold: Hold) -> std::io::Result<Option<Hold>> {
    fcntl(&*hold, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let is_still_there = match (fs::metadata(folder), hold.metadata()) {
        (Ok(there), Ok(ours)) => (there.dev(), there.ino()) == (ours.dev(), ours.ino()),
        _ => false,
    };
    Ok(is_still_there.then_some(hold))
}

fn empty(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }?;
    }
    Ok(())
}

/// Opens a new file that only root may access.
pub(super) fn new_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(O_NOFOLLOW).open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_killed_command_left_is_cleared_and_what_lives_is_not() {
        let shelf = tempfile::tempdir().unwrap();
        fs::create_dir_all(shelf.path().join(".partial-a/tpm")).unwrap();
        fs::write(shelf.path().join(".partial-a/disk.raw"), b"x").unwrap();
        let ours = Partial::begin(shelf.path(), "a").unwrap();
        assert_eq!(fs::read_dir(&ours.folder).unwrap().count(), 0);
        assert!(is_held(&ours.folder));
        assert_eq!(Partial::begin(shelf.path(), "a").unwrap_err().code(), Some("cartridge-busy"));
        fs::write(ours.folder.join("disk.raw"), b"y").unwrap();
        ours.finish().unwrap();
        assert_eq!(fs::read(shelf.path().join("a/disk.raw")).unwrap(), b"y");
        assert!(!Partial::clear(shelf.path(), "a").unwrap());
    }

    #[test]
    fn work_that_fails_leaves_nothing() {
        let shelf = tempfile::tempdir().unwrap();
        fs::write(Partial::begin(shelf.path(), "a").unwrap().folder.join("disk.raw"), b"x").unwrap();
        assert_eq!(fs::read_dir(shelf.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_was_taken_meanwhile_is_left_alone() {
        let shelf = tempfile::tempdir().unwrap();
        let partial = Partial::begin(shelf.path(), "a").unwrap();
        fs::create_dir(shelf.path().join("a")).unwrap();
        fs::write(shelf.path().join("a/disk.raw"), b"theirs").unwrap();
        assert!(partial.finish().is_err());
        assert_eq!(fs::read(shelf.path().join("a/disk.raw")).unwrap(), b"theirs");
    }
}
