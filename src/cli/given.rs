//! The words of a command line by their names in the table, and what they mean.

use super::table::{Choice, Entry, Word};
use super::wrong::Wrong;
use crate::commands::Output;
use crate::config::value::{NAMES, is_name};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What was typed: every word is taken out once, by the name that the table gives it.
pub(super) struct Given {
    /// From `persona` to the command.
    pub(super) path: Vec<&'static Entry>,
    /// Options that take nothing have no value.
    pub(super) words: Vec<(&'static str, Option<OsString>)>,
}

impl Given {
    /// The options that are known at this place.
    pub(super) fn options(&self) -> impl Iterator<Item = &'static Choice> + use<> {
        let everywhere = self.path.first().map_or(&[][..], |first| first.options);
        let own = if self.path.len() > 1 { self.path.last().map_or(&[][..], |last| last.options) } else { &[] };
        own.iter().chain(everywhere)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.words.iter().any(|(given, _)| *given == name)
    }

    pub(super) fn wrong(&self, what: impl Into<String>) -> Wrong {
        Wrong { path: self.path.clone(), what: Some(what.into()), hint: None }
    }

    fn take(&mut self, name: &str) -> Option<Option<OsString>> {
        let index = self.words.iter().position(|(given, _)| *given == name)?;
        Some(self.words.remove(index).1)
    }

    /// Whether an option was given.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some()
    }

    /// How often an option was given.
    pub(super) fn count(&mut self, name: &str) -> u8 {
        std::iter::from_fn(|| self.take(name)).fold(0, |count: u8, _| count.saturating_add(1))
    }

    /// All that was given for an argument.
    pub(super) fn all(&mut self, name: &str) -> Vec<OsString> {
        std::iter::from_fn(|| self.take(name)).flatten().collect()
    }

    /// For whom the output is.
    pub(super) fn output(&mut self) -> Output {
        if self.flag("--json") { Output::Json } else { Output::Text }
    }

    /// What was given for an argument or option, else the default if it has one.
    pub(super) fn value<T>(&mut self, name: &'static str, read: impl Fn(&OsStr) -> Result<T, String>) -> Result<Option<T>, Wrong> {
        let value = match self.take(name) {
            Some(value) => value,
            None => self.options().find(|option| option.name == name).and_then(|option| option.default).map(OsString::from),
        };
        value.map(|value| read(&value)).transpose().map_err(|why| self.wrong_value(name, &why))
    }

    /// The same of what cannot be left out.
    pub(super) fn must<T>(&mut self, name: &'static str, read: impl Fn(&OsStr) -> Result<T, String>) -> Result<T, Wrong> {
        self.value(name, read)?.ok_or_else(|| self.wrong(format!("{} is missing", quoted(name))))
    }

    #[cold]
    fn wrong_value(&self, name: &str, why: &str) -> Wrong {
        self.wrong(format!("{}: {why}", quoted(name)))
    }
}

/// Options as they are typed, arguments as the help writes them.
pub(super) fn quoted(name: &str) -> String {
    if name.starts_with('-') { format!("`{name}`") } else { name.to_owned() }
}

/// Any text.
pub(super) fn text(value: &OsStr) -> Result<String, String> {
    value.to_str().map(str::to_owned).ok_or_else(|| format!("{} is not UTF-8", value.display()))
}

/// A boot, counted from this one back: 0, -1, -2.
pub(super) fn boot(value: &OsStr) -> Result<i64, String> {
    let number = value.to_str().and_then(|text| text.parse().ok()).filter(|number: &i64| (-9999..=0).contains(number));
    number.ok_or_else(|| format!("`{}` is no boot: 0 is this one, -1 the one before it", value.display()))
}

/// Any path.
pub(super) fn path(value: &OsStr) -> Result<PathBuf, String> {
    if value.is_empty() { Err("an empty word is no path".to_owned()) } else { Ok(value.into()) }
}

/// A cartridge's or a saved state's name.
pub(super) fn name(value: &OsStr) -> Result<String, String> {
    let name = text(value)?;
    if is_name(&name) { Ok(name) } else { Err(format!("`{name}` cannot be a name: {NAMES}")) }
}

/// Words, what each means to people, and what it stands for.
pub(super) type Words<T> = [(&'static str, &'static str, T)];

/// One of these words.
pub(super) fn one_of<T: Copy>(words: &Words<T>) -> impl Fn(&OsStr) -> Result<T, String> {
    move |value| {
        let found = words.iter().find(|(word, ..)| *word == value).map(|(.., meaning)| *meaning);
        found.ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, ..)| *word).collect();
            format!("`{}` is none of {}", value.display(), known.join(", "))
        })
    }
}

/// The same for the table.
pub(super) fn described<T>(words: &'static Words<T>) -> Vec<Word> {
    words.iter().map(|(word, help, _)| (*word, *help)).collect()
}
