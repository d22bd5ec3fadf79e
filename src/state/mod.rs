//! Persona's state, in small TOML files: the choice, the override, what ran last, what legion is doing.
//!
//! All are replaced atomically ([`crate::sys::atomic`]). An unreadable file counts as absent where an error would keep the host from
//! booting; the reader logs that.
//!
//! Imports: `config` and `sys`.

mod changes;
mod legion;
pub mod operation;
mod pin_tries;
pub(crate) mod record;
mod starts;

use crate::config::Persona;
use crate::error::{Error, Result};
use crate::sys::atomic;
use crate::sys::file;
use crate::sys::file_lock::{FileLock, LOCK_TIMEOUT};
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
pub use changes::RecordChanges;
pub use legion::{LegionState, Outcome, Phase};
pub use pin_tries::PinTries;
use serde::{Deserialize, Serialize};
pub use starts::{MAX_FAILED_BOOTS, StartCount, StartCounts, ran_well};
use std::fmt;

/// The state directory may contain anything after a crash: an unreadable file is reported and counts as absent.
pub(crate) fn or_absent<T>(read: Result<Option<T>>) -> Option<T> {
    read.unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    })
}

/// The boot ID of the kernel, if it can be read.
pub fn boot_id(paths: &Paths) -> Option<String> {
    file::read_text(paths.boot_id()).ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// Why this boot got its persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// A person picked it in the menu.
    Picked,
    /// No choice was made: the default.
    Timeout,
    /// It was set for this boot from a running system, or on the kernel command line.
    Override,
    /// It was chosen remotely while the menu was up.
    Remote,
    /// A fallback: the intended persona could not start.
    Fallback,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Picked => "picked",
            Self::Timeout => "timeout",
            Self::Override => "override",
            Self::Remote => "remote",
            Self::Fallback => "fallback",
        })
    }
}

/// `/run/persona/choice.toml`: the persona this boot gets and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The persona's name.
    pub persona: String,
    /// Why it was chosen.
    pub reason: Reason,
    /// Whether its PIN was asked for. A menu of the initramfs may have had settings without one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pin_asked: bool,
}

impl Choice {
    /// Checks that a persona with a PIN was not picked without it.
    ///
    /// # Errors
    /// When it was.
    pub fn ensure_pin_was_asked(&self, persona: &Persona) -> Result<()> {
        if persona.pin.is_none() || self.pin_asked || self.reason != Reason::Picked {
            return Ok(());
        }
        Err(Error::new(format!("{} was picked before its PIN was known: the initramfs has older settings", persona.title))
            .with_code("pin-not-asked")
            .with_hint("pick it again in the menu, and rebuild the initramfs"))
    }

    /// The choice, if there is one yet.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.choice())
    }

    /// Makes it the choice of this boot, which starts legion.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<()> {
        record::write_toml(&paths.choice(), self)
    }
}

/// `/var/lib/persona/override.toml`: the persona for the next boot.
///
/// # When the power fails
///
/// A one-shot is used up by `prepare`, as the last thing before QEMU is started (for a unit and the bare host by the menu, as the last
/// thing before they are), and durably: its file is removed, and the folder synced, before the launch continues. So no boot starts it after
/// one that has launched it, whenever the power fails. A power cut before that leaves it, and the next boot starts it: what has not been
/// launched is not lost. One window remains, from the removal to QEMU's first instruction, some milliseconds: a cut there loses an override
/// whose guest never ran. No order of two writes closes it, and the other order would start a persona twice, or, with a guest that crashes
/// the machine, at every boot forever. Falling back to the default, until the override is set again, is the cheaper mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The persona's name.
    pub persona: String,
    /// Whether it stays until cleared instead of for one launch.
    #[serde(default)]
    pub until_cleared: bool,
    /// The caller that set it ([`crate::sys::identity`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was set, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// The boot in which it was set ([`boot_id`]). It applies to later boots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
}

impl Override {
    /// The override, if one is set.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.override_file())
    }

    /// Sets it, durably.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<()> {
        let _lock = Self::lock(paths)?;
        record::write_toml(&paths.override_file(), self)
    }

    /// Held while the record is read and changed: one that is set in the meantime must not be removed instead.
    fn lock(paths: &Paths) -> Result<FileLock> {
        FileLock::take_within(&paths.override_lock(), LOCK_TIMEOUT)
    }

    /// Whether it was set before the boot of this ID. One set during this boot is for the next one, whatever is restarted in this one.
    pub fn is_for(&self, boot: Option<&str>) -> bool {
        self.boot.is_none() || self.boot.as_deref() != boot
    }

    /// Uses up a one-shot override when the persona it names is chosen, by anyone: see [`Override`] for when.
    ///
    /// # Errors
    /// When it cannot be removed: then nothing may be launched, or it would start again.
    pub fn use_up(paths: &Paths, choice: &Choice) -> Result<()> {
        let boot = boot_id(paths);
        let is_spent = |next: &Self| next.persona == choice.persona && next.is_for(boot.as_deref()) && !next.until_cleared;
        // Usually there is nothing to change, and so no lock to wait for.
        if !or_absent(Self::read(paths)).is_some_and(|next| is_spent(&next)) {
            return Ok(());
        }
        let _lock = Self::lock(paths)?;
        // An unreadable record made no choice.
        match or_absent(Self::read(paths)) {
            Some(next) if is_spent(&next) => atomic::remove(&paths.override_file()),
            _ => Ok(()),
        }
    }

    /// Clears it, durably, and returns what was set; no override is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn clear(paths: &Paths) -> Result<Cleared> {
        let _lock = Self::lock(paths)?;
        let was_set = paths.override_file().exists();
        // An unreadable one is cleared as well.
        let next = or_absent(Self::read(paths));
        atomic::remove(&paths.override_file())?;
        Ok(match next {
            Some(next) => Cleared::Override(next),
            None if was_set => Cleared::Unreadable,
            None => Cleared::Nothing,
        })
    }
}

/// What was cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cleared {
    /// This override.
    Override(Override),
    /// A record that could not be read.
    Unreadable,
    /// No override was set.
    Nothing,
}

/// `/var/lib/persona/last.toml`: the persona that last ran well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// The persona's name.
    pub persona: String,
}

impl Last {
    /// The persona that last ran well, if any is recorded.
    ///
    /// # Errors
    /// When there is a record that cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.last())
    }

    /// Records it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<()> {
        record::write_toml(&paths.last(), self)
    }
}

/// `/run/persona/bound.toml`: what `prepare` did to each device, for `release` to undo and `status` to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundDevices {
    /// In the order in which they were bound.
    #[serde(default, rename = "device")]
    pub devices: Vec<BoundDevice>,
}

/// A device that `prepare` bound to vfio-pci.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundDevice {
    /// Its address.
    pub address: PciAddress,
    /// `vendor:device`.
    pub id: String,
    /// The driver it had before; empty for none.
    pub driver_before: String,
    /// Whether it goes back to its host driver when legion ends.
    pub give_back: bool,
}

impl BoundDevices {
    /// What is bound, if anything is.
    ///
    /// # Errors
    /// When there is a record that cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.bound_devices())
    }

    /// Records it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<()> {
        record::write_toml(&paths.bound_devices(), self)
    }
}

/// `/run/persona/menu.toml`: what the menu shows on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MenuState {
    /// From the menu's process start to its first complete frame on a screen, in milliseconds; absent without a screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_frame_ms: Option<u64>,
    /// The outputs it draws on, such as `Virtual-1 1920x1080`.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// How many keyboards it reads.
    #[serde(default)]
    pub keyboards: usize,
    /// What is wrong, if the menu could not do its work (unreadable settings, no card).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl MenuState {
    /// What the menu shows, if one ran in this boot.
    ///
    /// # Errors
    /// When there is a record that cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.menu_state())
    }

    /// Records it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<()> {
        record::write_toml(&paths.menu_state(), self)
    }
}

#[cfg(test)]
mod tests;
