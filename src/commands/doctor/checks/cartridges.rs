//! Cartridges: complete, readable by legion, with firmware for those that boot by UEFI; and the slot.

use super::{Area, Case, Level};
use crate::config::{Legion, Persona};
use crate::legion::Cartridge;
use crate::legion::cartridge::{Firmware, slot};
use crate::sys::account::Account;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::set::set_of;
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(super) fn check(case: &Case<'_>) -> Area {
    let mut area = Area::new("cartridges");
    // On another machine's tree the owners of files are unknown.
    let account = Account::of_legion(case.paths).ok().filter(|_| case.paths.is_live());
    for (persona, legion) in case.legions() {
        cartridge(case, persona, legion, account, &mut area);
    }
    let slots: BTreeSet<&Path> = set_of(case.legions().map(|(_, legion)| legion.slot.as_path()));
    for path in slots {
        the_slot(case.paths, path, &mut area);
    }
    area
}

fn cartridge(case: &Case<'_>, persona: &Persona, legion: &Legion, account: Option<Account>, area: &mut Area) {
    let name = &legion.cartridge;
    let without = case.without(persona);
    let cartridge = match Cartridge::examine(case.paths, legion) {
        Ok(cartridge) => cartridge,
        Err(error) if error.errno() == Some(nix::libc::EACCES) => {
            area.warning("cartridge-unreadable", name, error.reason(), "look again as root: `sudo persona doctor`");
            return;
        }
        Err(error) => return area.error(without, error.code().unwrap_or("cartridge-unusable"), name, &error),
    };
    if let Some(Err(error)) = cartridge.nvram.map(|size| Firmware::find(case.paths, size, legion.secure_boot)) {
        return area.error(without, error.code().unwrap_or("firmware-missing"), name, &error);
    }
    if let Some(folder) = account.and_then(|account| closed(case.paths, &cartridge, account)) {
        return area.add(
            without,
            "cartridge-folder-closed",
            name,
            format!("the user legion has no permission to traverse {folder} (mode)"),
            Some(format!("`chmod o+x {folder}`")),
        );
    }
    let firmware = if cartridge.nvram.is_some() { "UEFI" } else { "legacy BIOS" };
    area.good("cartridge-usable", name, format!("{name}: {}, boots with {firmware}", cartridge.disk.kind.file_name()));
}

/// The first folder above the cartridge that legion may not traverse. The cartridge itself is given to legion when it is inserted.
fn closed(paths: &Paths, cartridge: &Cartridge, account: Account) -> Option<String> {
    const SEARCH: u32 = 1;
    let groups = groups(&file::read_text(paths.at("/etc/group")).unwrap_or_default(), crate::sys::account::NAME);
    let is_closed = |path: &&Path| fs::metadata(path).is_ok_and(|metadata| !may(&metadata, account, &groups, SEARCH));
    let folder = paths.at(&cartridge.folder);
    let folder = fs::canonicalize(&folder).unwrap_or(folder);
    folder.ancestors().skip(1).find(is_closed).map(|path| path.display().to_string())
}

/// Whether a user has the permission, by owner, group and mode alone.
fn may(metadata: &Metadata, account: Account, groups: &[u32], wanted: u32) -> bool {
    may_by_mode((metadata.uid(), metadata.gid(), metadata.mode()), account, groups, wanted)
}

fn may_by_mode((uid, gid, mode): (u32, u32, u32), account: Account, groups: &[u32], wanted: u32) -> bool {
    let shift = if uid == account.uid {
        6
    } else if gid == account.gid || groups.contains(&gid) {
        3
    } else {
        0
    };
    mode >> shift & wanted == wanted
}

/// The groups with that member (`group(5)`).
fn groups(text: &str, member: &str) -> Vec<u32> {
    let group = |line: &str| {
        let mut fields = line.split(':').skip(2);
        let number = fields.next()?.parse().ok()?;
        fields.next()?.split(',').any(|name| name.trim() == member).then_some(number)
    };
    text.lines().filter_map(group).collect()
}

fn the_slot(paths: &Paths, path: &Path, area: &mut Area) {
    const SUBJECT: &str = "slot";
    let is_link = fs::symlink_metadata(paths.at(path)).map_or(true, |metadata| metadata.is_symlink());
    match slot::inserted(paths, path) {
        _ if !is_link => area.broken(
            "slot-not-symlink",
            SUBJECT,
            format!("the slot {} is not a symlink", path.display()),
            "rename it: a cartridge may be in it",
        ),
        Ok(Some(name)) => area.good("slot-filled", SUBJECT, format!("{name} is in the slot")),
        Ok(None) => area.good("slot-empty", SUBJECT, "the slot is empty until legion starts"),
        Err(error) => area.error(Level::Warning, "slot-unreadable", SUBJECT, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_the_kernel_does() {
        let legion = Account { uid: 980, gid: 979 };
        let may = |uid, gid, mode, wanted| may_by_mode((uid, gid, mode), legion, &[78], wanted);
        assert!(may(980, 0, 0o600, 6) && may(0, 979, 0o060, 6) && may(0, 78, 0o060, 6) && may(0, 0, 0o006, 6));
        assert!(!may(0, 0, 0o640, 6) && !may(0, 979, 0o640, 6) && !may(0, 0, 0o770, 1));
        assert!(!may(980, 979, 0o077, 6), "the owner's bits count for the owner, and no others");
    }

    #[test]
    fn group_files() {
        assert_eq!(groups("root:x:0:\nkvm:x:78:qemu,legion\nlegion:x:979:\nbad:x\nx:x:y:legion\n", "legion"), [78]);
    }
}
