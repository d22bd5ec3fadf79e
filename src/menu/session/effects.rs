//! Executes the effects of the state machine; slow ones in threads.

use super::{Session, Subject};
use crate::boot_log;
use crate::config::Starts;
use crate::error::{Error, Result};
use crate::legion;
use crate::menu::input::Inputs;
use crate::menu::model::{Effect, Event, Menu};
use crate::menu::session::launch::{self, Launch};
use crate::menu::session::sources::{Report, Reporter, Sources};
use crate::menu::session::unit;
use crate::state::{Choice, Phase, PinTries, Reason, or_absent, ran_well};
use crate::sys::paths::Paths;
use persona_paint::Words;
use std::time::{Duration, SystemTime};

impl Session {
    pub(super) fn dispatch(&mut self, event: Event, sources: &Sources) {
        let now = self.now();
        self.unit_runs_well(&event, sources);
        let Subject::Personas { menu, .. } = &mut self.subject else { return };
        let effects = menu.handle(event, now);
        self.perform(effects, sources);
    }

    pub(super) fn perform(&mut self, effects: Vec<Effect>, sources: &Sources) {
        for effect in effects {
            match effect {
                Effect::Choose { persona, reason } => self.choose(persona, reason, sources),
                Effect::CheckPin { persona, digits } => self.check_pin(persona, digits, sources),
                Effect::LookAgain => self.look_again(Duration::ZERO),
                Effect::LeaveToConsole => {
                    self.display.close();
                    self.inputs = Inputs::default();
                    self.reads_inputs = false;
                }
                Effect::TakeScreen => self.take_screen(),
                Effect::Restart => self.request_shutdown(launch::restart, self.words().restarts, sources),
                Effect::PowerOff => self.request_shutdown(launch::power_off, self.words().powers_off, sources),
            }
        }
    }

    fn request_shutdown(&mut self, ask: fn() -> Result<()>, words: &str, sources: &Sources) {
        boot_log::LogEvent::Decision(format!("{words}, as requested at the menu")).info();
        self.set_status_line(words);
        let asked = sources.beside(move |reporter| {
            if let Err(error) = ask() {
                reporter.report(Report::Trouble(error.to_string().replace('\n', "; ")));
            }
        });
        if let Err(error) = asked {
            self.set_status_line(&error.to_string());
        }
    }

    /// The words of the menu's language.
    pub(super) fn words(&self) -> &'static Words {
        self.facts.language.words()
    }

    /// Shows a text in the status line until a key is pressed.
    pub(super) fn set_status_line(&mut self, words: &str) {
        self.remark = Some(words.to_owned());
    }

    pub(super) fn take_screen(&mut self) {
        self.display.rescan();
        self.rescan_inputs();
    }

    /// Records the choice and starts what it starts, in a thread; [`Self::recorded`] gets the result.
    fn choose(&mut self, index: usize, reason: Reason, sources: &Sources) {
        self.let_go();
        let by = self.control.asking.clone();
        let Subject::Personas { settings, .. } = &self.subject else { return };
        let persona = settings.personas[index].clone();
        if matches!(reason, Reason::Picked | Reason::Remote) {
            self.facts.opening = None;
        }
        // In the initramfs nothing can be started yet. Process 1 may leave the initramfs at the same time, and a file written there would
        // be left behind.
        let starts = self.transition.is_over();
        if !starts {
            self.chosen_early = Some(Choice { persona: persona.name.clone(), reason, pin_asked: false });
        }
        let (paths, work) = (self.paths.clone(), self.work.clone());
        sources.record(move |reporter| {
            let recorded = work.record(&paths, &persona, reason, by);
            let launch = recorded.and_then(|choice| if starts { work.account(&paths, &persona, &choice) } else { Ok(None) });
            launch_of(launch, index, &paths, reporter, Report::Recorded);
        });
    }

    /// The last choice was recorded, or could not be.
    pub(super) fn recorded(&mut self, recorded: Result<()>, sources: &Sources) {
        match &recorded {
            // The same end twice in a row is reported twice: its record was removed in between.
            Ok(()) => self.legion = None,
            Err(error) => {
                log::error!("{error}");
                self.chosen_early = None;
            }
        }
        self.hear_of_choice();
        let failed = recorded.err().map(|error| error.to_string());
        self.dispatch(Event::Recorded { failed: failed.clone() }, sources);
        self.answer_chosen(failed.as_deref());
        self.hear_of_legion(sources);
    }

    /// Reports once that recording a choice takes long.
    pub(super) fn tell_of_overdue(&mut self) {
        let is_overdue = self.menu().is_some_and(Menu::is_recording_overdue);
        if is_overdue && !std::mem::replace(&mut self.told_of_overdue, is_overdue) {
            log::warn!("the choice is not recorded yet: the disk is slow, or another process holds a lock in /var/lib/persona");
            self.answer_chosen(Some(
                "the choice is not recorded yet: the disk is slow, or another process holds a lock. The persona starts once it is recorded",
            ));
        }
        self.told_of_overdue = is_overdue;
    }

    /// Starts what was chosen before the host could start it.
    pub(super) fn start_earlier_choice(&self, sources: &Sources) {
        let Subject::Personas { settings, .. } = &self.subject else { return };
        let (paths, work, personas) = (self.paths.clone(), self.work.clone(), settings.personas.clone());
        sources.record(move |reporter| {
            let Some(choice) = or_absent(Choice::read(&paths)) else { return };
            let Some(index) = personas.iter().position(|persona| persona.name == choice.persona) else { return };
            let launch = work.account(&paths, &personas[index], &choice);
            launch_of(launch, index, &paths, reporter, |started| match started {
                Ok(()) => Report::Event(Event::Tick),
                Err(error) => {
                    log::error!("{error}");
                    Report::Trouble(error.to_string())
                }
            });
        });
    }

    /// legion reports that it runs well. It is not root, so the report counts only for the persona that root has launched.
    pub(super) fn legion_runs_well(&self, sources: &Sources) {
        match legion::Launch::last(&self.paths) {
            Ok(Some(launch)) => self.remember(launch.persona, sources),
            Ok(None) => {}
            Err(error) => log::warn!("{error}"),
        }
    }

    /// A unit runs well once systemd reports it as active, or its job as done.
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

    /// Stores which persona runs well, in a thread: a disk may be slow.
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
            sources.beside(move |reporter| unit::resume(&name, &|phase, why| reporter.report(Report::Event(news(persona, phase, why)))));
        if let Err(error) = resumed {
            log::error!("looking after the persona's unit: {error}");
        }
    }

    /// Reads, in a thread, how many wrong PINs were entered before: by an earlier menu, or in an earlier boot.
    pub(super) fn hear_of_earlier_tries(&self, sources: &Sources) {
        let Subject::Personas { settings, .. } = &self.subject else { return };
        if settings.personas.iter().all(|persona| persona.pin.is_none()) {
            return;
        }
        let (paths, host_is_there, started) = (self.paths.clone(), self.transition.is_over(), self.started);
        let read = sources.beside(move |reporter| {
            let now = SystemTime::now();
            let tries = PinTries::current(&paths, host_is_there, now).resumed(now, started.elapsed());
            reporter.report(Report::Event(Event::EarlierTries(tries)));
        });
        if let Err(error) = read {
            log::error!("reading how many wrong PINs were entered: {error}");
        }
    }

    /// Checks a PIN in a thread: the hash takes a tenth of a second or more, on purpose.
    fn check_pin(&mut self, persona: usize, digits: String, sources: &Sources) {
        let Subject::Personas { settings, .. } = &self.subject else { return };
        let Some(pin) = settings.personas.get(persona).and_then(|persona| persona.pin.clone()) else { return };
        let (paths, host_is_there) = (self.paths.clone(), self.transition.is_over());
        let checked = sources.beside(move |reporter| {
            // Before the check: a power cut must not undo a wrong one. The menu also counts by itself, if this fails.
            if let Err(error) = PinTries::count(&paths, host_is_there, SystemTime::now()) {
                log::warn!("a restart will forget that a PIN was tried: {error}");
            }
            let right = pin.verify(&digits);
            if !right {
                log::warn!("a wrong PIN was entered");
            } else if let Err(error) = PinTries::clear(&paths, host_is_there) {
                log::warn!("the earlier wrong PINs still count: {error}");
            }
            reporter.report(Report::Event(Event::PinChecked { right }));
        });
        if let Err(error) = checked {
            log::error!("checking a PIN: {error}");
            self.dispatch(Event::PinChecked { right: false }, sources);
        }
    }
}

/// Reports the result of recording a choice, then starts what it starts, in its own thread: a unit is followed until it ends.
fn launch_of(launch: Result<Option<Launch>>, index: usize, paths: &Paths, reporter: &Reporter, report: impl FnOnce(Result<()>) -> Report) {
    let launch = match launch {
        Ok(launch) => launch,
        Err(error) => return reporter.report(report(Err(error))),
    };
    reporter.report(report(Ok(())));
    let (Some(launch), is_live) = (launch, paths.is_live()) else { return };
    let started =
        reporter.beside(move |reporter| launch.start(is_live, &|phase, why| reporter.report(Report::Event(news(index, phase, why)))));
    if let Err(error) = started {
        let error = Error::caused_by("starting the persona", error);
        log::error!("{error}");
        reporter.report(Report::Event(news(index, Phase::Failed, Some(error.to_string()))));
    }
}

/// The new phase of a persona.
fn news(persona: usize, phase: Phase, why: Option<String>) -> Event {
    Event::Legion { phase, persona: Some(persona), why }
}
