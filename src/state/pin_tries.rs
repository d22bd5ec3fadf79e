//! `pin-tries.toml`: how often a wrong PIN was entered, so that a restart of the menu or of the machine does not end the delay.
//!
//! A try is counted, durably, before it is checked: cutting the power after a wrong one does not undo it. The count is in
//! `/var/lib/persona`. Where that cannot be written (in the initramfs, on a full or read-only disk) it is in `/run/persona`, and the two
//! are added up later.
//!
//! If a count is unknown, [`Tries::DOUBT`] wrong tries are assumed: the next wrong one has a delay of some seconds. No record, and no
//! change of the clock, makes a person wait longer than [`Tries::MAX_WAIT`].

use super::record;
use crate::config::pin::Tries;
use crate::error::{Error, Result};
use crate::sys::atomic;
use crate::sys::file_lock::{FileLock, LOCK_TIMEOUT};
use crate::sys::paths::Paths;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wrong tries since the last right one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PinTries {
    /// How many.
    wrong: u32,
    /// When the last one was, in seconds since the epoch by the machine's clock, which may be wrong.
    at: u64,
    /// A right PIN was entered where the record in `/var/lib/persona` could not be changed: its tries no longer count. Only in `/run`.
    was_right: bool,
}

impl PinTries {
    /// The tries so far. `host_is_there` says whether the host's file systems are mounted. If the last one is in the future, the clock was
    /// changed: then the delay begins now, and only once.
    pub fn current(paths: &Paths, host_is_there: bool, now: SystemTime) -> Self {
        let mut tries = Self::read(paths, host_is_there);
        if tries.at > seconds(now) {
            tries.at = seconds(now);
            if host_is_there && let Err(error) = tries.write(paths) {
                log::debug!("the clock was changed, and the delay after wrong PINs is not: {error}");
            }
        }
        tries
    }

    /// All of them in the lasting record.
    fn write(self, paths: &Paths) -> Result<()> {
        record::write_text(&paths.pin_tries(), &self.text())?;
        atomic::remove(&paths.pin_tries_of_boot())
    }

    /// The record: TOML, of which these three lines are all that is ever written.
    fn text(self) -> String {
        format!("wrong = {}\nat = {}\nwas_right = {}\n", self.wrong, self.at, self.was_right)
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('=').map(str::trim));
        Some(Self { wrong: value("wrong")?.parse().ok()?, at: value("at")?.parse().ok()?, was_right: value("was_right") == Some("true") })
    }

    fn read(paths: &Paths, host_is_there: bool) -> Self {
        let (run, is_run_known) = read(&paths.pin_tries_of_boot());
        let (var, is_var_known) = if host_is_there { read(&paths.pin_tries()) } else { (Self::default(), false) };
        let before = if run.was_right { Self::default() } else { var };
        let doubt = if is_run_known && (is_var_known || run.was_right) { 0 } else { Tries::DOUBT };
        Self { wrong: before.wrong.saturating_add(run.wrong).max(doubt), at: before.at.max(run.at), was_right: false }
    }

    /// Counts a try, before it is checked.
    ///
    /// # Errors
    /// When it can be recorded for this boot only, or not at all.
    pub fn count(paths: &Paths, host_is_there: bool, now: SystemTime) -> Result<()> {
        // Two processes must not count as one. Without the lock the try counts all the same.
        let lock = || FileLock::take_within(&paths.pin_tries_lock(), LOCK_TIMEOUT).inspect_err(|error| log::debug!("{error}")).ok();
        let _lock = host_is_there.then(lock);
        let counted = |tries: Self| Self { wrong: tries.wrong.saturating_add(1), at: seconds(now), ..tries };
        let written = if host_is_there { counted(Self::read(paths, true)).write(paths).map_err(Some) } else { Err(None) };
        let Err(error) = written else { return Ok(()) };
        record::write_text(&paths.pin_tries_of_boot(), &counted(read(&paths.pin_tries_of_boot()).0).text())?;
        error.map_or(Ok(()), Err)
    }

    /// A right PIN was entered: nothing is counted any more.
    ///
    /// # Errors
    /// When the record cannot be removed.
    pub fn clear(paths: &Paths, host_is_there: bool) -> Result<()> {
        let removed = if host_is_there { atomic::remove(&paths.pin_tries()).map_err(Some) } else { Err(None) };
        match removed {
            Ok(()) => atomic::remove(&paths.pin_tries_of_boot()),
            Err(error) => {
                record::write_text(&paths.pin_tries_of_boot(), &Self { was_right: true, ..Self::default() }.text())?;
                error.map_or(Ok(()), Err)
            }
        }
    }

    /// The delay as a state machine has it, whose clock shows `clock` at the time `now`.
    pub fn resumed(self, now: SystemTime, clock: Duration) -> Tries {
        Tries::resumed(self.wrong, clock + self.wait(now))
    }

    /// How long the next try must wait.
    pub fn wait(self, now: SystemTime) -> Duration {
        let passed = seconds(now).saturating_sub(self.at);
        Tries::delay(self.wrong).saturating_sub(Duration::from_secs(passed))
    }
}

/// A record, and whether it is known. A missing one is known.
fn read(path: &Path) -> (PinTries, bool) {
    let tries = record::read_text(path, None).and_then(|text| match text {
        None => Ok(PinTries::default()),
        Some(text) => PinTries::parse(&text).ok_or_else(|| Error::new(format!("{} is no count of wrong PINs", path.display()))),
    });
    match tries {
        Ok(tries) => (tries, true),
        Err(error) => {
            log::warn!("the number of wrong PINs is not known: {error}");
            (PinTries::default(), false)
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn machine() -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        (root, paths)
    }

    fn count(paths: &Paths, host_is_there: bool, times: usize, seconds: u64) {
        (0..times).for_each(|_| PinTries::count(paths, host_is_there, at(seconds)).unwrap());
    }

    fn wait(paths: &Paths, host_is_there: bool, seconds: u64) -> u64 {
        PinTries::read(paths, host_is_there).wait(at(seconds)).as_secs()
    }

    #[test]
    fn tries_of_another_process_and_boot_count_until_a_right_one() {
        let (_root, paths) = machine();
        assert_eq!(wait(&paths, true, 1000), 0);
        count(&paths, true, 6, 1000);
        assert_eq!((wait(&paths, true, 1000), wait(&paths, true, 1010), wait(&paths, true, 1016)), (16, 6, 0));
        count(&paths, true, 1, 1016);
        assert_eq!(wait(&paths, true, 1016), 32, "waiting forgets nothing");
        PinTries::clear(&paths, true).unwrap();
        assert_eq!(PinTries::read(&paths, true), PinTries::default());
        count(&paths, true, 1, 2000);
        assert_eq!(wait(&paths, true, 2000), 0);
    }

    #[test]
    fn clock_that_jumps_waits_five_minutes_at_most() {
        let (_root, paths) = machine();
        count(&paths, true, 40, 1_800_000_000);
        for now in [0, 1_700_000_000, 1_799_999_999, 1_800_000_000] {
            assert_eq!(wait(&paths, true, now), 300, "{now}");
        }
        assert_eq!(wait(&paths, true, u64::from(u32::MAX)), 0);
        let (early, later) = (at(1_700_000_000), at(1_700_000_300));
        assert_eq!(PinTries::current(&paths, true, early).wait(early).as_secs(), 300);
        assert_eq!(PinTries::current(&paths, true, later).wait(later).as_secs(), 0, "the delay begins once");
        fs::write(paths.pin_tries(), format!("wrong = {}\nat = {}\n", u32::MAX, i64::MAX)).unwrap();
        assert_eq!(wait(&paths, true, 1000), 300);
        count(&paths, true, 2, 1000);
        assert_eq!(wait(&paths, true, 1300), 0, "and the next try puts it right");
    }

    #[test]
    fn tries_in_the_initramfs_are_added_to_the_hosts() {
        let (_root, paths) = machine();
        count(&paths, true, 4, 1000);
        let initramfs = PinTries::read(&paths, false);
        assert_eq!(
            (initramfs.wrong, initramfs.wait(at(1010))),
            (Tries::DOUBT, Duration::ZERO),
            "the first is free, the next ones are slow"
        );
        count(&paths, false, 2, 1020);
        assert_eq!(PinTries::read(&paths, true).wrong, 6);
        count(&paths, true, 1, 1030);
        assert_eq!((PinTries::read(&paths, true).wrong, paths.pin_tries_of_boot().exists()), (7, false));
    }

    #[test]
    fn right_pin_in_the_initramfs_ends_the_hosts_count() {
        let (_root, paths) = machine();
        count(&paths, true, 9, 1000);
        count(&paths, false, 1, 1020);
        PinTries::clear(&paths, false).unwrap();
        assert_eq!((PinTries::read(&paths, true).wrong, PinTries::read(&paths, false).wrong), (0, 0));
        count(&paths, true, 1, 1030);
        assert_eq!(PinTries::read(&paths, true).wrong, 1);
    }

    #[test]
    fn disk_that_cannot_be_written_counts_for_this_boot() {
        let (root, paths) = machine();
        // A file in the place of the folder stops root too.
        fs::create_dir_all(root.path().join("var/lib")).unwrap();
        fs::write(paths.state_dir(), "").unwrap();
        for _ in 0..5 {
            assert!(PinTries::count(&paths, true, at(1000)).is_err());
        }
        assert!(PinTries::read(&paths, true).wrong >= 5);
        assert!(PinTries::clear(&paths, true).is_err());
        assert_eq!(PinTries::read(&paths, true).wrong, 0, "a right one counts all the same");
    }

    #[test]
    fn record_that_is_none_slows_down_without_locking_out() {
        let (_root, paths) = machine();
        fs::create_dir_all(paths.state_dir()).unwrap();
        for text in ["wrong = -1\nat = 0\n", "wrong = 99999999999\n", "\u{0}\u{0}", "", "at = 5\n"] {
            fs::write(paths.pin_tries(), text).unwrap();
            let tries = PinTries::read(&paths, true);
            assert_eq!((tries.wrong, tries.wait(at(1000))), (Tries::DOUBT, Duration::ZERO), "{text}");
            count(&paths, true, 1, 1000);
            assert_eq!(wait(&paths, true, 1000), 4, "{text}");
        }
    }
}
