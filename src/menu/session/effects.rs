//! What the state machine says is done; what takes its time, beside the loop.

use super::{Session, Subject};
use crate::error::{Context, Result};
use crate::legion::Launch;
use crate::menu::input::Inputs;
use crate::menu::launch;
use crate::menu::sources::{Report, Sources};
use crate::menu::state::{Effect, Event};
use crate::menu::unit;
use crate::settings::Starts;
use crate::state::{Choice, Phase, Reason, ran_well};
use crate::story;
use std::time::Duration;

impl Session {
    pub(super) fn tell(&mut self, event: Event, sources: &Sources) {
        let now = self.now();
        self.unit_runs_well(&event, sources);
        let Subject::Personas { menu, .. } = &mut self.subject else { return };
        let effects = menu.handle(event, now);
        self.perform(effects, sources);
    }

    pub(super) fn perform(&mut self, effects: Vec<Effect>, sources: &Sources) {
        for effect in effects {
            match effect {
                Effect::Choose { persona, reason } => {
                    if let Err(error) = self.choose(persona, reason, sources) {
                        log::error!("{error}");
                        self.tell(news(persona, Phase::Failed, Some(error.to_string())), sources);
                    }
                }
                Effect::CheckPin { persona, digits } => self.check_pin(persona, digits, sources),
                Effect::LookAgain => self.look_again(Duration::ZERO),
                Effect::LeaveToConsole => {
                    self.display.close();
                    self.inputs = Inputs::default();
                    self.reads_inputs = false;
                }
                Effect::TakeScreen => self.take_screen(),
                Effect::Restart => self.end_the_day(launch::restart, "The machine restarts", sources),
                Effect::PowerOff => self.end_the_day(launch::power_off, "The machine switches itself off", sources),
            }
        }
    }

    fn end_the_day(&mut self, ask: fn() -> Result<()>, words: &str, sources: &Sources) {
        log::info!("{}", story::Event::Decision(format!("{words}, as somebody at the menu asked")));
        self.say(words);
        let asked = sources.beside(move |reporter| {
            if let Err(error) = ask() {
                reporter.tell(Report::Trouble(error.to_string().replace('\n', "; ")));
            }
        });
        if let Err(error) = asked {
            self.say(&error.to_string());
        }
    }

    /// Says something in the status line, until a key is pressed.
    pub(super) fn say(&mut self, words: &str) {
        self.remark = Some(words.to_owned());
    }

    pub(super) fn take_screen(&mut self) {
        self.display.rescan();
        self.rescan_inputs();
    }

    fn choose(&mut self, persona: usize, reason: Reason, sources: &Sources) -> Result<()> {
        self.let_go();
        let by = self.control.asking.clone();
        let Subject::Personas { settings, .. } = &self.subject else { return Ok(()) };
        self.legion = None;
        if matches!(reason, Reason::Picked | Reason::Remote) {
            self.facts.opening = None;
        }
        let mut choice = launch::choose(&self.paths, &settings.personas[persona], reason, by.clone())?;
        // Process 1 may have left the initramfs meanwhile, and what was written stayed behind.
        if self.arrival.follow() {
            choice = launch::choose(&self.paths, &settings.personas[persona], reason, by)?;
        }
        if !self.arrival.is_over() {
            self.chosen_early = Some(choice.clone());
        }
        // There is nothing to start yet where the menu may still be.
        if self.arrival.is_over() { self.start_choice(persona, &choice, sources) } else { Ok(()) }
    }

    /// Starts what was chosen before the host could.
    pub(super) fn start_earlier_choice(&self, sources: &Sources) -> Result<()> {
        let Subject::Personas { settings, .. } = &self.subject else { return Ok(()) };
        let Some(choice) = Choice::read(&self.paths)? else { return Ok(()) };
        let chosen = settings.personas.iter().position(|persona| persona.name == choice.persona);
        chosen.map_or(Ok(()), |persona| self.start_choice(persona, &choice, sources))
    }

    fn start_choice(&self, persona: usize, choice: &Choice, sources: &Sources) -> Result<()> {
        let Subject::Personas { settings, .. } = &self.subject else { return Ok(()) };
        let Some(launch) = launch::of(&self.paths, &settings.personas[persona], choice)? else { return Ok(()) };
        let started = sources.beside(move |reporter| launch.start(&|phase, why| reporter.tell(Report::Event(news(persona, phase, why)))));
        started.doing(|| "starting the persona".into())
    }

    /// legion tells that it runs well. It is not root, so it counts for nobody but the persona that root has launched.
    pub(super) fn legion_runs_well(&self, sources: &Sources) {
        match Launch::last(&self.paths) {
            Ok(Some(launch)) => self.remember(launch.persona, sources),
            Ok(None) => {}
            Err(error) => log::warn!("{error}"),
        }
    }

    /// A unit runs well once systemd says that it is up, or that it has done its job.
    fn unit_runs_well(&self, event: &Event, sources: &Sources) {
        let (Event::Legion { phase: Phase::Running | Phase::Ended, persona: Some(persona), .. }, Subject::Personas { settings, .. }) =
            (event, &self.subject)
        else {
            return;
        };
        if let Some(persona) = settings.personas.get(*persona).filter(|persona| matches!(persona.starts, Starts::Unit(_))) {
            self.remember(persona.name.clone(), sources);
        }
    }

    /// Remembers a persona that runs well, beside the loop: a disk may be slow.
    fn remember(&self, persona: String, sources: &Sources) {
        let paths = self.paths.clone();
        let remembered = sources.beside(move |_| {
            if let Err(error) = ran_well(&paths, &persona) {
                log::warn!("{error}");
            }
        });
        if let Err(error) = remembered {
            log::warn!("remembering that a persona runs well: {error}");
        }
    }

    /// At the start: what was chosen in this boot may be a unit that runs.
    pub(super) fn resume_unit(&mut self, sources: &Sources) {
        let Subject::Personas { settings, .. } = &self.subject else { return };
        let Some(choice) = Choice::read(&self.paths).ok().flatten() else { return };
        let Some(persona) = settings.personas.iter().position(|persona| persona.name == choice.persona) else { return };
        let Starts::Unit(name) = settings.personas[persona].starts.clone() else { return };
        let resumed =
            sources.beside(move |reporter| unit::resume(&name, &|phase, why| reporter.tell(Report::Event(news(persona, phase, why)))));
        if let Err(error) = resumed {
            log::error!("looking after the persona's unit: {error}");
        }
    }

    /// Checks a PIN beside the loop: that takes a tenth of a second and more, on purpose.
    fn check_pin(&mut self, persona: usize, digits: String, sources: &Sources) {
        let Subject::Personas { settings, .. } = &self.subject else { return };
        let Some(pin) = settings.personas.get(persona).and_then(|persona| persona.pin.clone()) else { return };
        let checked = sources.beside(move |reporter| {
            let right = pin.verify(&digits);
            if !right {
                log::warn!("a wrong PIN was entered");
            }
            reporter.tell(Report::Event(Event::PinChecked { right }));
        });
        if let Err(error) = checked {
            log::error!("checking a PIN: {error}");
            self.tell(Event::PinChecked { right: false }, sources);
        }
    }
}

/// What has become of a persona.
fn news(persona: usize, phase: Phase, why: Option<String>) -> Event {
    Event::Legion { phase, persona: Some(persona), why }
}
