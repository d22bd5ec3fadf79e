//! The one virtual machine: cartridge, slot, QEMU's command line, and QEMU under supervision.
//!
//! `prepare` takes the [`LegionLock`], puts a [`Cartridge`] into the [`slot`], computes the [`argv()`] and records all of it as a
//! [`Launch`]. `run` takes the lock again and hands the record to [`supervise::run`], whose loop is an edge around QEMU's
//! process and pure parts: [`qmp`] reads what QEMU says, [`watch`] draws from it what happened, [`ladder`] decides what a stop does next, and
//! [`ending`] says why it is over.

mod announce;
pub mod cartridge;
pub mod ending;
mod identity;
pub mod kvm;
pub mod launch;
pub mod libvirt;
pub mod lock;
pub mod machine;
pub mod memory;
pub mod network;
mod news;
pub mod qemu;
mod stopping;
pub mod topology;
mod wellness;

pub use announce::announce;
pub use cartridge::{Cartridge, Disk, DiskKind};
pub use ending::Ending;
pub use launch::Launch;
pub use lock::LegionLock;
pub use machine::Machine;
pub use topology::Pinning;
