//! How a menu that began in the initramfs, with the copy of the settings there, continues with the host's own settings and state.

use super::{Menu, Over, START_TIMEOUT, State};
use crate::config::value::Timeout;
use crate::menu::model::event::Effect;
use std::time::Duration;

/// Why what was chosen does not start.
const GONE: &str = "the initramfs has a persona that is no longer in the settings. Rebuild the initramfs: mkinitcpio -P";

impl Menu {
    /// The same menu before the host's own file systems are mounted: nothing starts by itself yet. An override cannot be read then, and
    /// legion could not start anyway. A user can pick.
    #[must_use]
    pub fn provisional(self) -> Self {
        Self { settled: false, ..self }
    }

    /// The same menu, where nothing starts by itself.
    #[must_use]
    pub fn without_autostart(self) -> Self {
        Self { preset: None, timeout: Timeout::Never, ..self }
    }

    /// Whether the host's own settings and state are known.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Continues as `opening`, the menu made from the host's own settings and state: with its personas, default, override and timeout. What
    /// the user has done is kept, and so is the elapsed time. `places` gives the index in `opening` of every persona until now.
    pub fn adopt_host_config(&mut self, opening: Self, places: &[Option<usize>], now: Duration) -> Vec<Effect> {
        let place = |index: usize| places.get(index).copied().flatten();
        let has_moved = self.default != Some(self.highlighted);
        let highlighted = place(self.highlighted).filter(|_| has_moved || self.is_decided()).unwrap_or(opening.highlighted);
        let over = match self.over.take() {
            // The overlay belongs to an index that may be another persona now.
            Some(Over::Pin(_)) => None,
            over => over,
        };
        let usual = self.timeout;
        let opening = if self.held { opening.without_autostart() } else { opening };
        let before = std::mem::replace(self, Self { highlighted, over, ..opening });
        (self.settled, self.held) = (true, before.held);
        self.legion_is_on = before.legion_is_on;
        self.playing = before.playing.and_then(place);
        (self.tries, self.pads, self.checking) = (before.tries, before.pads, before.checking);
        // It is recorded by name; if the host has no such persona, its result has no index.
        self.recording = before.recording.map(|recording| recording.moved(place(recording.persona)));
        self.state = match before.state {
            State::AwaitingScreen => State::AwaitingScreen,
            State::CountingDown { ends_at, total } => match self.timeout {
                Timeout::Never => State::Waiting,
                // A key has extended it.
                _ if usual != Timeout::After(total) => State::CountingDown { ends_at, total },
                Timeout::After(new) => State::CountingDown { ends_at: ends_at.saturating_sub(total) + new, total: new },
            },
            State::Waiting => match (usual, self.timeout) {
                (Timeout::Never, Timeout::After(total)) => State::CountingDown { ends_at: now + total, total },
                // It was to count down, and the countdown was stopped.
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
            State::Chosen { .. } => State::Chosen { deadline: now + START_TIMEOUT },
            state => state,
        };
        match (&self.state, self.preset) {
            (State::CountingDown { .. } | State::Waiting, Some((persona, reason))) => self.choose(persona, reason, now),
            _ => Vec::new(),
        }
    }

    /// Whether a persona was chosen, or a user left the menu.
    fn is_decided(&self) -> bool {
        !matches!(self.state, State::AwaitingScreen | State::CountingDown { .. } | State::Waiting)
    }
}
