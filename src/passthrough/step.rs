//! The steps of a plan.

use crate::sys::pci::PciAddress;
use std::fmt;

/// One action on the machine. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Open the disk below the function exclusively, and close it again: it is not in use.
    CheckDisk(PciAddress, String),
    /// Set the override: from now on only vfio-pci may bind to the function.
    Override(PciAddress),
    /// Load the vfio-pci module and its dependencies.
    LoadVfio,
    /// Unbind the function from its host driver.
    Unbind(PciAddress, String),
    /// Let vfio-pci bind to the function.
    Probe(PciAddress),
    /// Verify that vfio-pci has the function and that the function answers.
    Verify(PciAddress),
    /// Verify that the whole IOMMU group can be given to legion.
    VerifyGroup(u32),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckDisk(address, disk) => write!(f, "verify that /dev/{disk} below {address} is not in use"),
            Self::Override(address) => write!(f, "write vfio-pci to driver_override of {address}"),
            Self::LoadVfio => f.write_str("load the module vfio-pci"),
            Self::Unbind(address, driver) => write!(f, "unbind {address} from {driver}"),
            Self::Probe(address) => write!(f, "bind {address} to vfio-pci"),
            Self::Verify(address) => write!(f, "verify {address}: its driver is vfio-pci and its configuration space answers"),
            Self::VerifyGroup(group) => write!(f, "verify IOMMU group {group}: /dev/vfio/{group} is there and viable"),
        }
    }
}
