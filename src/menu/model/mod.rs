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
//!                                                |  stay on the host (from everywhere a person sees the menu)
//!                                                v
//!                                             Console ---- legion ends ---> Waiting
//! ```
//!
//! The caller records a choice, which may be slow: then the screen says so, and the menu continues (`recording`). A
//! menu that began in the initramfs starts nothing by itself until it has the settings and state of the host
//! (`settling`). Clients of the control socket can also choose, move, stop the countdown and go to the console
//! (`remote`).
//!
//! Help, the power menu and the PIN are overlays (`overlay`): the countdown continues below them. A persona's own unit starts, runs and
//! ends as legion does; after a later choice its events are ignored.
//!
//! Time is a [`Duration`] since any fixed instant; the caller asks [`Menu::deadline`] when to come back with
//! [`Event::Tick`], and [`Menu::next_change`] when the picture changes by itself.

pub mod event;
pub mod motion;
mod overlaid;
mod overlay;
mod recording;
mod remote;
mod settling;
mod showing;
pub mod view;

use crate::config::pin::Tries;
use crate::config::value::Timeout;
use crate::config::{OnPoweroff, Settings, Starts};
use crate::state::{Phase, Reason};
pub use event::{Effect, Event, Key, Light, Remote, RemoteRefusal};
use overlay::Over;
use recording::Recording;
use std::time::Duration;

/// The time that remains at least after a key was pressed.
const MORE_TIME: Duration = Duration::from_secs(60);

/// How long a choice may have no effect before the menu says so. systemd starts a unit in well under a second, but it
/// may be busy with the rest of the boot.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// What the state machine needs to know of each persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MenuEntry {
    runs: Runs,
    on_poweroff: OnPoweroff,
    /// It asks for a PIN.
    locked: bool,
    /// The plan or its cartridge forbid it now.
    refused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    Legion,
    Unit,
    Host,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    AwaitingScreen,
    CountingDown {
        ends_at: Duration,
        total: Duration,
    },
    Waiting,
    /// Chosen here; legion has not reported a phase yet.
    Chosen {
        deadline: Duration,
    },
    /// legion is being prepared or starts.
    Starting(Phase),
    Running {
        /// When something last happened that the user should see.
        lit_at: Duration,
    },
    Failed {
        why: String,
    },
    Console,
}

/// The menu.
#[derive(Debug, Clone, PartialEq)]
pub struct Menu {
    entries: Vec<MenuEntry>,
    default: Option<usize>,
    highlighted: usize,
    /// What was last chosen or reported.
    playing: Option<usize>,
    timeout: Timeout,
    preset: Option<(usize, Reason)>,
    state: State,
    over: Option<Over>,
    tries: Tries,
    /// How many number pads were opened so far.
    pads: u32,
    /// The pad whose PIN is being checked.
    checking: Option<u32>,
    /// The choice that is not recorded yet: nothing else can be chosen until it is.
    recording: Option<Recording>,
    /// The host's own settings and state are known.
    settled: bool,
    /// A client asked that nothing starts by itself.
    held: bool,
    /// legion runs or is about to, as far as is known; also while the console has the screen.
    legion_is_on: bool,
}

impl Menu {
    /// A menu of the settings' personas. `default` names the persona that starts when no choice is made, `preset` the
    /// one that starts at once (an override: only root on the host can set it, so no PIN is asked for).
    ///
    /// A locked persona starts by itself only if the settings say so: [`Settings::default_persona`] names a locked persona only if there is
    /// no other, and then the menu waits.
    pub fn new(settings: &Settings, default: &str, preset: Option<(&str, Reason)>, timeout: Timeout) -> Self {
        let index = |name: &str| settings.personas.iter().position(|persona| persona.name == name);
        let preset = preset.and_then(|(name, reason)| Some((index(name)?, reason)));
        let entries: Vec<MenuEntry> = settings
            .personas
            .iter()
            .map(|persona| {
                let (runs, on_poweroff) = match &persona.starts {
                    Starts::Legion(legion) => (Runs::Legion, legion.on_poweroff),
                    Starts::Unit(_) => (Runs::Unit, OnPoweroff::Menu),
                    Starts::Host => (Runs::Host, OnPoweroff::Host),
                };
                MenuEntry { runs, on_poweroff, locked: persona.pin.is_some(), refused: false }
            })
            .collect();
        let named = index(default).unwrap_or(0);
        let default = Some(named).filter(|index| settings.personas[*index].starts_unattended());
        let highlighted = preset.map_or(named, |(persona, _)| persona);
        let timeout = if default.is_some() { timeout } else { Timeout::Never };
        Self {
            entries,
            default,
            highlighted,
            playing: None,
            timeout,
            preset,
            state: State::AwaitingScreen,
            over: None,
            tries: Tries::default(),
            pads: 0,
            checking: None,
            recording: None,
            settled: true,
            held: false,
            legion_is_on: false,
        }
    }

    /// Index of the highlighted persona.
    pub fn highlighted(&self) -> usize {
        self.highlighted
    }

    /// Index of the persona that starts when no choice is made, if there is one.
    pub fn default(&self) -> Option<usize> {
        self.default
    }

    /// Whether it still waits for the news that it is on a screen, or that there is no screen.
    pub fn is_awaiting_screen(&self) -> bool {
        self.state == State::AwaitingScreen
    }

    /// Whether the console has the screen and the keyboards.
    pub fn is_on_console(&self) -> bool {
        self.state == State::Console
    }

    /// Handles an event and returns what to do.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        match event {
            Event::Tick => self.time_passed(now),
            Event::Shown | Event::NoScreen => self.start_counting(now),
            Event::Key(key) => self.key(key, now),
            Event::Refused(refused) => {
                for (entry, refused) in self.entries.iter_mut().zip(refused) {
                    entry.refused = refused;
                }
                Vec::new()
            }
            Event::PinChecked { right } => self.pin_checked(right, now),
            Event::EarlierTries(earlier) => {
                self.tries.raise_to(earlier);
                Vec::new()
            }
            Event::Recorded { failed } => self.recorded(failed, now),
            Event::Legion { phase, persona, why } => self.legion(phase, persona, why, now),
        }
    }

    /// An override and a timeout of zero do not wait for a screen.
    fn starts_at_once(&self) -> bool {
        self.preset.is_some() || self.timeout == Timeout::After(Duration::ZERO)
    }

    fn time_passed(&mut self, now: Duration) -> Vec<Effect> {
        let by_itself = self.default.map(|persona| (persona, Reason::Timeout));
        if self.light(now) == Light::Dark {
            self.over = None;
        }
        self.recording_overdue(now);
        match self.state {
            _ if !self.settled => Vec::new(),
            State::AwaitingScreen if self.starts_at_once() => {
                let started = self.preset.or(by_itself);
                started.map_or_else(Vec::new, |(persona, reason)| self.choose(persona, reason, now))
            }
            State::CountingDown { ends_at, .. } if now >= ends_at => {
                by_itself.map_or_else(Vec::new, |(persona, reason)| self.choose(persona, reason, now))
            }
            State::Chosen { deadline } if now >= deadline => {
                self.legion_is_on = false;
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
        let (light, hold) = (self.light(now), self.hold(now));
        match &mut self.state {
            State::AwaitingScreen | State::Console => return Vec::new(),
            State::CountingDown { .. } => self.give_more_time(now),
            // The key that wakes the screen does nothing else: the user could not see what it would do.
            State::Running { lit_at } => {
                *lit_at = now;
                if light != Light::Bright {
                    return Vec::new();
                }
            }
            _ => {}
        }
        if let Some(over) = &mut self.over {
            let answer = over.key(key, hold);
            return self.answered(answer);
        }
        match (key, &self.state) {
            (Key::Help, _) => self.over = Some(Over::Help),
            // A user at the keyboard can always get to the host.
            (Key::Back, _) => self.over = Some(Over::Power { highlighted: 0 }),
            (_, State::Failed { .. }) => {
                self.state = State::Waiting;
                // The key that dismisses the message does nothing else.
                if key != Key::Confirm {
                    return self.pick(key, now);
                }
            }
            (_, State::CountingDown { .. } | State::Waiting) => return self.pick(key, now),
            // A unit has neither the screen nor the keyboard, and may keep running when something else is chosen.
            (Key::Confirm, State::Running { .. }) if self.entries[self.highlighted].runs == Runs::Unit => self.state = State::Waiting,
            _ => {}
        }
        Vec::new()
    }

    /// Extends the countdown but never stops it: a spurious key must not keep a machine in its menu.
    fn give_more_time(&mut self, now: Duration) {
        if let State::CountingDown { ends_at, total } = &mut self.state {
            let more = ends_at.saturating_sub(now).max(MORE_TIME);
            (*ends_at, *total) = (now + more, more);
        }
    }

    fn pick(&mut self, key: Key, now: Duration) -> Vec<Effect> {
        match key {
            Key::Previous => self.highlighted = self.highlighted.saturating_sub(1),
            Key::Next => self.highlighted = (self.highlighted + 1).min(self.entries.len().saturating_sub(1)),
            Key::Digit(digit) if (1..=self.entries.len()).contains(&digit.into()) => self.highlighted = usize::from(digit) - 1,
            Key::Confirm => match self.entries.get(self.highlighted) {
                // The cause may be gone by now.
                Some(entry) if entry.refused => return vec![Effect::LookAgain],
                Some(entry) if entry.locked => {
                    self.pads += 1;
                    self.over = Some(Over::pin(self.highlighted, self.pads));
                }
                _ => return self.choose(self.highlighted, Reason::Picked, now),
            },
            Key::Digit(_) | Key::Back | Key::Erase | Key::Help | Key::Other => {}
        }
        Vec::new()
    }

    fn choose(&mut self, persona: usize, reason: Reason, now: Duration) -> Vec<Effect> {
        if self.is_recording() {
            self.state = State::Failed { why: recording::STILL.into() };
            return Vec::new();
        }
        self.recording = Some(Recording::begin(persona, now));
        self.highlighted = persona;
        self.preset = None;
        self.over = None;
        self.playing = Some(persona);
        self.legion_is_on |= self.entries[persona].runs == Runs::Legion;
        let choose = Effect::Choose { persona, reason };
        self.state = match self.entries[persona].runs {
            Runs::Host => State::Console,
            // The code that starts it always reports the result.
            Runs::Unit => State::Starting(Phase::Starting),
            Runs::Legion => State::Chosen { deadline: now + START_TIMEOUT },
        };
        if self.is_on_console() { vec![choose, Effect::LeaveToConsole] } else { vec![choose] }
    }

    fn legion(&mut self, phase: Phase, persona: Option<usize>, why: Option<String>, now: Duration) -> Vec<Effect> {
        let was_on_console = self.is_on_console();
        let persona = persona.filter(|&persona| persona < self.entries.len());
        let is_unit = persona.is_some_and(|persona| self.entries[persona].runs == Runs::Unit);
        if persona.is_none_or(|persona| self.entries[persona].runs == Runs::Legion) {
            self.legion_is_on = !matches!(phase, Phase::Ended | Phase::Failed);
        }
        // Events of a unit that is not the current choice are ignored.
        if is_unit && self.playing.is_some() && self.playing != persona {
            return Vec::new();
        }
        self.playing = persona.or(self.playing);
        let on_poweroff = persona.map_or(OnPoweroff::Menu, |persona| self.entries[persona].on_poweroff);
        if let Some(persona) = persona {
            self.highlighted = persona;
        }
        match phase {
            // A user who went to the console while legion runs stays there.
            Phase::Preparing | Phase::Inserting | Phase::Starting | Phase::Running | Phase::Stopping if was_on_console => {
                return Vec::new();
            }
            Phase::Preparing | Phase::Inserting | Phase::Starting => self.state = State::Starting(phase),
            Phase::Running => self.state = State::Running { lit_at: now },
            // legion still releases its devices: it cannot be chosen yet.
            Phase::Stopping => return Vec::new(),
            Phase::Ended if on_poweroff == OnPoweroff::Host => self.state = State::Console,
            Phase::Ended => self.state = State::Waiting,
            Phase::Failed => self.state = State::Failed { why: why.unwrap_or_else(|| "it gave no reason".into()) },
        }
        // A PIN is asked only for a persona that can be picked; the power menu works at any time.
        if self.is_on_console() || matches!(self.over, Some(Over::Pin(_))) {
            self.over = None;
        }
        match (was_on_console, self.is_on_console()) {
            (true, false) => vec![Effect::TakeScreen],
            (false, true) => vec![Effect::LeaveToConsole],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
