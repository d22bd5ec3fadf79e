//! What legion is doing: root tells it before and after the run, and the supervisor, which is not root, in between.

use super::record;
use crate::error::{Error, Result};
use crate::sys::account::Account;
use crate::sys::atomic;
use crate::sys::paths::Paths;
use serde::{Deserialize, Serialize};
use std::fmt;

/// legion's phase between off and on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Devices are being bound.
    Preparing,
    /// The cartridge is being inserted.
    Inserting,
    /// QEMU is starting.
    Starting,
    /// QMP says the guest runs.
    Running,
    /// The guest has ended; the devices are being returned.
    Stopping,
    /// It ran, and ended well.
    Ended,
    /// It did not start, or died.
    Failed,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preparing => "preparing",
            Self::Inserting => "inserting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
            Self::Failed => "failed",
        })
    }
}

/// The outcome of legion's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The guest powered itself off.
    GuestPoweroff,
    /// It ran well until it was stopped.
    Stopped,
    /// It did not run, or ended badly.
    Failure,
}

/// `/run/persona/legion.toml`: what legion is doing, or why it is not. No file: it was not started in this boot. While its phase is
/// [`Phase::Starting`], the supervisor's report in `/run/persona/legion/report.toml` says more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegionState {
    /// Its phase.
    pub phase: Phase,
    /// Its persona.
    pub persona: String,
    /// Why it ended or failed, as text.
    pub why: Option<String>,
    /// The same as a code, if it did not start for a known reason (`docs/json.md`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The outcome of the run, once it has ended.
    pub outcome: Option<Outcome>,
    /// How long the guest ran, in seconds, once it has ended.
    pub ran_s: Option<u64>,
    /// Whether it has run well, as defined by `running_well` in the settings.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub runs_well: bool,
}

impl LegionState {
    /// Discards the last run: the next one has no outcome yet.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(paths: &Paths) -> Result<()> {
        atomic::remove(&paths.legion_state())
    }

    /// The persona in a phase without an outcome yet.
    pub fn new(phase: Phase, persona: &str) -> Self {
        Self { phase, persona: persona.to_owned(), why: None, code: None, outcome: None, ran_s: None, runs_well: false }
    }

    /// The persona that did not start because of this error.
    pub fn failure(phase: Phase, persona: &str, error: &Error) -> Self {
        let code = error.code().map(str::to_owned);
        Self { why: Some(error.to_string()), code, outcome: Some(Outcome::Failure), ..Self::new(phase, persona) }
    }

    /// Whether legion is on, starting or stopping.
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
        let Some(told) = record::read_toml::<Self>(&paths.legion_state())? else { return Ok(None) };
        let report = if told.phase == Phase::Starting { Self::reported(paths) } else { Ok(None) };
        // A report that cannot be read is no report: `release` finds that legion ended without one.
        let report = report.inspect_err(|error| log::warn!("{error}")).ok().flatten();
        Ok(Some(report.filter(|report| report.may_follow(&told)).unwrap_or(told)))
    }

    fn reported(paths: &Paths) -> Result<Option<Self>> {
        record::read_toml_of(&paths.legion_report(), Account::of_legion(paths).ok().map(|account| account.uid))
    }

    /// Whether a supervisor may say that: only of what root has started, and the end is root's to tell.
    fn may_follow(&self, started: &Self) -> bool {
        self.persona == started.persona && self.is_at_its_disk()
    }

    /// Writes it as root, for the menu and `persona status` to read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<()> {
        record::write_toml(&paths.legion_state(), self)
    }

    /// Writes it as the supervisor, after root has said that legion starts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn report(&self, paths: &Paths) -> Result<()> {
        record::write_toml(&paths.legion_report(), self)
    }
}
