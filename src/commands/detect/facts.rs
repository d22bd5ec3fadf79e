//! Facts that `detect` needs besides the PCI functions.

use crate::legion::memory::total_kibibytes;
use crate::passthrough::{Details, Machine};
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::collections::BTreeMap;
use std::fs;

/// The facts that a proposal is based on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DetectedFacts {
    /// The host's memory in mebibytes; 0 if unknown.
    pub memory: u64,
    /// The host's number of processors; 0 if unknown.
    pub processors: usize,
    /// Graphics cards, by address.
    pub cards: BTreeMap<PciAddress, CardFacts>,
    /// The existing cartridges, by name.
    pub cartridges: Vec<CartridgeFacts>,
}

/// The facts about a graphics card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CardFacts {
    /// How many monitors are connected; `None` without a host driver.
    pub monitors: Option<usize>,
    /// Its maximum PCI Express link width: small cards have eight lanes or fewer. 0 if unknown.
    pub link_width: u8,
    /// The size of its largest memory BAR, in bytes.
    pub memory_window: u64,
}

/// The facts about a cartridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartridgeFacts {
    /// The folder's name.
    pub name: String,
    /// Whether it has TPM state, which Windows 11 needs.
    pub has_tpm: bool,
}

impl DetectedFacts {
    /// Reads the facts. Unreadable ones are left out.
    pub fn read(paths: &Paths, machine: &Machine) -> Self {
        let read = |path| file::read_text(path).unwrap_or_default();
        let cards = machine.functions.values().filter(|function| function.is_display());
        Self {
            memory: total_memory(&read(paths.memory_info())),
            processors: read(paths.cpu_info()).lines().filter(|line| line.starts_with("processor")).count(),
            cards: cards.map(|card| (card.address, card_facts(paths, card.address))).collect(),
            cartridges: cartridges(paths),
        }
    }
}

/// `MemTotal` of `/proc/meminfo`, in mebibytes.
fn total_memory(text: &str) -> u64 {
    total_kibibytes(text).unwrap_or_default() / 1024
}

fn card_facts(paths: &Paths, address: PciAddress) -> CardFacts {
    let folder = paths.pci_device(address);
    let entries = |folder| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let cards = entries(folder.join("drm")).filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("card")));
    // Connectors are folders of the card: card0/card0-HDMI-A-1.
    let states: Vec<String> = cards.flat_map(entries).filter_map(|connector| file::read_text(connector.join("status")).ok()).collect();
    let connected = states.iter().filter(|state| state.trim() == "connected").count();
    let details = Details::read(paths, address);
    CardFacts {
        monitors: (!states.is_empty()).then_some(connected),
        link_width: details.link_width.unwrap_or_default(),
        memory_window: details.memory_window,
    }
}

fn cartridges(paths: &Paths) -> Vec<CartridgeFacts> {
    let entries = fs::read_dir(paths.at(super::proposal::CARTRIDGES)).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut found: Vec<CartridgeFacts> = folders
        .filter_map(|entry| {
            Some(CartridgeFacts { name: entry.file_name().into_string().ok()?, has_tpm: entry.path().join("tpm").is_dir() })
        })
        .collect();
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_kibibytes() {
        assert_eq!(total_memory("MemTotal:       32773412 kB\nMemFree: 1 kB\n"), 32005);
        assert_eq!(total_memory("nonsense"), 0);
    }
}
