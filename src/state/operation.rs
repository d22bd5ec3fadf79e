//! Operations on legion: start, stop or switch. Only one runs at a time; others are told whose it is.

use super::record;
use crate::error::{Error, Result};
use crate::sys::atomic;
use crate::sys::file;
use crate::sys::file_lock::FileLock;
use crate::sys::paths::Paths;
use crate::sys::poll;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use std::time::Duration;

/// An operation on legion. In a record and in the log it is `start mordor`, `stop gondor` or `switch gondor to mordor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Operation {
    /// Start it as this persona.
    Start {
        /// Its name.
        to: String,
    },
    /// Stop it.
    Stop {
        /// Its current persona.
        from: String,
    },
    /// Stop it and start it as another one.
    Switch {
        /// Its current persona.
        from: String,
        /// Its next persona.
        to: String,
    },
}

impl Operation {
    /// The present participle: `switching gondor to mordor`.
    pub fn going_on(&self) -> String {
        match self {
            Self::Start { to } => format!("starting {to}"),
            Self::Stop { from } => format!("stopping {from}"),
            Self::Switch { from, to } => format!("switching {from} to {to}"),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { to } => write!(f, "start {to}"),
            Self::Stop { from } => write!(f, "stop {from}"),
            Self::Switch { from, to } => write!(f, "switch {from} to {to}"),
        }
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let name = |name: &str| name.to_owned();
        match words[..] {
            ["start", to] => Ok(Self::Start { to: name(to) }),
            ["stop", from] => Ok(Self::Stop { from: name(from) }),
            ["switch", from, "to", to] => Ok(Self::Switch { from: name(from), to: name(to) }),
            _ => Err(format!("`{text}` is not an operation on legion")),
        }
    }
}

impl TryFrom<String> for Operation {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Operation> for String {
    fn from(operation: Operation) -> Self {
        operation.to_string()
    }
}

/// The progress of the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationStage {
    /// legion is stopping, or about to.
    Stopping,
    /// legion is starting.
    Starting,
}

/// `/run/persona/switch.toml`: the current operation on legion, and its caller. Removed at its end; if its process does not hold the lock
/// any more, the operation was interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// The caller, as [`crate::sys::identity::of_caller`] reports it.
    pub who: String,
    /// The operation.
    pub what: Operation,
    /// Its progress.
    pub stage: OperationStage,
    /// Its start, in seconds since boot.
    pub since_s: u64,
    /// The process that executes it.
    pub pid: u32,
}

impl OperationRecord {
    /// The record, whether its process still runs or not.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.switch())
    }

    /// Whether it is still running: its process holds the lock. This check takes no lock itself, which could block another process.
    pub fn goes_on(&self, paths: &Paths) -> bool {
        let lock = fs::metadata(paths.switch_lock());
        let locks = file::read_text(paths.locks());
        lock.ok().zip(locks.ok()).is_some_and(|(lock, locks)| is_held(&locks, self.pid, lock.ino()))
    }

    /// The message for a second caller: `frodo from 192.0.2.7 is switching gondor to mordor, for 12 s`.
    pub fn told(&self, now: Duration) -> String {
        format!("{} is {}, for {} s", self.who, self.what.going_on(), now.as_secs().saturating_sub(self.since_s))
    }
}

/// Whether a process holds the flock(2) on a file, according to the kernel's list of locks (proc_locks(5)):
/// `1: FLOCK  ADVISORY  WRITE 359 00:17:1188 0 EOF`.
fn is_held(locks: &str, pid: u32, inode: u64) -> bool {
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // A line whose second word is an arrow is a waiter.
        let [_, "FLOCK", _, _, holder, file, ..] = words[..] else { return false };
        holder.parse() == Ok(pid) && file.rsplit(':').next().and_then(|number| number.parse().ok()) == Some(inode)
    })
}

/// The time since boot, including suspend.
pub fn uptime() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// The right to start, stop or switch legion: an flock(2) on `/run/persona/switch.lock`, held until this is dropped or its process has
/// ended in any way. legion's state is read only while this is held: then no other process changes it.
#[derive(Debug)]
pub struct OperationLock<'a> {
    paths: &'a Paths,
    _lock: FileLock,
}

impl<'a> OperationLock<'a> {
    /// Takes it without waiting; the error says which process has it.
    ///
    /// # Errors
    /// When another operation is in progress; the message names its caller, operation and start, as of `now` (see [`uptime`]).
    pub fn take(paths: &'a Paths, now: Duration) -> Result<Self> {
        let lock = FileLock::try_take(&paths.switch_lock())?.ok_or_else(|| held(paths, now))?;
        Ok(Self { paths, _lock: lock })
    }

    /// Records the operation and its caller.
    ///
    /// # Errors
    /// When that cannot be recorded.
    pub fn begin(self, what: Operation, who: &str, now: Duration) -> Result<RunningOperation<'a>> {
        let stage = if matches!(what, Operation::Start { .. }) { OperationStage::Starting } else { OperationStage::Stopping };
        let record = OperationRecord { who: who.to_owned(), what, stage, since_s: now.as_secs(), pid: std::process::id() };
        let operation = RunningOperation { lock: self, record, stays: false };
        operation.save()?;
        Ok(operation)
    }
}

/// An operation in progress, and its record.
#[derive(Debug)]
pub struct RunningOperation<'a> {
    lock: OperationLock<'a>,
    record: OperationRecord,
    stays: bool,
}

impl RunningOperation<'_> {
    /// legion is off, and will be started.
    ///
    /// # Errors
    /// When that cannot be recorded.
    pub fn starts(&mut self) -> Result<()> {
        self.record.stage = OperationStage::Starting;
        self.save()
    }

    /// Ends it, and leaves the record for `persona status`: the operation is not resumed.
    pub fn interrupted(mut self) {
        self.stays = true;
    }

    fn save(&self) -> Result<()> {
        record::write_toml(&self.lock.paths.switch(), &self.record)
    }
}

impl Drop for RunningOperation<'_> {
    fn drop(&mut self) {
        if !self.stays
            && let Err(error) = atomic::remove(&self.lock.paths.switch())
        {
            log::warn!("{error}");
        }
    }
}

/// How long to wait for the record of the process that has just taken the lock.
const RECORD_TIMEOUT: Duration = Duration::from_secs(1);

#[cold]
fn held(paths: &Paths, now: Duration) -> Error {
    // A process that has just taken the lock writes its record a moment later; until then there is an older record.
    let look = || OperationRecord::read(paths).ok().flatten().filter(|doing| doing.goes_on(paths));
    let doing = poll::until(RECORD_TIMEOUT, look);
    let told = doing.map_or_else(|| "another process is about to start, stop or switch legion".to_owned(), |doing| doing.told(now));
    Error::new(told).with_hint("wait for its end: `persona status` shows the progress; `persona stop --force` forces legion off anyway")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    const NOW: Duration = Duration::from_secs(100);

    fn switch() -> Operation {
        Operation::Switch { from: "gondor".into(), to: "mordor".into() }
    }

    fn take<'a>(paths: &'a Paths, what: Operation, who: &str, now: Duration) -> Result<RunningOperation<'a>> {
        OperationLock::take(paths, now)?.begin(what, who, now)
    }

    /// A folder with the machine's list of locks.
    fn root() -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        std::os::unix::fs::symlink("/proc/locks", root.path().join("proc/locks")).unwrap();
        let paths = Paths::new(root.path(), None);
        (root, paths)
    }

    #[test]
    fn deeds_are_read_as_they_are_written() {
        for operation in [Operation::Start { to: "a".into() }, Operation::Stop { from: "a".into() }, switch()] {
            assert_eq!(operation.to_string().parse(), Ok(operation));
        }
        for text in ["", "start", "stop a b", "switch a b", "switch  to b to"] {
            assert!(text.parse::<Operation>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_second_is_told_who_does_what_and_changes_nothing() {
        let (_root, paths) = root();
        let mut turn = take(&paths, switch(), "frodo from 192.0.2.7", NOW).unwrap();
        let record = fs::read_to_string(paths.switch()).unwrap();
        let told = take(&paths, Operation::Stop { from: "gondor".into() }, "sam", NOW + Duration::from_secs(12)).unwrap_err().to_string();
        assert!(told.starts_with("frodo from 192.0.2.7 is switching gondor to mordor, for 12 s\n  hint: wait"), "{told}");
        assert_eq!(fs::read_to_string(paths.switch()).unwrap(), record);
        assert!(OperationRecord::read(&paths).unwrap().unwrap().goes_on(&paths));

        turn.starts().unwrap();
        assert_eq!(OperationRecord::read(&paths).unwrap().unwrap().stage, OperationStage::Starting);
        drop(turn);
        assert_eq!(OperationRecord::read(&paths).unwrap(), None);
        take(&paths, switch(), "sam", NOW).unwrap().interrupted();
        let left = OperationRecord::read(&paths).unwrap().unwrap();
        assert!(left.who == "sam" && !left.goes_on(&paths), "{left:?}");
        drop(take(&paths, switch(), "frodo", NOW).unwrap());
        assert_eq!(OperationRecord::read(&paths).unwrap(), None, "the next operation removes the record of an interrupted one");
    }

    #[test]
    fn who_has_just_begun_is_waited_for_to_say_what() {
        let (_root, paths) = root();
        take(&paths, Operation::Stop { from: "rivendale".into() }, "sam", NOW).unwrap().interrupted();
        let doing = OperationRecord { pid: std::process::id(), ..OperationRecord::read(&paths).unwrap().unwrap() };
        let _lock = FileLock::try_take(&paths.switch_lock()).unwrap().unwrap();
        let not_yet = OperationRecord { pid: 1, ..doing.clone() };
        record::write_toml(&paths.switch(), &not_yet).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| take(&paths, switch(), "frodo", NOW).unwrap_err().to_string());
            std::thread::sleep(Duration::from_millis(100));
            record::write_toml(&paths.switch(), &OperationRecord { what: switch(), ..doing }).unwrap();
            let told = second.join().unwrap();
            assert!(told.starts_with("sam is switching gondor to mordor"), "{told}");
        });
    }

    #[test]
    fn operation_lock_without_an_operation_leaves_no_record() {
        let (_root, paths) = root();
        let lock = OperationLock::take(&paths, NOW).unwrap();
        assert!(OperationLock::take(&paths, NOW).is_err());
        assert_eq!(OperationRecord::read(&paths).unwrap(), None);
        drop(lock);
        take(&paths, switch(), "sam", NOW).unwrap();
    }

    /// Set in the child that holds the lock, to the root directory.
    const HOLDS: &str = "PERSONA_TEST_HOLDS_TURN";

    #[test]
    fn a_process_that_was_killed_has_given_its_turn_away() {
        if let Some(root) = std::env::var_os(HOLDS) {
            let paths = Paths::new(root, None);
            let _turn = take(&paths, switch(), "frodo", NOW).unwrap();
            eprintln!("holding");
            // Until it is killed.
            let _ = std::io::stdin().lines().next();
            return;
        }
        let (root, paths) = root();
        let name = "state::operation::tests::a_process_that_was_killed_has_given_its_turn_away";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(HOLDS, root.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(|line| line.unwrap());
        assert!(lines.any(|line| line == "holding"));
        let doing = OperationRecord::read(&paths).unwrap().unwrap();
        assert!(doing.goes_on(&paths) && doing.pid == child.id());
        assert!(take(&paths, switch(), "sam", NOW).is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(OperationRecord::read(&paths).unwrap().as_ref(), Some(&doing), "its record is still there");
        assert!(!doing.goes_on(&paths));
        take(&paths, switch(), "sam", NOW).unwrap();
    }

    #[test]
    fn only_the_holder_of_this_lock_counts() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 00:17:42 0 EOF\n2: FLOCK  ADVISORY  WRITE 8 00:17:42 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 9 00:17:42 0 EOF\n";
        assert!(is_held(locks, 8, 42));
        for (pid, inode) in [(7, 42), (9, 42), (8, 43)] {
            assert!(!is_held(locks, pid, inode));
        }
    }
}
