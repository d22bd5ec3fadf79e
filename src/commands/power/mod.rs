//! `persona start`, `stop` and `switch`: legion's power button, for a user at a terminal.
//!
//! One at a time ([`crate::state::operation::OperationLock`]). systemd's job continues whatever happens to the command; if Ctrl-C comes
//! between a switch's stop and its start, legion stays off, and `persona status` says why.

mod follow;

use super::{chosen_or_default, find_persona, or_absent, print};
use crate::boot_log::LogEvent;
use crate::boot_log::journal;
use crate::config::{Persona, Settings};
use crate::error::{Error, Result};
use crate::legion::Preflight;
use crate::state::operation::{Operation, OperationLock, uptime};
use crate::state::{Choice, LegionState, Phase, Reason};
use crate::sys::identity;
use crate::sys::paths::Paths;
use crate::sys::style::Style;
use crate::sys::systemd::{self, LEGION};
use follow::{Came, Follower};
use std::io::Write;

/// Starts legion as a persona: the named one, else the one that was chosen in this boot, else the default. Returns once the guest runs.
///
/// # Errors
/// When another operation is in progress, when legion already runs or does not start; the message says why.
pub fn start(paths: &Paths, name: Option<&str>, style: Style, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let named = name.map(|name| find_persona(&settings, name)).transpose()?;
    named.map_or(Ok(()), only_legion)?;
    only_live(paths)?;
    let (who, lock) = (identity::of_caller(), OperationLock::take(paths, uptime())?);
    let persona = to_start(paths, &settings, named)?;
    Preflight::read(paths, &settings).ensure(persona)?;
    let _operation = lock.begin(Operation::Start { to: persona.name.clone() }, &who, uptime())?;
    start_as(paths, persona, &who, &mut Follower::open(paths, style, out)?)
}

/// The persona to start, by the choice and legion's current state.
fn to_start<'a>(paths: &Paths, settings: &'a Settings, named: Option<&'a Persona>) -> Result<&'a Persona> {
    let persona = named.unwrap_or_else(|| chosen_or_default(paths, settings));
    only_legion(persona)?;
    let Some(running) = running(paths) else { return Ok(persona) };
    let already = Error::new(format!("legion already runs as {running}"));
    Err(if running == persona.name {
        already.with_hint("`persona stop` first, to restart it")
    } else {
        already.with_hint(format!("`persona switch {}` stops it first", persona.name))
    })
}

/// Stops legion: step by step according to `stop` in the settings, or with `force` by QEMU's power plug at once. Returns once it has ended
/// and all devices are returned.
///
/// With `force` it does not wait for another operation: it is for when another command's stop takes too long. That command's stop then ends
/// sooner; a pending start of it is cancelled.
///
/// # Errors
/// When another operation is in progress, unless forced; when systemd refuses.
pub fn stop(paths: &Paths, force: bool, style: Style, out: &mut dyn Write) -> Result<()> {
    only_live(paths)?;
    let lock = match OperationLock::take(paths, uptime()) {
        Err(busy) if force => {
            log::warn!("{}: forcing legion off anyway", busy.reason());
            None
        }
        lock => Some(lock?),
    };
    let Some(from) = running(paths) else { return print(out, "legion is off.\n") };
    let (who, operation) = (identity::of_caller(), Operation::Stop { from: from.clone() });
    let _operation = lock.map(|lock| lock.begin(operation.clone(), &who, uptime())).transpose()?;
    journal::write(paths, &LogEvent::Asked { operation, by: who });
    if force {
        journal::write(paths, &LogEvent::Decision(format!("{from} is forced off")));
    }
    // Before QEMU runs, the signal has no effect, and the stop alone is quick.
    if force && let Err(error) = systemd::ask(&["kill", "--kill-who=main", "--signal=USR1", LEGION], "forcing legion off") {
        log::info!("{error}");
    }
    match Follower::open(paths, style, out)?.run(&["stop", LEGION], &format!("stopping {from}"))? {
        Came::Done => Ok(()),
        Came::Interrupted => Err(Error::new(format!("interrupted: {LEGION} continues stopping {from}")).with_hint(TELLS)),
    }
}

/// Stops legion gracefully and starts it as another persona.
///
/// # Errors
/// As [`start`] and [`stop`].
pub fn switch(paths: &Paths, name: &str, style: Style, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = find_persona(&settings, name)?;
    only_legion(persona)?;
    only_live(paths)?;
    let (who, lock) = (identity::of_caller(), OperationLock::take(paths, uptime())?);
    let operation = to_switch(paths, persona)?;
    let mut running_operation = lock.begin(operation.clone(), &who, uptime())?;
    // The running persona is not stopped for one that cannot start.
    Preflight::read(paths, &settings).ensure(persona)?;
    let mut follower = Follower::open(paths, style, out)?;
    if let Operation::Switch { from, to } = &operation {
        journal::write(paths, &LogEvent::Asked { operation: operation.clone(), by: who.clone() });
        if follower.run(&["stop", LEGION], &format!("stopping {from}"))? == Came::Interrupted {
            journal::write(paths, &LogEvent::Interrupted { operation: operation.clone(), by: who });
            running_operation.interrupted();
            let left = format!("interrupted: {LEGION} continues stopping {from}, and {to} is not started");
            return Err(Error::new(left).with_hint(format!("run `persona start {to}` once legion is off; `persona status` shows when")));
        }
        running_operation.starts()?;
    }
    start_as(paths, persona, &who, &mut follower)
}

/// What a switch does, by legion's current state.
fn to_switch(paths: &Paths, persona: &Persona) -> Result<Operation> {
    let to = persona.name.clone();
    match running(paths) {
        Some(from) if from == to => {
            Err(Error::new(format!("legion already runs as {to}")).with_hint("`persona stop` first, to restart it"))
        }
        Some(from) => Ok(Operation::Switch { from, to }),
        None => Ok(Operation::Start { to }),
    }
}

/// The hint after a Ctrl-C that changed nothing.
const TELLS: &str = "`persona status` shows the progress; `persona stop --force` forces legion off";

fn only_legion(persona: &Persona) -> Result<()> {
    if persona.legion().is_some() {
        return Ok(());
    }
    Err(Error::usage(format!("{} does not start legion", persona.name))
        .with_hint("pick it in the menu, or `persona next` for the next boot"))
}

/// legion is controlled by the systemd of this machine.
fn only_live(paths: &Paths) -> Result<()> {
    if paths.is_live() {
        return Ok(());
    }
    Err(Error::usage("legion is started and stopped by this machine's systemd, and --root names another machine")
        .with_hint("leave --root out"))
}

/// legion's persona, unless it is off.
fn running(paths: &Paths) -> Option<String> {
    or_absent(LegionState::read(paths)).filter(LegionState::is_on).map(|state| state.persona)
}

fn start_as(paths: &Paths, persona: &Persona, who: &str, follower: &mut Follower<'_>) -> Result<()> {
    LegionState::forget(paths)?;
    let name = &persona.name;
    journal::write(paths, &LogEvent::Choice { persona: name.clone(), reason: Reason::Remote, by: Some(who.to_owned()) });
    Choice { persona: name.clone(), reason: Reason::Remote, pin_asked: false }.write(paths)?;
    let came = follower.run(&["start", LEGION], &format!("starting {name}"));
    match (or_absent(LegionState::read(paths)), came) {
        (_, Ok(Came::Interrupted)) => Err(Error::new(format!("interrupted: {LEGION} continues starting {name}")).with_hint(TELLS)),
        (Some(LegionState { phase: Phase::Failed, why: Some(why), .. }), _) => Err(Error::caused_by(format!("starting {name}"), why)),
        (Some(LegionState { persona: other, .. }), Ok(Came::Done)) if other != *name => {
            Err(Error::new(format!("starting {name}: legion runs as {other}, which was chosen at the same moment"))
                .with_hint(format!("`persona switch {name}`")))
        }
        (_, came) => came.map(drop),
    }
}
