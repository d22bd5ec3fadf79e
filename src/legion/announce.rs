//! Publishes legion's state: to the menu and `persona status` by a record, to `persona log` by the journal.

use crate::boot_log::LogEvent;
use crate::error::Result;
use crate::state::{LegionState, Phase};
use crate::sys::paths::Paths;

/// Logs the state and writes root's record of it.
///
/// # Errors
/// When the record cannot be written.
pub fn announce(paths: &Paths, state: &LegionState) -> Result<()> {
    log(state);
    state.write(paths)
}

/// Logs the state and writes the supervisor's report of it.
///
/// # Errors
/// When the report cannot be written.
pub fn report(paths: &Paths, state: &LegionState) -> Result<()> {
    log(state);
    state.report(paths)
}

fn log(state: &LegionState) {
    let level = if state.phase == Phase::Failed { log::Level::Error } else { log::Level::Info };
    LogEvent::Phase { subject: state.persona.clone(), phase: state.phase, why: state.why.clone() }.log(level);
}
