//! Images of option ROMs that the owner gives to a passed-through card (PCI Firmware Specification, "PCI Expansion ROM Contents").

use crate::error::{Context, Error, Result};
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::{PciAddress, PciId};
use std::path::Path;

/// Larger files are no ROMs, in bytes.
const MAX_ROM: u64 = 16 << 20;
/// The offset at which an image says where its data structure is.
const POINTER: usize = 0x18;

/// Checks that a file is a ROM, and for a card of this maker. `id` is the card's, if the settings name it.
///
/// # Errors
/// When it cannot be read, is no ROM, or is for another maker's card: the guest would have no picture.
pub(super) fn check(paths: &Paths, file: &Path, device: PciAddress, id: Option<PciId>) -> Result<()> {
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
}
