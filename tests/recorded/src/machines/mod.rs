//! Whole computers, each as real ones of its kind are built.

mod alder_lake;
mod b550;
mod laptop;
mod reference;
mod threadripper;
mod two_identical;
mod x570;

use crate::tree::Tree;

pub use alder_lake::vfio_built_in;
pub use b550::{nic_in_group, nvme_in_group};
pub use laptop::laptop;
pub use reference::{moved, no_iommu, reference, unreserved};
pub use threadripper::threadripper;
pub use two_identical::two_identical;

/// A machine that is recorded in `tests/recorded/machines/NAME`.
#[derive(Debug, Clone, Copy)]
pub struct Recorded {
    /// The folder's name.
    pub name: &'static str,
    /// Writes it.
    pub build: fn(&Tree),
}

/// All of them.
pub const MACHINES: [Recorded; 9] = [
    Recorded { name: "reference", build: reference },
    Recorded { name: "no-iommu", build: no_iommu },
    Recorded { name: "moved", build: moved },
    Recorded { name: "two-identical", build: two_identical },
    Recorded { name: "laptop", build: laptop },
    Recorded { name: "threadripper", build: threadripper },
    Recorded { name: "vfio-built-in", build: vfio_built_in },
    Recorded { name: "nvme-in-group", build: nvme_in_group },
    Recorded { name: "nic-in-group", build: nic_in_group },
];

/// The settings that come with Persona. They fit [`reference()`].
pub const SHIPPED: &str = include_str!("../../../../config/persona.toml");
