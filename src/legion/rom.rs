//! Images of option ROMs that the owner gives to a passed-through card (PCI Firmware Specification, "PCI Expansion ROM Contents").

use crate::error::{Context, Error, Result};
use crate::legion::kvm;
use crate::sys::account::{Account, group_id};
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::{PciAddress, PciId};
use crate::sys::tree;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Larger files are no ROMs, in bytes.
const MAX_ROM: u64 = 16 << 20;
/// What legion.service shows QEMU empty or not at all: `ProtectHome=`, `PrivateTmp=` and `InaccessiblePaths=`.
const HIDDEN: [&str; 7] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp", "/etc/persona", "/var/lib/persona"];
/// The offset at which an image says where its data structure is.
const POINTER: usize = 0x18;

/// Checks that a file is a ROM, and for a card of this maker. `id` is the card's, if the settings name it.
///
/// # Errors
/// When it cannot be read, is no ROM, or is for another maker's card: the guest would have no picture.
pub fn check(paths: &Paths, file: &Path, device: PciAddress, id: Option<PciId>) -> Result<()> {
    let doing = || format!("looking at {device}'s romfile {}", file.display());
    let rom = file::read(paths.at(file), MAX_ROM).context(doing)?;
    let refused = |reason: String, hint: &str| Err(Error::caused_by(doing(), reason).with_code("romfile-unusable").with_hint(hint));
    match vendor(&rom) {
        None if (1..rom.len()).any(|at| vendor(&rom[at..]).is_some()) => {
            refused("it has something before the ROM, as some tools store it".to_owned(), "cut off what is before the bytes 55 aa")
        }
        None => refused("it is no option ROM: it does not begin with 55 aa".to_owned(), "dump the card's ROM again, or remove `romfile`"),
        Some(vendor) if id.is_some_and(|id| id.vendor != vendor) => {
            refused(format!("it is for a card of the vendor {vendor:04x}"), "give the ROM of this very card, or remove `romfile`")
        }
        Some(_) => Ok(()),
    }
}

/// Why QEMU, which runs as another user in a unit of its own, may not be able to read a file. Access lists may allow what the modes do not.
pub(super) fn unreadable(paths: &Paths, file: &Path) -> Option<String> {
    if let Some(folder) = HIDDEN.iter().find(|folder| file.starts_with(folder)) {
        return Some(format!("legion.service hides {folder} from QEMU"));
    }
    let account = Account::of_legion(paths).ok()?;
    let groups = [Some(account.gid), group_id(paths, kvm::GROUP)];
    let lacks = |path: &Path, bit: u32| {
        let found = fs::metadata(tree::followed(path)).ok()?;
        let shift = match () {
            () if found.uid() == account.uid => 6,
            () if groups.contains(&Some(found.gid())) => 3,
            () => 0,
        };
        (found.mode() >> shift & bit == 0).then(|| found.mode() & 0o7777)
    };
    let folders: Vec<&Path> = file.ancestors().skip(1).collect();
    let closed = folders.into_iter().rev().find_map(|folder| Some((folder, lacks(&paths.at(folder), 1)?)));
    let (closed, mode) = closed.or_else(|| Some((file, lacks(&paths.at(file), 4)?)))?;
    Some(format!("{} has the mode {mode:04o}", closed.display()))
}

/// The vendor ID of the first image in a ROM.
fn vendor(rom: &[u8]) -> Option<u16> {
    let number = |at: usize| Some(u16::from_le_bytes([*rom.get(at)?, *rom.get(at + 1)?]));
    let data = usize::from(number(POINTER)?);
    let is_rom = rom.starts_with(b"\x55\xaa") && rom.get(data..)?.starts_with(b"PCIR");
    is_rom.then(|| number(data + 4)).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// An image for a card of this vendor, after some other bytes.
    fn rom(before: usize, vendor: u16) -> Vec<u8> {
        let mut image = vec![0; 512];
        image[..2].copy_from_slice(b"\x55\xaa");
        image[POINTER] = 0x40;
        image[0x40..0x44].copy_from_slice(b"PCIR");
        image[0x44..0x46].copy_from_slice(&vendor.to_le_bytes());
        [vec![b'N'; before], image].concat()
    }

    #[test]
    fn rom_is_known_by_its_header_and_its_maker() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let (device, id) = ("0000:0a:00.0".parse().unwrap(), "10de:1e84".parse().ok());
        let checked = |bytes: &[u8]| {
            std::fs::write(paths.at("/card.rom"), bytes).unwrap();
            check(&paths, Path::new("/card.rom"), device, id).map_err(|error| error.to_string())
        };
        assert_eq!(checked(&rom(0, 0x10de)), Ok(()));
        for (bytes, says) in [
            (rom(0, 0x1002), "vendor 1002"),
            (rom(0x600, 0x10de), "before the ROM"),
            (b"<!DOCTYPE html>".to_vec(), "no option ROM"),
            (Vec::new(), "no option ROM"),
            (b"\x55\xaa".to_vec(), "no option ROM"),
        ] {
            let error = checked(&bytes).unwrap_err();
            assert!(error.contains(says) && error.contains("hint:"), "{says}: {error}");
        }
        assert!(check(&paths, Path::new("/none.rom"), device, None).is_err());
    }

    #[test]
    fn rom_that_legions_user_cannot_read_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        for folder in ["etc", "usr/share/roms", "home/anna"] {
            fs::create_dir_all(paths.at(folder)).unwrap();
        }
        fs::write(paths.passwd(), "legion:x:4242:4243::/:/bin/false\n").unwrap();
        fs::write(paths.at("usr/share/roms/card.rom"), rom(0, 0x10de)).unwrap();
        let told = |file: &str| unreadable(&paths, Path::new(file));
        let mode = |path: &str, mode: u32| fs::set_permissions(paths.at(path), fs::Permissions::from_mode(mode)).unwrap();
        const ROM: &str = "/usr/share/roms/card.rom";
        assert_eq!(told(ROM), None);
        assert!(told("/home/anna/card.rom").unwrap().contains("/home"));
        mode("usr/share/roms/card.rom", 0o660);
        assert!(told(ROM).unwrap().contains("card.rom has the mode 0660"));
        mode("usr/share/roms", 0o750);
        assert!(told(ROM).unwrap().contains("/usr/share/roms has the mode 0750"));
    }
}
