//! The host's processors, and virtual processors that match the ones they are pinned to.
//!
//! A guest's scheduler works better if it knows which of its processors share a core and which an L3 cache. QEMU creates an L3 cache for
//! each die (`target/i386/cpu.c`), so every L3 cache of the host becomes a die: on a Ryzen that is a CCX, which Linux and Windows then
//! recognise as such.

use crate::config::value::Cpus;
use crate::error::{Error, Result};
use crate::passthrough::Warning;
use crate::sys::file;
use crate::sys::paths::Paths;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Virtual processors as QEMU's `-smp` counts them: each number is per unit of the level above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topology {
    /// Packages.
    pub sockets: usize,
    /// L3 caches per package.
    pub dies: usize,
    /// Cores per L3 cache.
    pub cores: usize,
    /// Threads per core.
    pub threads: usize,
}

/// Which host CPUs run what. Empty lists leave it to the host's scheduler.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinning {
    /// The host CPU of each virtual one, by QEMU's `cpu-index`.
    pub vcpus: Vec<u16>,
    /// The host CPUs of all other threads: those left for the host, or all if none is left.
    pub rest: Vec<u16>,
}

/// Virtual processors, and which of the host's features they show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processors {
    /// Their topology.
    pub topology: Topology,
    /// Their host CPUs.
    pub pinning: Pinning,
    /// Whether the host's CPUs are AMD's, which report threads and dies by an extension that QEMU omits by default.
    pub amd: bool,
    /// Whether the host's own description of its caches is true for the guest: the topology is the host's, and all of the host's cores are
    /// of one kind, so that it does not matter on which CPU QEMU reads it.
    pub host_caches: bool,
    /// Whether Hyper-V in the guest can use Intel's enlightened VMCS: the host's KVM supports nesting by VMX.
    pub evmcs: bool,
    /// Warnings for the owner.
    pub notes: Vec<Warning>,
}

/// A CPU of the host. CPUs that share a unit have the same number for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HostCpu {
    number: u16,
    package: u16,
    cache: u16,
    core: u16,
    /// The sizes and shapes of all its caches.
    caches: Vec<String>,
}

/// The number of the L3 cache of a CPU that has none.
const NO_CACHE: u16 = u16::MAX;

impl Processors {
    /// Reads the host's topology and arranges the virtual processors.
    ///
    /// # Errors
    /// When they are pinned to host CPUs that are missing or offline.
    pub fn find(paths: &Paths, cpus: &Cpus) -> Result<Self> {
        let info = file::read_text(paths.cpu_info()).unwrap_or_default();
        let amd = info.contains("AuthenticAMD") || info.contains("HygonGenuine");
        let nested = file::read_text(paths.kernel_module("kvm_intel").join("parameters/nested")).unwrap_or_default();
        let evmcs = matches!(nested.trim(), "Y" | "1");
        match cpus {
            Cpus::Count(count) => {
                let topology = Topology { sockets: 1, dies: 1, cores: usize::from(*count), threads: 1 };
                Ok(Self { topology, pinning: Pinning::default(), amd, host_caches: false, evmcs, notes: Vec::new() })
            }
            Cpus::Pinned(wanted) => Ok(Self { amd, evmcs, ..pinned(&host(paths), wanted, !paths.at(HYBRID).exists())? }),
        }
    }

    /// Whether there is anything that only AMD's extension of the topology reports.
    pub(super) fn wants_topoext(&self) -> bool {
        self.amd && (self.topology.threads > 1 || self.topology.dies > 1)
    }
}

/// The performance counters of Intel's small cores, present if there are large ones too.
const HYBRID: &str = "/sys/devices/cpu_atom";

/// The host's CPUs that are online; empty if that is unknown.
fn host(paths: &Paths) -> Vec<HostCpu> {
    let folder = paths.cpus();
    let online = list(&folder.join("online"));
    let first = |file: &Path| list(file).first().copied();
    let describe = |number: u16| {
        let cpu = folder.join(format!("cpu{number}"));
        let cache = cpu.join("cache/index3");
        let is_l3 = file::read_text(cache.join("level")).is_ok_and(|level| level.trim() == "3");
        HostCpu {
            number,
            package: first(&cpu.join("topology/physical_package_id")).unwrap_or(0),
            // CPUs without an L3 cache form one group.
            cache: first(&cache.join("shared_cpu_list")).filter(|_| is_l3).unwrap_or(NO_CACHE),
            core: first(&cpu.join("topology/thread_siblings_list")).unwrap_or(number),
            caches: caches(&cpu.join("cache")),
        }
    };
    online.into_iter().map(describe).collect()
}

/// Level, kind, size and shape of each cache of a CPU (Documentation/ABI/testing/sysfs-devices-system-cpu).
fn caches(folder: &Path) -> Vec<String> {
    const SHAPE: [&str; 5] = ["level", "type", "size", "number_of_sets", "ways_of_associativity"];
    let shape = |cache: &Path| SHAPE.map(|file| file::read_text(cache.join(file)).unwrap_or_default().trim().to_owned()).join(" ");
    let mut found: Vec<String> =
        (0..8).map(|index| folder.join(format!("index{index}"))).filter(|cache| cache.exists()).map(|cache| shape(&cache)).collect();
    found.sort_unstable();
    found
}

/// Parses a list of CPUs in sysfs; empty if it is invalid.
fn list(file: &Path) -> Vec<u16> {
    match file::read_text(file).ok().and_then(|text| text.trim().parse().ok()) {
        Some(Cpus::Pinned(list)) => list,
        _ => Vec::new(),
    }
}

/// Arranges one virtual processor for each `wanted` host CPU. If anything is unclear, each one becomes a core of its own.
fn pinned(host: &[HostCpu], wanted: &[u16], one_kind: bool) -> Result<Processors> {
    let mut notes = Vec::new();
    let mut note =
        |code: &'static str, what: String, hint: &str| notes.push(Warning { code, address: None, what, hint: Some(hint.to_owned()) });
    let unseen: Vec<HostCpu> =
        wanted.iter().map(|&number| HostCpu { number, package: 0, cache: 0, core: number, caches: Vec::new() }).collect();
    let seen = !host.is_empty();
    let host = if !seen {
        note(
            "host-cpus-unknown",
            "cannot tell which CPUs the host has: legion gets its CPUs as cores of one processor".to_owned(),
            "`lscpu -e` shows them",
        );
        &unseen[..]
    } else {
        host
    };
    let absent: Vec<u16> = wanted.iter().copied().filter(|cpu| host.iter().all(|host| host.number != *cpu)).collect();
    if !absent.is_empty() {
        return Err(Error::new(format!("legion is pinned to host CPUs that are missing or offline: {}", told(&absent)))
            .with_code("pinned-cpus-missing")
            .with_hint("`lscpu -e` lists the host's CPUs; correct `cpus` in the settings"));
    }
    if seen && host.len() == wanted.len() {
        note(
            "pinned-to-all-cpus",
            "legion is pinned to all of the host's CPUs: the host and QEMU's other threads run on them too".to_owned(),
            "leave a core to the host: `cpus` in the settings",
        );
    }
    if let [only] = wanted {
        note(
            "pinned-to-one-cpu",
            format!("legion has one CPU, number {only} of the host: `cpus = \"{only}\"` is a list of CPUs"),
            &format!("for {only} CPUs write the number without quotes: cpus = {only}"),
        );
    }
    let (mut mine, left): (Vec<HostCpu>, Vec<HostCpu>) = host.iter().cloned().partition(|cpu| wanted.contains(&cpu.number));
    mine.sort_unstable_by_key(|cpu| (cpu.package, cpu.cache, cpu.core, cpu.number));

    let split: Vec<u16> = left.iter().filter(|cpu| mine.iter().any(|mine| mine.core == cpu.core)).map(|cpu| cpu.number).collect();
    let threads = even(&mine, |cpu| (cpu.package, cpu.cache, cpu.core));
    if !split.is_empty() {
        note(
            "core-shared-with-host",
            format!("the host CPUs {}, which are left for the host, are sibling threads of legion's cores", told(&split)),
            "give legion whole cores: `lscpu -e` shows which CPUs share a core; correct `cpus` in the settings",
        );
    } else if threads.is_none() {
        note(
            "cores-of-several-kinds",
            "legion's cores have different numbers of threads: the guest sees every thread as a core".to_owned(),
            "give legion cores of one kind: `lscpu -e` shows them; correct `cpus` in the settings",
        );
    }
    let (clean, threads) = (threads.is_some(), threads.unwrap_or(1));
    let socket = even(&mine, |cpu| cpu.package).unwrap_or(mine.len()).max(1);
    let die = even(&mine, |cpu| (cpu.package, cpu.cache));
    if die.is_none() && mine.iter().all(|cpu| cpu.cache != NO_CACHE) {
        note(
            "caches-uneven",
            "legion has more cores at one L3 cache than at another: the guest sees a single cache".to_owned(),
            "give legion the same number of cores of each L3 cache: `lscpu -e` shows them; correct `cpus` in the settings",
        );
    }
    let die = die.unwrap_or(socket);
    let topology = Topology { sockets: mine.len() / socket, dies: socket / die, cores: die / threads, threads };

    let whole_caches = die == mine.len() || left.iter().all(|cpu| mine.iter().all(|mine| mine.cache != cpu.cache));
    // QEMU describes the caches of whichever CPU it begins on.
    let alike = host.iter().all(|cpu| cpu.caches == host[0].caches);
    let host_caches = one_kind && seen && clean && alike && split.is_empty() && whole_caches;
    let numbers = |cpus: &[HostCpu]| cpus.iter().map(|cpu| cpu.number).collect::<Vec<_>>();
    let pinning = Pinning { vcpus: numbers(&mine), rest: numbers(if left.is_empty() { host } else { &left }) };
    Ok(Processors { topology, pinning, amd: false, host_caches, evmcs: false, notes })
}

/// How many units there are of each kind, if the number is uniform. Members of a unit are adjacent.
fn even<K: PartialEq>(cpus: &[HostCpu], kind: impl Fn(&HostCpu) -> K) -> Option<usize> {
    let mut sizes = cpus.chunk_by(|a, b| kind(a) == kind(b)).map(<[_]>::len);
    let first = sizes.next()?;
    sizes.all(|size| size == first).then_some(first)
}

/// As ranges: `0-3, 8`.
fn told(cpus: &[u16]) -> String {
    let mut sorted = cpus.to_vec();
    sorted.sort_unstable();
    let ranges = sorted.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    let range = |range: &[u16]| match range {
        [first, .., last] => format!("{first}-{last}"),
        _ => range.iter().map(ToString::to_string).collect(),
    };
    ranges.map(range).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
