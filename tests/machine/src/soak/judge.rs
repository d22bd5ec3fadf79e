//! What a command may leave when it was broken off, and what must be so after it was repeated.

use super::bench::{Bench, Expected, succeeded};
use super::operation::Operation;
use persona::config::{DefaultPersona, Settings};
use persona::error::{Context, Error, Result};
use persona::legion::cartridge::slot;
use persona::state::{Choice, Override, StartCounts};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The mark of what an import brings.
const IMPORTED: u8 = 7;

/// Judges what is left, ends the command if it was broken off, and judges again.
pub(super) fn judge(bench: &mut Bench, operation: &Operation) -> Result<()> {
    records(bench, operation).context(|| "before it was repeated".to_owned())?;
    let list = bench.list()?;
    let row = operation.cartridge().map(|name| row(&list, name)).unwrap_or_default();
    let has_left = !half_made(bench).is_empty();
    match operation {
        Operation::Create(name) | Operation::Import(name) => {
            if row.is_null() {
                repeat(bench, operation)?;
            }
            let row = self::row(&bench.list()?, name);
            ensure_well(&row)?;
            bench.ensure_consistent(name)?;
            match operation {
                Operation::Create(_) => bench.qemu_io(name, "read -P 0 0 1M")?,
                _ => bench.qemu_io(name, &format!("read -P {IMPORTED} 4k 1020k"))?,
            }
            let mark = 1 + name.len() as u8;
            bench.expected.insert(name.clone(), Expected::default());
            bench.mark(name, mark)?;
        }
        Operation::Remove(name) => {
            if !row.is_null() {
                ensure_as_expected(bench, name, &row)?;
            }
            if !row.is_null() || has_left {
                repeat(bench, operation)?;
            }
            bench.expected.remove(name);
        }
        Operation::Save(name, label) => {
            ensure_well(&row)?;
            if !labels(&row).contains(label) {
                repeat(bench, operation)?;
            }
            let expected = bench.expected.entry(name.clone()).or_default();
            expected.snapshots.insert(label.clone(), expected.mark);
            // The next snapshot differs.
            let mark = expected.mark % 250 + 1;
            bench.mark(name, mark)?;
        }
        Operation::Restore(name, label) => {
            let then = bench.expected.get(name).and_then(|expected| expected.snapshots.get(label)).copied().unwrap_or_default();
            let now = bench.expected.get(name).map(|expected| expected.mark).unwrap_or_default();
            if row["trouble_code"] != "restore-interrupted" {
                ensure_well(&row)?;
                bench
                    .ensure_marked(name, then)
                    .or_else(|_| bench.ensure_marked(name, now))
                    .context(|| "neither before nor after".to_owned())?;
            }
            repeat(bench, operation)?;
            bench.expected.entry(name.clone()).or_default().mark = then;
        }
        Operation::Forget(name, label) => {
            ensure_well(&row)?;
            if labels(&row).contains(label) || has_left {
                repeat(bench, operation)?;
            }
            bench.expected.entry(name.clone()).or_default().snapshots.remove(label);
        }
        Operation::Insert(name) => {
            repeat(bench, operation)?;
            bench.slot = Some(name.clone());
        }
        Operation::Next(name) => {
            repeat(bench, operation)?;
            bench.next = Some(name.clone());
        }
        Operation::Clear => {
            repeat(bench, operation)?;
            bench.next = None;
        }
        Operation::Default(name) => {
            repeat(bench, operation)?;
            bench.default.clone_from(name);
        }
    }
    whole(bench, operation).context(|| "after it was repeated".to_owned())
}

fn repeat(bench: &Bench, operation: &Operation) -> Result<()> {
    let output = operation.command(bench)?.output().context(|| "running persona".to_owned())?;
    succeeded(&output, &format!("repeating `{operation}`"))
}

/// Everything is as it must be, and nothing else is there.
pub(super) fn whole(bench: &Bench, operation: &Operation) -> Result<()> {
    records(bench, operation)?;
    let list = bench.list()?;
    let names: BTreeSet<&str> = rows(&list).filter_map(|row| row["name"].as_str()).collect();
    let expected: BTreeSet<&str> = bench.expected.keys().map(String::as_str).collect();
    if names != expected {
        return Err(Error::new(format!("there are {names:?}, and should be {expected:?}")));
    }
    let left = half_made(bench);
    if list["leftovers"].as_array().is_none_or(|left| !left.is_empty()) || !left.is_empty() {
        return Err(Error::new(format!("something is left: {left:?}; listed: {}", list["leftovers"])));
    }
    for name in bench.expected.keys() {
        ensure_as_expected(bench, name, &row(&list, name))?;
    }
    free_locks(bench)
}

/// Settings, override, slot and the other records can be read, and say what they said or what the command was to write.
fn records(bench: &Bench, operation: &Operation) -> Result<()> {
    let settings = Settings::load(&bench.paths)?;
    let next = Override::read(&bench.paths)?.map(|next| next.persona);
    let inserted = slot::inserted(&bench.paths, Path::new("/slot"))?;
    StartCounts::read(&bench.paths)?;
    Choice::read(&bench.paths)?;
    let asked = |kind: fn(&Operation) -> Option<&String>| kind(operation).cloned();
    let default = asked(|operation| if let Operation::Default(name) = operation { Some(name) } else { None });
    let wanted_next = asked(|operation| if let Operation::Next(name) = operation { Some(name) } else { None });
    let wanted_slot = asked(|operation| if let Operation::Insert(name) = operation { Some(name) } else { None });
    let is_default = |name: &String| settings.menu.default == DefaultPersona::Named(name.clone());
    if !is_default(&bench.default) && !default.as_ref().is_some_and(is_default) {
        return Err(Error::new(format!("the default is {:?}, and should be {}", settings.menu.default, bench.default)));
    }
    if next != bench.next && next != wanted_next {
        return Err(Error::new(format!("the override is {next:?}, and should be {:?}", bench.next)));
    }
    if inserted != bench.slot && inserted != wanted_slot {
        return Err(Error::new(format!("in the slot is {inserted:?}, and should be {:?}", bench.slot)));
    }
    Ok(())
}

/// The cartridges that are there; the list also has those that a persona names.
fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list["cartridges"].as_array().into_iter().flatten().filter(|row| row["trouble_code"] != "cartridge-missing")
}

/// What the list says about a cartridge; null if it is not there.
fn row(list: &Value, name: &str) -> Value {
    rows(list).find(|row| row["name"] == name).cloned().unwrap_or_default()
}

fn labels(row: &Value) -> BTreeSet<String> {
    row["snapshots"].as_array().into_iter().flatten().filter_map(|label| label.as_str().map(str::to_owned)).collect()
}

fn ensure_well(row: &Value) -> Result<()> {
    if row.is_null() || !row["trouble"].is_null() { Err(Error::new(format!("the cartridge is not well: {row}"))) } else { Ok(()) }
}

fn ensure_as_expected(bench: &Bench, name: &str, row: &Value) -> Result<()> {
    let expected = bench.expected.get(name).cloned().unwrap_or_default();
    ensure_well(row)?;
    let snapshots: BTreeSet<String> = expected.snapshots.keys().cloned().collect();
    if labels(row) != snapshots {
        return Err(Error::new(format!("{name} has the snapshots {:?}, and should have {snapshots:?}", labels(row))));
    }
    bench.ensure_consistent(name)?;
    bench.ensure_marked(name, expected.mark)
}

/// All files by which commands that were broken off are known.
fn half_made(bench: &Bench) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["etc", "run", "shelf", "var"].map(|folder| bench.path(folder)).into_iter().chain([bench.root().to_owned()]) {
        let is_top = folder == bench.root();
        collect(&folder, !is_top, &mut |path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(".partial-") || name.ends_with(".new") || name.ends_with(".persona-new") || name == "restoring" {
                found.push(path.to_owned());
            }
        });
    }
    found
}

fn collect(folder: &Path, deep: bool, see: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        see(&path);
        if deep && path.is_dir() && !path.is_symlink() {
            collect(&path, deep, see);
        }
    }
}

/// No process is left, so no lock is held.
fn free_locks(bench: &Bench) -> Result<()> {
    let mut held = Vec::new();
    for folder in ["run", "var", "shelf"] {
        collect(&bench.path(folder), true, &mut |path| {
            let is_lock = path.extension().is_some_and(|ending| ending == "lock");
            if is_lock && File::open(path).is_ok_and(|file| file.try_lock().is_err()) {
                held.push(path.to_owned());
            }
        });
    }
    if held.is_empty() { Ok(()) } else { Err(Error::new(format!("locks are held: {held:?}"))) }
}
