//! The shelf: the folder of all cartridges, and the slots they are inserted into.

use super::partial::{self, Hold, Partial};
use super::{Cartridge, changes, in_use};
use crate::config::{Legion, Persona, Settings};
use crate::error::{Context, Error, Result};
use crate::legion::LegionLock;
use crate::sys::paths::Paths;
use crate::sys::tree;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// Where cartridges are kept by default.
const USUAL: &str = "/var/lib/legion/cartridges";

/// The folder of all cartridges as the settings name it, with the personas and slots that use it.
#[derive(Debug)]
pub struct Shelf<'a> {
    pub(super) paths: &'a Paths,
    /// The folder, as a path on the machine (not below `--root`).
    pub folder: PathBuf,
    /// The symlinks that say which cartridge is inserted.
    pub(super) slots: Vec<PathBuf>,
    settings: &'a Settings,
}

impl<'a> Shelf<'a> {
    fn new(paths: &'a Paths, settings: &'a Settings, folder: PathBuf) -> Self {
        let slots = distinct(legions(settings).map(|(_, legion)| &legion.slot));
        Self { paths, folder, slots, settings }
    }

    /// All shelves of these settings: a persona may have its own.
    pub fn all(paths: &'a Paths, settings: &'a Settings) -> Vec<Self> {
        let mut folders = distinct(legions(settings).map(|(_, legion)| &legion.cartridges));
        if folders.is_empty() {
            folders.push(USUAL.into());
        }
        folders.into_iter().map(|folder| Self::new(paths, settings, folder)).collect()
    }

    /// The shelf of the cartridge `name`: the one of its persona; without a persona, the one that holds it, or else the first persona's.
    pub fn of(paths: &'a Paths, settings: &'a Settings, name: &str) -> Self {
        let mut found: Option<(u8, &PathBuf)> = None;
        for (_, legion) in legions(settings) {
            let is_its_own = legion.cartridge == name;
            let is_there = || fs::symlink_metadata(paths.at(legion.cartridges.join(name))).is_ok();
            let rank = if is_its_own { 2 } else { u8::from(is_there()) };
            if found.is_none_or(|(best, _)| rank > best) {
                found = Some((rank, &legion.cartridges));
            }
        }
        let folder = found.map_or_else(|| USUAL.into(), |(_, folder)| folder.clone());
        Self::new(paths, settings, folder)
    }

    /// The personas that boot the cartridge `name`.
    pub fn personas<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a Persona> + 's {
        let uses_it = move |legion: &Legion| legion.cartridge == name && legion.cartridges == self.folder;
        legions(self.settings).filter(move |(_, legion)| uses_it(legion)).map(|(persona, _)| persona)
    }

    /// The cartridges that personas boot.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &'a str> {
        legions(self.settings).filter(|(_, legion)| legion.cartridges == self.folder).map(|(_, legion)| legion.cartridge.as_str())
    }

    /// Whether a persona that boots the cartridge `name` matches the condition.
    pub(super) fn wants(&self, name: &str, this: fn(&Legion) -> bool) -> bool {
        self.personas(name).any(|persona| persona.legion().is_some_and(this))
    }

    /// The shelf's folder, below `--root`.
    pub(super) fn here(&self) -> PathBuf {
        tree::followed(&self.paths.at(&self.folder)).into_owned()
    }

    /// The folder of the cartridge `name`, which may be a link to it.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        tree::followed(&self.here().join(name)).into_owned()
    }

    /// Whether the cartridge `name` is in a slot.
    pub(super) fn is_in_slot(&self, name: &str) -> bool {
        let place = fs::canonicalize(self.here().join(name)).ok();
        place.is_some() && self.slots.iter().any(|slot| fs::canonicalize(self.paths.at(slot)).ok() == place)
    }

    /// Begins a new cartridge: an empty folder that becomes the cartridge when it is finished.
    pub(super) fn begin(&self, name: &str) -> Result<Partial> {
        let folder = self.here();
        if fs::symlink_metadata(folder.join(name)).is_ok() {
            return Err(Error::new(format!("there is already a cartridge `{name}`: {}", folder.join(name).display()))
                .with_code("cartridge-exists")
                .with_hint(format!("choose another name, or `persona cartridge remove {name}` first")));
        }
        // QEMU can traverse the folder to the inserted cartridge, but cannot list the others.
        let make = DirBuilder::new().recursive(true).mode(0o711).create(&folder);
        make.context(|| format!("creating the folder of all cartridges, {}", folder.display()))?;
        Partial::begin(&folder, name)
    }

    /// Locks the cartridge `name` against other commands.
    pub(super) fn hold(&self, name: &str) -> Result<Hold> {
        let folder = self.place(name);
        partial::hold(&folder)?.ok_or_else(|| {
            Error::new(format!("there is no cartridge `{name}`: {} is not there", folder.display()))
                .with_code("cartridge-missing")
                .with_hint("`persona cartridge list` shows the existing ones")
        })
    }

    /// Locks the cartridge `name` for a command that changes it: against other commands, and against legion if it is in the slot.
    pub(super) fn take(&self, name: &str) -> Result<Taken> {
        let hold = self.hold(name)?;
        // In this order: `prepare` moves the slot first and locks the cartridge then.
        let lock = if self.is_in_slot(name) { Some(LegionLock::take(self.paths)?) } else { None };
        Ok(Taken { _hold: hold, _lock: lock })
    }

    /// Inspects the cartridge `name`, which must not be in use.
    pub(super) fn inspect_free(&self, name: &str) -> Result<Cartridge> {
        let cartridge = Cartridge::inspect(self.paths, &self.folder, name)?;
        in_use::ensure_unused(self.paths, &cartridge.disk_path(self.paths))?;
        changes::complete(self.paths, &self.here().join(name))?;
        cartridge.disk.ensure_whole(&cartridge.disk_path(self.paths))?;
        Ok(cartridge)
    }

    /// Removes the cartridge `name`, or what a killed command left of it.
    ///
    /// # Errors
    /// When it does not exist, is in a slot or is in use.
    pub fn remove(&self, name: &str) -> Result<()> {
        let parent = self.here();
        let folder = parent.join(name);
        let metadata = fs::symlink_metadata(&folder);
        if metadata.is_err() && Partial::clear(&parent, name)? {
            return Ok(());
        }
        if metadata.is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(Error::new(format!("{} is a link to a cartridge elsewhere", folder.display()))
                .with_code("cartridge-is-link")
                .with_hint("remove the link yourself: `rm`"));
        }
        let hold = self.hold(name)?;
        if self.is_in_slot(name) {
            return Err(Error::new(format!("the cartridge {name} is in the slot"))
                .with_code("cartridge-in-slot")
                .with_hint("start another persona, or take it out by removing the symlink: the slot is then empty until legion starts"));
        }
        // A folder that is not a valid cartridge can be removed as well.
        if let Ok(cartridge) = Cartridge::inspect(self.paths, &self.folder, name) {
            in_use::ensure_unused(self.paths, &cartridge.disk_path(self.paths))?;
        }
        Partial::of(&parent, name, hold)?.remove()
    }
}

/// The proof that this process may change the cartridge.
#[derive(Debug)]
pub(super) struct Taken {
    _hold: Hold,
    _lock: Option<LegionLock>,
}

fn distinct<'s>(paths: impl Iterator<Item = &'s PathBuf>) -> Vec<PathBuf> {
    let mut distinct: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !distinct.contains(path) {
            distinct.push(path.clone());
        }
    }
    distinct
}

fn legions(settings: &Settings) -> impl Iterator<Item = (&Persona, &Legion)> {
    settings.personas.iter().filter_map(|persona| Some((persona, persona.legion()?)))
}
