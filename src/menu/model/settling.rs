//! How a menu that began in the initramfs, by the copy of the settings there, goes on by the host's own settings and state.

use super::{Menu, Over, PATIENCE, State};
use crate::config::value::Timeout;
use crate::menu::model::event::Effect;
use std::time::Duration;

/// Why what was chosen does not start.
const GONE: &str = "the initramfs knew of a persona that the settings do not have any more. Make the initramfs again: mkinitcpio -P";

impl Menu {
    /// The same menu before the host's own file systems are there: nothing starts by itself yet. Nobody knows of an override
    /// then, and legion could not start anyway. A person can pick.
    #[must_use]
    pub fn before_the_host(self) -> Self {
        Self { settled: false, ..self }
    }

    /// The same menu, where nothing starts by itself.
    #[must_use]
    pub fn that_waits(self) -> Self {
        Self { preset: None, timeout: Timeout::Never, ..self }
    }

    /// Whether the host's own settings and state are known.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Goes on as `opening`, the menu that the host's own settings and state open with: with its personas, its default, its
    /// override and its timeout. What a person has done stays; so does the time that has gone by. `places` tells for every
    /// persona until now which one it is in `opening`.
    pub fn settle(&mut self, opening: Self, places: &[Option<usize>], now: Duration) -> Vec<Effect> {
        let place = |index: usize| places.get(index).copied().flatten();
        let has_moved = self.default != Some(self.highlighted);
        let highlighted = place(self.highlighted).filter(|_| has_moved || self.is_decided()).unwrap_or(opening.highlighted);
        let over = match self.over.take() {
            // It belongs to a persona that may be another one now.
            Some(Over::Pin(_)) => None,
            over => over,
        };
        let usual = self.timeout;
        let opening = if self.held { opening.that_waits() } else { opening };
        let before = std::mem::replace(self, Self { highlighted, over, ..opening });
        (self.settled, self.held) = (true, before.held);
        self.legion_is_on = before.legion_is_on;
        self.playing = before.playing.and_then(place);
        (self.tries, self.pads, self.checking) = (before.tries, before.pads, before.checking);
        // It is recorded by name; where the host has no such persona, its end is told of none.
        self.recording = before.recording.map(|recording| recording.moved(place(recording.persona)));
        self.state = match before.state {
            State::AwaitingScreen => State::AwaitingScreen,
            State::CountingDown { ends_at, total } => match self.timeout {
                Timeout::Never => State::Waiting,
                // A key has made it longer.
                _ if usual != Timeout::After(total) => State::CountingDown { ends_at, total },
                Timeout::After(new) => State::CountingDown { ends_at: ends_at.saturating_sub(total) + new, total: new },
            },
            State::Waiting => match (usual, self.timeout) {
                (Timeout::Never, Timeout::After(total)) => State::CountingDown { ends_at: now + total, total },
                // It was to count down, and somebody has stopped that.
                (Timeout::After(_), _) => {
                    self.preset = None;
                    State::Waiting
                }
                (Timeout::Never, Timeout::Never) => State::Waiting,
            },
            State::Chosen { .. } | State::Starting(_) if self.playing.is_none() => {
                self.legion_is_on = false;
                State::Failed { why: GONE.into() }
            }
            State::Chosen { .. } => State::Chosen { patience_ends: now + PATIENCE },
            state => state,
        };
        match (&self.state, self.preset) {
            (State::CountingDown { .. } | State::Waiting, Some((persona, reason))) => self.choose(persona, reason, now),
            _ => Vec::new(),
        }
    }

    /// Whether a persona has been chosen, or somebody has left the menu.
    fn is_decided(&self) -> bool {
        !matches!(self.state, State::AwaitingScreen | State::CountingDown { .. } | State::Waiting)
    }
}
