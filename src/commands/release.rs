//! `persona release`: what root does after legion, however it ended. Gives devices back and tells the menu.

use super::or_absent;
use crate::atomic;
use crate::error::{Context, Error, Result};
use crate::legion::network;
use crate::passthrough::{self, Kernel};
use crate::paths::Paths;
use crate::settings::{OnPoweroff, Settings};
use crate::state::{BoundDevices, Last, LegionState, Outcome, Phase};
use std::process::Command;

/// Gives launch-time devices back to the host and publishes how legion ended, which brings the menu back.
///
/// # Errors
/// When a device did not go back to its host driver; the others do.
pub fn release(paths: &Paths) -> Result<()> {
    let given_back = give_back(paths);
    let Some(state) = or_absent(LegionState::read(paths)) else { return given_back };
    let mut state = over(state);
    if let Err(error) = &given_back {
        state.why = Some(format!("{}; {error}", state.why.unwrap_or_default()));
    }
    if state.phase == Phase::Ended
        && let Err(error) = (Last { persona: state.persona.clone() }).write(paths)
    {
        log::warn!("{error}");
    }
    // Last of all: from here on the menu takes the next choice.
    state.write(paths)?;
    if state.phase == Phase::Ended
        && state.outcome == Some(Outcome::GuestPoweroff)
        && on_poweroff(paths, &state.persona) == OnPoweroff::Poweroff
    {
        log::info!("the guest powered itself off, and so does the machine");
        power_off()?;
    }
    given_back
}

fn give_back(paths: &Paths) -> Result<()> {
    let bound = BoundDevices::read(paths)?.unwrap_or_default();
    // Neither keeps the other from being given back.
    let tap = network::detach(paths);
    let released = passthrough::release(paths, &bound, &Kernel::default());
    let nodes = passthrough::take_groups_back(paths, &bound);
    released?;
    atomic::remove(&paths.bound_devices()).and(nodes).and(tap)
}

/// How it ended, once and for all: a supervisor that did not live to say so was killed.
fn over(state: LegionState) -> LegionState {
    let phase = match (state.phase, state.outcome) {
        (Phase::Failed, _) | (_, Some(Outcome::Failure)) => Phase::Failed,
        (Phase::Ended, _) | (_, Some(Outcome::GuestPoweroff | Outcome::Stopped)) => Phase::Ended,
        (Phase::Preparing | Phase::Inserting | Phase::Starting | Phase::Running | Phase::Stopping, None) => {
            let why = "its supervisor was killed, and QEMU with it. See: journalctl -u legion";
            return LegionState { phase: Phase::Failed, why: Some(why.into()), outcome: Some(Outcome::Failure), ..state };
        }
    };
    LegionState { phase, ..state }
}

fn on_poweroff(paths: &Paths, persona: &str) -> OnPoweroff {
    // Without settings the machine stays on: doubt keeps it reachable.
    let settings = Settings::load(paths).ok();
    settings.as_ref().and_then(|settings| settings.persona(persona)?.legion()).map_or(OnPoweroff::Menu, |legion| legion.on_poweroff)
}

fn power_off() -> Result<()> {
    let status = Command::new("systemctl").args(["poweroff", "--no-block"]).status().doing(|| "powering the machine off".into())?;
    if status.success() { Ok(()) } else { Err(Error::new(format!("powering the machine off: systemctl said {status}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(phase: Phase, outcome: Option<Outcome>) -> LegionState {
        LegionState { phase, persona: "a".into(), why: Some("because".into()), outcome }
    }

    #[test]
    fn a_supervisor_that_was_killed_is_a_failure_with_a_reason() {
        for phase in [Phase::Preparing, Phase::Inserting, Phase::Starting, Phase::Running] {
            let over = over(state(phase, None));
            assert_eq!(over.phase, Phase::Failed);
            assert!(over.why.is_some_and(|why| why.contains("killed")));
        }
    }

    #[test]
    fn what_the_supervisor_said_stands() {
        assert_eq!(over(state(Phase::Stopping, Some(Outcome::GuestPoweroff))).phase, Phase::Ended);
        assert_eq!(over(state(Phase::Stopping, Some(Outcome::Stopped))).phase, Phase::Ended);
        assert_eq!(over(state(Phase::Stopping, Some(Outcome::Failure))).phase, Phase::Failed);
        let failed = over(state(Phase::Failed, None));
        assert_eq!((failed.phase, failed.why.as_deref()), (Phase::Failed, Some("because")));
    }
}
