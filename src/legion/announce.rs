//! Publishes legion's state: to the menu and `persona status` by its record, to `persona log` by the journal.

use crate::boot_log::LogEvent;
use crate::error::Result;
use crate::state::{LegionState, Phase};
use crate::sys::paths::Paths;

/// Logs the state and writes its record.
///
/// # Errors
/// When the record cannot be written.
pub fn announce(paths: &Paths, state: &LegionState) -> Result<()> {
    let level = if state.phase == Phase::Failed { log::Level::Error } else { log::Level::Info };
    LogEvent::Phase { subject: state.persona.clone(), phase: state.phase, why: state.why.clone() }.log(level);
    state.write(paths)
}
