//! Isolation that the hardware does not give. The kernel parameter `pcie_acs_override` makes IOMMU groups look smaller than they are: what
//! shares a port without Access Control Services (PCI Express Base Specification, section 6.12) can reach each other's memory.

use super::machine::{Function, Machine};
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::{PciAddress, PciId};
use crate::sys::set::set_of;
use std::collections::BTreeSet;

/// The extended capability of Access Control Services.
const ACS: u16 = 0x000d;
/// The capability list of the configuration space begins at the offset that is here.
const CAPABILITIES: usize = 0x34;
/// The PCI Express capability; bits 4 to 7 of its flags are the kind of port.
const PCI_EXPRESS: u8 = 0x10;
/// The kind of a switch's upstream port, which isolates nothing and needs not to.
const UPSTREAM_PORT: u8 = 5;
/// Extended capabilities begin here.
const EXTENDED: usize = 0x100;

/// Whether a function keeps its requests from reaching its neighbours, going by its configuration space. Only root can read all of it: what
/// is not known does not isolate.
pub(super) fn isolates(paths: &Paths, address: PciAddress, id: PciId, is_on_root_bus: bool) -> bool {
    if is_on_root_bus && is_of_intel_chipset(address, id) {
        return true;
    }
    let config = file::read(paths.pci_device(address).join("config"), 4096).unwrap_or_default();
    port_kind(&config) == Some(UPSTREAM_PORT) || has_extended(&config, ACS)
}

/// Root ports of Intel's chipsets isolate without the capability, or with one that the kernel reads differently (`drivers/pci/quirks.c`,
/// `pci_quirk_intel_pch_acs`).
fn is_of_intel_chipset(address: PciAddress, id: PciId) -> bool {
    id.vendor == 0x8086 && matches!(address.device(), 0x1b..=0x1d)
}

fn port_kind(config: &[u8]) -> Option<u8> {
    let mut at = usize::from(*config.get(CAPABILITIES)? & !3);
    // The list has at most 48 entries; a broken one may be a circle.
    for _ in 0..48 {
        if at < 0x40 {
            return None;
        }
        if *config.get(at)? == PCI_EXPRESS {
            return Some(config.get(at + 2)? >> 4);
        }
        at = usize::from(*config.get(at + 1)? & !3);
    }
    None
}

fn has_extended(config: &[u8], capability: u16) -> bool {
    let mut at = EXTENDED;
    for _ in 0..480 {
        let Some(header) = config.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes) else { return false };
        if header as u16 == capability {
            return true;
        }
        at = (header >> 20) as usize & !3;
        if at < EXTENDED {
            return false;
        }
    }
    false
}

/// The functions that a device is not isolated from, itself left out, although their IOMMU groups differ. None without
/// `pcie_acs_override`: then the groups are right.
pub(super) fn neighbours(address: PciAddress, machine: &Machine) -> BTreeSet<PciAddress> {
    let (Some(_), Some(own)) = (&machine.acs_override, machine.function(address)) else { return BTreeSet::new() };
    let domain = domain(own, machine);
    let same = |other: &&Function| !other.is_bridge() && other.address != address && self::domain(other, machine) == domain;
    set_of(machine.functions.values().filter(same).map(|other| other.address))
}

/// What a function shares with everything that it is not isolated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Domain {
    /// A slot: some function of it, or of a port in it, does not isolate.
    Slot(PciAddress),
    /// The function alone.
    Alone(PciAddress),
}

fn domain(function: &Function, machine: &Machine) -> Domain {
    let slot = |address: PciAddress| machine.functions.values().filter(move |other| other.address.same_slot(address));
    let first_of = |address: PciAddress| slot(address).map(|other| other.address).next().unwrap_or(address);
    for port in &function.upstream {
        // Of a slot with several functions each has to isolate.
        if slot(*port).any(|other| !other.isolates) {
            return Domain::Slot(first_of(*port));
        }
    }
    let is_single = slot(function.address).count() == 1;
    if is_single || slot(function.address).all(|other| other.isolates) {
        Domain::Alone(function.address)
    } else {
        Domain::Slot(first_of(function.address))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn capabilities_are_found_in_both_lists() {
        let mut config = vec![0; 4096];
        config[CAPABILITIES] = 0x50;
        config[0x50..0x52].copy_from_slice(&[0x01, 0x60]);
        config[0x60..0x63].copy_from_slice(&[PCI_EXPRESS, 0, UPSTREAM_PORT << 4 | 2]);
        config[0x100..0x104].copy_from_slice(&(0x148 << 20 | 0x1_0001_u32).to_le_bytes());
        config[0x148..0x14c].copy_from_slice(&(0x1_0000 | u32::from(ACS)).to_le_bytes());
        assert_eq!((port_kind(&config), has_extended(&config, ACS)), (Some(UPSTREAM_PORT), true));
        assert_eq!((port_kind(&config[..64]), has_extended(&config[..256], ACS)), (None, false));
    }

    proptest! {
        #[test]
        fn any_configuration_space_is_read(config in prop::collection::vec(any::<u8>(), 0..600)) {
            port_kind(&config);
            has_extended(&config, ACS);
        }
    }
}
