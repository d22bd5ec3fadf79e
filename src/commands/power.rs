//! `persona start`, `stop` and `switch`: legion's power button, for whoever is at a terminal.

use super::{find_persona, or_absent, print};
use crate::error::{Context, Error, Result};
use crate::paths::Paths;
use crate::settings::{Persona, Settings};
use crate::state::{Choice, Last, LegionState, Phase, Reason};
use crate::systemd::{self, LEGION};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

/// How often the state is looked at while systemd works.
const LOOK: Duration = Duration::from_millis(100);

/// Starts legion as a persona: the named one, else the one that was chosen in this boot, else the default. Returns once the guest runs.
///
/// # Errors
/// When legion runs already or does not start; the message says why.
pub fn start(paths: &Paths, name: Option<&str>, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = match name {
        Some(name) => find_persona(&settings, name)?,
        None => {
            let chosen = or_absent(Choice::read(paths)).and_then(|choice| settings.persona(&choice.persona));
            let last = or_absent(Last::read(paths)).map(|last| last.persona);
            chosen.filter(|persona| persona.legion().is_some()).unwrap_or_else(|| settings.default_persona(last.as_deref()))
        }
    };
    only_legion(persona)?;
    if let Some(running) = running(paths) {
        return Err(
            Error::new(format!("legion is on already, as {running}")).mend(format!("`persona switch {}` stops it first", persona.name))
        );
    }
    start_as(paths, persona, out)
}

/// Stops legion: step by step as the settings' `stop` says, or with `force` by QEMU's power plug at once. Returns once it is over and all
/// devices are back.
///
/// # Errors
/// When systemd refuses.
pub fn stop(paths: &Paths, force: bool, out: &mut dyn Write) -> Result<()> {
    let Some(running) = running(paths) else { return print(out, "legion is off.\n") };
    // Before QEMU is there, nobody hears it, and the stop alone is quick.
    if force && let Err(error) = systemd::ask(&["kill", "--kill-who=main", "--signal=USR1", LEGION], "pulling legion's plug") {
        log::info!("{error}");
    }
    follow(paths, &["stop", LEGION], &format!("stopping {running}"), out)
}

/// Stops legion gracefully and starts it as another persona.
///
/// # Errors
/// As [`start`] and [`stop`].
pub fn switch(paths: &Paths, name: &str, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = find_persona(&settings, name)?;
    only_legion(persona)?;
    if running(paths).is_some() {
        stop(paths, false, out)?;
    }
    start_as(paths, persona, out)
}

fn only_legion(persona: &Persona) -> Result<()> {
    if persona.legion().is_some() {
        return Ok(());
    }
    Err(Error::usage(format!("{} does not start legion", persona.name)).mend("pick it in the menu, or `persona next` for the next boot"))
}

/// The persona that legion is, unless it is off.
fn running(paths: &Paths) -> Option<String> {
    let state = or_absent(LegionState::read(paths))?;
    (!matches!(state.phase, Phase::Ended | Phase::Failed)).then_some(state.persona)
}

fn start_as(paths: &Paths, persona: &Persona, out: &mut dyn Write) -> Result<()> {
    LegionState::forget(paths)?;
    Choice { persona: persona.name.clone(), reason: Reason::Remote }.write(paths)?;
    let started = follow(paths, &["start", LEGION], &format!("starting {}", persona.name), out);
    match or_absent(LegionState::read(paths)) {
        Some(LegionState { phase: Phase::Failed, why: Some(why), .. }) => Err(Error::because(format!("starting {}", persona.name), why)),
        _ => started,
    }
}

/// Runs `systemctl` to its end and tells of every step of legion meanwhile.
fn follow(paths: &Paths, arguments: &[&str], doing: &str, out: &mut dyn Write) -> Result<()> {
    // What is so already is no news.
    let mut told = or_absent(LegionState::read(paths)).map(|state| line(&state));
    let mut child = systemd::systemctl(arguments).stderr(Stdio::piped()).spawn().doing(|| doing.to_owned())?;
    loop {
        let ended = child.try_wait().doing(|| doing.to_owned())?;
        let now = or_absent(LegionState::read(paths)).map(|state| line(&state));
        if now != told {
            if let Some(line) = &now {
                print(out, line)?;
            }
            told = now;
        }
        if let Some(status) = ended {
            let mut words = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                let _ = std::io::Read::read_to_string(&mut stderr, &mut words);
            }
            return if status.success() { Ok(()) } else { Err(Error::because(doing, words.trim().to_owned())) };
        }
        std::thread::sleep(LOOK);
    }
}

fn line(state: &LegionState) -> String {
    match &state.why {
        Some(why) => format!("{}: {}: {why}\n", state.persona, state.phase),
        None => format!("{}: {}\n", state.persona, state.phase),
    }
}
