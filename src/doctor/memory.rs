//! Memory: enough of it, in huge pages where they are wanted.

use super::{Area, Case, Level};
use crate::paths::Paths;
use crate::settings::{Legion, Persona};
use crate::state::{LegionState, Phase};
use std::fs;

/// The host's memory, in KiB; `None` for what is not to be seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    total: Option<u64>,
    /// Of one huge page.
    page: u64,
    /// Huge pages: all, those that nobody has, those that the kernel may make when asked.
    pages: u64,
    free: u64,
    overcommit: u64,
    /// Whether legion has its memory now.
    legion_runs: bool,
}

impl Memory {
    pub(super) fn read(paths: &Paths) -> Self {
        let overcommit = fs::read_to_string(paths.at("/proc/sys/vm/nr_overcommit_hugepages")).unwrap_or_default();
        let state = LegionState::read(paths).ok().flatten();
        Self {
            overcommit: overcommit.trim().parse().unwrap_or(0),
            legion_runs: state.is_some_and(|state| matches!(state.phase, Phase::Starting | Phase::Running)),
            ..Self::parse(&fs::read_to_string(paths.memory_info()).unwrap_or_default())
        }
    }

    /// Reads `/proc/meminfo` (`proc_meminfo(5)`).
    fn parse(text: &str) -> Self {
        let number = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let count = |key| number(key).unwrap_or(0);
        Self {
            total: number("MemTotal"),
            page: count("Hugepagesize"),
            pages: count("HugePages_Total"),
            free: count("HugePages_Free").saturating_sub(count("HugePages_Rsvd")),
            ..Self::default()
        }
    }
}

pub(super) fn check(case: &Case<'_>, memory: &Memory, area: &mut Area) {
    if memory.total.is_none() && case.legions().next().is_some() {
        area.warning("memory", "how much memory the host has is not to be seen in /proc/meminfo", "`free -h` tells");
    }
    let mut is_well = memory.total.is_some();
    for (persona, legion) in case.legions() {
        let faults = [enough(memory, persona, legion, case.without(persona)), huge_pages(memory, persona, legion, case.without(persona))];
        for (level, what, mend) in faults.into_iter().flatten() {
            is_well = false;
            area.tell(level, &persona.name, what, Some(mend));
        }
    }
    if is_well && let Some((total, most)) = memory.total.zip(case.legions().map(|(_, legion)| legion.memory.mebibytes()).max()) {
        area.good("memory", format!("legion has at most {} of the host's {}", told(most << 10), told(total)));
    }
}

type Fault = (Level, String, String);

fn enough(memory: &Memory, persona: &Persona, legion: &Legion, without: Level) -> Option<Fault> {
    const GIBIBYTE: u64 = 1 << 20;
    let (total, wanted) = (memory.total?, legion.memory.mebibytes() << 10);
    let mend = "give it less: `memory` in the settings".to_owned();
    let has = format!("{} has {} of memory", persona.name, told(wanted));
    if wanted > total {
        Some((without, format!("{has}, more than all of the host's {}", told(total)), mend))
    } else if total - wanted < GIBIBYTE {
        Some((Level::Warning, format!("{has}, which leaves the host {}", told(total - wanted)), mend))
    } else {
        None
    }
}

fn huge_pages(memory: &Memory, persona: &Persona, legion: &Legion, without: Level) -> Option<Fault> {
    if !legion.hugepages || memory.total.is_none() {
        return None;
    }
    let name = &persona.name;
    if memory.page == 0 {
        return Some((
            without,
            format!("{name} wants huge pages, and this kernel has none"),
            "write hugepages = false in the settings".into(),
        ));
    }
    let wanted = (legion.memory.mebibytes() << 10).div_ceil(memory.page);
    let size = told(memory.page);
    if memory.pages + memory.overcommit < wanted {
        let mend =
            format!("write vm.nr_hugepages = {wanted} to /etc/sysctl.d/90-persona.conf and reboot, or hugepages = false in the settings");
        return Some((without, format!("{name} wants {wanted} huge pages of {size}, and there are {}", memory.pages), mend));
    }
    // Those that legion has are free when the next one starts.
    if memory.free + memory.overcommit < wanted && !memory.legion_runs {
        let mend = "see who has them: `grep -i huge /proc/*/smaps_rollup`; or reserve more".to_owned();
        return Some((without, format!("{name} wants {wanted} huge pages of {size}, and only {} are free", memory.free), mend));
    }
    None
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
    use crate::settings::Settings;

    const MEMINFO: &str = "MemTotal:       32768000 kB\nMemFree: 1 kB\nHugePages_Total:   1024\nHugePages_Free:    1000\nHugePages_Rsvd:      0\nHugepagesize:       2048 kB\n";

    fn fault(meminfo: &str, legion: &str, check: fn(&Memory, &Persona, &Legion, Level) -> Option<Fault>) -> Option<(Level, String)> {
        let settings = Settings::parse(&format!("[[persona]]\nname = \"a\"\n{legion}\n"), "").unwrap();
        let persona = &settings.personas[0];
        check(&Memory::parse(meminfo), persona, persona.legion().unwrap(), Level::Broken).map(|(level, what, _)| (level, what))
    }

    #[test]
    fn enough_for_both() {
        assert_eq!(fault(MEMINFO, "memory = \"24G\"", enough), None);
        let (level, what) = fault(MEMINFO, "memory = \"31G\"", enough).unwrap();
        assert_eq!((level, what.as_str()), (Level::Warning, "a has 31 GiB of memory, which leaves the host 256 MiB"));
        assert_eq!(fault(MEMINFO, "memory = \"32G\"", enough).unwrap().0, Level::Broken);
        assert_eq!(fault("", "memory = \"32G\"", enough), None);
    }

    #[test]
    fn huge_pages_that_are_there_and_free() {
        let pages = |memory: &str| fault(MEMINFO, &format!("hugepages = true\nmemory = \"{memory}\""), huge_pages);
        assert_eq!(pages("2000M"), None);
        assert!(pages("2002M").unwrap().1.contains("only 1000 are free"));
        assert!(pages("4G").unwrap().1.contains("wants 2048 huge pages of 2 MiB, and there are 1024"));
        assert!(fault("MemTotal: 9 kB\n", "hugepages = true", huge_pages).unwrap().1.contains("this kernel has none"));
        assert_eq!(fault(MEMINFO, "memory = \"4G\"", huge_pages), None);
        assert_eq!(Memory::parse("MemTotal: lots\nHugepagesize\n:::"), Memory::default());
    }
}
