//! A choice that is being written to the disk. That takes a millisecond, unless the disk is slow or another process holds a lock: then the
//! screen says so, the menu keeps working, and the choice counts once it is recorded.

use super::{Effect, Menu, Runs, START_TIMEOUT, State};
use crate::state::Phase;
use std::time::Duration;

/// How long recording a choice may take before the screen says so.
pub(super) const RECORDING_TIMEOUT: Duration = Duration::from_secs(3);

/// What the screen says then.
const OVERDUE: &str = "the choice is not recorded yet: the disk is slow, or another process holds a lock in /var/lib/persona. The persona starts \
                       once it is recorded. See: journalctl -t persona";

/// What the screen says when something else is chosen before it is recorded.
pub(super) const STILL: &str =
    "an earlier choice is still being recorded, and nothing else can be chosen before. See: journalctl -t persona";

/// A choice that is not recorded yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recording {
    pub(super) persona: usize,
    overdue_at: Duration,
    /// It has taken too long, and the screen says so, or has said so.
    is_overdue: bool,
}

impl Recording {
    pub(super) fn begin(persona: usize, now: Duration) -> Self {
        Self { persona, overdue_at: now + RECORDING_TIMEOUT, is_overdue: false }
    }

    /// The same, with the new index of the persona.
    pub(super) fn moved(self, place: Option<usize>) -> Self {
        Self { persona: place.unwrap_or(usize::MAX), ..self }
    }

    /// When the screen must say that it takes long.
    pub(super) fn deadline(&self) -> Option<Duration> {
        (!self.is_overdue).then_some(self.overdue_at)
    }
}

impl Menu {
    /// Whether a choice is being recorded.
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Whether that takes longer than it should.
    pub fn is_recording_overdue(&self) -> bool {
        self.recording.is_some_and(|recording| recording.is_overdue)
    }

    pub(super) fn recording_overdue(&mut self, now: Duration) {
        let Some(recording) = self.recording.as_mut().filter(|recording| !recording.is_overdue && now >= recording.overdue_at) else {
            return;
        };
        recording.is_overdue = true;
        // The user at the console keeps it.
        if matches!(self.state, State::Chosen { .. } | State::Starting(_)) {
            self.state = State::Failed { why: OVERDUE.into() };
        }
    }

    pub(super) fn recorded(&mut self, failed: Option<String>, now: Duration) -> Vec<Effect> {
        let Some(recording) = self.recording.take() else { return Vec::new() };
        if let Some(why) = failed {
            return self.legion(Phase::Failed, Some(recording.persona), Some(why), now);
        }
        let waits = matches!(self.state, State::Failed { .. } | State::Waiting | State::CountingDown { .. });
        let runs = self.entries.get(recording.persona).map(|entry| entry.runs);
        match (&mut self.state, runs) {
            (State::Chosen { deadline }, _) => *deadline = now + START_TIMEOUT,
            // It was recorded after all.
            (_, Some(runs)) if recording.is_overdue && waits => {
                (self.highlighted, self.playing, self.over) = (recording.persona, Some(recording.persona), None);
                match runs {
                    Runs::Legion => self.state = State::Chosen { deadline: now + START_TIMEOUT },
                    Runs::Unit => self.state = State::Starting(Phase::Starting),
                    Runs::Host => {}
                }
            }
            _ => {}
        }
        Vec::new()
    }
}
