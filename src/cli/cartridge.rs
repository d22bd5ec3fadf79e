//! Commands of `persona cartridge`.

use super::Format;
use super::parse::{Words, name, one_of, path};
use crate::commands::cartridge::{CartridgeOperation, Create, Import, Remove, SnapshotName};
use crate::legion::DiskKind;
use crate::legion::cartridge::{DiskSize, FirmwareKind};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

const FORMATS: &Words<DiskKind> = &[("qcow2", "", DiskKind::Qcow2), ("raw", "", DiskKind::Raw)];
const FIRMWARES: &Words<FirmwareKind> = &[("uefi", "", FirmwareKind::Uefi), ("bios", "", FirmwareKind::Bios)];

#[derive(Debug, Subcommand)]
pub(super) enum CartridgeCommand {
    /// List all cartridges: size, use, last run, snapshots, problems, leftovers of interrupted commands
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Create a cartridge with a blank disk
    Create {
        /// The cartridge: the name of its persona, or `cartridge = ` in the settings
        #[arg(value_parser = name)]
        name: String,
        /// The disk's size, such as 200G; the image grows as the guest writes
        #[arg(long, value_name = "SIZE")]
        size: DiskSize,
        /// How the disk is stored; raw is a little faster, and has snapshots on Btrfs and XFS only
        #[arg(long, value_name = "FORMAT", default_value = "qcow2", value_parser = one_of(FORMATS))]
        format: DiskKind,
        /// Boot this installation image (copied into the cartridge) until the disk boots by itself
        #[arg(long, value_name = "ISO", value_parser = path(), value_hint = ValueHint::FilePath)]
        install: Option<PathBuf>,
        /// The guest's firmware
        #[arg(long, value_name = "FIRMWARE", default_value = "uefi", value_parser = one_of(FIRMWARES))]
        firmware: FirmwareKind,
    },
    /// Create a cartridge from a disk image or a block device
    Import {
        #[command(flatten)]
        cartridge: Name,
        /// The image, in any format that qemu-img reads, or the block device
        #[arg(value_name = "FILE|DEVICE", value_parser = path(), value_hint = ValueHint::FilePath)]
        source: PathBuf,
        /// How the copy is stored
        #[arg(long, value_name = "FORMAT", default_value = "qcow2", value_parser = one_of(FORMATS))]
        format: DiskKind,
        /// The guest's firmware; if left out, UEFI for a disk with an EFI system partition
        #[arg(long, value_name = "FIRMWARE", value_parser = one_of(FIRMWARES))]
        firmware: Option<FirmwareKind>,
        /// Boot the block device itself, by a persistent name, without a copy
        #[arg(long, conflicts_with = "format")]
        link: bool,
        /// Make one disk of a qcow2 image and its backing files, which must be in the same folder; each is named
        #[arg(long, conflicts_with = "link")]
        flatten: bool,
    },
    /// Delete a cartridge with all its data
    Remove {
        #[command(flatten)]
        cartridge: Name,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Create a snapshot LABEL of the disk, UEFI variables and TPM state
    Save(SavedState),
    /// Restore a snapshot; the current state is lost
    Restore(SavedState),
    /// Delete a snapshot
    Forget(SavedState),
    /// Stop booting the installation image; this also happens when the guest powers off and its disk is bootable
    Installed {
        #[command(flatten)]
        cartridge: Name,
    },
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// The cartridge
    #[arg(value_parser = name)]
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct SavedState {
    #[command(flatten)]
    cartridge: Name,
    /// The label of the snapshot
    #[arg(value_parser = name)]
    label: String,
}

impl From<SavedState> for SnapshotName {
    fn from(state: SavedState) -> Self {
        Self { name: state.cartridge.name, label: state.label }
    }
}

impl From<CartridgeCommand> for CartridgeOperation {
    fn from(command: CartridgeCommand) -> Self {
        match command {
            CartridgeCommand::List { format } => Self::List(format.into()),
            CartridgeCommand::Create { name, size, format, install, firmware } => {
                Self::Create(Create { name, size, format, install, firmware })
            }
            CartridgeCommand::Import { cartridge, source, format, firmware, link, flatten } => {
                let becomes = if link { DiskKind::BlockDevice } else { format };
                Self::Import(Import { name: cartridge.name, source, becomes, firmware, flatten })
            }
            CartridgeCommand::Remove { cartridge, yes } => Self::Remove(Remove { name: cartridge.name, yes }),
            CartridgeCommand::Save(state) => Self::Save(state.into()),
            CartridgeCommand::Restore(state) => Self::Restore(state.into()),
            CartridgeCommand::Forget(state) => Self::Forget(state.into()),
            CartridgeCommand::Installed { cartridge } => Self::Installed(cartridge.name),
        }
    }
}
