//! `/var/lib/persona/starts.toml`: the number of consecutive failed boots of each persona.
//!
//! A start is recorded, durably, before anything is done for it, and removed once the persona runs well. So the next boot can tell a
//! persona that runs from one that cannot start, or that crashes or hangs the host or powers it off. After [`MAX_FAILED_BOOTS`] failed boots it
//! starts only if a person is present or has named it: a wrong default never keeps a machine in a loop.

use super::record;
use super::{Choice, Last, Reason, boot_id};
use crate::error::Result;
use crate::sys::atomic;
use crate::sys::file_lock::{FileLock, LOCK_TIMEOUT};
use crate::sys::paths::Paths;
use serde::{Deserialize, Serialize};

/// After this many consecutive boots in which a persona did not run well, it is skipped.
pub const MAX_FAILED_BOOTS: u32 = 3;

/// The counts of all personas with failed boots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartCounts {
    /// In the order of their first failed start.
    #[serde(default, rename = "start")]
    pub personas: Vec<StartCount>,
}

/// The count of one persona.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartCount {
    /// The persona's name.
    pub persona: String,
    /// The number of consecutive boots in which it was started and did not run well.
    pub boots: u32,
    /// The last of these boots ([`boot_id`]): several starts in one boot count once.
    pub boot: Option<String>,
}

impl StartCounts {
    /// The counts; none where no start has failed.
    ///
    /// # Errors
    /// When there is a record that cannot be read. It counts as none: skipping every persona because of a broken file would help no one,
    /// and the counts are complete again after three boots.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.starts())
    }

    /// The number of consecutive boots in which this persona was started and did not run well.
    pub fn of(&self, persona: &str) -> u32 {
        self.personas.iter().find(|start| start.persona == persona).map_or(0, |start| start.boots)
    }

    /// Whether it is only started by a person.
    pub fn is_skipped(&self, persona: &str) -> bool {
        self.of(persona) >= MAX_FAILED_BOOTS
    }

    /// Why it is only started by a person, if so: a line of text.
    pub fn skip_reason(&self, persona: &str) -> Option<String> {
        let boots = self.of(persona);
        self.is_skipped(persona).then(|| format!("{persona} is skipped: it did not run well in {boots} boots in a row"))
    }

    /// What the owner can do about it.
    pub fn hint(persona: &str) -> String {
        format!(
            "see why (`persona status`, `journalctl -t persona -t legion`), then try it again: pick it in the menu, or `persona next {persona}`"
        )
    }

    /// Counts a start, before anything else is done. An unattended start is refused if it cannot be counted; a person may start it all the
    /// same.
    ///
    /// # Errors
    /// When the count cannot be written, unless a person chose.
    pub fn count(paths: &Paths, choice: &Choice) -> Result<()> {
        let boot = boot_id(paths);
        let counted = change(paths, |starts| starts.begin(&choice.persona, boot)).map_err(|error| {
            error.with_hint("free space on that file system, or make it writable; a choice in the menu starts the persona anyway")
        });
        match choice.reason {
            Reason::Picked | Reason::Remote => counted.or_else(|error| {
                log::warn!("{error}");
                Ok(())
            }),
            Reason::Timeout | Reason::Override | Reason::Fallback => counted,
        }
    }

    /// Removes this boot's start: it was stopped before it could show how it runs.
    ///
    /// # Errors
    /// When the counts cannot be written.
    pub fn take_back(paths: &Paths, persona: &str) -> Result<()> {
        let boot = boot_id(paths);
        change(paths, |starts| starts.end(persona, boot.as_deref()))
    }

    /// Clears a persona's count.
    ///
    /// # Errors
    /// When the counts cannot be written.
    pub fn reset(paths: &Paths, persona: &str) -> Result<()> {
        change(paths, |starts| starts.personas.retain(|start| start.persona != persona))
    }

    /// If the boot is unknown, every start counts separately.
    fn begin(&mut self, persona: &str, boot: Option<String>) {
        match self.personas.iter_mut().find(|start| start.persona == persona) {
            Some(start) if start.boot.is_some() && start.boot == boot => {}
            Some(start) => (start.boots, start.boot) = (start.boots.saturating_add(1), boot),
            None => self.personas.push(StartCount { persona: persona.to_owned(), boots: 1, boot }),
        }
    }

    fn end(&mut self, persona: &str, boot: Option<&str>) {
        if let Some(start) = self.personas.iter_mut().find(|start| start.persona == persona && start.boot.as_deref() == boot) {
            (start.boots, start.boot) = (start.boots.saturating_sub(1), None);
        }
        self.personas.retain(|start| start.boots > 0);
    }
}

/// Records that a persona runs well: it becomes the last one that did, and its count is cleared.
///
/// # Errors
/// When that cannot be written.
pub fn ran_well(paths: &Paths, persona: &str) -> Result<()> {
    let last = Last { persona: persona.to_owned() };
    if Last::read(paths).ok().flatten().as_ref() != Some(&last) {
        last.write(paths)?;
    }
    StartCounts::reset(paths, persona)
}

/// One at a time: `prepare`, `release`, the menu and a user's command may all run at once.
fn change(paths: &Paths, change: impl FnOnce(&mut StartCounts)) -> Result<()> {
    let _lock = FileLock::take_within(&paths.starts_lock(), LOCK_TIMEOUT)?;
    let before = StartCounts::read(paths).unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    });
    let mut after = before.clone().unwrap_or_default();
    change(&mut after);
    match before {
        Some(before) if before == after => Ok(()),
        _ if after.personas.is_empty() => atomic::remove(&paths.starts()),
        _ => record::write_toml(&paths.starts(), &after),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// A machine in a boot with this ID.
    fn boot(root: &tempfile::TempDir, id: &str) -> Paths {
        let paths = Paths::new(root.path(), None);
        std::fs::create_dir_all(paths.boot_id().parent().unwrap()).unwrap();
        std::fs::write(paths.boot_id(), format!("{id}\n")).unwrap();
        paths
    }

    fn choice(reason: Reason) -> Choice {
        Choice { persona: "a".into(), reason, pin_asked: false }
    }

    fn boots(paths: &Paths) -> u32 {
        StartCounts::read(paths).unwrap().unwrap_or_default().of("a")
    }

    #[test]
    fn boots_in_a_row_are_counted_and_a_good_one_ends_the_row() {
        let root = tempfile::tempdir().unwrap();
        for (id, counted) in [("1", 1), ("1", 1), ("2", 2), ("3", 3), ("4", 4)] {
            let paths = boot(&root, id);
            StartCounts::count(&paths, &choice(Reason::Timeout)).unwrap();
            let starts = StartCounts::read(&paths).unwrap().unwrap();
            assert_eq!((starts.of("a"), starts.is_skipped("a"), starts.of("b")), (counted, counted >= MAX_FAILED_BOOTS, 0));
        }
        let paths = boot(&root, "5");
        ran_well(&paths, "b").unwrap();
        assert_eq!(boots(&paths), 4, "that was another");
        ran_well(&paths, "a").unwrap();
        assert_eq!((boots(&paths), Last::read(&paths).unwrap().unwrap().persona.as_str()), (0, "a"));
        assert!(!paths.starts().exists(), "nothing to remember, no file");
    }

    #[test]
    fn a_start_that_somebody_stopped_is_none() {
        let root = tempfile::tempdir().unwrap();
        StartCounts::count(&boot(&root, "1"), &choice(Reason::Timeout)).unwrap();
        let paths = boot(&root, "2");
        StartCounts::take_back(&paths, "a").unwrap();
        assert_eq!(boots(&paths), 1, "not of this boot");
        StartCounts::count(&paths, &choice(Reason::Picked)).unwrap();
        StartCounts::take_back(&paths, "a").unwrap();
        StartCounts::take_back(&paths, "a").unwrap();
        assert_eq!(boots(&paths), 1);
        StartCounts::count(&paths, &choice(Reason::Picked)).unwrap();
        assert_eq!(boots(&paths), 2, "started again in the same boot");
    }

    #[test]
    fn what_cannot_be_counted_starts_only_before_somebodys_eyes() {
        let root = tempfile::tempdir().unwrap();
        let paths = boot(&root, "1");
        // Even root cannot make a folder below a file.
        std::fs::create_dir_all(root.path().join("var/lib")).unwrap();
        std::fs::write(paths.state_dir(), "").unwrap();
        for (reason, may) in [(Reason::Picked, true), (Reason::Remote, true), (Reason::Timeout, false), (Reason::Override, false)] {
            assert_eq!(StartCounts::count(&paths, &choice(reason)).is_ok(), may, "{reason}");
        }
    }

    #[test]
    fn a_broken_record_begins_anew() {
        let root = tempfile::tempdir().unwrap();
        let paths = boot(&root, "1");
        std::fs::create_dir_all(paths.state_dir()).unwrap();
        std::fs::write(paths.starts(), "[[start]]\nboots = \"many\"\n").unwrap();
        StartCounts::count(&paths, &choice(Reason::Timeout)).unwrap();
        assert_eq!(std::fs::read_to_string(paths.starts()).unwrap(), "[[start]]\npersona = \"a\"\nboots = 1\nboot = \"1\"\n");
    }

    proptest! {
        /// For any sequence of starts and ends, the count is the number of boots with a start since the last good one.
        #[test]
        fn the_count_is_that_of_the_boots_in_which_a_start_stands(
            history in prop::collection::vec(prop::collection::vec(0..3_u8, 0..6), 0..8)
        ) {
            let mut starts = StartCounts::default();
            let mut expected = 0;
            for (number, deeds) in history.iter().enumerate() {
                let id = number.to_string();
                let mut stands = 0;
                for operation in deeds {
                    match operation {
                        0 => { starts.begin("a", Some(id.clone())); stands = 1; }
                        1 => { starts.end("a", Some(&id)); stands = 0; }
                        _ => { starts.personas.clear(); (expected, stands) = (0, 0); }
                    }
                }
                expected += stands;
                prop_assert_eq!(starts.of("a"), expected);
            }
        }
    }
}
