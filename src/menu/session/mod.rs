//! The menu's event loop: waits for keys, devices, legion and the clock, passes events to the state machine, executes
//! its effects (`effects`), and shows the result. Clients use the control socket (`control`) and get the state
//! (`shown`).

mod age;
pub mod beep;
mod control;
mod display;
mod effects;
pub mod instance;
mod launch;
mod legion;
mod looking;
pub mod monitors;
mod root_transition;
mod shown;
mod slow;
mod sources;
mod unit;

use crate::boot_log;
use crate::config::Settings;
use crate::error::Result;
use crate::menu::facts::Facts;
use crate::menu::input::Inputs;
use crate::menu::model::motion::Motion;
use crate::menu::model::view::{View, view};
use crate::menu::model::{Event, Light, Menu};
use crate::menu::session::age::process_age;
use crate::menu::session::beep::Beeper;
use crate::menu::session::display::Display;
use crate::menu::session::monitors::Monitors;
use crate::menu::session::slow::{Live, SlowWork};
use crate::menu::session::sources::{Report, Sources};
use crate::state::{Choice, LegionState, MenuState};
use crate::sys::paths::Paths;
use crate::sys::systemd;
use crate::sys::uevent::Changes;
use control::Control;
use legion::IsWatched;
use nix::poll::PollTimeout;
use persona_paint::Pose;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Delay before the machine is inspected again: changes come in bursts.
const SETTLING: Duration = Duration::from_millis(500);

pub use root_transition::RootTransition;

/// What the menu shows.
pub enum Subject {
    /// The personas of these settings.
    Personas {
        /// The settings.
        settings: Box<Settings>,
        /// The state machine.
        menu: Box<Menu>,
    },
    /// There are no settings to show: why, until a key is pressed.
    Broken {
        /// What is wrong and how to fix it.
        why: String,
    },
}

/// The running menu.
pub struct Session {
    paths: Paths,
    /// Operations that may block, for the threads.
    work: Arc<dyn SlowWork>,
    subject: Subject,
    facts: Facts,
    /// When the machine is inspected again.
    facts_due: Option<Duration>,
    /// A thread inspects it. There is at most one: a second would block where the first does.
    gathers_facts: bool,
    /// The host's own settings and state are being read; whether the host reported that all of them are available.
    settles: Option<bool>,
    /// It was reported that recording the last choice takes long.
    told_of_overdue: bool,
    motion: Motion,
    display: Display,
    /// If the owner wants to hear the highlight move.
    beeper: Option<Beeper>,
    inputs: Inputs,
    /// Whether they are the menu's now.
    reads_inputs: bool,
    started: Instant,
    waits_for_screen: bool,
    record: MenuState,
    recorded: Option<MenuState>,
    legion: Option<LegionState>,
    legion_is_watched: IsWatched,
    transition: RootTransition,
    control: Control,
    /// What was chosen before the host could start it.
    chosen_early: Option<Choice>,
    /// What was done last, for the status line, until a key is pressed.
    remark: Option<String>,
}

/// Whether the loop continues.
#[derive(PartialEq, Eq)]
enum Flow {
    Continue,
    Quit,
}

impl Session {
    /// A menu that shows `subject`, and `facts` as they are now, on `monitors`; `transition` tells where it begins.
    pub fn new(paths: &Paths, subject: Subject, facts: Facts, monitors: Monitors, transition: RootTransition) -> Self {
        let (trouble, motion, beep) = match &subject {
            Subject::Broken { why } => (Some(why.clone()), false, false),
            Subject::Personas { settings, .. } => (None, settings.menu.motion, settings.menu.beep),
        };
        Self {
            paths: paths.clone(),
            work: Arc::new(Live),
            subject,
            facts,
            facts_due: None,
            gathers_facts: false,
            settles: None,
            told_of_overdue: false,
            motion: Motion::new(motion),
            display: Display::new(paths, monitors, transition.is_in_initramfs()),
            beeper: beep.then(|| Beeper::new(paths)),
            inputs: Inputs::default(),
            reads_inputs: false,
            started: Instant::now(),
            waits_for_screen: true,
            record: MenuState { first_frame_ms: None, outputs: Vec::new(), keyboards: 0, trouble },
            recorded: None,
            legion: None,
            legion_is_watched: IsWatched::default(),
            transition,
            control: Control::default(),
            chosen_early: None,
            remark: None,
        }
    }

    /// Runs until a signal stops it (SIGTERM, SIGINT, SIGHUP) or, with broken settings, until a key is pressed. Screen,
    /// keyboards and console are restored in every case.
    ///
    /// # Errors
    /// When the kernel refuses something that the menu requires.
    pub fn run(mut self) -> Result<()> {
        let mut sources = Sources::open(&self.paths)?;
        systemd::ready();
        self.begin(&sources);
        while self.turn(&mut sources)? == Flow::Continue {}
        Ok(())
    }

    fn begin(&mut self, sources: &Sources) {
        self.open_control();
        self.take_screen();
        self.hear_of_earlier_legion(sources);
        self.hear_of_earlier_tries(sources);
        if self.transition.is_over() {
            self.resume_unit(sources);
        }
        self.dispatch(Event::Refused(self.facts.refused()), sources);
        // An override starts before the first frame and the first wait.
        self.dispatch(Event::Tick, sources);
    }

    /// Shows the current view, waits for events, and handles them.
    fn turn(&mut self, sources: &mut Sources) -> Result<Flow> {
        self.refresh(sources);
        self.publish();
        let timeout = if self.has_more_to_prepare() { PollTimeout::ZERO } else { self.time_to_wait() };
        let inputs: Vec<BorrowedFd<'_>> = self.inputs.fds().chain(self.display.fds()).chain(self.control.fd()).collect();
        let woken = sources.wait(&self.paths, &inputs, timeout)?;
        drop(inputs);
        if woken.stop {
            log::info!("told to stop");
            return Ok(Flow::Quit);
        }
        self.arrive(sources);
        let now = self.now();
        self.beeper.iter_mut().for_each(|beeper| beeper.tick(now));
        self.devices_changed(woken.devices);
        if woken.legion {
            self.hear_of_choice();
            self.hear_of_legion(sources);
        }
        if woken.facts || woken.devices.machine || woken.devices.graphics {
            self.look_again(SETTLING);
        }
        for report in woken.reports {
            match report {
                Report::Event(event) => self.dispatch(event, sources),
                Report::Recorded(recorded) => self.recorded(recorded, sources),
                Report::Facts(facts) => self.facts_gathered(facts, sources),
                Report::MenuData(contents) => self.adopt_host_config(*contents, sources),
                Report::Trouble(why) => self.set_status_line(&why),
            }
        }
        if self.keys_pressed(sources) == Flow::Quit || self.serve(sources) == Flow::Quit {
            return Ok(Flow::Quit);
        }
        if !self.menu().is_some_and(Menu::is_on_console) {
            self.display.retry(now);
        }
        if self.facts_due.is_some_and(|due| due <= self.now()) {
            self.gather_facts(sources);
        }
        self.dispatch(Event::Tick, sources);
        self.tell_of_overdue();
        Ok(Flow::Continue)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn menu(&self) -> Option<&Menu> {
        match &self.subject {
            Subject::Personas { menu, .. } => Some(menu),
            Subject::Broken { .. } => None,
        }
    }

    /// How long until something is due even without an event.
    fn time_to_wait(&self) -> PollTimeout {
        let now = self.now();
        let menu = self.menu();
        let dues = [
            menu.and_then(Menu::deadline),
            menu.filter(|_| !self.waits_for_screen).and_then(|menu| menu.next_change(now)),
            self.display.deadline(now).filter(|_| !menu.is_some_and(Menu::is_on_console)),
            self.facts_due.filter(|_| !self.gathers_facts),
            self.transition.deadline(now).filter(|_| self.settles.is_none()),
            self.control.deadline().map(|wait| now + wait),
            self.beeper.as_ref().and_then(Beeper::deadline),
        ];
        // A millisecond more than due, so that waking up is never too early.
        dues.into_iter().flatten().min().map_or(PollTimeout::NONE, |due| {
            PollTimeout::try_from(due.saturating_sub(now) + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        })
    }

    /// Once there is a picture, idle time is used to draw what the first key may need.
    fn has_more_to_prepare(&mut self) -> bool {
        !self.waits_for_screen && !self.motion.is_moving(self.now()) && self.display.prepare()
    }

    /// What to show now; nothing while the console has the screen.
    fn view(&mut self, now: Duration) -> Option<View> {
        match &self.subject {
            Subject::Broken { why } => {
                let Facts { host, address, language, .. } = &self.facts;
                Some(View { address: address.clone(), language: *language, ..View::broken(host, why.clone()) })
            }
            Subject::Personas { settings, menu } => {
                let mut view = view(settings, menu, &self.facts, now)?;
                view.notice = self.remark.clone().or(view.notice);
                self.motion.retarget(now, Pose { brightness: menu.light(now).brightness(), ..view.pose });
                view.pose = self.motion.pose(now);
                Some(view)
            }
        }
    }

    /// Whether the screen is dark and stays so.
    fn is_dark(&self, now: Duration) -> bool {
        self.menu().is_some_and(|menu| menu.light(now) == Light::Dark) && !self.motion.is_moving(now)
    }

    /// Shows the current view, and decides whether there is a screen at all.
    fn refresh(&mut self, sources: &Sources) {
        let now = self.now();
        let shown = self.view(now).is_some_and(|view| {
            // A user at a serial line must see whether the choice can be recorded.
            let keeps_lines = self.menu().is_some_and(Menu::is_recording);
            self.display.show(&view, self.is_dark(now), keeps_lines, now)
        });
        if self.motion.is_moving(now) {
            self.display.wait_for_frame();
        }
        if shown && self.record.first_frame_ms.is_none() {
            let age = process_age(&self.paths);
            let after_ms = age.as_millis() as u64;
            boot_log::LogEvent::FirstFrame { after_ms, outputs: self.display.names().join(", ") }.info();
            self.record.first_frame_ms = Some(after_ms);
        }
        if self.menu().is_some_and(Menu::is_on_console) {
            self.waits_for_screen = false;
        }
        if self.waits_for_screen && (shown || !self.display.may_come(now)) {
            self.waits_for_screen = false;
            if !shown {
                log::warn!("there is no screen: the menu goes on without one");
            }
            self.dispatch(if shown { Event::Shown } else { Event::NoScreen }, sources);
        }
        if self.reads_inputs != self.wants_inputs() {
            self.rescan_inputs();
        }
        self.record.outputs = self.display.names();
        self.record.keyboards = self.inputs.count();
        if self.recorded.as_ref() != Some(&self.record) {
            if let Err(error) = self.record.write(&self.paths) {
                log::warn!("{error}");
            }
            self.recorded = Some(self.record.clone());
        }
    }

    fn devices_changed(&mut self, changes: Changes) {
        if self.menu().is_some_and(Menu::is_on_console) {
            return;
        }
        if changes.graphics {
            self.display.rescan();
        }
        if changes.input || changes.graphics {
            self.rescan_inputs();
        }
    }

    /// The menu grabs keyboards only while it is on a screen, or expects to be: otherwise they type on the console. In the initramfs a
    /// passphrase may have to be typed.
    fn wants_inputs(&self) -> bool {
        (self.waits_for_screen && !self.transition.is_in_initramfs()) || self.display.needs_keyboards()
    }

    fn rescan_inputs(&mut self) {
        self.reads_inputs = self.wants_inputs();
        if self.reads_inputs {
            self.inputs.rescan(&self.paths);
        } else {
            self.inputs = Inputs::default();
        }
    }

    fn keys_pressed(&mut self, sources: &Sources) -> Flow {
        let mut keys = self.inputs.pressed();
        let now = self.now();
        keys.extend(self.display.pressed(now));
        if !keys.is_empty() {
            self.remark = None;
            if matches!(self.subject, Subject::Broken { .. }) {
                return Flow::Quit;
            }
        }
        for key in keys {
            let before = self.menu().map(Menu::highlighted);
            self.dispatch(Event::Key(key), sources);
            let after = self.menu().map(Menu::highlighted).filter(|after| before != Some(*after));
            let now = self.now();
            self.beeper.iter_mut().zip(after).for_each(|(beeper, position)| beeper.step(position, now));
        }
        Flow::Continue
    }
}

#[cfg(test)]
mod tests;
