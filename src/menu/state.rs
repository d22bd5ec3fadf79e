//! The menu as a pure state machine: `(state, event, time) -> (state, effects)`.
//!
//! ```text
//!                      Shown / nothing to show on            time is up
//!     AwaitingScreen ------------------------> CountingDown ------------+
//!        |  (override, timeout 0s: at once)      |  Enter, Space        |
//!        |                                       v                      v
//!        +-----------------------------------> Chosen <--------- Waiting (never, or after legion)
//!                                                |  legion starts          ^      ^
//!                                                v                         |      | any key
//!                                  Starting -> Running --- legion ends ----+    Failed
//!                                                |  Escape (from Waiting and Failed too)
//!                                                v
//!                                             Console ---- legion ends ---> Waiting
//! ```
//!
//! Time is a [`Duration`] since any fixed instant; the caller asks [`Menu::deadline`] when to come back with
//! [`Event::Tick`].

use super::view::Stage;
use crate::settings::value::Timeout;
use crate::settings::{OnPoweroff, Settings, Starts};
use crate::state::{Phase, Reason};
use std::time::Duration;

/// How much time a key gives a person who is at the keyboard, at least.
const MORE_TIME: Duration = Duration::from_secs(60);

/// How long a choice may stay unheard before the menu says so. systemd starts a unit in well under a second, but it may
/// be busy with the rest of the boot.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the machine needs to know of each persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    runs: Runs,
    on_poweroff: OnPoweroff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    Legion,
    Unit,
    Host,
}

/// A key, or a pad's button, as the menu understands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Arrow left or up.
    Previous,
    /// Arrow right or down.
    Next,
    /// 0 to 9.
    Digit(u8),
    /// Enter or Space.
    Confirm,
    /// Escape.
    Back,
    /// Backspace.
    Erase,
    /// F1.
    Help,
    /// Any other.
    Other,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A complete frame is on a screen.
    Shown,
    /// There will be no screen, or none in time.
    NoScreen,
    /// A key went down.
    Key(Key),
    /// legion (or a unit) is somewhere else now; `persona` is an index, if it is one of the menu's.
    Legion {
        /// Where it is.
        phase: Phase,
        /// Which persona it is.
        persona: Option<usize>,
        /// Why it ended or failed.
        why: Option<String>,
    },
    /// Time went by.
    Tick,
}

/// Something the caller is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write the choice; start the persona's unit if it has one of its own.
    Choose {
        /// Index of the persona.
        persona: usize,
        /// Why it.
        reason: Reason,
    },
    /// Give screen and keyboards to the console.
    LeaveToConsole,
    /// Take screen and keyboards back.
    TakeScreen,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    AwaitingScreen,
    CountingDown {
        ends_at: Duration,
        total: Duration,
    },
    Waiting,
    /// Chosen here; nothing has been heard of legion yet.
    Chosen {
        patience_ends: Duration,
    },
    /// legion is being prepared or starts.
    Starting,
    Running,
    Failed {
        why: String,
    },
    Console,
}

/// The menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    entries: Vec<Entry>,
    default: usize,
    highlighted: usize,
    timeout: Timeout,
    preset: Option<(usize, Reason)>,
    state: State,
}

impl Menu {
    /// A menu of the settings' personas. `default` is the name of the one that starts when nobody picks, `preset` the
    /// one that starts without asking (an override).
    pub fn new(settings: &Settings, default: &str, preset: Option<(&str, Reason)>, timeout: Timeout) -> Self {
        let index = |name: &str| settings.personas.iter().position(|persona| persona.name == name);
        let default = index(default).unwrap_or(0);
        let preset = preset.and_then(|(name, reason)| Some((index(name)?, reason)));
        let entries = settings
            .personas
            .iter()
            .map(|persona| match &persona.starts {
                Starts::Legion(legion) => Entry { runs: Runs::Legion, on_poweroff: legion.on_poweroff },
                Starts::Unit(_) => Entry { runs: Runs::Unit, on_poweroff: OnPoweroff::Menu },
                Starts::Host => Entry { runs: Runs::Host, on_poweroff: OnPoweroff::Host },
            })
            .collect();
        Self {
            entries,
            default,
            highlighted: preset.map_or(default, |(persona, _)| persona),
            timeout,
            preset,
            state: State::AwaitingScreen,
        }
    }

    /// Index of the highlighted persona.
    pub fn highlighted(&self) -> usize {
        self.highlighted
    }

    /// Index of the persona that starts when nobody picks.
    pub fn default(&self) -> usize {
        self.default
    }

    /// Whether the console has the screen and the keyboards.
    pub fn is_on_console(&self) -> bool {
        self.state == State::Console
    }

    /// What to show at `now`; nothing while the console has the screen.
    pub fn stage(&self, now: Duration) -> Option<Stage> {
        Some(match &self.state {
            State::AwaitingScreen => match self.timeout {
                _ if self.preset.is_some() => Stage::Starting { steps: Vec::new() },
                Timeout::Never => Stage::Waiting,
                Timeout::After(total) => Stage::Countdown { remaining: total, total },
            },
            State::CountingDown { ends_at, total } => Stage::Countdown { remaining: ends_at.saturating_sub(now), total: *total },
            State::Waiting => Stage::Waiting,
            State::Chosen { .. } | State::Starting => Stage::Starting { steps: Vec::new() },
            State::Running => Stage::Running { screen: None },
            State::Failed { why } => Stage::Failed { why: why.clone() },
            State::Console => return None,
        })
    }

    /// When to come back with [`Event::Tick`] even if nothing happens.
    pub fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::AwaitingScreen if self.starts_at_once() => Some(Duration::ZERO),
            State::CountingDown { ends_at, .. } => Some(ends_at),
            State::Chosen { patience_ends } => Some(patience_ends),
            _ => None,
        }
    }

    /// Takes an event in and says what to do about it.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        match event {
            Event::Tick => self.time_passed(now),
            Event::Shown | Event::NoScreen => self.start_counting(now),
            Event::Key(key) => self.key(key, now),
            Event::Legion { phase, persona, why } => self.legion(phase, persona, why),
        }
    }

    /// An override and a timeout of zero need nobody's eyes.
    fn starts_at_once(&self) -> bool {
        self.preset.is_some() || self.timeout == Timeout::After(Duration::ZERO)
    }

    fn time_passed(&mut self, now: Duration) -> Vec<Effect> {
        match self.state {
            State::AwaitingScreen if self.starts_at_once() => {
                let (persona, reason) = self.preset.unwrap_or((self.default, Reason::Timeout));
                self.choose(persona, reason, now)
            }
            State::CountingDown { ends_at, .. } if now >= ends_at => self.choose(self.default, Reason::Timeout, now),
            State::Chosen { patience_ends } if now >= patience_ends => {
                self.state = State::Failed { why: "legion.service did not start. See: systemctl status legion.path legion.service".into() };
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn start_counting(&mut self, now: Duration) -> Vec<Effect> {
        if self.state == State::AwaitingScreen && !self.starts_at_once() {
            self.state = match self.timeout {
                Timeout::Never => State::Waiting,
                Timeout::After(total) => State::CountingDown { ends_at: now + total, total },
            };
        }
        Vec::new()
    }

    fn key(&mut self, key: Key, now: Duration) -> Vec<Effect> {
        match &mut self.state {
            State::CountingDown { ends_at, total } => {
                // Longer, never endless: a phantom key must not keep a machine in its menu.
                let more = ends_at.saturating_sub(now).max(MORE_TIME);
                (*ends_at, *total) = (now + more, more);
                self.pick(key, now)
            }
            // Whoever is at the keyboard can always get at the host.
            State::Waiting | State::Failed { .. } | State::Running if key == Key::Back => {
                self.state = State::Console;
                vec![Effect::LeaveToConsole]
            }
            State::Failed { .. } => {
                self.state = State::Waiting;
                // The key that dismisses the message starts nothing by surprise.
                if key == Key::Confirm { Vec::new() } else { self.pick(key, now) }
            }
            State::Waiting => self.pick(key, now),
            State::AwaitingScreen | State::Chosen { .. } | State::Starting | State::Running | State::Console => Vec::new(),
        }
    }

    fn pick(&mut self, key: Key, now: Duration) -> Vec<Effect> {
        match key {
            Key::Previous => self.highlighted = self.highlighted.saturating_sub(1),
            Key::Next => self.highlighted = (self.highlighted + 1).min(self.entries.len().saturating_sub(1)),
            Key::Digit(digit) if (1..=self.entries.len()).contains(&digit.into()) => self.highlighted = usize::from(digit) - 1,
            Key::Confirm => return self.choose(self.highlighted, Reason::Picked, now),
            Key::Digit(_) | Key::Back | Key::Erase | Key::Help | Key::Other => {}
        }
        Vec::new()
    }

    fn choose(&mut self, persona: usize, reason: Reason, now: Duration) -> Vec<Effect> {
        self.highlighted = persona;
        self.preset = None;
        let choose = Effect::Choose { persona, reason };
        if self.entries[persona].runs == Runs::Host {
            self.state = State::Console;
            return vec![choose, Effect::LeaveToConsole];
        }
        self.state = State::Chosen { patience_ends: now + PATIENCE };
        vec![choose]
    }

    fn legion(&mut self, phase: Phase, persona: Option<usize>, why: Option<String>) -> Vec<Effect> {
        let was_on_console = self.is_on_console();
        let persona = persona.filter(|&persona| persona < self.entries.len());
        let on_poweroff = persona.map_or(OnPoweroff::Menu, |persona| self.entries[persona].on_poweroff);
        if let Some(persona) = persona {
            self.highlighted = persona;
        }
        match phase {
            // A person who went to the console while legion runs stays there.
            Phase::Preparing | Phase::Starting | Phase::Running | Phase::Stopping if was_on_console => return Vec::new(),
            Phase::Preparing | Phase::Starting => self.state = State::Starting,
            Phase::Running => self.state = State::Running,
            // What is being given back cannot be asked for yet.
            Phase::Stopping => return Vec::new(),
            Phase::Ended if on_poweroff == OnPoweroff::Host => self.state = State::Console,
            Phase::Ended => self.state = State::Waiting,
            Phase::Failed => self.state = State::Failed { why: why.unwrap_or_else(|| "it gave no reason".into()) },
        }
        match (was_on_console, self.is_on_console()) {
            (true, false) => vec![Effect::TakeScreen],
            (false, true) => vec![Effect::LeaveToConsole],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
