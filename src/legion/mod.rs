//! The one virtual machine: cartridge, slot, QEMU's command line, and QEMU under supervision.
//!
//! `prepare` takes the [`LegionLock`], puts a [`Cartridge`] into the [`slot`], computes the [`argv()`] and records all of it as a
//! [`Launch`]. `run` takes the lock again and hands the record to [`supervise::run`], whose loop is an edge around QEMU's
//! process and pure parts: [`qmp`] reads what QEMU says, [`watch`] draws from it what happened, [`ladder`] decides what a stop does next, and
//! [`ending`] says why it is over.

mod agent;
pub mod argv;
pub mod cartridge;
pub mod ending;
pub mod firmware;
#[cfg(test)]
pub(crate) mod golden;
mod identity;
pub mod kvm;
pub mod ladder;
pub mod launch;
pub mod libvirt;
pub mod lock;
pub mod machine;
pub mod memory;
pub mod network;
mod news;
mod qemu;
pub mod qmp;
pub mod slot;
mod stopping;
pub mod supervise;
mod tail;
pub mod topology;
pub mod tpm;
pub mod watch;
mod wellness;

pub use argv::argv;
pub use cartridge::{Cartridge, Disk, DiskKind};
pub use ending::Ending;
pub use firmware::{Firmware, ImageFormat, Template};
pub use ladder::{Ladder, Rung};
pub use launch::Launch;
pub use lock::LegionLock;
pub use machine::Machine;
pub use topology::Pinning;
