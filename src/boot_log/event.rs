//! What Persona logs of a boot for people and for `persona log`: one entry for each decision and phase.

use crate::state::operation::Operation;
use crate::state::{Phase, Reason};
use log::Level;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that makes this boot what it is. `Display` is the sentence for people; programs read the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogEvent {
    /// `reserved 4 devices in 12 ms`: before coldplug.
    Reserved {
        /// How many there are.
        devices: usize,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// `first frame after 812 ms on Virtual-1 1920x1080`: the menu is on a screen.
    FirstFrame {
        /// The age of the menu's process, in milliseconds.
        after_ms: u64,
        /// The outputs.
        outputs: String,
    },
    /// `choice: gondor (remote), by frodo from 192.0.2.7`.
    Choice {
        /// The persona's name.
        persona: String,
        /// Why it was chosen.
        reason: Reason,
        /// The caller, if it was made neither at the menu nor by the countdown.
        by: Option<String>,
    },
    /// `asked to stop gondor, by frodo from 192.0.2.7`.
    Asked {
        /// The operation.
        operation: Operation,
        /// The caller.
        by: String,
    },
    /// `interrupted: to switch gondor to mordor, by frodo from 192.0.2.7`: legion is off, and nothing starts it.
    Interrupted {
        /// The operation.
        operation: Operation,
        /// The caller.
        by: String,
    },
    /// `decision: no menu, ...`: anything else that makes this boot differ from others.
    Decision(String),
    /// `gondor: running`, `gondor: failed: the guest's kernel panicked`, `lab.service: ended`.
    Phase {
        /// legion's persona, or the unit that a persona starts.
        subject: String,
        /// The new phase.
        phase: Phase,
        /// The reason, if there is one.
        why: Option<String>,
    },
}

impl LogEvent {
    /// Logs it for people as a sentence, and for `persona log` as a field of the journal.
    pub fn log(&self, level: Level) {
        log::log!(level, event = self.to_json().as_str(); "{self}");
    }

    /// Logs it, informational.
    pub fn info(&self) {
        self.log(Level::Info);
    }

    /// The field's value.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the field's value; nothing if another version wrote it.
    pub(super) fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved { devices, took_ms } => write!(f, "reserved {devices} devices in {took_ms} ms"),
            Self::FirstFrame { after_ms, outputs } => write!(f, "first frame after {after_ms} ms on {outputs}"),
            Self::Choice { persona, reason, by: None } => write!(f, "choice: {persona} ({reason})"),
            Self::Choice { persona, reason, by: Some(by) } => write!(f, "choice: {persona} ({reason}), by {by}"),
            Self::Asked { operation, by } => write!(f, "asked to {operation}, by {by}"),
            Self::Interrupted { operation, by } => write!(f, "interrupted: {operation}, requested by {by}"),
            Self::Decision(words) => write!(f, "decision: {words}"),
            Self::Phase { subject, phase, why: None } => write!(f, "{subject}: {phase}"),
            Self::Phase { subject, phase, why: Some(why) } => write!(f, "{subject}: {phase}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_is_read_as_it_was_written() {
        let by = || "frodo from 192.0.2.7".to_owned();
        let phase = |phase, why: Option<&str>| LogEvent::Phase { subject: "gondor".into(), phase, why: why.map(str::to_owned) };
        for event in [
            LogEvent::Reserved { devices: 4, took_ms: 12 },
            LogEvent::FirstFrame { after_ms: 812, outputs: "DP-1, HDMI-A-1".into() },
            LogEvent::Choice { persona: "mordor".into(), reason: Reason::Picked, by: None },
            LogEvent::Asked { operation: Operation::Stop { from: "gondor".into() }, by: by() },
            LogEvent::Interrupted { operation: Operation::Switch { from: "gondor".into(), to: "mordor".into() }, by: by() },
            LogEvent::Decision("no \"menu\"".into()),
            phase(Phase::Running, None),
            phase(Phase::Failed, Some("QEMU died\n  hint: look")),
        ] {
            assert_eq!(LogEvent::parse(&event.to_json()).as_ref(), Some(&event));
            assert!(!event.to_json().contains('\n'), "one line: {event:?}");
        }
        for other in ["", "{}", "gondor: running", r#"{"reserved":{"devices":"many"}}"#] {
            assert_eq!(LogEvent::parse(other), None, "{other}");
        }
    }
}
