//! The test machine: QEMU plays a PC with two graphics cards, two USB controllers with a keyboard on each, and an IOMMU;
//! Debian plays the distribution; legion runs nested inside, as on a real machine.
//!
//! [`Artifacts::build`] makes what the machine boots from (kernel, initramfs, root disk with cartridges), cached in
//! `target/machine`. [`Machine::power_on`] boots a [`Hardware`] with a [`Scenario`]'s settings. The machine then types on
//! either keyboard, looks at either monitor, and runs commands inside: over SSH as its owner would, or through the probe,
//! which answers before and without the network.
//!
//! ```no_run
//! # fn main() -> persona::error::Result<()> {
//! use persona_machine::{Artifacts, Hardware, Head, Keyboard, Log, Machine, Scenario};
//! let artifacts = Artifacts::build(&Log::new("image"))?;
//! let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &Scenario::new("example"))?;
//! machine.wait_for_ssh()?;
//! machine.press(Keyboard::Legion, "right")?;
//! machine.screendump(Head::Display, std::path::Path::new("menu.png"))?;
//! # Ok(())
//! # }
//! ```

mod accel;
mod artifacts;
mod bench;
mod binaries;
mod cartridge;
mod command_line;
mod cpio;
mod debian;
mod demo;
mod desk;
mod emulator;
mod evidence;
mod failure;
mod folders;
mod fuzz;
mod hardware;
mod host;
mod initramfs;
mod journey;
mod ledger;
mod left_disk;
mod log;
mod machine;
mod monitor;
mod overlay;
mod picture;
mod power;
mod probe;
mod qmp;
mod root_image;
mod runner;
mod saved;
mod scenario;
mod serial;
mod settings;
mod soak;
mod ssh;
mod suite;
mod tool;
mod wait;
pub mod wire;

pub use accel::Accel;
pub use artifacts::Artifacts;
pub use bench::bench;
pub use demo::demo;
pub use fuzz::fuzz;
pub use hardware::{CardFunction, CardModel, Display, Hardware, Head, Keyboard, address};
pub use host::install_what_is_lacking;
pub use initramfs::{Growth, ImageKind};
pub use journey::{LEGIONS, STEP};
pub use left_disk::LeftDisk;
pub use log::Log;
pub use machine::Machine;
pub use monitor::Monitor;
pub use picture::Picture;
pub use probe::{Output, Probe};
pub use qmp::Qmp;
pub use runner::{Case, run};
pub use saved::{Origin, Profile};
pub use scenario::Scenario;
pub use serial::SerialLine;
pub use settings::for_machine as settings_for_machine;
pub use soak::{insert, soak};
pub use suite::Suite;
