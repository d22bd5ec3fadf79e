//! The table of what is done to cartridges.

use super::Command;
use super::given::{Given, Words, described, name, one_of, path, text};
use super::table::{Argument, BARE, Choice, Entry, Group, Then, flag, must, option};
use super::wrong::Wrong;
use crate::commands::cartridge::{Cartridge, Create, Import, Remove, Snapshot};
use crate::legion::DiskKind;
use crate::legion::cartridge::FirmwareKind;

const NAME: Argument = must("NAME", "The cartridge");
const LABEL: Argument = must("LABEL", "What the saved state is called");
const FORMAT: Choice = option("--format", "FORMAT", "How the copy is stored").default("qcow2").words(|| described(FORMATS));
const FIRMWARE: Choice = option("--firmware", "FIRMWARE", "What starts the guest").words(|| described(FIRMWARES));

const FORMATS: &Words<DiskKind> = &[("qcow2", "", DiskKind::Qcow2), ("raw", "", DiskKind::Raw)];
const FIRMWARES: &Words<FirmwareKind> = &[("uefi", "", FirmwareKind::Uefi), ("bios", "", FirmwareKind::Bios)];

pub(super) const CARTRIDGE: Entry = Entry {
    name: "cartridge",
    about: "Make cartridges, save and restore them, remove them (as root)",
    then: Then::One(&[Group { title: "Commands", commands: COMMANDS }]),
    ..BARE
};

const COMMANDS: &[Entry] = &[
    Entry {
        name: "list",
        about: "All cartridges: size, use, last run, snapshots, what is wrong",
        more: "And what a killed command left.",
        options: &[flag("--json", "For programs: JSON, stable")],
        then: Then::Do(|given| Ok(Command::Cartridge(Cartridge::List(given.output())))),
        ..BARE
    },
    Entry {
        name: "create",
        about: "Make a cartridge with a blank disk",
        arguments: &[must("NAME", "The cartridge: the name of its persona, or what `cartridge = ` in the settings says")],
        options: &[
            option("--size", "SIZE", "The disk's size, such as 200G; it takes room as it fills").required(),
            Choice { help: "How the disk is stored; raw images are a little faster, and have snapshots on Btrfs and XFS only", ..FORMAT },
            option(
                "--install",
                "ISO",
                "Boot this installation image (copied into the cartridge) as long as the disk does not boot by itself",
            ),
            FIRMWARE.default("uefi"),
        ],
        then: Then::Do(|given| {
            Ok(Command::Cartridge(Cartridge::Create(Create {
                name: given.must("NAME", name)?,
                size: given.must("--size", |value| text(value)?.parse())?,
                format: given.must("--format", one_of(FORMATS))?,
                install: given.value("--install", path)?,
                firmware: given.must("--firmware", one_of(FIRMWARES))?,
            })))
        }),
        ..BARE
    },
    Entry {
        name: "import",
        about: "Make a cartridge from an image or a block device",
        more: "Any format that qemu-img reads.",
        arguments: &[NAME, must("FILE|DEVICE", "The image or block device")],
        options: &[
            FORMAT.not_with(&["--link"]),
            Choice { help: "What starts the guest; if left out, UEFI for a disk with an EFI system partition", ..FIRMWARE },
            flag("--link", "Boot the block device itself, by a name that it keeps; nothing is copied"),
        ],
        then: Then::Do(|given| {
            let link = given.flag("--link");
            let format = given.must("--format", one_of(FORMATS))?;
            Ok(Command::Cartridge(Cartridge::Import(Import {
                name: given.must("NAME", name)?,
                source: given.must("FILE|DEVICE", path)?,
                becomes: if link { DiskKind::BlockDevice } else { format },
                firmware: given.value("--firmware", one_of(FIRMWARES))?,
            })))
        }),
        ..BARE
    },
    Entry {
        name: "remove",
        about: "Remove a cartridge and all that is in it, for good",
        arguments: &[NAME],
        options: &[flag("--yes", "Do not ask")],
        then: Then::Do(|given| {
            Ok(Command::Cartridge(Cartridge::Remove(Remove { name: given.must("NAME", name)?, yes: given.flag("--yes") })))
        }),
        ..BARE
    },
    Entry {
        name: "save",
        about: "Save disk, UEFI variables and TPM state together, under a label",
        arguments: &[NAME, LABEL],
        then: Then::Do(|given| Ok(Command::Cartridge(Cartridge::Save(snapshot(given)?)))),
        ..BARE
    },
    Entry {
        name: "restore",
        about: "Make the cartridge as it was saved; what it is now is lost",
        arguments: &[NAME, LABEL],
        then: Then::Do(|given| Ok(Command::Cartridge(Cartridge::Restore(snapshot(given)?)))),
        ..BARE
    },
    Entry {
        name: "forget",
        about: "Forget a saved state",
        arguments: &[NAME, LABEL],
        then: Then::Do(|given| Ok(Command::Cartridge(Cartridge::Forget(snapshot(given)?)))),
        ..BARE
    },
    Entry {
        name: "installed",
        about: "Do not boot the installation image any more",
        more: "Else that ends when the guest powers off with a disk that boots.",
        arguments: &[NAME],
        then: Then::Do(|given| Ok(Command::Cartridge(Cartridge::Installed(given.must("NAME", name)?)))),
        ..BARE
    },
];

fn snapshot(given: &mut Given) -> Result<Snapshot, Wrong> {
    Ok(Snapshot { name: given.must("NAME", name)?, label: given.must("LABEL", name)? })
}
