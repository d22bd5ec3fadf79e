//! `persona release`: root's part after legion, however it ended. Returns devices and notifies the menu.

use super::or_absent;
use crate::boot_log::LogEvent;
use crate::config::OnPoweroff;
use crate::error::{Context, Error, Result};
use crate::legion::{Launch, LegionLock, announce, cartridge, libvirt, network};
use crate::passthrough::{self, Kernel};
use crate::state::{BoundDevices, LegionState, Outcome, Phase, StartCounts, ran_well};
use crate::sys::atomic;
use crate::sys::paths::Paths;
use std::process::Command;
use std::time::SystemTime;

/// Returns launch-time devices to the host and publishes how legion ended, which brings the menu back.
///
/// # Errors
/// When a device did not return to its host driver; the others do. When it was called by hand while legion runs.
pub fn release(paths: &Paths) -> Result<()> {
    let lock = match right_to_release(paths) {
        Ok(lock) => lock,
        // systemd calls it after a refused start, too.
        Err(error) if is_called_by_systemd() => {
            log::warn!("nothing is returned, because this start has prepared nothing: {}", error.reason());
            return Ok(());
        }
        Err(error) => return Err(Error::caused_by("returning legion's devices", error)),
    };
    let launch = or_absent(Launch::last(paths));
    let state = or_absent(LegionState::read(paths));
    let given_back = take_down(paths, launch.as_ref(), state.as_ref()).and_then(|()| give_back(paths, launch.as_ref()));
    // Released before the end of legion is published.
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
    // Last of all: from here on the menu accepts the next choice.
    announce(paths, &state)?;
    if power_off {
        LogEvent::Decision("the guest powered off: powering the machine off too".to_owned()).info();
        self::power_off()?;
    }
    given_back
}

/// Makes sure that no other legion runs: systemd holds the lock that this start's `prepare` took, or it is free, and taken here.
fn right_to_release(paths: &Paths) -> Result<Option<LegionLock>> {
    if LegionLock::is_of_this_start(paths) { Ok(None) } else { LegionLock::take(paths).map(Some) }
}

/// By the variable that systemd sets only for the commands of `ExecStop=` and `ExecStopPost=` (systemd.exec(5)).
fn is_called_by_systemd() -> bool {
    std::env::var_os("SERVICE_RESULT").is_some()
}

/// Records for the next boot how the persona ran. The state is written by the user legion, so it counts only for the persona that root has
/// launched.
fn remember(paths: &Paths, launch: Option<&Launch>, state: &LegionState) -> Result<()> {
    match state.outcome {
        _ if launch.is_none_or(|launch| launch.persona != state.persona) => Ok(()),
        _ if state.runs_well => ran_well(paths, &state.persona),
        Some(Outcome::Stopped) => StartCounts::take_back(paths, &state.persona),
        Some(Outcome::GuestPoweroff | Outcome::Failure) | None => Ok(()),
    }
}

/// Whether to power off the machine too, according to the persona's `on_poweroff`. If in doubt it stays on: a guest that cannot boot and
/// powers off must not switch off, at every power-on, the host that is needed to fix it.
fn takes_the_machine_along(launch: &Launch, state: &LegionState) -> bool {
    let asked = launch.persona == state.persona && launch.on_poweroff == OnPoweroff::Poweroff;
    let ended_so = state.phase == Phase::Ended && state.outcome == Some(Outcome::GuestPoweroff);
    if asked && ended_so && !state.runs_well {
        log::warn!("the machine stays on: the guest powered off before it ran well (running_well = \"{}\")", launch.running_well);
    }
    asked && ended_so && state.runs_well
}

/// libvirt's QEMU outlives a supervisor that was killed, or that could not watch it any longer. Without a record by `prepare`, nothing was
/// started.
fn take_down(paths: &Paths, launch: Option<&Launch>, state: Option<&LegionState>) -> Result<()> {
    let may_run = state.is_some_and(|state| matches!(state.outcome, None | Some(Outcome::Failure))) && paths.bound_devices().exists();
    launch.and_then(|launch| launch.domain.as_ref()).filter(|_| may_run).map_or(Ok(()), |domain| libvirt::ensure_off(domain))
}

/// Records the run in the cartridge, and removes its installation image once the guest is installed.
fn it_ran(paths: &Paths, launch: &Launch, state: &LegionState) -> Result<()> {
    let cartridge = launch.cartridge(paths)?;
    if state.outcome == Some(Outcome::GuestPoweroff) && cartridge.end_installation(paths)? {
        log::info!("the cartridge {} is installed: it boots from its disk from now on", cartridge.name);
    }
    cartridge.ran(paths, SystemTime::now())
}

fn give_back(paths: &Paths, launch: Option<&Launch>) -> Result<()> {
    let bound = BoundDevices::read(paths)?.unwrap_or_default();
    // A failure of one does not stop the other.
    let tap = network::detach(paths);
    let released = passthrough::release(paths, &bound, &Kernel::default());
    let nodes = passthrough::take_groups_back(paths, &bound);
    let cartridge = launch.map_or(Ok(()), |launch| cartridge::ownership::take_back(paths, &launch.cartridge(paths)?));
    released?;
    atomic::remove(&paths.bound_devices()).and(nodes).and(tap).and(cartridge)
}

/// The final ending: a supervisor that reported none was killed, or could not report.
fn over(state: LegionState) -> LegionState {
    let phase = match (state.phase, state.outcome) {
        (Phase::Failed, _) | (_, Some(Outcome::Failure)) => Phase::Failed,
        (Phase::Ended, _) | (_, Some(Outcome::GuestPoweroff | Outcome::Stopped)) => Phase::Ended,
        (Phase::Preparing | Phase::Inserting | Phase::Starting | Phase::Running | Phase::Stopping, None) => {
            let why = "its supervisor ended without a report, and QEMU with it. See: journalctl -u legion";
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
    use crate::legion::{Cartridge, Disk, DiskKind, VirtualMachine};

    fn state(phase: Phase, outcome: Option<Outcome>) -> LegionState {
        LegionState { why: Some("because".into()), outcome, ..LegionState::new(phase, "a") }
    }

    #[test]
    fn supervisor_without_a_report_is_a_failure_with_a_reason() {
        for phase in [Phase::Preparing, Phase::Inserting, Phase::Starting, Phase::Running] {
            let over = over(state(phase, None));
            assert_eq!(over.phase, Phase::Failed);
            assert!(over.why.is_some_and(|why| why.contains("without a report")));
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
        let machine = VirtualMachine::find(&paths, legion, &cartridge, &[], &[]).unwrap();
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
