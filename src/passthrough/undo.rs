//! Undoes exactly what ran.

use super::VFIO_PCI;
use super::attribute::SysfsWriter;
use super::device::Device;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;

/// The actions that ran so far, in order, in case the next step fails.
#[derive(Default)]
pub(super) struct Undo {
    overridden: Vec<(PciAddress, String)>,
    unbound: Vec<PciAddress>,
    bound: Vec<PciAddress>,
}

impl Undo {
    /// The override was changed from `before`. Empty for a device with a host driver: once cleared, that driver can bind to it again.
    pub(super) fn overridden(&mut self, address: PciAddress, before: String) {
        self.overridden.push((address, before));
    }

    /// The device was, or may have been, unbound from its host driver.
    pub(super) fn unbound(&mut self, address: PciAddress) {
        self.unbound.push(address);
    }

    /// The device was, or may have been, bound to vfio-pci.
    pub(super) fn bound(&mut self, address: PciAddress) {
        self.bound.push(address);
    }

    /// Whether the device was bound to vfio-pci by one of these steps.
    pub(super) fn is_bound(&self, address: PciAddress) -> bool {
        self.bound.contains(&address)
    }

    /// Undoes everything, latest first: the overrides, so that udev does not bind the devices to vfio-pci again, then the vfio-pci
    /// bindings, and only then the host drivers. A failure is logged, and the rest is still undone.
    pub(super) fn run(self, paths: &Paths, writer: &SysfsWriter) {
        let device = |address: &PciAddress| Device { paths, address: *address };
        let undone = |what: &str, address: &PciAddress, result: crate::error::Result<()>| match result {
            Ok(()) => log::info!("undone: {what} {address}"),
            Err(error) => log::error!("not undone: {what} {address}: {error}"),
        };
        let hung = |address: &&PciAddress| {
            let hung = device(address).is_hung();
            if hung {
                log::error!("not undone: {address} hangs, and touching it would hang too");
            }
            hung
        };
        let has_vfio = |address: &&PciAddress| device(address).driver().as_deref() == Some(VFIO_PCI);
        for (address, before) in self.overridden.iter().rev().filter(|(address, _)| !hung(&address)) {
            undone("overriding", address, device(address).set_override(before, writer));
        }
        for address in self.bound.iter().rev().filter(has_vfio).filter(|address| !hung(address)) {
            undone("binding", address, device(address).leave_vfio(writer));
        }
        for address in self.unbound.iter().rev().filter(|address| !hung(address)) {
            undone("unbinding", address, device(address).return_to_host(writer));
        }
    }
}
