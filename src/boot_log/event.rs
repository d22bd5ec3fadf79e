//! The log lines that are both written and parsed: one for each decision, each with a fixed form.

use crate::config::document::Word;
use crate::state::operation::Operation;
use crate::state::{Phase, Reason};
use std::fmt;

/// The content of a log line, for people and for [`super::BootLog`]. `Display` writes it, [`Event::parse`] reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
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

impl Event {
    /// Parses a line; nothing if it is none of these.
    pub fn parse(line: &str) -> Option<Self> {
        let event = Self::read(line)?;
        // A line that only looks like an event was written by something else.
        (event.to_string() == line).then_some(event)
    }

    fn read(line: &str) -> Option<Self> {
        if let Some(rest) = line.strip_prefix("reserved ") {
            let (devices, rest) = rest.split_once(" devices in ")?;
            return Some(Self::Reserved { devices: devices.parse().ok()?, took_ms: rest.strip_suffix(" ms")?.parse().ok()? });
        }
        if let Some(rest) = line.strip_prefix("first frame after ") {
            let (after, outputs) = rest.split_once(" ms on ")?;
            return Some(Self::FirstFrame { after_ms: after.parse().ok()?, outputs: outputs.to_owned() });
        }
        if let Some(rest) = line.strip_prefix("choice: ") {
            let (persona, rest) = rest.split_once(" (")?;
            let (reason, by) = rest.split_once(')')?;
            let by = by.strip_prefix(", by ").map(str::to_owned);
            return Some(Self::Choice { persona: persona.to_owned(), reason: word(reason)?, by });
        }
        for (prefix, make) in [
            ("asked to ", (|operation, by| Self::Asked { operation, by }) as fn(Operation, String) -> Self),
            ("interrupted: to ", |operation, by| Self::Interrupted { operation, by }),
        ] {
            if let Some(rest) = line.strip_prefix(prefix) {
                let (operation, by) = rest.split_once(", by ")?;
                return Some(make(operation.parse().ok()?, by.to_owned()));
            }
        }
        if let Some(words) = line.strip_prefix("decision: ") {
            return Some(Self::Decision(words.to_owned()));
        }
        let (subject, rest) = line.split_once(": ")?;
        let (phase, why) = match rest.split_once(": ") {
            Some((phase, why)) => (phase, Some(why.to_owned())),
            None => (rest, None),
        };
        Some(Self::Phase { subject: subject.to_owned(), phase: word(phase)?, why })
    }
}

fn word<W: Word>(text: &str) -> Option<W> {
    W::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved { devices, took_ms } => write!(f, "reserved {devices} devices in {took_ms} ms"),
            Self::FirstFrame { after_ms, outputs } => write!(f, "first frame after {after_ms} ms on {outputs}"),
            Self::Choice { persona, reason, by: None } => write!(f, "choice: {persona} ({reason})"),
            Self::Choice { persona, reason, by: Some(by) } => write!(f, "choice: {persona} ({reason}), by {by}"),
            Self::Asked { operation, by } => write!(f, "asked to {operation}, by {by}"),
            Self::Interrupted { operation, by } => write!(f, "interrupted: to {operation}, by {by}"),
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
    fn what_is_written_is_read() {
        let by = || "frodo from 192.0.2.7".to_owned();
        let phase = |phase, why: Option<&str>| Event::Phase { subject: "gondor".into(), phase, why: why.map(str::to_owned) };
        let to = || "mordor".to_owned();
        let from = || "gondor".to_owned();
        for (event, line) in [
            (Event::Reserved { devices: 4, took_ms: 12 }, "reserved 4 devices in 12 ms"),
            (Event::FirstFrame { after_ms: 812, outputs: "DP-1, HDMI-A-1".into() }, "first frame after 812 ms on DP-1, HDMI-A-1"),
            (Event::Choice { persona: to(), reason: Reason::Picked, by: None }, "choice: mordor (picked)"),
            (Event::Choice { persona: to(), reason: Reason::Remote, by: Some(by()) }, "choice: mordor (remote), by frodo from 192.0.2.7"),
            (Event::Asked { operation: Operation::Start { to: to() }, by: by() }, "asked to start mordor, by frodo from 192.0.2.7"),
            (Event::Asked { operation: Operation::Stop { from: from() }, by: by() }, "asked to stop gondor, by frodo from 192.0.2.7"),
            (
                Event::Interrupted { operation: Operation::Switch { from: from(), to: to() }, by: by() },
                "interrupted: to switch gondor to mordor, by frodo from 192.0.2.7",
            ),
            (Event::Decision("no menu".into()), "decision: no menu"),
            (phase(Phase::Running, None), "gondor: running"),
            (phase(Phase::Failed, Some("QEMU died: exit status: 1")), "gondor: failed: QEMU died: exit status: 1"),
        ] {
            assert_eq!(event.to_string(), line);
            assert_eq!(Event::parse(line), Some(event), "{line}");
        }
        for (word, value) in Phase::WORDS {
            assert_eq!(Event::parse(&format!("gondor: {word}")), Some(phase(*value, None)));
        }
    }

    #[test]
    fn other_lines_are_left_alone() {
        for line in [
            "",
            "reserved 0000:0a:00.0",
            "reserved many devices in 1 ms",
            "choice: gondor",
            "choice: gondor (luck)",
            "choice: gondor (picked) by day",
            "asked to dance, by frodo",
            "gondor: runs",
            "a wrong PIN was entered",
        ] {
            assert_eq!(Event::parse(line), None, "{line}");
        }
    }
}
