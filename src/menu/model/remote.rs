//! What a client of the control socket can do and see.

use super::{Effect, Menu, Remote, RemoteRefusal, Runs, State};
use crate::config::value::Timeout;
use crate::menu::model::overlay::Over;
use crate::state::{Phase, Reason};
use std::time::Duration;

impl Menu {
    /// Does what a client asks. Clients run as root on the host, so no PIN is asked for.
    ///
    /// # Errors
    /// When it cannot be done now; nothing has changed then.
    pub fn remote(&mut self, remote: Remote, now: Duration) -> Result<Vec<Effect>, RemoteRefusal> {
        match remote {
            Remote::Choose(persona) => self.choose_remotely(persona, now),
            Remote::Hold => self.hold_remotely().map(|()| Vec::new()),
            Remote::MoveTo(persona) => self.move_remotely(persona, now).map(|()| Vec::new()),
            Remote::MoveBy(steps) => {
                let steps = isize::try_from(steps).unwrap_or(0);
                self.move_remotely(self.highlighted.saturating_add_signed(steps), now).map(|()| Vec::new())
            }
            Remote::Console if self.is_on_console() => Ok(Vec::new()),
            Remote::Console => {
                self.over = None;
                self.state = State::Console;
                Ok(vec![Effect::LeaveToConsole])
            }
        }
    }

    fn choose_remotely(&mut self, persona: usize, now: Duration) -> Result<Vec<Effect>, RemoteRefusal> {
        let is_free = match self.state {
            _ if self.is_recording() => false,
            State::AwaitingScreen | State::CountingDown { .. } | State::Waiting | State::Failed { .. } => true,
            State::Console => !self.legion_is_on,
            // A unit may keep running when something else is chosen.
            State::Running { .. } => self.playing.is_some_and(|playing| self.entries[playing].runs == Runs::Unit),
            State::Chosen { .. } | State::Starting(_) => false,
        };
        if !is_free {
            return Err(RemoteRefusal::Busy(self.playing));
        }
        if self.entries.get(persona).is_none_or(|entry| entry.refused) {
            return Err(RemoteRefusal::Refused);
        }
        let was_on_console = self.is_on_console();
        let mut effects = self.choose(persona, Reason::Remote, now);
        if was_on_console {
            // The console keeps the screen, as with every other change of legion.
            self.state = State::Console;
            effects.retain(|effect| *effect != Effect::LeaveToConsole);
        }
        Ok(effects)
    }

    fn hold_remotely(&mut self) -> Result<(), RemoteRefusal> {
        match self.state {
            State::CountingDown { .. } => self.state = State::Waiting,
            // The host may have an override, or another timeout.
            State::AwaitingScreen | State::Waiting if !self.settled => {}
            State::AwaitingScreen if self.preset.is_some() || self.timeout != Timeout::Never => {
                self.preset = None;
                self.timeout = Timeout::Never;
            }
            _ => return Err(RemoteRefusal::NoCountdown),
        }
        self.held = true;
        Ok(())
    }

    fn move_remotely(&mut self, to: usize, now: Duration) -> Result<(), RemoteRefusal> {
        if matches!(self.over, Some(Over::Pin(_))) {
            return Err(RemoteRefusal::PinIsEntered);
        }
        match &self.state {
            State::AwaitingScreen | State::Waiting => {}
            State::CountingDown { .. } => self.give_more_time(now),
            State::Failed { .. } => self.state = State::Waiting,
            _ => return Err(RemoteRefusal::NoShelf),
        }
        self.highlighted = to.min(self.entries.len().saturating_sub(1));
        Ok(())
    }

    /// The stage, as a word of the control socket's protocol.
    pub fn stage_word(&self) -> &'static str {
        match self.state {
            State::AwaitingScreen => "awaiting-screen",
            State::CountingDown { .. } => "countdown",
            State::Waiting => "waiting",
            State::Chosen { .. } => "chosen",
            State::Starting(_) => "starting",
            State::Running { .. } => "running",
            State::Failed { .. } => "failed",
            State::Console => "console",
        }
    }

    /// What is left of the countdown at `now`, and how long it is, while one runs.
    pub fn countdown(&self, now: Duration) -> Option<(Duration, Duration)> {
        match self.state {
            State::CountingDown { ends_at, total } => Some((ends_at.saturating_sub(now), total)),
            _ => None,
        }
    }

    /// The phase of a start.
    pub fn phase(&self) -> Option<Phase> {
        match self.state {
            State::Starting(phase) => Some(phase),
            _ => None,
        }
    }

    /// Why what was chosen does not run.
    pub fn why_failed(&self) -> Option<&str> {
        match &self.state {
            State::Failed { why } => Some(why),
            _ => None,
        }
    }

    /// Index of the persona that was last chosen here, or reported.
    pub fn playing(&self) -> Option<usize> {
        self.playing
    }

    /// The overlay, as a word of the protocol.
    pub fn over_word(&self) -> Option<&'static str> {
        self.over.as_ref().map(|over| match over {
            Over::Help => "help",
            Over::Power { .. } => "power",
            Over::Pin(_) => "pin",
        })
    }
}
