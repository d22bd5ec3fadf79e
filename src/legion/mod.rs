//! The one virtual machine: cartridge, slot, QEMU's command line, and QEMU under supervision.
//!
//! `prepare` takes the [`LegionLock`] and puts a [`Cartridge`] into the [`slot`]. `run` takes the lock again, computes
//! the [`argv()`] and hands both to [`supervise::run`], whose loop is an edge around pure parts: [`qmp`] reads what
//! QEMU says, [`watch`] draws from it what happened, [`ladder`] decides what a stop does next, and [`ending`] says why
//! it is over.

pub mod argv;
pub mod cartridge;
pub mod ending;
pub mod firmware;
mod identity;
pub mod kvm;
pub mod ladder;
pub mod lock;
pub mod network;
pub mod qmp;
pub mod slot;
pub mod supervise;
mod tail;
pub mod watch;

pub use argv::{Machine, argv};
pub use cartridge::{Cartridge, Disk, DiskKind};
pub use ending::Ending;
pub use firmware::{Firmware, ImageFormat};
pub use ladder::{Ladder, Rung};
pub use lock::LegionLock;
