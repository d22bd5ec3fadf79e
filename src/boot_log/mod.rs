//! The story of a boot, from what Persona told the journal: what was chosen, why, how long each step took, how it ended.
//!
//! [`Event`] is what the log's lines say, written and read in one place; [`entry`] reads the journal's JSON, [`Story`] makes sense of
//! a boot's entries, [`text`] prints it. All of it is pure.

pub mod entry;
mod event;
pub mod journal;
mod run;
pub mod text;

pub use entry::Entry;
pub use event::Event;
pub use run::{End, Run};

use crate::state::Phase;
use serde::Serialize;
use std::time::Duration;

/// The story of one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Story {
    /// The boot's ID (`journalctl --list-boots`).
    pub boot: String,
    /// 0 for this boot, -1 for the one before, as `journalctl --boot` counts; absent if the journal does not tell.
    pub number: Option<i64>,
    /// When the kernel started: the time of day in UTC, as RFC 3339 has it.
    pub began: String,
    /// What legion was, one after the other, and what else was started.
    pub runs: Vec<Run>,
    /// What happened, in order.
    pub lines: Vec<Line>,
}

/// Something that happened in a boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When, in milliseconds since the kernel started.
    pub at_ms: u64,
    /// How long it took until then, in milliseconds, if that is a step's.
    pub took_ms: Option<u64>,
    /// In words.
    pub what: String,
    /// Something went wrong.
    pub trouble: bool,
}

impl Story {
    /// The stories in the journal's entries, one for each boot, in the order in which the boots begin there. `numbers` are the
    /// boots' numbers by their IDs.
    pub fn all(entries: &[Entry], numbers: &[(i64, String)]) -> Vec<Self> {
        let mut stories: Vec<Teller> = Vec::new();
        for entry in entries {
            let index = stories.iter().position(|teller| teller.story.boot == entry.boot).unwrap_or_else(|| {
                stories.push(Teller::new(entry, numbers));
                stories.len() - 1
            });
            stories[index].hear(entry);
        }
        stories.into_iter().map(Teller::end).collect()
    }

    /// Whether it is the boot that goes on.
    pub fn is_now(&self) -> bool {
        self.number == Some(0)
    }
}

/// Makes a story of one entry after the other.
struct Teller {
    story: Story,
    /// When the menu could be seen; the choice takes its time from there.
    seen: Option<Duration>,
    last: Duration,
}

impl Teller {
    fn new(first: &Entry, numbers: &[(i64, String)]) -> Self {
        let number = numbers.iter().find(|(_, boot)| *boot == first.boot).map(|(number, _)| *number);
        let began = text::moment(first.began());
        let story = Story { boot: first.boot.clone(), number, began, runs: Vec::new(), lines: Vec::new() };
        Self { story, seen: None, last: Duration::ZERO }
    }

    fn tell(&mut self, at: Duration, took: Option<Duration>, what: String, trouble: bool) {
        self.story.lines.push(Line { at_ms: millis(at), took_ms: took.map(millis), what, trouble });
    }

    fn hear(&mut self, entry: &Entry) {
        let at = entry.at;
        self.last = at;
        match Event::parse(&entry.message) {
            Some(Event::Reserved { devices, took_ms }) => {
                self.tell(at, Some(Duration::from_millis(took_ms)), format!("{devices} devices reserved for legion"), false);
            }
            Some(Event::FirstFrame { after_ms, outputs }) => {
                self.seen.get_or_insert(at);
                self.tell(at, Some(Duration::from_millis(after_ms)), format!("the menu is on {outputs}"), false);
            }
            Some(Event::Choice { persona, reason, by }) => {
                let took = self.seen.take().map(|seen| at.saturating_sub(seen));
                let by = by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
                self.tell(at, took, format!("choice: {persona}, {}{by}", text::why(reason)), false);
                let by = by.strip_prefix(" by ").map(str::to_owned);
                match self.story.runs.last_mut().filter(|run| run.may_have_been_chosen(&persona)) {
                    Some(run) => run.was_chosen(reason, by, at),
                    None => self.story.runs.push(Run::chosen(persona, reason, by, at)),
                }
            }
            Some(Event::Asked { deed, by }) => self.tell(at, None, format!("{by} asked to {deed}"), false),
            Some(Event::Interrupted { deed, by }) => {
                self.tell(at, None, format!("{by} asked to {deed}, and that was interrupted on the way"), true);
            }
            Some(Event::Decision(words)) => self.tell(at, None, words, false),
            Some(Event::Phase { subject, phase, why }) => self.phase(at, subject, phase, why),
            None if entry.is_trouble() => self.trouble(at, &entry.message),
            None => {}
        }
    }

    /// What is wrong is told once; how to fix it belongs to it.
    fn trouble(&mut self, at: Duration, message: &str) {
        let message = message.trim();
        if message.starts_with("hint: ")
            && let Some(line) = self.story.lines.last_mut().filter(|line| line.trouble)
        {
            line.what += &format!("; {message}");
        } else if !self.story.lines.iter().any(|line| line.trouble && line.what.contains(message)) {
            self.tell(at, None, message.to_owned(), true);
        }
    }

    fn phase(&mut self, at: Duration, subject: String, phase: Phase, why: Option<String>) {
        let run = Run::of(&mut self.story.runs, &subject, phase, at);
        let Some(step) = run.step(at, phase, why.as_deref()) else { return };
        // The reason may have been told as an error before.
        let told = |why: &String| self.story.lines.iter().any(|line| line.trouble && line.what.contains(why.as_str()));
        let what = step.why.filter(|why| !told(why)).map_or_else(|| step.what.clone(), |why| format!("{}: {why}", step.what));
        self.tell(at, step.took, what, step.trouble);
    }

    fn end(mut self) -> Story {
        let is_now = self.story.is_now();
        for run in &mut self.story.runs {
            run.settle(self.last, is_now);
        }
        self.story
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
