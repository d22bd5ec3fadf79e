//! The log of a boot, from what Persona wrote to the journal: what was chosen, why, how long each step took, how it ended.
//!
//! [`LogEvent`] is what is written, with a field that programs read; [`entry`] reads the journal's JSON, [`BootLog`] interprets a boot's entries, [`text`]
//! prints it. All of that is pure.
//!
//! Imports: `state`, `config` and `sys`.

pub mod entry;
mod event;
pub mod journal;
mod run;
pub mod text;

pub use entry::JournalEntry;
pub use event::LogEvent;
pub use run::{End, Run};

use crate::state::Phase;
use crate::sys::time::moment;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The log of one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BootLog {
    /// The boot's ID (`journalctl --list-boots`).
    pub boot: String,
    /// 0 for this boot, -1 for the one before, as `journalctl --boot` counts; absent if the journal does not report it.
    pub number: Option<i64>,
    /// When the kernel started: date and time in UTC, in the format of RFC 3339.
    pub began: String,
    /// The personas that legion ran, in order, and the other units that were started.
    pub runs: Vec<Run>,
    /// What happened, in order.
    pub lines: Vec<LogLine>,
}

/// Something that happened in a boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When, in milliseconds since the kernel started.
    pub at_ms: u64,
    /// The duration of the step that ended then, in milliseconds, if it is a step.
    pub took_ms: Option<u64>,
    /// In words.
    pub what: String,
    /// Something went wrong.
    pub trouble: bool,
}

impl BootLog {
    /// The logs in the journal's entries, one for each boot, in the order in which the boots begin there. `numbers` are the
    /// boots' numbers by their IDs.
    pub fn all(entries: &[JournalEntry], numbers: &[(i64, String)]) -> Vec<Self> {
        let mut logs: Vec<Builder> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in entries {
            let index = *places.entry(&entry.boot).or_insert_with(|| {
                logs.push(Builder::new(entry, numbers));
                logs.len() - 1
            });
            logs[index].ingest(entry);
        }
        logs.into_iter().map(Builder::end).collect()
    }

    /// Whether it is the current boot.
    pub fn is_now(&self) -> bool {
        self.number == Some(0)
    }
}

/// Builds a log from entries, one by one.
struct Builder {
    log: BootLog,
    /// The last event as a sentence.
    sentence: String,
    /// When the menu was first on a screen; the time to choose counts from there.
    seen: Option<Duration>,
    last: Duration,
}

impl Builder {
    fn new(first: &JournalEntry, numbers: &[(i64, String)]) -> Self {
        let number = numbers.iter().find(|(_, boot)| *boot == first.boot).map(|(number, _)| *number);
        let began = moment(first.began());
        let log = BootLog { boot: first.boot.clone(), number, began, runs: Vec::new(), lines: Vec::new() };
        Self { log, sentence: String::new(), seen: None, last: Duration::ZERO }
    }

    fn add(&mut self, at: Duration, took: Option<Duration>, what: String, trouble: bool) {
        self.log.lines.push(LogLine { at_ms: millis(at), took_ms: took.map(millis), what, trouble });
    }

    fn ingest(&mut self, entry: &JournalEntry) {
        let at = entry.at;
        self.last = at;
        if let Some(event) = &entry.event {
            self.sentence = event.to_string();
        }
        match entry.event.clone() {
            Some(LogEvent::Reserved { devices, took_ms }) => {
                self.add(at, Some(Duration::from_millis(took_ms)), format!("{devices} devices reserved for legion"), false);
            }
            Some(LogEvent::FirstFrame { after_ms, outputs }) => {
                self.seen.get_or_insert(at);
                self.add(at, Some(Duration::from_millis(after_ms)), format!("the menu is on {outputs}"), false);
            }
            Some(LogEvent::Choice { persona, reason, by }) => {
                let took = self.seen.take().map(|seen| at.saturating_sub(seen));
                let by = by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
                self.add(at, took, format!("choice: {persona}, {}{by}", text::why(reason)), false);
                let by = by.strip_prefix(" by ").map(str::to_owned);
                match self.log.runs.last_mut().filter(|run| run.may_have_been_chosen(&persona)) {
                    Some(run) => run.was_chosen(reason, by, at),
                    None => self.log.runs.push(Run::chosen(persona, reason, by, at)),
                }
            }
            Some(LogEvent::Asked { operation, by }) => self.add(at, None, format!("{by} asked to {operation}"), false),
            Some(LogEvent::Interrupted { operation, by }) => {
                self.add(at, None, format!("{by} asked to {operation}, which was interrupted"), true);
            }
            Some(LogEvent::Decision(words)) => self.add(at, None, words, false),
            Some(LogEvent::Phase { subject, phase, why }) => {
                self.phase(at, subject, phase, why.map(|why| why.replace("\n  hint: ", "; hint: ").replace('\n', " ")));
            }
            // The kernel log has the sentence of an event on the lines after it.
            None if self.sentence.contains(entry.message.trim()) => {}
            None if entry.is_trouble() => self.trouble(at, &entry.message),
            None => {}
        }
    }

    /// Adds an error once; a hint is appended to its error.
    fn trouble(&mut self, at: Duration, message: &str) {
        let message = message.trim();
        if message.starts_with("hint: ")
            && let Some(line) = self.log.lines.last_mut().filter(|line| line.trouble)
        {
            line.what += &format!("; {message}");
        } else if !self.is_told(message) {
            self.add(at, None, message.to_owned(), true);
        }
    }

    /// Whether one of the last errors has these words. Not any error: comparing each with all takes long if there are many.
    fn is_told(&self, words: &str) -> bool {
        const MAX_ERRORS: usize = 100;
        self.log.lines.iter().rev().filter(|line| line.trouble).take(MAX_ERRORS).any(|line| line.what.contains(words))
    }

    fn phase(&mut self, at: Duration, subject: String, phase: Phase, why: Option<String>) {
        let run = Run::of(&mut self.log.runs, &subject, phase, at);
        let Some(step) = run.step(at, phase, why.as_deref()) else { return };
        // The reason may already be in the log as an error.
        let what = step.why.filter(|why| !self.is_told(why)).map_or_else(|| step.what.clone(), |why| format!("{}: {why}", step.what));
        self.add(at, step.took, what, step.trouble);
    }

    fn end(mut self) -> BootLog {
        let is_now = self.log.is_now();
        for run in &mut self.log.runs {
            run.settle(self.last, is_now);
        }
        self.log
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
