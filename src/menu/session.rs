//! The menu's one event loop: waits for keys, devices, legion and the clock, tells the state machine, does what it
//! says, and shows the result.

use super::keyboards::Keyboards;
use super::monitors::Monitors;
use super::state::{Effect, Event, Menu};
use super::view::{Stage, View, view};
use crate::error::{Context, Result};
use crate::paths::Paths;
use crate::settings::{Settings, Starts};
use crate::state::{Choice, LegionState, MenuState, Override, Phase, Reason};
use crate::uevent::{Changes, Uevents};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long the menu waits for its card before the countdown runs without it: amdgpu takes 5 to 10 s to come up.
const SCREEN_DEADLINE: Duration = Duration::from_secs(15);

/// How often a card that another program holds is tried again: the kernel does not tell when it is let go.
const RETRY: Duration = Duration::from_secs(1);

/// What the menu is about.
pub enum Subject {
    /// The personas of these settings.
    Personas {
        /// The settings.
        settings: Box<Settings>,
        /// The state machine.
        menu: Menu,
        /// A line of warning.
        notice: Option<String>,
    },
    /// There are no settings to show: why, until a key is pressed.
    Broken {
        /// What is wrong and how to mend it.
        why: String,
    },
}

/// The running menu.
pub struct Session {
    paths: Paths,
    subject: Subject,
    host: String,
    monitors: Monitors,
    keyboards: Keyboards,
    started: Instant,
    waits_for_screen: bool,
    record: MenuState,
    recorded: Option<MenuState>,
    legion: Option<LegionState>,
    /// The systemctl that starts legion, until it has been waited for.
    starting: Option<Child>,
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    Continue,
    Quit,
}

impl Session {
    /// A menu that shows `subject` on `monitors`.
    pub fn new(paths: &Paths, subject: Subject, monitors: Monitors) -> Self {
        let host = std::fs::read_to_string(paths.hostname()).map(|name| name.trim().to_owned()).unwrap_or_default();
        let trouble = match &subject {
            Subject::Broken { why } => Some(why.clone()),
            Subject::Personas { .. } => None,
        };
        Self {
            paths: paths.clone(),
            subject,
            host,
            monitors,
            keyboards: Keyboards::default(),
            started: Instant::now(),
            waits_for_screen: true,
            record: MenuState { first_frame_ms: None, outputs: Vec::new(), keyboards: 0, trouble },
            recorded: None,
            legion: None,
            starting: None,
        }
    }

    /// Runs until it is told to stop (SIGTERM, SIGINT, SIGHUP) or, with broken settings, until a key is pressed. Screen,
    /// keyboards and console are given back on every way out.
    ///
    /// # Errors
    /// When the kernel denies what no menu can do without.
    pub fn run(mut self) -> Result<()> {
        let mut stop = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            stop.add(signal);
        }
        stop.thread_block().doing(|| "blocking signals".into())?;
        let signals =
            SignalFd::with_flags(&stop, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).doing(|| "listening for signals".into())?;
        let uevents = Uevents::subscribe().doing(|| "listening for the kernel's device events".into())?;
        let run_dir = self.paths.run_dir();
        std::fs::create_dir_all(&run_dir).doing(|| format!("making the folder {}", run_dir.display()))?;
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).doing(|| "watching legion".into())?;
        inotify.add_watch(&run_dir, AddWatchFlags::IN_MOVED_TO).doing(|| format!("watching {}", run_dir.display()))?;

        self.take_screen();
        self.hear_of_legion();
        // An override starts before anything is drawn or waited for.
        self.tell(Event::Tick);
        loop {
            self.refresh();
            let timeout = self.time_to_wait();
            let [signalled, device, legion, key] = {
                let mut fds = vec![
                    PollFd::new(signals.as_fd(), PollFlags::POLLIN),
                    PollFd::new(uevents.as_fd(), PollFlags::POLLIN),
                    PollFd::new(inotify.as_fd(), PollFlags::POLLIN),
                ];
                fds.extend(self.keyboards.fds().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
                match poll(&mut fds, timeout) {
                    Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                    Err(error) => return Err(error).doing(|| "waiting for events".into()),
                }
                let ready = |fd: &PollFd<'_>| fd.any() == Some(true);
                [ready(&fds[0]), ready(&fds[1]), ready(&fds[2]), fds[3..].iter().any(ready)]
            };
            if signalled {
                log::info!("told to stop");
                return Ok(());
            }
            if device {
                self.devices_changed(uevents.changes());
            }
            if legion {
                while inotify.read_events().is_ok_and(|events| !events.is_empty()) {}
                self.hear_of_legion();
            }
            if key && self.keys_pressed() == Flow::Quit {
                return Ok(());
            }
            if self.monitors.were_refused() && !self.menu().is_some_and(Menu::is_on_console) {
                self.take_screen();
            }
            self.tell(Event::Tick);
        }
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

    /// How long until something is due although nothing happens: the menu's own deadline, the next second of the
    /// countdown, the end of waiting for a screen.
    fn time_to_wait(&self) -> PollTimeout {
        let now = self.now();
        let Some(menu) = self.menu() else {
            return if self.monitors.were_refused() { PollTimeout::try_from(RETRY).unwrap_or(PollTimeout::MAX) } else { PollTimeout::NONE };
        };
        let second = match menu.stage(now) {
            // The picture changes when the number of seconds, rounded up, does.
            Some(Stage::Countdown { remaining, .. }) if !self.waits_for_screen => {
                Some(now + Duration::from_nanos(u64::from((remaining.subsec_nanos()).max(1))))
            }
            _ => None,
        };
        let screen = self.waits_for_screen.then_some(SCREEN_DEADLINE);
        let retry = self.monitors.were_refused().then_some(now + RETRY);
        let due = [menu.deadline(), second, screen, retry].into_iter().flatten().min();
        // A millisecond more than due, so that waking up is never too early.
        due.map_or(PollTimeout::NONE, |due| {
            PollTimeout::try_from(due.saturating_sub(now) + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        })
    }

    /// Shows what there is to show, and settles whether there is a screen at all.
    fn refresh(&mut self) {
        let now = self.now();
        let view = match &self.subject {
            Subject::Broken { why } => Some(View::broken(&self.host, why.clone())),
            Subject::Personas { settings, menu, notice } => view(settings, menu, now, &self.host, notice.as_deref()),
        };
        let shown = view.is_some_and(|view| self.monitors.show(&view));
        if shown && self.record.first_frame_ms.is_none() {
            let age = process_age(&self.paths);
            log::info!("first frame after {} ms on {}", age.as_millis(), self.monitors.names().join(", "));
            self.record.first_frame_ms = Some(age.as_millis() as u64);
        }
        if self.waits_for_screen && (shown || !self.monitors.may_come() || now >= SCREEN_DEADLINE) {
            self.waits_for_screen = false;
            if !shown {
                log::warn!("there is no screen: the menu goes on without one");
            }
            self.rescan_keyboards();
            self.tell(if shown { Event::Shown } else { Event::NoScreen });
        }
        self.record.outputs = self.monitors.names();
        self.record.keyboards = self.keyboards.count();
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
            self.monitors.rescan();
        }
        if changes.input || changes.graphics {
            self.rescan_keyboards();
        }
    }

    /// Keyboards are the menu's only while it has a screen, or expects one: without, they type on the console.
    fn rescan_keyboards(&mut self) {
        if self.waits_for_screen || self.monitors.are_open() {
            self.keyboards.rescan(&self.paths);
        } else {
            self.keyboards = Keyboards::default();
        }
    }

    fn keys_pressed(&mut self) -> Flow {
        let keys = self.keyboards.pressed();
        if !keys.is_empty() && matches!(self.subject, Subject::Broken { .. }) {
            return Flow::Quit;
        }
        for key in keys {
            self.tell(Event::Key(key));
        }
        Flow::Continue
    }

    /// Reads what legion is doing, and tells the menu if that is news.
    fn hear_of_legion(&mut self) {
        if self.starting.as_mut().is_some_and(|systemctl| !matches!(systemctl.try_wait(), Ok(None))) {
            self.starting = None;
        }
        let state = match LegionState::read(&self.paths) {
            Ok(state) => state,
            Err(error) => return log::warn!("{error}"),
        };
        if state == self.legion {
            return;
        }
        self.legion = state.clone();
        let (Some(state), Subject::Personas { settings, .. }) = (state, &self.subject) else { return };
        let persona = settings.personas.iter().position(|persona| persona.name == state.persona);
        self.tell(Event::Legion { phase: state.phase, persona, why: state.why });
    }

    fn tell(&mut self, event: Event) {
        let now = self.now();
        let Subject::Personas { menu, .. } = &mut self.subject else { return };
        for effect in menu.handle(event, now) {
            match effect {
                Effect::Choose { persona, reason } => {
                    if let Err(error) = self.choose(persona, reason) {
                        log::error!("{error}");
                        self.tell(Event::Legion { phase: Phase::Failed, persona: Some(persona), why: Some(error.to_string()) });
                    }
                }
                Effect::LeaveToConsole => {
                    self.keyboards = Keyboards::default();
                    self.monitors.close();
                }
                Effect::TakeScreen => self.take_screen(),
            }
        }
    }

    fn take_screen(&mut self) {
        self.monitors.rescan();
        self.rescan_keyboards();
    }

    fn choose(&mut self, persona: usize, reason: Reason) -> Result<()> {
        let Subject::Personas { settings, .. } = &self.subject else { return Ok(()) };
        let chosen = &settings.personas[persona];
        log::info!("choice: {} ({reason})", chosen.name);
        // The same end twice in a row must be news twice.
        LegionState::forget(&self.paths)?;
        self.legion = None;
        let choice = Choice { persona: chosen.name.clone(), reason };
        choice.write(&self.paths)?;
        match &chosen.starts {
            // legion.path has seen the choice, unless legion.service was still on its way out: then this waits for it. Its
            // answer is not waited for: early in a boot systemd may be slow, and the screen is to say what starts.
            Starts::Legion(_) => {
                self.starting =
                    start_command("legion.service").spawn().inspect_err(|error| log::warn!("starting legion.service: {error}")).ok();
                Ok(())
            }
            Starts::Host => Override::use_up(&self.paths, &choice),
            Starts::Unit(unit) => {
                Override::use_up(&self.paths, &choice)?;
                start_unit(unit)?;
                self.tell(Event::Legion { phase: Phase::Running, persona: Some(persona), why: None });
                Ok(())
            }
        }
    }
}

fn start_command(unit: &str) -> Command {
    let mut command = Command::new("systemctl");
    command.args(["start", "--no-block", "--", unit]);
    command
}

/// Asks systemd to start a unit, without waiting for it to be up.
fn start_unit(unit: &str) -> Result<()> {
    let output = start_command(unit).output().doing(|| format!("starting {unit}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(crate::error::Error::because(format!("starting {unit}"), said).mend(format!("see `systemctl status {unit}`")))
}

/// How long ago this process was started (`proc_pid_stat(5)`, field 22, in ticks of 10 ms since boot).
fn process_age(paths: &Paths) -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let since_boot = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    let stat = std::fs::read_to_string(paths.at("/proc/self/stat")).unwrap_or_default();
    // The second field is the command in parentheses and may hold anything; field 3 comes after the last parenthesis.
    let ticks = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(19)?.parse::<u32>().ok());
    ticks.map_or(Duration::ZERO, |ticks| since_boot.saturating_sub(TICK * ticks))
}
