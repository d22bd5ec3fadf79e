//! Lists what is on a shelf, for `persona cartridge list`. Changes nothing.

use super::partial::{is_held, name_of};
use super::parts::{LAST_RUN, names_in};
use super::{Cartridge, Shelf, changes, in_use, snapshot};
use crate::error::{Error, Result};
use crate::state::LegionState;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// All facts about a cartridge.
#[derive(Debug)]
pub struct ShelfEntry {
    /// Its name.
    pub name: String,
    /// The inspection result, or what is wrong.
    pub cartridge: Result<Cartridge>,
    /// The disk's size as the guest sees it, in bytes.
    pub size: Option<u64>,
    /// The space it takes on the file system, snapshots included, in bytes. A block device takes none there.
    pub used: u64,
    /// When it last ran.
    pub last_run: Option<SystemTime>,
    /// The labels of its snapshots.
    pub snapshots: Vec<String>,
    /// The names of the personas that boot it.
    pub personas: Vec<String>,
    /// Whether it is in the slot.
    pub in_slot: bool,
    /// Whether legion runs from it.
    pub running: bool,
    /// Warnings to know before it is started.
    pub note: Option<String>,
}

/// Leftovers of a killed command, or work in progress of a running one.
#[derive(Debug)]
pub struct Leftover {
    /// The file or folder, as a path on the machine (not below `--root`).
    pub path: PathBuf,
    /// Whether a command is working on it.
    pub in_work: bool,
    /// The command that clears it.
    pub hint: String,
}

impl Shelf<'_> {
    /// Everything on this shelf, sorted by name, and the missing cartridges that personas need.
    ///
    /// # Errors
    /// When the shelf cannot be read. Errors of one cartridge are part of its entry.
    pub fn survey(&self) -> Result<(Vec<ShelfEntry>, Vec<Leftover>)> {
        let mut names: Vec<String> = self.wanted().map(str::to_owned).collect();
        let mut leftovers = Vec::new();
        let here = self.here();
        match fs::read_dir(&here) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::caused_by(format!("reading the folder of all cartridges, {}", here.display()), error));
            }
            _ => {}
        }
        for file in names_in(&here) {
            if let Some(name) = name_of(&file) {
                // That command removes a whole cartridge of the name, if there is one.
                let is_taken = fs::symlink_metadata(here.join(name)).is_ok();
                let path = self.folder.join(&file);
                let hint = if is_taken { format!("rm -r {}", path.display()) } else { format!("persona cartridge remove {name}") };
                leftovers.push(self.leftover(path, hint));
            } else if !file.starts_with('.') && here.join(&file).is_dir() {
                names.push(file);
            }
        }
        names.sort_unstable();
        names.dedup();
        for name in &names {
            let (_, left) = snapshot::labels(&here.join(name));
            leftovers.extend(changes::LEFT.iter().filter(|file| here.join(name).join(file).exists()).map(|file| Leftover {
                path: self.folder.join(name).join(file),
                in_work: is_held(&here.join(name)),
                hint: format!("the next start of {name}, or the next `persona cartridge save|restore|forget {name} ...`"),
            }));
            leftovers.extend(left.iter().map(|label| {
                let path = snapshot::partial(&self.folder.join(name), label);
                self.leftover(path, format!("persona cartridge forget {name} {label}"))
            }));
        }
        for slot in &self.slots {
            let unfinished = crate::sys::atomic::unfinished(&self.paths.at(slot));
            let names = unfinished.iter().filter_map(|path| path.file_name());
            leftovers.extend(names.map(|name| self.leftover(slot.with_file_name(name), "the next start of legion".to_owned())));
        }
        let running = LegionState::read(self.paths).ok().flatten();
        let running = running.is_some_and(|state| state.is_at_its_disk());
        Ok((names.into_iter().map(|name| self.entry(name, running)).collect(), leftovers))
    }

    fn leftover(&self, path: PathBuf, hint: String) -> Leftover {
        Leftover { in_work: is_held(&self.paths.at(&path)), path, hint }
    }

    fn entry(&self, name: String, running: bool) -> ShelfEntry {
        let folder = self.here().join(&name);
        let in_slot = self.is_in_slot(&name);
        let running = running && in_slot;
        let cartridge = Cartridge::inspect(self.paths, &self.folder, &name).and_then(|cartridge| {
            let disk = cartridge.disk_path(self.paths);
            // QEMU is changing the cartridge that it runs from.
            if !running {
                cartridge.ensure_whole(self.paths)?;
                in_use::ensure_unused(self.paths, &disk)?;
            }
            Ok(cartridge)
        });
        let seen = cartridge.as_ref().ok();
        ShelfEntry {
            size: seen.and_then(|cartridge| cartridge.disk.size(&cartridge.disk_path(self.paths)).ok()),
            used: used(&folder),
            last_run: fs::metadata(folder.join(LAST_RUN)).and_then(|stamp| stamp.modified()).ok(),
            snapshots: snapshot::labels(&folder).0,
            personas: self.personas(&name).map(|persona| persona.name.clone()).collect(),
            note: seen.and_then(|cartridge| cartridge.note_on_space(self.paths)),
            in_slot,
            running,
            cartridge,
            name,
        }
    }
}

/// The space that a folder and everything in it takes on its file system, in bytes; unreadable entries count as zero.
fn used(folder: &std::path::Path) -> u64 {
    let size = |name: String| match fs::symlink_metadata(folder.join(&name)) {
        Ok(metadata) if metadata.is_dir() => used(&folder.join(name)),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    names_in(folder).into_iter().map(size).sum()
}
