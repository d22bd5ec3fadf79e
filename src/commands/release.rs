//! `persona release`: what root does after legion, however it ended. Gives devices back and tells the menu.

use super::or_absent;
use crate::boot_log::Event;
use crate::config::OnPoweroff;
use crate::error::{Context, Error, Result};
use crate::legion::{Launch, LegionLock, announce, cartridge, libvirt, network};
use crate::passthrough::{self, Kernel};
use crate::state::{BoundDevices, LegionState, Outcome, Phase, StartCounts, ran_well};
use crate::sys::atomic;
use crate::sys::paths::Paths;
use std::process::Command;
use std::time::SystemTime;

/// Gives launch-time devices back to the host and publishes how legion ended, which brings the menu back.
///
/// # Errors
/// When a device did not go back to its host driver; the others do. When it was called by hand and legion runs.
pub fn release(paths: &Paths) -> Result<()> {
    let lock = match right_to_release(paths) {
        Ok(lock) => lock,
        // systemd calls it after a start that was refused, too.
        Err(error) if is_called_by_systemd() => {
            log::warn!("nothing is given back, because this start has prepared nothing: {}", error.reason());
            return Ok(());
        }
        Err(error) => return Err(Error::caused_by("giving legion's devices back", error)),
    };
    let launch = or_absent(Launch::last(paths));
    let state = or_absent(LegionState::read(paths));
    let given_back = take_down(paths, launch.as_ref(), state.as_ref()).and_then(|()| give_back(paths, launch.as_ref()));
    // Free before anybody is told that legion is over.
    if let Err(error) = LegionLock::give_back() {
        log::warn!("{error}");
    }
    drop(lock);
    let Some(mut state) = state.map(over) else { return given_back };
    if let Err(error) = &given_back {
        state.why = Some(format!("{}; {error}", state.why.unwrap_or_default()));
    }
    if let Some(launch) = launch.as_ref().filter(|launch| launch.persona == state.persona && state.ran_s.is_some())
        && let Err(error) = it_ran(paths, launch, &state)
    {
        log::warn!("{error}");
    }
    if let Err(error) = remember(paths, launch.as_ref(), &state) {
        log::warn!("{error}");
    }
    let power_off = launch.as_ref().is_some_and(|launch| takes_the_machine_along(launch, &state));
    // Last of all: from here on the menu takes the next choice.
    announce(paths, &state)?;
    if power_off {
        log::info!("{}", Event::Decision("the guest powered itself off, and so does the machine".to_owned()));
        self::power_off()?;
    }
    given_back
}

/// Makes sure that no other legion runs: systemd holds the lock that the `prepare` of this very start took, or it is free, and taken
/// here.
fn right_to_release(paths: &Paths) -> Result<Option<LegionLock>> {
    if LegionLock::is_of_this_start(paths) { Ok(None) } else { LegionLock::take(paths).map(Some) }
}

/// By the variable that systemd sets for the commands of `ExecStop=` and `ExecStopPost=` only (systemd.exec(5)).
fn is_called_by_systemd() -> bool {
    std::env::var_os("SERVICE_RESULT").is_some()
}

/// What the next boot is to know of how the persona ran. The state is the user legion's word, and counts for the persona that
/// root has launched only.
fn remember(paths: &Paths, launch: Option<&Launch>, state: &LegionState) -> Result<()> {
    match state.outcome {
        _ if launch.is_none_or(|launch| launch.persona != state.persona) => Ok(()),
        _ if state.runs_well => ran_well(paths, &state.persona),
        Some(Outcome::Stopped) => StartCounts::take_back(paths, &state.persona),
        Some(Outcome::GuestPoweroff | Outcome::Failure) | None => Ok(()),
    }
}

/// Whether the machine powers off too, as the persona's `on_poweroff` says. Doubt keeps it on: a guest that cannot boot and gives up must
/// not take away, at every power-on, the host that somebody wants to fix it from.
fn takes_the_machine_along(launch: &Launch, state: &LegionState) -> bool {
    let asked = launch.persona == state.persona && launch.on_poweroff == OnPoweroff::Poweroff;
    let ended_so = state.phase == Phase::Ended && state.outcome == Some(Outcome::GuestPoweroff);
    if asked && ended_so && !state.runs_well {
        log::warn!("the machine stays on: the guest powered off before it ran well (running_well = \"{}\")", launch.running_well);
    }
    asked && ended_so && state.runs_well
}

/// libvirt's QEMU outlives a supervisor that was killed, or that could not watch it any longer. What `prepare` recorded nothing of
/// has started nothing.
fn take_down(paths: &Paths, launch: Option<&Launch>, state: Option<&LegionState>) -> Result<()> {
    let may_run = state.is_some_and(|state| matches!(state.outcome, None | Some(Outcome::Failure))) && paths.bound_devices().exists();
    launch.and_then(|launch| launch.domain.as_ref()).filter(|_| may_run).map_or(Ok(()), |domain| libvirt::ensure_off(domain))
}

/// The cartridge remembers that it ran, and forgets what it was installed from once the guest has finished with it.
fn it_ran(paths: &Paths, launch: &Launch, state: &LegionState) -> Result<()> {
    let cartridge = launch.cartridge(paths)?;
    if state.outcome == Some(Outcome::GuestPoweroff) && cartridge.end_installation(paths)? {
        log::info!("the cartridge {} is installed: it boots from its disk from now on", cartridge.name);
    }
    cartridge.ran(paths, SystemTime::now())
}

fn give_back(paths: &Paths, launch: Option<&Launch>) -> Result<()> {
    let bound = BoundDevices::read(paths)?.unwrap_or_default();
    // Neither keeps the other from being given back.
    let tap = network::detach(paths);
    let released = passthrough::release(paths, &bound, &Kernel::default());
    let nodes = passthrough::take_groups_back(paths, &bound);
    let cartridge = launch.map_or(Ok(()), |launch| cartridge::ownership::take_back(paths, &launch.cartridge(paths)?));
    released?;
    atomic::remove(&paths.bound_devices()).and(nodes).and(tap).and(cartridge)
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

fn power_off() -> Result<()> {
    let status = Command::new("systemctl").args(["poweroff", "--no-block"]).status().context(|| "powering the machine off".into())?;
    if status.success() { Ok(()) } else { Err(Error::new(format!("powering the machine off: systemctl said {status}"))) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Settings;
    use crate::legion::{Cartridge, Disk, DiskKind, Machine};

    fn state(phase: Phase, outcome: Option<Outcome>) -> LegionState {
        LegionState { why: Some("because".into()), outcome, ..LegionState::new(phase, "a") }
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
    fn only_a_guest_that_ran_well_and_powered_itself_off_takes_the_machine_along() {
        let settings = "[[persona]]\nname = \"a\"\non_poweroff = \"poweroff\"\n";
        let settings = Settings::parse(settings, "test").unwrap();
        let disk = Disk { kind: DiskKind::Raw, direct: true };
        let cartridge = Cartridge { name: "a".into(), folder: "/c/a".into(), disk, nvram: None, install: None };
        let legion = settings.persona("a").unwrap().legion().unwrap();
        let paths = Paths::new("/", None);
        let machine = Machine::find(&paths, legion, &cartridge, &[], &[]).unwrap();
        let launch = Launch::new(&paths, "a", &machine).unwrap();
        let ended = LegionState { ran_s: Some(10), runs_well: true, ..state(Phase::Ended, Some(Outcome::GuestPoweroff)) };
        assert!(takes_the_machine_along(&launch, &ended));
        for state in [
            LegionState { runs_well: false, ..ended.clone() },
            LegionState { outcome: Some(Outcome::Stopped), ..ended.clone() },
            LegionState { phase: Phase::Failed, ..ended.clone() },
            LegionState { persona: "b".into(), ..ended.clone() },
        ] {
            assert!(!takes_the_machine_along(&launch, &state), "{state:?}");
        }
        assert!(!takes_the_machine_along(&Launch { on_poweroff: OnPoweroff::Menu, ..launch }, &ended));
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
