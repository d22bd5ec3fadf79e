//! What makes legion this persona's machine, found on this host.

use crate::config::{Legion, Passthrough};
use crate::error::{Context, Error, Result};
use crate::legion::cartridge::Cartridge;
use crate::legion::cartridge::firmware::Firmware;
use crate::legion::memory::{self, HugePages};
use crate::legion::topology::Processors;
use crate::passthrough::Note;
use crate::state::{LegionState, Phase};
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::fs;
use std::path::Path;

/// Everything that [`crate::legion::qemu::argv()`] is made from.
#[derive(Debug, Clone)]
pub struct Machine<'a> {
    /// legion as the persona wants it.
    pub legion: &'a Legion,
    /// The cartridge that is in the slot.
    pub cartridge: &'a Cartridge,
    /// The PCI functions to pass through, closures included.
    pub devices: &'a [PciAddress],
    /// What the owner wants to be different about some of them.
    pub passthrough: &'a [Passthrough],
    /// The image of a CD to install from, as the machine names it: booted while the disk cannot be.
    pub iso: Option<&'a Path>,
    /// UEFI firmware, for a cartridge with UEFI variables.
    pub firmware: Option<Firmware>,
    /// Its processors.
    pub processors: Processors,
    /// What its memory is made of; ordinary pages if none.
    pub hugepages: Option<HugePages>,
    /// Where it is not what the owner asked for.
    pub notes: Vec<Note>,
}

impl<'a> Machine<'a> {
    /// Looks for all that it takes. Changes nothing.
    ///
    /// Huge pages and Secure Boot that cannot be had are left out with a note: legion runs without them, and without them
    /// nothing is in danger.
    ///
    /// # Errors
    /// When firmware, a host CPU or a file that the settings name is not there.
    pub fn find(
        paths: &Paths,
        legion: &'a Legion,
        cartridge: &'a Cartridge,
        devices: &'a [PciAddress],
        passthrough: &'a [Passthrough],
    ) -> Result<Self> {
        let firmware = cartridge.nvram.map(|size| Firmware::find(paths, size, legion.secure_boot)).transpose()?;
        let mut processors = Processors::find(paths, &legion.cpus)?;
        let mut notes = std::mem::take(&mut processors.notes);
        let mut note =
            |code: &'static str, what: String, hint: &str| notes.push(Note { code, address: None, what, hint: Some(hint.to_owned()) });
        for Passthrough { device, romfile, .. } in passthrough.iter().filter(|entry| devices.contains(&entry.device)) {
            if let Some(file) = romfile {
                let hint = "correct or remove this `romfile` in the settings";
                is_file(paths, file, || format!("looking at {device}'s romfile {}", file.display()))
                    .map_err(|error| error.with_hint(hint))?;
            }
        }
        if legion.secure_boot && firmware.is_none() {
            note(
                "secure-boot-without-uefi",
                format!("the cartridge {} boots by legacy BIOS, which knows no Secure Boot", cartridge.name),
                "write secure_boot = false in the settings, or make its nvram.fd from an OVMF_VARS file",
            );
        }
        let state = LegionState::read(paths).ok().flatten();
        let runs = state.is_some_and(|state| matches!(state.phase, Phase::Starting | Phase::Running));
        let hugepages = match legion.hugepages.then(|| memory::huge_pages(paths, legion.memory, runs)) {
            None => None,
            Some(Ok(pages)) => Some(pages),
            Some(Err(shortage)) => {
                note(shortage.code, format!("legion gets ordinary memory: {}", shortage.what), &shortage.hint);
                None
            }
        };
        Ok(Self { legion, cartridge, devices, passthrough, iso: cartridge.install.as_deref(), firmware, processors, hugepages, notes })
    }
}

/// Makes sure that there is such a file.
fn is_file(paths: &Paths, file: &Path, doing: impl Fn() -> String) -> Result<()> {
    if fs::metadata(paths.at(file)).context(&doing)?.is_file() { Ok(()) } else { Err(Error::caused_by(doing(), "it is no file")) }
}
