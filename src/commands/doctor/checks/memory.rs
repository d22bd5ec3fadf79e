//! Memory: enough of it, in huge pages where configured.

use super::{Area, Case, Level};
use crate::config::{Legion, Persona};
use crate::legion::memory::{self, total_kibibytes};
use crate::state::{LegionState, Phase};
use crate::sys::file;
use crate::sys::paths::Paths;

/// The host's memory, in KiB; `None` if it is unknown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    total: Option<u64>,
    /// Whether legion has its memory now.
    legion_runs: bool,
}

impl Memory {
    pub(super) fn read(paths: &Paths) -> Self {
        let state = LegionState::read(paths).ok().flatten();
        Self {
            legion_runs: state.is_some_and(|state| matches!(state.phase, Phase::Starting | Phase::Running)),
            ..Self::parse(&file::read_text(paths.memory_info()).unwrap_or_default())
        }
    }

    /// Reads `/proc/meminfo` (`proc_meminfo(5)`).
    fn parse(text: &str) -> Self {
        Self { total: total_kibibytes(text), ..Self::default() }
    }
}

pub(super) fn check(case: &Case<'_>, memory: &Memory, area: &mut Area) {
    if memory.total.is_none() && case.legions().next().is_some() {
        area.warning("memory-unknown", "memory", "the host's amount of memory cannot be read from /proc/meminfo", "`free -h` shows it");
    }
    let mut is_well = memory.total.is_some();
    for (persona, legion) in case.legions() {
        let faults = [enough(memory, persona, legion, case.without(persona)), huge_pages(case.paths, memory, persona, legion)];
        for (level, code, what, hint) in faults.into_iter().flatten() {
            is_well = false;
            area.add(level, code, &persona.name, what, Some(hint));
        }
    }
    if is_well && let Some((total, most)) = memory.total.zip(case.legions().map(|(_, legion)| legion.memory.mebibytes()).max()) {
        area.good("memory-enough", "memory", format!("legion has at most {} of the host's {}", told(most << 10), told(total)));
    }
}

type Fault = (Level, &'static str, String, String);

fn enough(memory: &Memory, persona: &Persona, legion: &Legion, without: Level) -> Option<Fault> {
    const GIBIBYTE: u64 = 1 << 20;
    let (total, wanted) = (memory.total?, legion.memory.mebibytes() << 10);
    let hint = "give it less: `memory` in the settings".to_owned();
    let has = format!("{} has {} of memory", persona.name, told(wanted));
    if wanted > total {
        Some((without, "memory-too-large", format!("{has}, more than all of the host's {}", told(total)), hint))
    } else if total - wanted < GIBIBYTE {
        Some((Level::Warning, "memory-leaves-little", format!("{has}, which leaves the host {}", told(total - wanted)), hint))
    } else {
        None
    }
}

/// Without huge pages legion gets ordinary memory, so this is never worse than a warning.
fn huge_pages(paths: &Paths, memory: &Memory, persona: &Persona, legion: &Legion) -> Option<Fault> {
    let shortage = legion.hugepages.then(|| memory::huge_pages(paths, legion.memory, memory.legion_runs).err()).flatten()?;
    Some((Level::Warning, shortage.code, format!("{} gets ordinary memory: {}", persona.name, shortage.what), shortage.hint))
}

fn told(kibibytes: u64) -> String {
    match kibibytes >> 10 {
        0 => format!("{kibibytes} KiB"),
        mebibytes if mebibytes < 10 * 1024 && mebibytes % 1024 != 0 => format!("{mebibytes} MiB"),
        mebibytes => format!("{} GiB", mebibytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Settings;

    fn fault(meminfo: &str, legion: &str) -> Option<(Level, &'static str)> {
        let settings = Settings::parse(&format!("[[persona]]\nname = \"a\"\n{legion}\n"), "").unwrap();
        let persona = &settings.personas[0];
        enough(&Memory::parse(meminfo), persona, persona.legion().unwrap(), Level::Broken).map(|(level, code, ..)| (level, code))
    }

    #[test]
    fn enough_for_both() {
        const MEMINFO: &str = "MemTotal:       32768000 kB\nMemFree: 1 kB\n";
        assert_eq!(fault(MEMINFO, "memory = \"24G\""), None);
        assert_eq!(fault(MEMINFO, "memory = \"31G\""), Some((Level::Warning, "memory-leaves-little")));
        assert_eq!(fault(MEMINFO, "memory = \"32G\""), Some((Level::Broken, "memory-too-large")));
        assert_eq!(fault("", "memory = \"32G\""), None);
        assert_eq!(Memory::parse("MemTotal: lots\n:::"), Memory::default());
    }

    #[test]
    fn huge_pages_that_are_not_there_are_a_warning() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let settings = Settings::parse("[[persona]]\nname = \"a\"\nhugepages = true\n[[persona]]\nname = \"b\"\n", "").unwrap();
        let [a, b] = [0, 1].map(|index| {
            let persona = &settings.personas[index];
            huge_pages(&paths, &Memory::default(), persona, persona.legion().unwrap())
        });
        let (level, code, ..) = a.unwrap();
        assert_eq!((level, code), (Level::Warning, "huge-pages-missing"));
        assert_eq!(b, None);
    }
}
