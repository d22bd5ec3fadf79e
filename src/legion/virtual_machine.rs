//! Collects what this persona's machine consists of on this host.

use crate::config::{Legion, Passthrough};
use crate::error::Result;
use crate::legion::cartridge::Cartridge;
use crate::legion::cartridge::firmware::Firmware;
use crate::legion::memory::{self, HugePages};
use crate::legion::topology::Processors;
use crate::legion::{address_width, rom};
use crate::passthrough::{Warning, not_resettable};
use crate::state::{LegionState, Phase};
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::path::Path;

/// The input of [`crate::legion::qemu::argv()`].
#[derive(Debug, Clone)]
pub struct VirtualMachine<'a> {
    /// The persona's settings for legion.
    pub legion: &'a Legion,
    /// The inserted cartridge.
    pub cartridge: &'a Cartridge,
    /// The PCI functions to pass through, closures included.
    pub devices: &'a [PciAddress],
    /// The owner's settings for individual functions.
    pub passthrough: &'a [Passthrough],
    /// The image of a CD to install from, as a path on the machine: booted while the disk cannot boot.
    pub iso: Option<&'a Path>,
    /// UEFI firmware, for a cartridge with UEFI variables.
    pub firmware: Option<Firmware>,
    /// Its processors.
    pub processors: Processors,
    /// The pages its memory is made of; ordinary pages if none.
    pub hugepages: Option<HugePages>,
    /// How many bits its addresses have, if fewer than the processor's.
    pub address_bits: Option<u32>,
    /// Deviations from the settings.
    pub notes: Vec<Warning>,
}

impl<'a> VirtualMachine<'a> {
    /// Collects all of it. Changes nothing.
    ///
    /// Huge pages and Secure Boot are left out with a note if they are not available: legion runs without them safely.
    ///
    /// # Errors
    /// When firmware, a host CPU, memory or a file that the settings name is missing.
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
            |code: &'static str, what: String, hint: &str| notes.push(Warning { code, address: None, what, hint: Some(hint.to_owned()) });
        for Passthrough { device, id, romfile, .. } in passthrough.iter().filter(|entry| devices.contains(&entry.device)) {
            if let Some(file) = romfile {
                rom::check(paths, file, *device, *id)?;
                if let Some(why) = rom::unreadable(paths, file) {
                    note(
                        "romfile-not-readable",
                        format!("QEMU may not be able to read {device}'s romfile {}: {why}", file.display()),
                        "put it where the user legion can read it, such as /usr/local/share, with the mode 0644",
                    );
                }
            }
        }
        memory::ensure_there(paths, legion.memory)?;
        let address_bits = if devices.is_empty() { None } else { address_width::limit(paths, legion.memory.mebibytes())? };
        if legion.secure_boot && firmware.is_none() {
            note(
                "secure-boot-without-uefi",
                format!("the cartridge {} boots by legacy BIOS, which does not support Secure Boot", cartridge.name),
                "write secure_boot = false in the settings, or create its nvram.fd from an OVMF_VARS file",
            );
        }
        let state = LegionState::read(paths).ok().flatten();
        let runs = state.as_ref().is_some_and(|state| matches!(state.phase, Phase::Starting | Phase::Running));
        // A record that this boot has no more is no reason to look.
        if let Some(state) = state.filter(|state| state.ran_s.is_some())
            && let [first, ..] = not_resettable(paths, devices)[..]
        {
            note(
                "device-not-reset",
                format!(
                    "{first} cannot be reset, and {} had it in this boot: the guest may find it in a state that it cannot use",
                    state.persona
                ),
                "if legion does not start or shows nothing, reboot the machine",
            );
        }
        let hugepages = match legion.hugepages.then(|| memory::huge_pages(paths, legion.memory, runs)) {
            None => None,
            Some(Ok(pages)) => Some(pages),
            Some(Err(shortage)) => {
                note(shortage.code, format!("legion gets ordinary memory: {}", shortage.what), &shortage.hint);
                None
            }
        };
        notes.extend(address_bits.map(address_width::note));
        Ok(Self {
            legion,
            cartridge,
            devices,
            passthrough,
            iso: cartridge.install.as_deref(),
            firmware,
            processors,
            hugepages,
            address_bits,
            notes,
        })
    }
}
