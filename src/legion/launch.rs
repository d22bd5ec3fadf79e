//! The interface between `prepare`, which decides, and `run`, which executes: `/run/persona/launch.toml`.
//!
//! `run` is not root, and a guest that escapes QEMU gets the privileges of `run`: it reads this record and its own cartridge, never the
//! settings.

use crate::config::ladder::Ladder;
use crate::config::value::{Network, RunningWell};
use crate::config::{Legion, OnPoweroff};
use crate::error::{Error, Result};
use crate::legion::cartridge::Cartridge;
use crate::legion::cartridge::slot;
use crate::legion::lock::LegionLock;
use crate::legion::qemu::argv::argv;
use crate::legion::qemu::tpm;
use crate::legion::topology::Pinning;
use crate::legion::virtual_machine::VirtualMachine;
use crate::passthrough::Warning;
use crate::state::record;
use crate::sys::paths::Paths;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One launch of legion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The persona, for messages and state.
    pub persona: String,
    /// The name of the inserted cartridge.
    pub cartridge: String,
    /// The folder of all cartridges, as a path on the machine (not below `--root`).
    pub cartridges: PathBuf,
    /// The slot, as a path on the machine (not below `--root`).
    pub slot: PathBuf,
    /// libvirt's domain, if libvirt runs legion.
    pub domain: Option<String>,
    /// QEMU's command line, program first; empty with a domain.
    pub qemu: Vec<String>,
    /// swtpm's command line, program first; empty without a TPM.
    pub swtpm: Vec<String>,
    /// Whether QEMU gets the macvtap that `prepare` created.
    pub macvtap: bool,
    /// Where QEMU's threads run.
    pub pinning: Pinning,
    /// How a stop goes.
    pub ladder: Ladder,
    /// What happens after the guest powers itself off.
    pub on_poweroff: OnPoweroff,
    /// When it counts as running well; an earlier end brings the menu back.
    pub running_well: RunningWell,
    /// Deviations from the settings that do not prevent the launch.
    pub notes: Vec<String>,
}

impl Launch {
    /// The launch of a persona with this machine.
    ///
    /// # Errors
    /// When swtpm's command line cannot express its state folder.
    pub fn new(paths: &Paths, persona: &str, machine: &VirtualMachine<'_>) -> Result<Self> {
        let VirtualMachine { legion, cartridge, .. } = machine;
        let launch = Self {
            qemu: argv(paths, machine),
            swtpm: if legion.tpm { tpm::argv(paths, &legion.slot)? } else { Vec::new() },
            macvtap: matches!(legion.network, Network::Macvtap(_)),
            pinning: machine.processors.pinning.clone(),
            ..Self::of(persona, legion, cartridge)
        };
        let space = cartridge.note_on_space(paths);
        Ok(Self { notes: machine.notes.iter().map(|note| note.what.clone()).chain(space).collect(), ..launch })
    }

    /// The launch of a persona as libvirt's domain, with these notes.
    pub fn of_domain(persona: &str, legion: &Legion, cartridge: &Cartridge, notes: &[Warning]) -> Self {
        let notes = notes.iter().map(|note| note.what.clone()).collect();
        Self { domain: Some(legion.domain.clone()), notes, ..Self::of(persona, legion, cartridge) }
    }

    fn of(persona: &str, legion: &Legion, cartridge: &Cartridge) -> Self {
        Self {
            persona: persona.to_owned(),
            cartridge: cartridge.name.clone(),
            cartridges: legion.cartridges.clone(),
            slot: legion.slot.clone(),
            domain: None,
            qemu: Vec::new(),
            swtpm: Vec::new(),
            macvtap: false,
            pinning: Pinning::default(),
            ladder: legion.stop,
            on_poweroff: legion.on_poweroff,
            running_well: legion.running_well,
            notes: Vec::new(),
        }
    }

    /// What `prepare` has prepared.
    ///
    /// # Errors
    /// When nothing was prepared, or the record cannot be read.
    pub fn read(paths: &Paths) -> Result<Self> {
        record::read_toml(&paths.launch())?.ok_or_else(|| {
            Error::new("nothing was prepared in this boot").with_hint("start legion.service, which runs `persona prepare` first")
        })
    }

    /// The current or last launch, if there was one.
    ///
    /// # Errors
    /// When there is a record that cannot be read.
    pub fn last(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.launch())
    }

    /// Writes it for `run`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<()> {
        record::write_toml(&paths.launch(), self)
    }

    /// The cartridge.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn cartridge(&self, paths: &Paths) -> Result<Cartridge> {
        Cartridge::inspect(paths, &self.cartridges, &self.cartridge)
    }

    /// The cartridge, which must be in the slot: what was prepared is what runs.
    ///
    /// # Errors
    /// When it is not in the slot, or cannot be used.
    pub fn expect_cartridge(&self, paths: &Paths, lock: &LegionLock) -> Result<Cartridge> {
        let cartridge = self.cartridge(paths)?;
        slot::expect(lock, paths, &self.slot, &cartridge)?;
        Ok(cartridge)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::document;

    #[test]
    fn a_launch_is_read_as_it_was_written() {
        let launch = Launch {
            persona: "mordor".into(),
            cartridge: "windows".into(),
            cartridges: "/var/c".into(),
            slot: "/var/s".into(),
            domain: None,
            qemu: vec!["qemu".into(), "-name".into(), "a\"b".into()],
            swtpm: Vec::new(),
            macvtap: true,
            pinning: Pinning { vcpus: vec![1, 2], rest: Vec::new() },
            ladder: Ladder::default(),
            on_poweroff: OnPoweroff::Menu,
            running_well: RunningWell::USUAL,
            notes: vec!["as it is".into()],
        };
        let text = document::write(&launch).unwrap();
        assert_eq!(
            text,
            "persona = \"mordor\"\ncartridge = \"windows\"\ncartridges = \"/var/c\"\nslot = \"/var/s\"\n\
             qemu = [\"qemu\", \"-name\", 'a\"b']\nswtpm = []\nmacvtap = true\non_poweroff = \"menu\"\nrunning_well = \"60000ms\"\n\
             notes = [\"as it is\"]\n\n[pinning]\nvcpus = [1, 2]\nrest = []\n\n[ladder]\nagain = 10000\nquit = 30000\nkill = 40000\n"
        );
        assert_eq!(document::read::<Launch>(&text, "x").unwrap(), launch);
        let of_domain = Launch { domain: Some("legion".into()), ..launch };
        assert_eq!(document::read::<Launch>(&document::write(&of_domain).unwrap(), "x").unwrap(), of_domain);
    }
}
