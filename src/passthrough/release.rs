//! Returns devices to the host.

use super::VFIO_PCI;
use super::device::{Device, Kernel};
use crate::error::{Error, Result};
use crate::state::{BoundDevice, BoundDevices};
use crate::sys::paths::Paths;

/// The code of an error that only a reboot ends.
const HUNG: &str = "driver-hung";

/// Returns the devices that the host had before the choice. Reserved ones stay on vfio-pci. A device that fails or is gone does not stop
/// the others.
///
/// # Errors
/// When at least one could not be returned; the message names each.
pub fn release(paths: &Paths, bound: &BoundDevices, kernel: &Kernel) -> Result<()> {
    let mut failures = Vec::new();
    let mut code = "device-not-given-back";
    for bound in bound.devices.iter().rev().filter(|bound| bound.give_back) {
        if !(Device { paths, address: bound.address }).is_there() {
            log::warn!("{} is gone: there is nothing to return", bound.address);
            continue;
        }
        match give_back(paths, bound, kernel) {
            Ok(()) => log::info!("returned {} to the host", bound.address),
            Err(error) => {
                if error.code() == Some(HUNG) {
                    code = HUNG;
                }
                failures.push(format!("returning {} to the host: {error}", bound.address));
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Error::new(failures.join("\n")).with_code(code)) }
}

fn give_back(paths: &Paths, bound: &BoundDevice, kernel: &Kernel) -> Result<()> {
    let device = Device { paths, address: bound.address };
    if device.is_hung() {
        return Err(Error::new("reboot required: a driver hangs on it").with_code(HUNG));
    }
    device.set_override("", &kernel.writer)?;
    device.leave_vfio(&kernel.writer)?;
    match bound.driver_before.as_str() {
        // Its previous driver may not have been a host driver, so none is required.
        "" | VFIO_PCI => device.probe(&kernel.writer),
        _ => device.return_to_host(&kernel.writer),
    }
}
