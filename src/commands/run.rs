//! `persona run`: legion under supervision, as the user legion, until it ends.

use super::or_absent;
use super::prepare::failed;
use crate::error::{Error, Result};
use crate::legion::{Launch, LegionLock, libvirt, supervise};
use crate::paths::Paths;
use crate::state::LegionState;

/// Runs what `prepare` has prepared.
///
/// # Errors
/// When legion did not run or came to a bad end; the reason is in `persona status` too.
pub fn run(paths: &Paths) -> Result<()> {
    let prepared = Launch::read(paths).and_then(|launch| Ok((launch, LegionLock::take(paths)?)));
    let (launch, lock) = prepared.inspect_err(|error| {
        // Whose launch it was, `prepare` has said.
        if let Some(state) = or_absent(LegionState::read(paths)) {
            failed(paths, &state.persona, error);
        }
    })?;
    let ending = match &launch.domain {
        None => supervise::run(paths, &launch, &lock)?,
        Some(domain) => libvirt::run(paths, &launch, &lock, domain)?,
    };
    if ending.is_good() { Ok(()) } else { Err(Error::new(format!("{} ended badly: {ending}", launch.persona))) }
}
