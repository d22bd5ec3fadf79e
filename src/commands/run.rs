//! `persona run`: legion under supervision, as the user legion, until it ends.

use super::or_absent;
use crate::error::{Error, Result};
use crate::legion::qemu::supervise;
use crate::legion::{Launch, LegionLock, libvirt, report};
use crate::state::{LegionState, Phase};
use crate::sys::paths::Paths;
use crate::sys::systemd;

/// Runs what `prepare` has prepared, with the lock that it took.
///
/// # Errors
/// When legion did not run or ended badly; the reason is in `persona status` too.
pub fn run(paths: &Paths) -> Result<()> {
    let prepared = LegionLock::from_service(paths).and_then(|lock| Ok((Launch::read(paths)?, lock)));
    let (launch, lock) = prepared.inspect_err(|error| {
        // A process that systemd has not started follows no `prepare`: the record belongs to another legion.
        if systemd::is_service()
            && let Some(state) = or_absent(LegionState::read(paths))
            && let Err(error) = report(paths, &LegionState::failure(Phase::Stopping, &state.persona, error))
        {
            log::error!("{error}");
        }
    })?;
    let ending = match &launch.domain {
        None => supervise::run(paths, &launch, &lock)?,
        Some(domain) => libvirt::run(paths, &launch, &lock, domain)?,
    };
    if ending.is_good() { Ok(()) } else { Err(Error::new(format!("{} failed: {ending}", launch.persona))) }
}
