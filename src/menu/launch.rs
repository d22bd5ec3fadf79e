//! What becomes of a choice: the choice file, legion or another unit, or the end of the machine's day.

use super::unit;
use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::settings::{Persona, Starts};
use crate::state::{Choice, LegionState, Override, Phase, Reason};
use crate::systemd::{self, LEGION};

/// What is to be started.
pub(super) enum Launch {
    /// legion: `legion.toml` says how it goes on.
    Legion,
    /// This unit.
    Unit(String),
}

/// Writes the choice; what it starts, nothing if it is the host as it is.
///
/// # Errors
/// When the choice cannot be written.
pub(super) fn choose(paths: &Paths, persona: &Persona, reason: Reason) -> Result<Option<Launch>> {
    log::info!("choice: {} ({reason})", persona.name);
    // The same end twice in a row must be news twice.
    LegionState::forget(paths)?;
    let choice = Choice { persona: persona.name.clone(), reason };
    choice.write(paths)?;
    if persona.legion().is_none() {
        Override::use_up(paths, &choice)?;
    }
    Ok(of(persona))
}

/// What a persona starts, if anything.
pub(super) fn of(persona: &Persona) -> Option<Launch> {
    match &persona.starts {
        Starts::Legion(_) => Some(Launch::Legion),
        Starts::Host => None,
        Starts::Unit(unit) => Some(Launch::Unit(unit.clone())),
    }
}

impl Launch {
    /// Starts it, and tells what becomes of a unit. To be done beside the loop: systemd may be slow to answer early in
    /// a boot, and the screen is to say what starts.
    pub(super) fn start(self, tell: &dyn Fn(Phase, Option<String>)) {
        match self {
            // legion.path has seen the choice, unless legion.service was still on its way out: then this waits for it. If
            // systemd does not answer, legion may start all the same: the menu waits for news of it.
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
    error.mend("see `systemctl list-jobs` on the host")
}
