//! `persona cartridge`: make cartridges and look after them.

mod list;
mod progress;

use super::{Output, print};
use crate::error::{Context, Error, Result};
use crate::legion::DiskKind;
use crate::legion::cartridge::{Blank, DiskSize, FirmwareKind, Shelf, Source};
use crate::paths::Paths;
use crate::settings::Settings;
use crate::settings::value::{NAMES, is_name};
use crate::terminal;
use clap::{Args, Subcommand};
use progress::Bar;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What is done to a cartridge.
#[derive(Debug, Subcommand)]
pub enum Cartridge {
    /// All cartridges: size, use, last run, snapshots, what is wrong, what a killed command left
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Make a cartridge with a blank disk
    Create(Create),
    /// Make a cartridge from an image of any format that qemu-img reads, or from a block device
    Import(Import),
    /// Remove a cartridge and all that is in it, for good
    Remove(Remove),
    /// Save disk, UEFI variables and TPM state together, under a label
    Save(Snapshot),
    /// Make the cartridge as it was when it was saved; what it is now is lost
    Restore(Snapshot),
    /// Forget a saved state
    Forget(Snapshot),
    /// Do not boot the installation image any more, which else ends when the guest powers off with a disk that boots
    Installed {
        /// The cartridge
        #[arg(value_parser = name)]
        name: String,
    },
}

/// A cartridge to be.
#[derive(Debug, Args)]
pub struct Create {
    /// The cartridge: the name of its persona, or what `cartridge = ` in the settings says
    #[arg(value_parser = name)]
    name: String,
    /// The disk's size, such as 200G; it takes room as it fills
    #[arg(long)]
    size: String,
    /// How the disk is stored; raw images are a little faster, and have snapshots on Btrfs and XFS only
    #[arg(long, value_parser = ["qcow2", "raw"], default_value = "qcow2")]
    format: String,
    /// Boot this installation image (copied into the cartridge) as long as the disk does not boot by itself
    #[arg(long, value_name = "ISO")]
    install: Option<PathBuf>,
    /// What starts the guest
    #[arg(long, value_parser = ["uefi", "bios"], default_value = "uefi")]
    firmware: String,
}

/// What there is, and what it becomes.
#[derive(Debug, Args)]
pub struct Import {
    /// The cartridge
    #[arg(value_parser = name)]
    name: String,
    /// The image or block device
    #[arg(value_name = "FILE|DEVICE")]
    source: PathBuf,
    /// How the copy is stored
    #[arg(long, value_parser = ["qcow2", "raw"], default_value = "qcow2", conflicts_with = "link")]
    format: String,
    /// What starts the guest; if left out, UEFI for a disk with an EFI system partition
    #[arg(long, value_parser = ["uefi", "bios"])]
    firmware: Option<String>,
    /// Boot the block device itself, by a name that it keeps; nothing is copied
    #[arg(long)]
    link: bool,
}

/// What is to go.
#[derive(Debug, Args)]
pub struct Remove {
    /// The cartridge
    #[arg(value_parser = name)]
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// A saved state.
#[derive(Debug, Args)]
pub struct Snapshot {
    /// The cartridge
    #[arg(value_parser = name)]
    name: String,
    /// What the saved state is called
    #[arg(value_parser = name)]
    label: String,
}

/// One of clap's possible values: the others were refused.
fn format(word: &str) -> DiskKind {
    if word == "raw" { DiskKind::Raw } else { DiskKind::Qcow2 }
}

/// The same.
fn firmware_kind(word: &str) -> FirmwareKind {
    if word == "bios" { FirmwareKind::Bios } else { FirmwareKind::Uefi }
}

fn name(text: &str) -> std::result::Result<String, String> {
    if is_name(text) { Ok(text.to_owned()) } else { Err(NAMES.to_owned()) }
}

/// Does it, and says so.
///
/// # Errors
/// When it cannot be done; nothing half-made is left then, and what a killed command leaves the next one clears.
pub fn cartridge(paths: &Paths, command: Cartridge, now: SystemTime, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    done(paths, &settings, command, now, out).map_err(|error| match error.errno() {
        Some(nix::libc::EACCES | nix::libc::EPERM) if error.how_to_mend().is_none() => {
            error.mend("cartridges are root's: `sudo persona cartridge ...`")
        }
        _ => error,
    })
}

fn done(paths: &Paths, settings: &Settings, command: Cartridge, now: SystemTime, out: &mut dyn Write) -> Result<()> {
    let shelf = |name: &str| Shelf::of(paths, settings, name);
    match command {
        Cartridge::List { json } => list::list(paths, settings, if json { Output::Json } else { Output::Text }, now, out),
        Cartridge::Create(wanted) => create(&shelf(&wanted.name), &wanted, out),
        Cartridge::Import(wanted) => import(&shelf(&wanted.name), &wanted, out),
        Cartridge::Remove(wanted) => remove(&shelf(&wanted.name), &wanted, out),
        Cartridge::Save(Snapshot { name, label }) => {
            shelf(&name).save(&name, &label)?;
            print(out, &format!("{name} is saved as {label}; `persona cartridge restore {name} {label}` brings it back\n"))
        }
        Cartridge::Restore(Snapshot { name, label }) => {
            shelf(&name).restore(&name, &label)?;
            print(out, &format!("{name} is as it was saved as {label}\n"))
        }
        Cartridge::Forget(Snapshot { name, label }) => {
            shelf(&name).forget(&name, &label)?;
            print(out, &format!("{label} of {name} is forgotten\n"))
        }
        Cartridge::Installed { name } => {
            let had_one = shelf(&name).installed(&name)?;
            let was = if had_one { "boots from its disk alone from now on" } else { "had no installation image" };
            print(out, &format!("{name} {was}\n"))
        }
    }
}

fn create(shelf: &Shelf<'_>, wanted: &Create, out: &mut dyn Write) -> Result<()> {
    let install = wanted.install.as_deref().map(absolute).transpose()?;
    let size: DiskSize = wanted.size.parse().map_err(|wrong: String| Error::usage(wrong))?;
    let blank = Blank { size, format: format(&wanted.format), firmware: firmware_kind(&wanted.firmware), install };
    let mut bar = Bar::new(&wanted.name);
    shelf.create(&wanted.name, &blank, &mut |what, share| bar.show(what, share))?;
    drop(bar);
    let then = match &blank.install {
        Some(iso) => format!("boots {} until its disk boots by itself", iso.file_name().unwrap_or_default().to_string_lossy()),
        None => "blank; `--install ISO` would have put an installation image beside it".to_owned(),
    };
    print(out, &format!("{} is made: {size}, {}, {then}\n{}", wanted.name, firmware(blank.firmware), hint(shelf, &wanted.name)))
}

fn import(shelf: &Shelf<'_>, wanted: &Import, out: &mut dyn Write) -> Result<()> {
    let becomes = if wanted.link { DiskKind::BlockDevice } else { format(&wanted.format) };
    let source = Source { path: absolute(&wanted.source)?, becomes, firmware: wanted.firmware.as_deref().map(firmware_kind) };
    let mut bar = Bar::new(&wanted.name);
    let kind = shelf.import(&wanted.name, &source, &mut |what, share| bar.show(what, share))?;
    drop(bar);
    let how = if wanted.link { "linked to" } else { "the same as" };
    let why = if wanted.firmware.is_some() { "" } else { ", as the disk was installed" };
    let (name, source, firmware) = (&wanted.name, source.path.display(), firmware(kind));
    print(out, &format!("{name} is made: {how} {source}, {firmware}{why}\n{}", hint(shelf, name)))
}

fn remove(shelf: &Shelf<'_>, wanted: &Remove, out: &mut dyn Write) -> Result<()> {
    let name = &wanted.name;
    if !wanted.yes {
        if !terminal::is_there() {
            return Err(Error::usage(format!("removing {name} is to be confirmed, and standard input is no terminal")).mend("add --yes"));
        }
        let folder = shelf.folder.join(name);
        let answer = terminal::line(&format!("Remove {} and all that is in it, snapshots too? Type yes: ", folder.display()))?;
        if answer.trim() != "yes" {
            return Err(Error::new(format!("{name} stays")));
        }
    }
    shelf.remove(name)?;
    print(out, &format!("{name} is removed\n"))
}

fn firmware(kind: FirmwareKind) -> &'static str {
    match kind {
        FirmwareKind::Uefi => "starts by UEFI",
        FirmwareKind::Bios => "starts by legacy BIOS",
    }
}

fn hint(shelf: &Shelf<'_>, name: &str) -> String {
    if shelf.personas(name).next().is_some() {
        return String::new();
    }
    format!("No persona boots it yet: add `[[persona]]` with `name = \"{name}\"` to the settings.\n")
}

/// The folder that a name is relative to is this process's, wherever the machine is.
fn absolute(path: &Path) -> Result<PathBuf> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    std::env::current_dir().map(|folder| folder.join(path)).doing(|| format!("finding {}", path.display()))
}
