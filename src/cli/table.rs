//! What the table of commands is made of. Reading a command line, the help and the messages all go by it.

use super::Command;
use super::given::Given;
use super::wrong::Wrong;

/// A command, or `persona` itself.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// What it is for: one line.
    pub(super) about: &'static str,
    /// What its own help says beyond that.
    pub(super) more: &'static str,
    pub(super) arguments: &'static [Argument],
    pub(super) options: &'static [Choice],
    pub(super) then: Then,
    /// Exit codes and their meanings, for the end of its help.
    pub(super) exits: &'static [(&'static str, &'static str)],
}

/// What is left out of a command's entry.
pub(super) const BARE: Entry = Entry { name: "", about: "", more: "", arguments: &[], options: &[], then: Then::One(&[]), exits: &[] };

/// What comes of a command.
pub(super) enum Then {
    /// It is done, as this makes it out of the words that were given.
    Do(fn(&mut Given) -> Result<Command, Wrong>),
    /// One of these is named next.
    One(&'static [Group]),
}

/// Commands under one heading; without one, they are hidden.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) commands: &'static [Entry],
}

/// A word whose place tells what it is.
#[derive(Clone, Copy)]
pub(super) struct Argument {
    /// In capitals.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) need: Need,
}

/// Whether an argument may be left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Must,
    May,
    /// It or this option, not both; or neither.
    MayOr(&'static str),
    /// As many as there are.
    Many,
}

/// An option.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    /// With its two dashes.
    pub(super) name: &'static str,
    pub(super) short: Option<char>,
    pub(super) takes: Takes,
    pub(super) help: &'static str,
    pub(super) default: Option<&'static str>,
    pub(super) required: bool,
    /// The options that it cannot be given with.
    pub(super) not_with: &'static [&'static str],
    pub(super) words: Option<fn() -> Vec<Word>>,
}

/// A word that an option takes, and what it means, where that goes without saying nothing.
pub(super) type Word = (&'static str, &'static str);

/// What follows an option.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    /// Nothing, and it can be said again.
    Again,
    /// A value of this name.
    Value(&'static str),
    /// The same, or nothing; after `=` only, as any other word would be an argument.
    Perhaps(&'static str),
}

/// An argument that is needed.
pub(super) const fn must(name: &'static str, help: &'static str) -> Argument {
    Argument { name, help, need: Need::Must }
}

/// An argument that can be left out.
pub(super) const fn may(name: &'static str, help: &'static str) -> Argument {
    Argument { name, help, need: Need::May }
}

/// An option without a value.
pub(super) const fn flag(name: &'static str, help: &'static str) -> Choice {
    Choice { name, short: None, takes: Takes::Nothing, help, default: None, required: false, not_with: &[], words: None }
}

/// An option with a value.
pub(super) const fn option(name: &'static str, value: &'static str, help: &'static str) -> Choice {
    flag(name, help).takes(Takes::Value(value))
}

impl Choice {
    pub(super) const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    pub(super) const fn takes(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    pub(super) const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) const fn not_with(self, others: &'static [&'static str]) -> Self {
        Self { not_with: others, ..self }
    }

    pub(super) const fn words(self, words: fn() -> Vec<Word>) -> Self {
        Self { words: Some(words), ..self }
    }

    /// As it is typed: `--size SIZE`.
    pub(super) fn typed(&self) -> String {
        let name = self.name;
        match self.takes {
            Takes::Nothing | Takes::Again => name.to_owned(),
            Takes::Value(value) => format!("{name} {value}"),
            Takes::Perhaps(value) => format!("{name}[={value}]"),
        }
    }
}

impl Entry {
    /// The commands that can be named next, hidden ones too.
    pub(super) fn commands(&self) -> impl Iterator<Item = &'static Self> {
        let groups: &'static [Group] = match self.then {
            Then::Do(_) => &[],
            Then::One(groups) => groups,
        };
        groups.iter().flat_map(|group| group.commands)
    }
}
