//! `persona cartridge`: creates and manages cartridges.

mod list;
mod progress;

use super::{OutputFormat, print};
use crate::config::Settings;
use crate::error::{Context, Error, Result};
use crate::legion::DiskKind;
use crate::legion::cartridge::{Blank, DiskSize, FirmwareKind, Imported, Shelf, Source};
use crate::sys::paths::Paths;
use crate::sys::terminal;
use progress::Bar;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The operations on a cartridge.
#[derive(Debug)]
pub enum CartridgeOperation {
    /// List all.
    List(OutputFormat),
    /// Create one with a blank disk.
    Create(Create),
    /// Create one from an image or a block device.
    Import(Import),
    /// Remove it permanently.
    Remove(Remove),
    /// Save disk, UEFI variables and TPM state together.
    Save(SnapshotName),
    /// Restore a saved state.
    Restore(SnapshotName),
    /// Delete a saved state.
    Forget(SnapshotName),
    /// Remove the installation image of the cartridge of that name.
    Installed(String),
}

/// A cartridge to create.
#[derive(Debug)]
pub struct Create {
    /// The cartridge.
    pub name: String,
    /// The disk's size as the guest sees it.
    pub size: DiskSize,
    /// The disk's format.
    pub format: DiskKind,
    /// The installation image.
    pub install: Option<PathBuf>,
    /// What starts the guest.
    pub firmware: FirmwareKind,
}

/// A source, and the cartridge to create from it.
#[derive(Debug)]
pub struct Import {
    /// The cartridge.
    pub name: String,
    /// The image or block device.
    pub source: PathBuf,
    /// The format of the copy; a block device is not copied.
    pub becomes: DiskKind,
    /// What starts the guest; if omitted, it is detected from the disk.
    pub firmware: Option<FirmwareKind>,
    /// Whether the source may be a difference to other files in its folder.
    pub flatten: bool,
}

/// A cartridge to remove.
#[derive(Debug)]
pub struct Remove {
    /// The cartridge.
    pub name: String,
    /// Whether to skip the confirmation.
    pub yes: bool,
}

/// A saved state.
#[derive(Debug)]
pub struct SnapshotName {
    /// The cartridge.
    pub name: String,
    /// The label of the saved state.
    pub label: String,
}

/// Executes it, and reports the result.
///
/// # Errors
/// When it fails; nothing half-done is left then, and the next command clears what a killed one left.
pub fn cartridge(paths: &Paths, command: CartridgeOperation, now: SystemTime, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    done(paths, &settings, command, now, out).map_err(|error| match error.errno() {
        Some(nix::libc::EACCES | nix::libc::EPERM) if error.hint().is_none() => {
            error.with_hint("only root can access cartridges: `sudo persona cartridge ...`")
        }
        _ => error,
    })
}

fn done(paths: &Paths, settings: &Settings, command: CartridgeOperation, now: SystemTime, out: &mut dyn Write) -> Result<()> {
    let shelf = |name: &str| Shelf::of(paths, settings, name);
    match command {
        CartridgeOperation::List(output) => list::list(paths, settings, output, now, out),
        CartridgeOperation::Create(wanted) => create(&shelf(&wanted.name), &wanted, out),
        CartridgeOperation::Import(wanted) => import(&shelf(&wanted.name), &wanted, out),
        CartridgeOperation::Remove(wanted) => remove(&shelf(&wanted.name), &wanted, out),
        CartridgeOperation::Save(SnapshotName { name, label }) => {
            shelf(&name).save(&name, &label)?;
            print(out, &format!("{name} is saved as {label}; `persona cartridge restore {name} {label}` restores it\n"))
        }
        CartridgeOperation::Restore(SnapshotName { name, label }) => {
            shelf(&name).restore(&name, &label)?;
            print(out, &format!("{name} is restored to {label}\n"))
        }
        CartridgeOperation::Forget(SnapshotName { name, label }) => {
            shelf(&name).forget(&name, &label)?;
            print(out, &format!("the snapshot {label} of {name} is deleted\n"))
        }
        CartridgeOperation::Installed(name) => {
            let had_one = shelf(&name).installed(&name)?;
            let was = if had_one { "boots from its disk alone from now on" } else { "had no installation image" };
            print(out, &format!("{name} {was}\n"))
        }
    }
}

fn create(shelf: &Shelf<'_>, wanted: &Create, out: &mut dyn Write) -> Result<()> {
    let install = wanted.install.as_deref().map(absolute).transpose()?;
    let blank = Blank { size: wanted.size, format: wanted.format, firmware: wanted.firmware, install };
    let mut bar = Bar::new(&wanted.name);
    shelf.create(&wanted.name, &blank, &mut |what, share| bar.show(what, share))?;
    drop(bar);
    let then = match &blank.install {
        Some(iso) => format!("boots {} until its disk boots by itself", iso.file_name().unwrap_or_default().to_string_lossy()),
        None => "blank, without an installation image (`--install ISO` adds one at creation)".to_owned(),
    };
    print(out, &format!("{} is made: {}, {}, {then}\n{}", wanted.name, blank.size, firmware(blank.firmware), hint(shelf, &wanted.name)))
}

fn import(shelf: &Shelf<'_>, wanted: &Import, out: &mut dyn Write) -> Result<()> {
    let source = Source { path: absolute(&wanted.source)?, becomes: wanted.becomes, firmware: wanted.firmware, flatten: wanted.flatten };
    let mut bar = Bar::new(&wanted.name);
    let Imported { firmware: kind, files } = shelf.import(&wanted.name, &source, &mut |what, share| bar.show(what, share))?;
    drop(bar);
    let how = if wanted.becomes == DiskKind::BlockDevice { "linked to" } else { "the same as" };
    let why = if wanted.firmware.is_some() { "" } else { ", as the disk was installed" };
    let (name, source, firmware) = (&wanted.name, source.path.display(), firmware(kind));
    let below: String = files.iter().skip(1).map(|file| format!("It contains the backing file {}.\n", file.display())).collect();
    print(out, &format!("{name} is made: {how} {source}, {firmware}{why}\n{below}{}", hint(shelf, name)))
}

fn remove(shelf: &Shelf<'_>, wanted: &Remove, out: &mut dyn Write) -> Result<()> {
    let name = &wanted.name;
    if !wanted.yes {
        if !terminal::is_there() {
            return Err(
                Error::usage(format!("removing {name} needs confirmation, and standard input is not a terminal")).with_hint("add --yes")
            );
        }
        let folder = shelf.folder.join(name);
        let answer = terminal::line(&format!("Remove {} and everything in it, including snapshots? Type yes: ", folder.display()))?;
        if answer.trim() != "yes" {
            return Err(Error::new(format!("{name} is not removed")));
        }
    }
    shelf.remove(name)?;
    print(out, &format!("{name} is removed\n"))
}

fn firmware(kind: FirmwareKind) -> &'static str {
    match kind {
        FirmwareKind::Uefi => "boots with UEFI",
        FirmwareKind::Bios => "boots with legacy BIOS",
    }
}

fn hint(shelf: &Shelf<'_>, name: &str) -> String {
    if shelf.personas(name).next().is_some() {
        return String::new();
    }
    format!("No persona boots it yet: add `[[persona]]` with `name = \"{name}\"` to the settings.\n")
}

/// A relative path starts at this process's working folder, wherever the machine's root is.
fn absolute(path: &Path) -> Result<PathBuf> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    std::env::current_dir().map(|folder| folder.join(path)).context(|| format!("finding {}", path.display()))
}
