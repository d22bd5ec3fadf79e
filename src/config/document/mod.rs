//! TOML texts, read and written by serde: the settings and the small files of `state`. What is wrong in one is shown with its line.

mod problem;

pub(crate) use problem::{Checked, Problem, nearest};

use crate::error::{Context, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use toml::Spanned;
use toml_writer::ToTomlValue;

/// What a text holds.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Checked<T> {
    toml::from_str(text).map_err(Problem::from)
}

/// The record in the text of a file; `file` is its name for messages.
///
/// # Errors
/// When it is no TOML or not such a record; with file, line and column.
pub(crate) fn read<T: DeserializeOwned>(text: &str, file: &str) -> Result<T> {
    parse(text).map_err(|problem| problem.into_error(|message| Error::new("understanding ".to_owned() + &message), text, file))
}

/// The text of a record's file.
///
/// # Errors
/// When it holds what TOML cannot express, such as a path that is no text.
pub(crate) fn write(record: &impl Serialize) -> Result<String> {
    toml::to_string(record).context(|| "writing TOML".to_owned())
}

/// A value written as a string with its own syntax.
pub(crate) fn parsed<T: FromStr<Err = String>>(text: &Spanned<String>) -> Checked<T> {
    text.get_ref().parse().map_err(|wrong: String| Problem::at(text.span(), wrong))
}

/// A string as TOML, with suitable quotes.
pub(crate) fn quoted(text: &str) -> String {
    text.to_toml_value()
}
