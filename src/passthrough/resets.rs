//! Whether devices can be reset between two guests.

use super::details::Details;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::fs;

/// Those of legion's devices that nothing resets: neither by themselves nor with their bus. Empty if the kernel is too old to tell.
pub fn not_resettable(paths: &Paths, devices: &[PciAddress]) -> Vec<PciAddress> {
    let entries = fs::read_dir(paths.pci_devices()).into_iter().flatten().flatten();
    let all: Vec<PciAddress> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let has_method = |address: &PciAddress| Details::read(paths, *address).reset_methods.is_some_and(|methods| !methods.is_empty());
    let stuck: Vec<PciAddress> =
        devices.iter().copied().filter(|address| !has_method(address) && !bus_resets(paths, *address, &all, devices)).collect();
    // Linux before 5.15 reports no reset methods at all; later versions omit the attribute if there are none.
    let tells_resets = || all.iter().any(|address| paths.pci_device(*address).join("reset_method").exists());
    if stuck.is_empty() || tells_resets() { stuck } else { Vec::new() }
}

/// Whether vfio-pci can reset the whole bus instead: there is a port above it, and everything on the bus is legion's
/// (`vfio_pci_dev_set_hot_reset` in the kernel's drivers/vfio/pci/vfio_pci_core.c).
fn bus_resets(paths: &Paths, address: PciAddress, all: &[PciAddress], devices: &[PciAddress]) -> bool {
    let mut on_bus = all.iter().filter(|other| (other.domain, other.bus) == (address.domain, address.bus));
    let above = fs::read_link(paths.pci_device(address)).ok();
    let is_below_port = above.and_then(|path| Some(path.parent()?.file_name()?.to_str()?.parse::<PciAddress>().is_ok())) == Some(true);
    is_below_port && on_bus.all(|other| devices.contains(other))
}
