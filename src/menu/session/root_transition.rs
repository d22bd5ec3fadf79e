//! How a menu that began in the initramfs moves to the host: it follows process 1 into the host's root file system, and
//! once all of the host's own file systems are mounted, it continues with the settings and the state in them.

use super::{Session, Subject};
use crate::boot_log;
use crate::error::{Error, Result};
use crate::menu::data::MenuData;
use crate::menu::facts::Facts;
use crate::menu::model::{Event, Menu};
use crate::menu::session::beep::Beeper;
use crate::menu::session::sources::{Report, Sources};
use crate::sys::paths::Paths;
use crate::sys::root::{Place, Root, is_initramfs};
use std::time::{Duration, Instant};

/// Poll interval while process 1 moves, which takes milliseconds.
const MOVING: Duration = Duration::from_millis(20);

/// How long after its transition the menu waits for the report that all file systems are mounted (`persona-host.service`). A file system
/// check takes long, and systemd itself gives up after 90 s.
const ROOT_TIMEOUT: Duration = Duration::from_secs(180);

const NOT_TOLD: &str = "nothing starts automatically: persona-host.service did not report that the host's file systems are mounted";

/// How far the menu has moved.
#[derive(Debug)]
pub enum RootTransition {
    /// In the initramfs.
    InInitramfs {
        /// The way out.
        root: Root,
        /// Process 1 is moving.
        moves: bool,
        /// It was logged that process 1 cannot be followed.
        told: bool,
    },
    /// In the host's root file system; others may not be mounted yet.
    InRoot {
        /// When it arrived there.
        since: Instant,
    },
    /// All file systems are mounted.
    Over,
}

impl RootTransition {
    /// The state of a menu that is started now.
    ///
    /// # Errors
    /// When it is in the initramfs and sees no way out.
    pub fn begin(paths: &Paths) -> Result<Self> {
        if !paths.is_live() || !is_initramfs(paths) {
            return Ok(Self::Over);
        }
        Ok(Self::InInitramfs { root: Root::open()?, moves: false, told: false })
    }

    /// Whether process 1 was in the initramfs at the last check.
    pub fn is_in_initramfs(&self) -> bool {
        matches!(self, Self::InInitramfs { .. })
    }

    /// Whether the host's own settings and state can be read.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Checks whether process 1 has left the initramfs, and follows it; true if it has just done so.
    pub(super) fn follow(&mut self) -> bool {
        let Self::InInitramfs { root, moves, told } = self else { return false };
        match root.follow() {
            Ok(Place::Host) => {
                *self = Self::InRoot { since: Instant::now() };
                return true;
            }
            Ok(place) => *moves = place == Place::Between,
            // Tried again soon if process 1 is moving, and otherwise at the next change of mounts.
            Err(error) if !std::mem::replace(told, true) => log::error!("{error}"),
            Err(_) => {}
        }
        false
    }

    /// When to check again even without an event.
    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
        match self {
            Self::InInitramfs { moves: true, .. } => Some(now + MOVING),
            Self::InInitramfs { .. } | Self::Over => None,
            Self::InRoot { since } => Some(now + ROOT_TIMEOUT.saturating_sub(since.elapsed())),
        }
    }
}

impl Session {
    /// Checks how far the menu has moved, and does the next step.
    pub(super) fn arrive(&mut self, sources: &Sources) {
        if self.transition.follow() {
            log::info!("the menu is in the host's root file system");
            // Written before the host's `/run` was read again.
            self.recorded = None;
            self.choose_again(sources);
            self.display.transition(self.now());
            self.rescan_inputs();
            self.look_again(Duration::ZERO);
        }
        let RootTransition::InRoot { since } = self.transition else { return };
        let is_told = self.paths.host_is_there().exists();
        if self.settles.is_none() && (is_told || since.elapsed() >= ROOT_TIMEOUT) {
            self.settles = Some(is_told);
            self.read_contents(sources);
        }
    }

    /// Reads the host's own settings and state in a thread; [`Self::adopt_host_config`] gets the result.
    fn read_contents(&mut self, sources: &Sources) {
        let (paths, work) = (self.paths.clone(), self.work.clone());
        let read = sources.beside(move |reporter| reporter.report(Report::MenuData(Box::new(work.contents(&paths)))));
        if let Err(error) = read {
            self.adopt_host_config(Err(Error::caused_by("reading the settings of the host", error)), sources);
        }
    }

    /// Records again what was chosen after `/run` had moved but process 1 had not: it was written to a place that is not read any more.
    fn choose_again(&mut self, sources: &Sources) {
        let Some(choice) = self.chosen_early.take() else { return };
        let paths = self.paths.clone();
        // Runs after the current recording.
        sources.record(move |reporter| {
            if !paths.choice().exists()
                && let Err(error) = choice.write(&paths)
            {
                log::error!("{error}");
                reporter.report(Report::Trouble(error.to_string()));
            }
        });
    }

    /// Continues with the host's own settings and state. Without the report that all file systems are mounted, an override or the failed
    /// boots may be unreadable: then nothing starts by itself.
    pub(super) fn adopt_host_config(&mut self, contents: Result<MenuData>, sources: &Sources) {
        self.transition = RootTransition::Over;
        let was_chosen = self.paths.choice().exists() || self.menu().is_some_and(Menu::is_recording);
        let contents = contents.map(|contents| if self.settles == Some(true) { contents } else { contents.without_autostart(NOT_TOLD) });
        match contents {
            Ok(contents) => self.go_on_with(contents, sources),
            Err(error) => {
                log::error!("{error}");
                self.record.trouble = Some(error.to_string());
                if was_chosen {
                    self.set_status_line(&error.reason());
                } else {
                    self.facts = Facts::of_host(&self.paths);
                    self.subject = Subject::Broken { why: error.to_string() };
                }
            }
        }
        self.hear_of_earlier_tries(sources);
        if was_chosen {
            self.start_earlier_choice(sources);
        }
        self.hear_of_legion(sources);
    }

    fn go_on_with(&mut self, contents: MenuData, sources: &Sources) {
        let MenuData { settings, menu: opening, facts, displays, gallery } = contents;
        let now = self.now();
        self.record.trouble = None;
        self.motion.switch(settings.menu.motion);
        if self.beeper.is_some() != settings.menu.beep {
            self.beeper = settings.menu.beep.then(|| Beeper::new(&self.paths));
        }
        self.display.renew(displays, gallery, &settings.menu);
        self.facts = facts;
        match &mut self.subject {
            Subject::Personas { settings: before, menu } => {
                let stale = if **before == settings { "" } else { ": the settings in the initramfs are not those of the host" };
                boot_log::LogEvent::Decision(format!("the menu now uses the settings of the host{stale}")).info();
                let place = |name: &str| settings.personas.iter().position(|persona| persona.name == name);
                let places: Vec<Option<usize>> = before.personas.iter().map(|persona| place(&persona.name)).collect();
                let effects = menu.adopt_host_config(opening, &places, now);
                // A menu that was to start at once ignored its first picture.
                self.waits_for_screen |= menu.is_awaiting_screen();
                **before = settings;
                self.perform(effects, sources);
            }
            Subject::Broken { .. } => {
                self.subject = Subject::Personas { settings: Box::new(settings), menu: Box::new(opening) };
                // As after a start: the next picture is the first one of this menu.
                self.waits_for_screen = true;
            }
        }
        self.dispatch(Event::Refused(self.facts.refused()), sources);
    }
}
