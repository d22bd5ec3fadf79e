//! What the menu hears of legion: its records, and its unit. The records end with `persona release`: if that is killed, only the unit
//! tells that legion is off.

use super::{Session, Subject};
use crate::error::{Error, Result};
use crate::legion::announce;
use crate::menu::model::Event;
use crate::menu::reasons;
use crate::menu::session::sources::Sources;
use crate::state::{LegionState, Phase};
use crate::sys::systemd::LEGION;
use crate::sys::unit::Unit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often systemd is asked about it.
const EVERY: Duration = Duration::from_secs(20);

/// Whether a thread watches it.
pub(super) type IsWatched = Arc<AtomicBool>;

impl Session {
    /// At the start: an end that an earlier menu has handled is not new, and must not be handled again.
    pub(super) fn hear_of_earlier_legion(&mut self, sources: &Sources) {
        self.hear_of_choice();
        let state = LegionState::read(&self.paths).ok().flatten();
        match state.filter(|state| state.phase == Phase::Ended) {
            Some(ended) => self.legion = Some(ended),
            None => self.hear_of_legion(sources),
        }
    }

    /// Reads the state of legion, and passes changes to the menu.
    pub(super) fn hear_of_legion(&mut self, sources: &Sources) {
        let state = match LegionState::read(&self.paths) {
            Ok(state) => state,
            Err(error) => return log::warn!("{error}"),
        };
        if state == self.legion {
            return;
        }
        let runs_well = |state: &Option<LegionState>| state.as_ref().is_some_and(|state| state.runs_well);
        if runs_well(&state) && !runs_well(&self.legion) {
            self.legion_runs_well(sources);
        }
        self.legion = state.clone();
        let Some(state) = state else { return };
        if state.is_on() {
            self.watch_legion(sources);
        }
        self.control.held_by = None;
        if matches!(state.phase, Phase::Ended | Phase::Failed) {
            self.remark = None;
        }
        let Subject::Personas { settings, .. } = &self.subject else { return };
        let persona = settings.personas.iter().position(|persona| persona.name == state.persona);
        let why = state.why.map(|why| reasons::failure(state.code.as_deref(), &why, self.words()));
        self.dispatch(Event::Legion { phase: state.phase, persona, why }, sources);
    }

    /// Watches legion's unit in a thread until legion is off, unless one does already.
    fn watch_legion(&self, sources: &Sources) {
        if !self.paths.is_live() || self.legion_is_watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let (paths, watched) = (self.paths.clone(), self.legion_is_watched.clone());
        let started = sources.beside(move |_| {
            if let Some(end) = await_end(|| LegionState::read(&paths), || Unit::ask(LEGION).ok(), || std::thread::sleep(EVERY))
                && let Err(error) = announce(&paths, &end)
            {
                log::error!("{error}");
            }
            watched.store(false, Ordering::Relaxed);
        });
        if let Err(error) = started {
            log::warn!("watching {LEGION}: {error}");
            self.legion_is_watched.store(false, Ordering::Relaxed);
        }
    }
}

/// Waits until legion is off, and gives the record of its end if there is none: systemd has found its unit dead twice, and its record has
/// not changed in between. A record that cannot be read, and a systemd that does not answer, prove nothing.
fn await_end(record: impl Fn() -> Result<Option<LegionState>>, unit: impl Fn() -> Option<Unit>, pause: impl Fn()) -> Option<LegionState> {
    let mut found_dead = None;
    loop {
        pause();
        let Ok(record) = record() else { continue };
        let state = record.filter(LegionState::is_on)?;
        match unit().filter(|unit| matches!(unit.active.as_str(), "inactive" | "failed")) {
            Some(unit) if found_dead.as_ref() == Some(&state) => {
                let error = Error::new(format!("{LEGION} is {}, and nothing recorded how legion ended", unit.active));
                let error = error.with_hint("`persona release` gives its devices back; `journalctl -u legion` tells more");
                return Some(LegionState::failure(Phase::Failed, &state.persona, &error));
            }
            Some(_) => found_dead = Some(state),
            None => found_dead = None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::RefCell;

    /// What is recorded in the end, if systemd and the records say this, one pair for each look.
    fn recorded(looks: &[(Option<Phase>, &str)]) -> Option<Phase> {
        let looks = RefCell::new(looks.iter());
        let current = RefCell::new(None);
        let pause = || *current.borrow_mut() = Some(*looks.borrow_mut().next().unwrap());
        let on = || match current.borrow().unwrap() {
            (_, "unreadable") => Err(Error::new("unreadable")),
            (phase, _) => Ok(phase.map(|phase| LegionState::new(phase, "gondor"))),
        };
        let unit = || {
            let active = current.borrow().unwrap().1;
            let unit = Unit { active: active.into(), why: None, conditions_held: true, invocation: "1".into() };
            (!active.is_empty()).then_some(unit)
        };
        let end = await_end(on, unit, pause).map(|state| state.phase);
        assert_eq!(looks.borrow().len(), 0, "it waits no longer than needed");
        end
    }

    #[test]
    fn unit_found_dead_twice_is_a_failure() {
        let on = Some(Phase::Running);
        assert_eq!(recorded(&[(on, "active"), (on, "failed"), (on, "failed")]), Some(Phase::Failed));
        assert_eq!(recorded(&[(on, "inactive"), (on, "active"), (on, "inactive"), (on, "inactive")]), Some(Phase::Failed));
        assert_eq!(recorded(&[(on, "active"), (on, "unreadable"), (on, "inactive"), (on, "inactive")]), Some(Phase::Failed));
    }

    #[test]
    fn legion_that_is_recorded_as_off_or_restarts_is_left_alone() {
        let (on, starts) = (Some(Phase::Running), Some(Phase::Preparing));
        assert_eq!(recorded(&[(on, "active"), (None, "inactive")]), None);
        assert_eq!(recorded(&[(on, "inactive"), (starts, "inactive"), (on, "active"), (None, "")]), None);
        assert_eq!(recorded(&[(on, "inactive"), (on, ""), (on, "inactive"), (on, "deactivating"), (None, "failed")]), None);
    }
}
