//! The slot: the symlink that says which cartridge is inserted.

use crate::error::{Context, Error, Result};
use crate::legion::cartridge::Cartridge;
use crate::legion::lock::LegionLock;
use crate::sys::atomic;
use crate::sys::paths::Paths;
use crate::sys::tree;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Inserts a cartridge into the slot: one durable rename. The lock is the proof that no legion runs from the slot.
///
/// # Errors
/// When the slot cannot be written; the previous cartridge stays inserted.
pub fn insert(_lock: &LegionLock, paths: &Paths, slot: &Path, cartridge: &Cartridge) -> Result<()> {
    let link = paths.at(slot);
    if fs::symlink_metadata(&link).is_ok_and(|metadata| !metadata.is_symlink()) {
        return Err(Error::new(format!("the slot {} is not a symlink", link.display()))
            .with_code("slot-not-symlink")
            .with_hint("rename it: a cartridge may be in it"));
    }
    let folder = slot.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(tree::followed(&paths.at(folder))).context(|| format!("creating the folder of the slot {}", link.display()))?;
    // A relative link within the folder also works on a machine inspected through --root.
    let target = cartridge.folder.strip_prefix(folder).unwrap_or(&cartridge.folder);
    atomic::link(&link, target).map_err(|error| Error::caused_by(format!("inserting the cartridge {}", cartridge.name), error))
}

/// The name of the inserted cartridge, if any.
///
/// # Errors
/// When the slot cannot be read.
pub fn inserted(paths: &Paths, slot: &Path) -> Result<Option<String>> {
    let link = paths.at(slot);
    match fs::read_link(&link) {
        Ok(target) => Ok(target.file_name().map(|name| name.to_string_lossy().into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::caused_by(format!("reading the slot {}", link.display()), error)),
    }
}

/// Checks that this cartridge is the inserted one, so that what was checked is what boots.
///
/// # Errors
/// When another cartridge is inserted, or none.
pub fn expect(_lock: &LegionLock, paths: &Paths, slot: &Path, cartridge: &Cartridge) -> Result<()> {
    let link = paths.at(slot);
    let same = |a: &Path, b: &Path| Ok::<_, std::io::Error>(fs::canonicalize(a)? == fs::canonicalize(b)?);
    match same(&link, &paths.at(&cartridge.folder)) {
        Ok(true) => Ok(()),
        _ => {
            let what = inserted(paths, slot)?.map_or_else(|| "no cartridge".to_owned(), |name| format!("the cartridge {name}"));
            Err(Error::new(format!("the slot {} holds {what}, not {}", link.display(), cartridge.name))
                .with_code("slot-holds-another")
                .with_hint("`persona prepare`, which legion.service runs first, inserts the right one"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn what_is_inserted_is_in_and_what_is_checked_is_what_is_in() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let slot = Path::new("/var/lib/legion/slot");
        let [a, b] = ["a", "b"].map(|name| {
            let folder = PathBuf::from("/var/lib/legion/cartridges").join(name);
            fs::create_dir_all(paths.at(&folder)).unwrap();
            fs::write(paths.at(folder.join("disk.raw")), b"x").unwrap();
            Cartridge::inspect(&paths, Path::new("/var/lib/legion/cartridges"), name).unwrap()
        });
        assert_eq!(inserted(&paths, slot).unwrap(), None);
        let lock = LegionLock::take(&paths).unwrap();
        assert_eq!(expect(&lock, &paths, slot, &a).unwrap_err().code(), Some("slot-holds-another"));
        for cartridge in [&a, &b] {
            insert(&lock, &paths, slot, cartridge).unwrap();
            assert_eq!(inserted(&paths, slot).unwrap().as_ref(), Some(&cartridge.name));
            expect(&lock, &paths, slot, cartridge).unwrap();
        }
        assert_eq!(expect(&lock, &paths, slot, &a).unwrap_err().code(), Some("slot-holds-another"));
        assert_eq!(fs::read_link(paths.at(slot)).unwrap(), Path::new("cartridges/b"));
        assert_eq!(fs::read(paths.at(slot).join("disk.raw")).unwrap(), b"x");
    }

    #[test]
    fn a_folder_in_the_slots_place_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        fs::create_dir_all(paths.at("/c/a")).unwrap();
        fs::create_dir_all(paths.at("/slot/precious")).unwrap();
        fs::write(paths.at("/c/a/disk.raw"), b"x").unwrap();
        let cartridge = Cartridge::inspect(&paths, Path::new("/c"), "a").unwrap();
        let lock = LegionLock::take(&paths).unwrap();
        assert_eq!(insert(&lock, &paths, Path::new("/slot"), &cartridge).unwrap_err().code(), Some("slot-not-symlink"));
        assert!(paths.at("/slot/precious").is_dir());
    }
}
