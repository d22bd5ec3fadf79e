//! legion's memory: whether the host has it, whether it can be huge pages, and the limit for its unit.

use crate::config::value::MemorySize;
use crate::error::{Error, Result};
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::systemd;

/// The size of the pages of legion's memory, if they are not ordinary ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HugePages {
    /// 2 MiB.
    TwoMebibytes,
    /// 1 GiB.
    Gibibyte,
}

impl HugePages {
    /// The larger first: they need fewer page table lookups.
    const ALL: [Self; 2] = [Self::Gibibyte, Self::TwoMebibytes];

    /// The size of one page, in MiB.
    pub const fn mebibytes(self) -> u64 {
        match self {
            Self::TwoMebibytes => 2,
            Self::Gibibyte => 1024,
        }
    }
}

/// Why there are no huge pages, and how to get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// What is missing, as an identifier that stays when the text changes.
    pub code: &'static str,
    /// What is missing.
    pub what: String,
    /// What the owner can do.
    pub hint: String,
}

/// The host's memory in KiB, from the text of `/proc/meminfo` (`proc_meminfo(5)`).
pub fn total_kibibytes(info: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
}

/// The limit for all processes of legion's unit, in MiB: the guest's memory, an eighth of it for page tables and caches, and 2 GiB for QEMU
/// and swtpm. What breaks out of the guest cannot take the rest of the host's memory.
fn limit(memory: MemorySize) -> u64 {
    memory.mebibytes() + memory.mebibytes() / 8 + 2048
}

/// Limits the memory of legion's unit; none for a machine that another unit runs. Without the limit legion runs, too.
pub fn confine(memory: Option<MemorySize>) {
    if !systemd::is_service() {
        return;
    }
    let most = memory.map_or_else(|| "infinity".to_owned(), |memory| format!("{}M", limit(memory)));
    let set = ["set-property", "--runtime", systemd::LEGION, &format!("MemoryMax={most}")];
    if let Err(error) = systemd::ask(&set, "limiting legion's memory") {
        log::warn!("{error}");
    }
}

/// Checks that the host has that much memory at all.
///
/// # Errors
/// When it has less. Unknown is no reason: the kernel refuses what it cannot give.
pub(super) fn ensure_there(paths: &Paths, memory: MemorySize) -> Result<()> {
    let info = file::read_text(paths.memory_info()).unwrap_or_default();
    match total_kibibytes(&info).map(|total| total >> 10) {
        Some(total) if memory.mebibytes() > total => {
            Err(Error::new(format!("the settings give legion {} MiB of memory, and this machine has {total}", memory.mebibytes()))
                .with_code("memory-too-large")
                .with_hint("write less as `memory` in the settings, and leave some to the host"))
        }
        _ => Ok(()),
    }
}

/// The kernel's pool of huge pages of one size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Pool {
    all: u64,
    /// Pages that are neither used nor reserved.
    free: u64,
}

/// Finds pages for that much memory. `legion_runs`: pages now in use by legion itself count as free.
///
/// Pages that the kernel would only allocate on demand (`nr_overcommit_hugepages`) do not count: that may fail.
///
/// # Errors
/// When there are too few; ordinary memory is used then.
pub fn huge_pages(paths: &Paths, memory: MemorySize, legion_runs: bool) -> std::result::Result<HugePages, Shortage> {
    choose(memory, HugePages::ALL.map(|size| (size, pool(paths, size))), legion_runs)
}

/// None if the kernel has no pages of this size.
fn pool(paths: &Paths, size: HugePages) -> Pool {
    let folder = paths.huge_pages().join(format!("hugepages-{}kB", size.mebibytes() << 10));
    let number = |file: &str| file::read_text(folder.join(file)).ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
    Pool { all: number("nr_hugepages"), free: number("free_hugepages").saturating_sub(number("resv_hugepages")) }
}

fn choose(memory: MemorySize, pools: [(HugePages, Pool); 2], legion_runs: bool) -> std::result::Result<HugePages, Shortage> {
    let there = |pool: &Pool| if legion_runs { pool.all } else { pool.free };
    let fits = |(size, pool): &(HugePages, Pool)| {
        memory.mebibytes().is_multiple_of(size.mebibytes()) && there(pool) >= memory.mebibytes() / size.mebibytes()
    };
    if let Some((size, _)) = pools.iter().find(|pool| fits(pool)) {
        return Ok(*size);
    }
    let [_, (size, pool)] = pools;
    let wanted = memory.mebibytes().div_ceil(size.mebibytes());
    if !memory.mebibytes().is_multiple_of(size.mebibytes()) {
        let what = format!("{memory} of memory is not a multiple of the huge page size, 2 MiB");
        return Err(Shortage {
            code: "huge-pages-not-even",
            what,
            hint: "give it an even number of MiB: `memory` in the settings".to_owned(),
        });
    }
    if pool.all >= wanted {
        let what = format!("{wanted} huge pages of 2 MiB are needed, and only {} of {} are free", pool.free, pool.all);
        return Err(Shortage {
            code: "huge-pages-taken",
            what,
            hint: "see which processes use them: `grep -i huge /proc/*/smaps_rollup`; or reserve more".to_owned(),
        });
    }
    let what = format!("{wanted} huge pages of 2 MiB are needed, and there are {}", pool.all);
    let hint =
        format!("write vm.nr_hugepages = {wanted} to /etc/sysctl.d/90-persona.conf and reboot, or hugepages = false in the settings");
    Err(Shortage { code: "huge-pages-missing", what, hint })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    const SMALL: HugePages = HugePages::TwoMebibytes;
    const LARGE: HugePages = HugePages::Gibibyte;

    fn chosen(memory: &str, large: u64, small: (u64, u64)) -> std::result::Result<HugePages, &'static str> {
        let pools = [(LARGE, Pool { all: large, free: large }), (SMALL, Pool { all: small.0, free: small.1 })];
        choose(memory.parse().unwrap(), pools, false).map_err(|shortage| shortage.code)
    }

    #[test]
    fn the_largest_that_suffice() {
        assert_eq!(chosen("4G", 4, (2048, 2048)), Ok(LARGE));
        assert_eq!(chosen("4G", 3, (2048, 2048)), Ok(SMALL));
        assert_eq!(chosen("4098M", 8, (2049, 2049)), Ok(SMALL));
        assert_eq!(chosen("4G", 3, (2048, 2047)), Err("huge-pages-taken"));
        assert_eq!(chosen("4G", 0, (2047, 2047)), Err("huge-pages-missing"));
        assert_eq!(chosen("4097M", 8, (4096, 4096)), Err("huge-pages-not-even"));
    }

    #[test]
    fn the_kernel_is_asked() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let memory = MemorySize::from_mebibytes(4096);
        assert!(huge_pages(&paths, memory, false).unwrap_err().hint.contains("vm.nr_hugepages = 2048"));
        let folder = paths.huge_pages().join("hugepages-2048kB");
        fs::create_dir_all(&folder).unwrap();
        for (file, number) in [("nr_hugepages", "2048\n"), ("free_hugepages", "2048\n"), ("resv_hugepages", "1\n")] {
            fs::write(folder.join(file), number).unwrap();
        }
        assert!(huge_pages(&paths, memory, false).is_err());
        assert_eq!(huge_pages(&paths, memory, true), Ok(SMALL));
        fs::write(folder.join("resv_hugepages"), "0\n").unwrap();
        assert_eq!(huge_pages(&paths, memory, false), Ok(SMALL));
    }
}
