//! Determines the guest's life cycle from libvirt's output.

use super::virsh::Answer;
use crate::config::ladder::Rung;
use crate::legion::ending::Ending;

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Whether the guest has run.
    pub(super) ran: bool,
    /// Why libvirt did not start the domain: its message.
    refused: Option<String>,
    /// Whether the guest reported that its kernel panicked.
    panicked: bool,
    /// Whether QEMU was told to quit, by libvirt or by a signal.
    told_to_quit: bool,
    /// Why the domain is off, if it is: libvirt's term.
    off: Option<String>,
}

/// What an answer says about the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    On,
    Off,
    Unknown,
}

impl Watch {
    /// Parses a line of `virsh event`, and returns whether it was an event. Its format is
    /// `event 'lifecycle' for domain 'legion': Stopped Destroyed`.
    pub(super) fn event(&mut self, line: &str) -> bool {
        let Some((_, event)) = line.trim().strip_prefix("event 'lifecycle' for domain ").and_then(|line| line.split_once(": ")) else {
            return false;
        };
        let (event, detail) = event.split_once(' ').unwrap_or((event, ""));
        match (event, detail) {
            ("Crashed", "Panicked") => self.panicked = true,
            // Restarted, as the domain's `on_crash` may request.
            ("Started" | "Resumed", _) => self.panicked = false,
            ("Shutdown", "Finished after host request") => self.told_to_quit = true,
            ("Stopped", why) => self.off = Some(why.to_ascii_lowercase()),
            _ => {}
        }
        true
    }

    /// Processes the answer to `virsh start`.
    pub(super) fn started(&mut self, answer: &Answer) {
        if answer.done {
            self.ran = true;
        } else {
            self.refused = Some(answer.words.clone());
        }
    }

    /// Whether the domain was started by another process before we could: we must not stop it.
    pub(super) fn was_forestalled(&self) -> bool {
        self.refused.as_ref().is_some_and(|words| words.contains("already active"))
    }

    /// Processes the answer to `virsh domstate --reason`, such as `shut off (destroyed)`.
    pub(super) fn state(&mut self, answer: &Answer) -> Life {
        if answer.is_no_domain() {
            self.off.get_or_insert_with(|| "undefined".to_owned());
            return Life::Off;
        }
        if !answer.done {
            return Life::Unknown;
        }
        if let Some(reason) = answer.said.strip_prefix("shut off") {
            self.off.get_or_insert_with(|| reason.trim_matches(|letter: char| " ()".contains(letter)).to_owned());
            return Life::Off;
        }
        // It runs, so it was started, whatever happened in between.
        self.ran |= self.refused.take().is_some();
        Life::On
    }

    /// Why it ended, if it did; `stop` is the last rung taken to stop it.
    pub(super) fn ending(&self, stop: Option<Rung>) -> Option<Ending> {
        let off = self.off.as_deref()?;
        Some(match (off, stop, &self.refused) {
            _ if self.panicked => Ending::GuestPanic,
            // libvirt's last resort, when QEMU does not end by itself.
            ("destroyed", Some(Rung::Quit | Rung::Kill), _) if !self.told_to_quit => Ending::Killed,
            ("destroyed", Some(Rung::Kill), _) => Ending::Stopped(Rung::Quit),
            ("shutdown" | "destroyed", Some(rung), _) => Ending::Stopped(rung),
            (_, Some(rung), _) if !self.ran => Ending::Stopped(rung),
            (_, None, Some(words)) => Ending::NotStarted(words.clone()),
            ("shutdown", None, None) if !self.told_to_quit => Ending::GuestPoweroff,
            ("shutdown" | "destroyed", None, None) => Ending::Quit,
            ("failed", ..) => Ending::Domain("QEMU ended unexpectedly while the guest ran".into()),
            // In an event it would be a panic; as an answer to a query, it means either.
            ("crashed", ..) => Ending::Domain("QEMU ended unexpectedly while the guest ran, or the guest's kernel panicked".into()),
            ("saved", ..) => Ending::Domain("the guest's state was saved and it was switched off".into()),
            ("migrated", ..) => Ending::Domain("the guest was migrated to another machine".into()),
            (word, ..) => Ending::Domain(format!("the domain is off, and libvirt reports only: {word}")),
        })
    }
}

#[cfg(test)]
mod tests;
