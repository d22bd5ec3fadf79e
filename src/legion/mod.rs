//! The one virtual machine: its cartridge, QEMU or a libvirt domain that runs it, and supervision.
//!
//! [`Preflight`] says whether a persona can start now. `prepare` takes the [`LegionLock`], inserts a [`Cartridge`] into the slot
//! ([`cartridge::slot`]), computes QEMU's command line ([`qemu::argv()`]) and records all of it as a [`Launch`]. `run` gets the lock from systemd and passes the record to
//! [`qemu::supervise::run`] or [`libvirt`]. Their pure parts: [`qemu::qmp`] parses QEMU's messages, [`qemu::watch`] determines from them
//! what happened, [`crate::config::ladder`] decides the next step of a stop, and [`ending`] says why the run ended.
//!
//! Imports: `passthrough`, `boot_log`, `state`, `config` and `sys`.

mod address_width;
mod announce;
pub mod cartridge;
pub mod ending;
pub mod folder;
mod health;
mod identity;
pub mod kvm;
pub mod launch;
pub mod libvirt;
pub mod lock;
pub mod memory;
pub mod network;
pub mod preflight;
pub mod qemu;
pub mod rom;
mod status_reporter;
mod stopping;
pub mod topology;
pub mod virtual_machine;

pub use announce::{announce, report};
pub use cartridge::{Cartridge, Disk, DiskKind};
pub use ending::Ending;
pub use launch::Launch;
pub use lock::LegionLock;
pub use preflight::{Preflight, launch_plan};
pub use topology::Pinning;
pub use virtual_machine::VirtualMachine;
