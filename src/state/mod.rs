//! What Persona remembers, in small TOML files: the choice, the override, what ran last, what legion is doing.
//!
//! All are written whole ([`crate::sys::atomic`]). One that cannot be read counts as absent where doubt would keep the
//! host from booting; the reader says so in the log.

mod files;
pub mod operation;
pub(crate) mod record;
mod starts;

use crate::config::document::Word;
use crate::error::Result;
use crate::sys::atomic;
use crate::sys::file_lock::{FileLock, LOCK_TIMEOUT};
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use serde::Serialize;
pub use starts::{ENOUGH, StartCount, StartCounts, ran_well};
use std::fmt;

/// The state directory may hold anything after an accident: what cannot be read is told and counts as absent.
pub(crate) fn or_absent<T>(read: Result<Option<T>>) -> Option<T> {
    read.unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    })
}

/// What tells this boot of the kernel from every other, if it can be read.
pub fn boot_id(paths: &Paths) -> Option<String> {
    std::fs::read_to_string(paths.boot_id()).ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// Why this boot got its persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// A person picked it in the menu.
    Picked,
    /// Nobody did: the default.
    Timeout,
    /// It was set for this boot from a running system, or on the kernel command line.
    Override,
    /// Somebody chose over SSH while the menu was up.
    Remote,
    /// What should have started could not.
    Fallback,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `/run/persona/choice.toml`: the persona this boot gets and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The persona's name.
    pub persona: String,
    /// Why it.
    pub reason: Reason,
}

impl Choice {
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
/// A one-shot is used up by `prepare`, as the last thing before QEMU is started (for a unit and the bare host by the menu, as
/// the last thing before they are), and durably: its file is gone, and the folder synced, before the launch goes on. So
/// whatever the moment, no boot starts it after one that has launched it. A cut before that moment leaves it, and the next
/// boot starts it: what has not been launched is not lost. One window stays, from the removal to QEMU's first
/// instruction, some milliseconds: a cut there loses an override whose guest never ran. No order of two writes
/// closes it, and the other order would start a persona twice, or, with a guest that takes the machine down, at every boot
/// for ever. The default, and somebody who asks again, is the cheaper mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Override {
    /// The persona's name.
    pub persona: String,
    /// Whether it stays until cleared, not for one launch only.
    pub until_cleared: bool,
    /// Who asked for it ([`crate::sys::who`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// In which boot ([`boot_id`]). It is for those that come after.
    #[serde(skip)]
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

    /// Held while the record is read and changed by what it says: one that is set meanwhile must not be removed instead.
    fn lock(paths: &Paths) -> Result<FileLock> {
        FileLock::take_within(&paths.override_lock(), LOCK_TIMEOUT)
    }

    /// Whether it was set before the boot of this ID. What was set meanwhile is for the next one, whatever is started again
    /// in this one.
    pub fn is_for(&self, boot: Option<&str>) -> bool {
        self.boot.is_none() || self.boot.as_deref() != boot
    }

    /// Spends a one-shot override on a choice of the persona it names, whoever made that: see [`Override`] for when.
    ///
    /// # Errors
    /// When it cannot be removed: then nothing may be launched, or it would start again.
    pub fn use_up(paths: &Paths, choice: &Choice) -> Result<()> {
        let boot = boot_id(paths);
        let is_spent = |next: &Self| next.persona == choice.persona && next.is_for(boot.as_deref()) && !next.until_cleared;
        // Mostly there is nothing to change, and so nothing to wait for.
        if !or_absent(Self::read(paths)).is_some_and(|next| is_spent(&next)) {
            return Ok(());
        }
        let _lock = Self::lock(paths)?;
        // What cannot be read made no choice.
        match or_absent(Self::read(paths)) {
            Some(next) if is_spent(&next) => atomic::remove(&paths.override_file()),
            _ => Ok(()),
        }
    }

    /// Clears it, durably, and says what was set; no override is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn clear(paths: &Paths) -> Result<Cleared> {
        let _lock = Self::lock(paths)?;
        let was_set = paths.override_file().exists();
        // One that cannot be read is cleared all the same.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// The persona's name.
    pub persona: String,
}

impl Last {
    /// What last ran well, if anything is known to have.
    ///
    /// # Errors
    /// When there is a record that cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.last())
    }

    /// Remembers it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<()> {
        record::write_toml(&paths.last(), self)
    }
}

/// Where legion is between off and on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Devices are being bound.
    Preparing,
    /// The cartridge is being inserted.
    Inserting,
    /// QEMU is starting.
    Starting,
    /// QMP says the guest runs.
    Running,
    /// The guest is gone; the devices are being given back.
    Stopping,
    /// It ran, and came to a good end.
    Ended,
    /// It did not start, or died.
    Failed,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How legion's run came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The guest powered itself off.
    GuestPoweroff,
    /// It ran well until somebody stopped it.
    Stopped,
    /// It did not run, or not to a good end.
    Failure,
}

/// `/run/persona/legion.toml`: what legion is doing, or why it is not. No file: it was not started in this boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegionState {
    /// Where it is.
    pub phase: Phase,
    /// The persona it is.
    pub persona: String,
    /// Why it ended or failed, for a person.
    pub why: Option<String>,
    /// How the run came out, once it is over.
    pub outcome: Option<Outcome>,
    /// How long the guest ran, in seconds, once it is over.
    pub ran_s: Option<u64>,
    /// Whether it has run well, as the settings' `running_well` has it.
    pub runs_well: bool,
}

impl LegionState {
    /// Forgets the last run: nothing has come of the next one yet.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(paths: &Paths) -> Result<()> {
        atomic::remove(&paths.legion_state())
    }

    /// The persona in a phase in which nothing has come out yet.
    pub fn new(phase: Phase, persona: &str) -> Self {
        Self { phase, persona: persona.to_owned(), why: None, outcome: None, ran_s: None, runs_well: false }
    }

    /// Whether legion is on, or on its way there or from there.
    pub fn is_on(&self) -> bool {
        !matches!(self.phase, Phase::Ended | Phase::Failed)
    }

    /// Whether QEMU may be changing the disk in the slot.
    pub fn is_at_its_disk(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Running | Phase::Stopping)
    }

    /// What legion is doing, if it was started in this boot.
    ///
    /// # Errors
    /// When there is a record that cannot be read.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml(&paths.legion_state())
    }

    /// Writes it, for the menu and `persona status` to read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<()> {
        record::write_toml(&paths.legion_state(), self)
    }
}

/// `/run/persona/bound.toml`: what `prepare` did to each device, for `release` to undo and `status` to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoundDevices {
    /// In the order they were bound.
    pub devices: Vec<BoundDevice>,
}

/// A device that `prepare` bound to vfio-pci.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// `/run/persona/menu.toml`: what the menu has on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MenuState {
    /// From the menu's process start to its first complete frame on a screen, in milliseconds; absent without a screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_frame_ms: Option<u64>,
    /// The outputs it draws on, such as `Virtual-1 1920x1080`.
    pub outputs: Vec<String>,
    /// How many keyboards it reads.
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
