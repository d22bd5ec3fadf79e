//! libvirt instead of plain QEMU: for owners with a domain of their own.
//!
//! [`domain_xml`] says in libvirt's words what [`super::argv()`] says in QEMU's.

mod domain;
mod read;
mod write;

pub use domain::domain_xml;
