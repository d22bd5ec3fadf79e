//! Whole computers, each as real ones of its kind are built.

mod reference;
mod x570;

use crate::tree::Tree;

pub use reference::{no_iommu, reference, unreserved};

/// A machine that is recorded in `tests/machines/NAME`.
#[derive(Debug, Clone, Copy)]
pub struct Recorded {
    /// The folder's name.
    pub name: &'static str,
    /// Writes it.
    pub build: fn(&Tree),
}

/// All of them.
pub const MACHINES: [Recorded; 2] = [Recorded { name: "reference", build: reference }, Recorded { name: "no-iommu", build: no_iommu }];

/// The settings that come with Persona. They fit [`reference()`].
pub const SHIPPED: &str = include_str!("../../../../config/persona.toml");
