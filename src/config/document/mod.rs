//! TOML texts: reading tables key by key, writing lines, and error messages.
//!
//! The settings and the small files of `state` are read by the same few functions; no code is derived, which would repeat the same logic
//! for every type.

mod lines;
mod problem;
mod table;

pub(crate) use lines::{Lines, quoted};
pub(crate) use problem::{Checked, Problem, nearest};
pub(crate) use table::{Scalar, Table, parsed};

use crate::error::{Error, Result};

/// A type stored in its own TOML file, or in a table of one.
pub(crate) trait Record: Sized {
    /// Takes it out of its table. Unknown keys are left there.
    fn read(table: &mut Table<'_>) -> Checked<Self>;

    /// Its lines, those of tables last.
    fn write(&self, lines: &mut Lines);
}

/// An enumeration whose values are written as words.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// All values, with their words.
    const WORDS: &'static [(&'static str, Self)];

    /// Its word in files.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

/// The text of a record's file.
pub(crate) fn write(record: &impl Record) -> String {
    let mut lines = Lines::default();
    record.write(&mut lines);
    lines.into_text()
}

/// The record in the text of a file; `file` is its name for messages.
pub(crate) fn read<R: Record>(text: &str, file: &str) -> Result<R> {
    let record = Table::parse(text).and_then(|mut table| R::read(&mut table));
    record.map_err(|problem| problem.into_error(|message| Error::new("understanding ".to_owned() + &message), text, file))
}
