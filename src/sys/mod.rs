//! The base layer: kernel interfaces, files and locks, systemd, terminals, and all paths.
//!
//! Imports: only [`crate::error`]. The only `unsafe` of the project is in [`syscalls`].

pub mod account;
pub mod atomic;
pub mod console;
pub mod file;
pub mod file_lock;
#[cfg(test)]
pub(crate) mod golden;
pub mod identity;
pub mod kernel_parameters;
pub mod locale;
pub mod logger;
pub mod network;
pub mod paths;
pub mod pci;
pub mod poll;
pub mod root;
pub mod set;
pub mod style;
pub mod syscalls;
pub mod systemd;
pub mod terminal;
pub mod time;
pub mod tree;
pub mod uevent;
pub mod unit;
pub mod width;
