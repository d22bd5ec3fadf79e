//! The menu with a simulated machine: the real state machine and settings, but a simulated launch and no effect of a choice.

use crate::config::{Settings, Starts};
use crate::menu::facts::Facts;
use crate::menu::model::motion::Motion;
use crate::menu::model::view::view;
use crate::menu::model::{Effect, Event, Key, Menu};
use crate::state::Phase;
use persona_paint::{Pose, View};
use std::time::Duration;

/// How long each part of a simulated launch takes; the last one lasts until a key is pressed.
const LAUNCH: [(Phase, Duration); 4] = [
    (Phase::Preparing, Duration::from_millis(1100)),
    (Phase::Inserting, Duration::from_millis(700)),
    (Phase::Starting, Duration::from_millis(1500)),
    (Phase::Running, Duration::MAX),
];

/// The menu and its simulated environment.
pub(super) struct Pretended {
    settings: Settings,
    menu: Menu,
    facts: Facts,
    motion: Motion,
    launch: Option<Launch>,
    /// A PIN to be checked after the menu has shown that it is being checked.
    pin: Option<(usize, String)>,
}

/// A simulated launch.
struct Launch {
    persona: usize,
    phase: usize,
    phase_ends: Duration,
}

/// Whether the preview continues.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    /// The machine would be off now.
    Quit,
}

impl Pretended {
    /// The menu, from its first frame on.
    pub(super) fn new(settings: Settings, mut menu: Menu, facts: Facts) -> Self {
        menu.handle(Event::Refused(facts.refused()), Duration::ZERO);
        menu.handle(Event::Shown, Duration::ZERO);
        let motion = Motion::new(settings.menu.motion);
        Self { settings, menu, facts, motion, launch: None, pin: None }
    }

    /// What to show; if the menu has given way to the console, that is shown as a message.
    pub(super) fn view(&mut self, now: Duration) -> View {
        let Some(mut view) = view(&self.settings, &self.menu, &self.facts, now) else {
            return View::broken(
                &self.facts.host,
                "This is where the host's console would be.\nIn this preview any key brings the menu back.".into(),
            );
        };
        self.motion.retarget(now, Pose { brightness: self.menu.light(now).brightness(), ..view.pose });
        view.pose = self.motion.pose(now);
        view
    }

    /// Whether the picture changes continuously.
    pub(super) fn is_moving(&self, now: Duration) -> bool {
        self.motion.is_moving(now)
    }

    /// When to call [`Self::tick`] although no key is pressed.
    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
        let launch = self.launch.as_ref().map(|launch| launch.phase_ends).filter(|end| *end < Duration::MAX);
        let pin = self.pin.as_ref().map(|_| now);
        [launch, pin, self.menu.deadline(), self.menu.next_change(now)].into_iter().flatten().min()
    }

    /// Advances the time.
    pub(super) fn tick(&mut self, now: Duration) -> Flow {
        if let Some((persona, digits)) = self.pin.take() {
            let pin = self.settings.personas.get(persona).and_then(|persona| persona.pin.as_ref());
            let right = pin.is_some_and(|pin| pin.verify(&digits));
            if self.dispatch(Event::PinChecked { right }, now) == Flow::Quit {
                return Flow::Quit;
            }
        }
        while let Some(launch) = self.launch.as_mut().filter(|launch| launch.phase_ends <= now) {
            launch.phase += 1;
            let (phase, takes) = LAUNCH[launch.phase];
            launch.phase_ends = launch.phase_ends.saturating_add(takes);
            let told = Event::Legion { phase, persona: Some(launch.persona), why: None };
            if self.dispatch(told, now) == Flow::Quit {
                return Flow::Quit;
            }
        }
        self.dispatch(Event::Tick, now)
    }

    /// Processes a key. While a persona runs, any key acts as the guest's poweroff.
    pub(super) fn key(&mut self, key: Key, now: Duration) -> Flow {
        if self.menu.is_on_console() {
            self.launch = None;
            return self.dispatch(Event::Legion { phase: Phase::Ended, persona: None, why: None }, now);
        }
        let runs = self.launch.as_ref().filter(|launch| launch.phase_ends == Duration::MAX).map(|launch| launch.persona);
        match runs {
            Some(persona) if self.menu.overlay(now).is_none() && !matches!(key, Key::Back | Key::Help) => {
                self.launch = None;
                self.dispatch(Event::Legion { phase: Phase::Ended, persona: Some(persona), why: None }, now)
            }
            _ => self.dispatch(Event::Key(key), now),
        }
    }

    fn dispatch(&mut self, event: Event, now: Duration) -> Flow {
        for effect in self.menu.handle(event, now) {
            match effect {
                Effect::Choose { persona, .. } => {
                    self.launch = self.begin(persona, now);
                    // Nothing is recorded, so there is nothing to wait for.
                    self.menu.handle(Event::Recorded { failed: None }, now);
                }
                Effect::CheckPin { persona, digits } => self.pin = Some((persona, digits)),
                Effect::Restart | Effect::PowerOff => return Flow::Quit,
                // Nothing changes here, and no device is taken.
                Effect::LookAgain | Effect::LeaveToConsole | Effect::TakeScreen => {}
            }
        }
        Flow::Continue
    }

    /// legion starts step by step, a unit at once, the host not at all.
    fn begin(&self, persona: usize, now: Duration) -> Option<Launch> {
        let phase = match self.settings.personas.get(persona)?.starts {
            Starts::Legion(_) => 0,
            Starts::Unit(_) => LAUNCH.len() - 2,
            Starts::Host => return None,
        };
        Some(Launch { persona, phase, phase_ends: now + LAUNCH[phase].1 })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use persona_paint::Stage;

    fn example() -> Pretended {
        let settings = Settings::parse(include_str!("../../../config/persona.toml"), "persona.toml").unwrap();
        let menu = Menu::new(&settings, "rivendale", None, settings.menu.timeout);
        Pretended::new(settings, menu, Facts::default())
    }

    /// Advances the time from one deadline to the next, until there is none or `until` is reached.
    fn pass(pretended: &mut Pretended, mut now: Duration, until: Duration) -> Duration {
        while let Some(due) = pretended.deadline(now).filter(|due| *due <= until) {
            now = due.max(now);
            assert_eq!(pretended.tick(now), Flow::Continue);
        }
        now
    }

    #[test]
    fn a_choice_is_launched_runs_and_ends_with_a_key() {
        let mut pretended = example();
        let now = Duration::from_secs(1);
        assert!(matches!(pretended.view(now).stage, Stage::Countdown { .. }));
        pretended.key(Key::Next, now);
        pretended.key(Key::Confirm, now);
        assert!(matches!(pretended.view(now).stage, Stage::Starting { .. }));
        let now = pass(&mut pretended, now, Duration::from_secs(8));
        assert!(matches!(pretended.view(now).stage, Stage::Running { .. }), "{:?}", pretended.view(now).stage);
        assert_eq!(pretended.view(now).highlighted, 1);
        pretended.key(Key::Other, now);
        assert_eq!(pretended.view(now).stage, Stage::Waiting);
    }

    #[test]
    fn the_host_is_a_message_and_any_key_leads_back() {
        let mut pretended = example();
        let now = Duration::from_secs(1);
        pretended.key(Key::Digit(4), now);
        pretended.key(Key::Confirm, now);
        assert!(matches!(pretended.view(now).stage, Stage::Broken { .. }));
        pretended.key(Key::Other, now);
        assert_eq!(pretended.view(now).stage, Stage::Waiting);
    }

    #[test]
    fn switching_the_machine_off_ends_the_preview() {
        let mut pretended = example();
        let now = Duration::from_secs(1);
        for key in [Key::Back, Key::Next, Key::Next] {
            assert_eq!(pretended.key(key, now), Flow::Continue);
        }
        assert_eq!(pretended.key(Key::Confirm, now), Flow::Quit);
    }
}
