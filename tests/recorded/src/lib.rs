//! Recorded machines: folders that look like a PC's sysfs, procfs and files, for `persona --root DIR` and the tests.
//!
//! [`Tree`] writes such a folder, [`Function`] is one PCI function of it. [`machines`] has whole computers, as real ones are
//! built; `tests/recorded/machines/NAME` holds each as a folder. [`synthetic()`] makes one as large as is wanted.
//!
//! Only what somebody reads is recorded. Everything is written for tests: what cannot be written panics, naming the file.

mod address_space;
mod archive;
pub mod cards;
mod devices;
mod function;
pub mod machines;
mod synthetic;
mod system;
mod tree;

pub use address_space::Framebuffer;
pub use archive::archive;
pub use function::{Bar, Function};
pub use machines::{MACHINES, Recorded};
pub use synthetic::synthetic;
pub use system::{Iommu, Maker, PCI_IDS, Vfio};
pub use tree::Tree;
