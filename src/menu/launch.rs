//! What becomes of a choice: the choice file, legion or another unit, or the end of the machine's day.

use crate::error::{Context, Error, Result};
use crate::paths::Paths;
use crate::settings::{Persona, Starts};
use crate::state::{Choice, LegionState, Override, Reason};
use std::process::{Child, Command};

/// What was started.
pub(super) enum Started {
    /// legion: `legion.toml` says how it goes on. The systemctl is to be waited for some time.
    Legion(Option<Child>),
    /// Nothing yet: this unit is to be started.
    Unit(String),
    /// Nothing: the host as it is.
    Host,
}

/// Writes the choice and starts what the persona starts.
///
/// # Errors
/// When the choice cannot be written.
pub(super) fn choose(paths: &Paths, persona: &Persona, reason: Reason) -> Result<Started> {
    log::info!("choice: {} ({reason})", persona.name);
    // The same end twice in a row must be news twice.
    LegionState::forget(paths)?;
    let choice = Choice { persona: persona.name.clone(), reason };
    choice.write(paths)?;
    match &persona.starts {
        // legion.path has seen the choice, unless legion.service was still on its way out: then this waits for it. Its
        // answer is not waited for: early in a boot systemd may be slow, and the screen is to say what starts.
        Starts::Legion(_) => {
            let child = systemctl(&["start", "--no-block", "--", "legion.service"]).spawn();
            Ok(Started::Legion(child.inspect_err(|error| log::warn!("starting legion.service: {error}")).ok()))
        }
        Starts::Host => Override::use_up(paths, &choice).map(|()| Started::Host),
        Starts::Unit(unit) => {
            Override::use_up(paths, &choice)?;
            Ok(Started::Unit(unit.clone()))
        }
    }
}

/// Starts a persona's own unit, without waiting for it to be up. systemd may be slow to answer.
///
/// # Errors
/// When it refuses.
pub(super) fn start_unit(unit: &str) -> Result<()> {
    ask(&["start", "--no-block", "--", unit], format!("starting {unit}"))
        .map_err(|error| error.mend(format!("see `systemctl status {unit}`")))
}

/// Restarts the machine; legion is stopped gracefully by its unit.
///
/// # Errors
/// When systemd refuses.
pub(super) fn restart() -> Result<()> {
    ask(&["reboot", "--no-block"], "restarting the machine".to_owned()).map_err(|error| error.mend(JOBS))
}

/// Switches the machine off, as [`restart`].
///
/// # Errors
/// When systemd refuses.
pub(super) fn power_off() -> Result<()> {
    ask(&["poweroff", "--no-block"], "switching the machine off".to_owned()).map_err(|error| error.mend(JOBS))
}

const JOBS: &str = "see `systemctl list-jobs` on the host";

fn systemctl(arguments: &[&str]) -> Command {
    let mut command = Command::new("systemctl");
    command.args(arguments);
    command
}

fn ask(arguments: &[&str], doing: String) -> Result<()> {
    let output = systemctl(arguments).output().doing(|| doing.clone())?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::because(doing, String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
