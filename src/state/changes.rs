//! Notices changes of the records in `/run/persona`, those of legion's user included.

use crate::sys::paths::Paths;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::os::fd::{AsFd, BorrowedFd};

/// Readable when a record may have changed (`inotify(7)`).
#[derive(Debug)]
pub struct RecordChanges(Inotify);

impl RecordChanges {
    /// Starts to watch. Before there is a folder of records, its parent is watched.
    ///
    /// # Errors
    /// When the kernel refuses, or there is no such parent.
    pub fn watch(paths: &Paths) -> nix::Result<Self> {
        let changes = Self(Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?);
        if !changes.look(paths) {
            changes.0.add_watch(&paths.at("/run"), AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO)?;
            changes.look(paths);
        }
        Ok(changes)
    }

    /// Takes all reported changes. Read the records after it, not before.
    pub fn settle(&self, paths: &Paths) {
        while self.0.read_events().is_ok_and(|events| !events.is_empty()) {}
        self.look(paths);
    }

    /// legion's folder may have been made or mounted since: `prepare` does that before its last record. A folder that is watched already
    /// stays watched once. False if there is no folder of records.
    fn look(&self, paths: &Paths) -> bool {
        let news = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_ONLYDIR;
        let is_there = self.0.add_watch(&paths.run_dir(), news).is_ok();
        let _ = self.0.add_watch(&paths.legion_dir(), news | AddWatchFlags::IN_DONT_FOLLOW);
        is_there
    }
}

impl AsFd for RecordChanges {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::fs;

    /// Whether something was reported since the last call.
    fn has_news(changes: &RecordChanges, paths: &Paths) -> bool {
        let found = poll(&mut [PollFd::new(changes.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() > 0;
        changes.settle(paths);
        found
    }

    #[test]
    fn folders_that_come_later_are_watched_too() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        fs::create_dir_all(paths.at("/run")).unwrap();
        let changes = RecordChanges::watch(&paths).unwrap();
        assert!(!has_news(&changes, &paths));
        fs::create_dir(paths.run_dir()).unwrap();
        assert!(has_news(&changes, &paths));
        let put = |path: &std::path::Path| {
            fs::write(root.path().join("new"), "").unwrap();
            fs::rename(root.path().join("new"), path).unwrap();
        };
        fs::create_dir(paths.legion_dir()).unwrap();
        put(&paths.legion_state());
        assert!(has_news(&changes, &paths));
        put(&paths.legion_report());
        assert!(has_news(&changes, &paths));
        assert!(!has_news(&changes, &paths));
    }
}
