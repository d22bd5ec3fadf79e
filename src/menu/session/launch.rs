//! Executes a choice: writes the choice file, starts legion or another unit, restarts or powers off the machine.

use crate::boot_log::LogEvent;
use crate::config::{Persona, Starts};
use crate::error::{Error, Result};
use crate::menu::session::unit;
use crate::state::{Choice, LegionState, Override, Phase, Reason, StartCounts};
use crate::sys::paths::Paths;
use crate::sys::systemd::{self, LEGION};

/// What to start.
pub(super) enum Launch {
    /// legion: `legion.toml` reports its progress.
    Legion,
    /// This unit.
    Unit(String),
}

/// Writes the choice file, which starts legion; `by` names the caller, if it was not made at the menu.
///
/// # Errors
/// When it cannot be written.
pub(super) fn choose(paths: &Paths, persona: &Persona, reason: Reason, by: Option<String>) -> Result<Choice> {
    LogEvent::Choice { persona: persona.name.clone(), reason, by }.info();
    // The same end twice in a row must be reported twice.
    LegionState::forget(paths)?;
    // The menu asks for the PIN of every persona that has one before it can be picked.
    let choice = Choice { persona: persona.name.clone(), reason, pin_asked: persona.pin.is_some() && reason == Reason::Picked };
    choice.write(paths)?;
    Ok(choice)
}

/// What a choice starts; nothing for the bare host. legion counts its own starts; for other units this function does, so call it only when
/// the host's state can be written.
///
/// # Errors
/// When the count cannot be written, or the persona's PIN was not asked for.
pub(super) fn of(paths: &Paths, persona: &Persona, choice: &Choice) -> Result<Option<Launch>> {
    choice.ensure_pin_was_asked(persona)?;
    match &persona.starts {
        Starts::Legion(_) => Ok(Some(Launch::Legion)),
        Starts::Host => Override::use_up(paths, choice).map(|()| None),
        Starts::Unit(unit) => {
            StartCounts::count(paths, choice)?;
            Override::use_up(paths, choice)?;
            Ok(Some(Launch::Unit(unit.clone())))
        }
    }
}

impl Launch {
    /// Starts it, and reports the progress of a unit. Call it in a thread: systemd may be slow to answer early in a
    /// boot, and the screen must show what starts.
    pub(super) fn start(self, is_live: bool, tell: &dyn Fn(Phase, Option<String>)) {
        if !is_live {
            // The units of a recorded machine cannot be started.
            return;
        }
        match self {
            // legion.path has seen the choice, unless legion.service was still stopping: then this start job waits for
            // it. If systemd does not answer, legion may still start: the menu waits for its report.
            Self::Legion => {
                if let Err(error) = systemd::ask(&["start", "--no-block", LEGION], "starting legion") {
                    log::warn!("{error}");
                }
            }
            Self::Unit(name) => unit::start(&name, tell),
        }
    }
}

/// Restarts the machine; legion is stopped gracefully by its unit.
///
/// # Errors
/// When systemd refuses.
pub(super) fn restart() -> Result<()> {
    systemd::ask(&["reboot", "--no-block"], "restarting the machine").map(drop).map_err(jobs)
}

/// Switches the machine off, as [`restart`].
///
/// # Errors
/// When systemd refuses.
pub(super) fn power_off() -> Result<()> {
    systemd::ask(&["poweroff", "--no-block"], "switching the machine off").map(drop).map_err(jobs)
}

fn jobs(error: Error) -> Error {
    error.with_hint("see `systemctl list-jobs` on the host")
}
