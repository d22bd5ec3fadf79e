//! Cartridges: folders that hold everything that makes up a persona's machine.
//!
//! | file | content | owner while inserted |
//! |---|---|---|
//! | `disk.qcow2`, `disk.raw`, or `disk` linked to a block device | the disk | legion's |
//! | `nvram.fd` | UEFI variables; without it the guest boots by legacy BIOS | legion's |
//! | `tpm/` | the TPM's state | legion's |
//! | `install.iso` | what a blank disk is installed from, until it boots by itself ([`install`]) | root's; legion may read it |
//! | `snapshots/LABEL/` | saved variables and TPM state; the saved disk too if it is a raw one ([`snapshot`]) | root's |
//! | `restoring` | a link to the label of a restore that has begun; the cartridge cannot be used until it is completed | root's |
//! | `disk.changes`, `disk.changing` | a change to the snapshots inside the disk, and the disk until it is complete (`changes`) | root's |
//! | `last-run` | its modification time is the time of the last run | root's |
//!
//! A [`Shelf`] is the folder of all cartridges. A cartridge being created or removed there is called `.partial-NAME` ([`partial`]); one
//! rename makes it a cartridge or ends that.

mod boot;
mod changes;
mod create;
mod disk;
mod examine;
pub mod firmware;
pub mod foreign;
mod image;
mod import;
pub mod in_use;
mod inspect;
pub mod install;
mod layers;
pub mod ownership;
pub mod partial;
mod parts;
mod qcow2;
mod qemu_img;
mod restoring;
mod shelf;
mod size;
pub mod slot;
pub mod snapshot;
pub mod survey;

pub use boot::FirmwareKind;
pub use create::Blank;
pub use disk::{Disk, DiskKind};
pub use firmware::{Firmware, ImageFormat, Template};
pub use image::Progress;
pub use import::{Imported, Source};
pub use inspect::Cartridge;
pub use shelf::Shelf;
pub use size::DiskSize;
