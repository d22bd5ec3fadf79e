//! Values of arguments and options.

use crate::config::value::{NAMES, is_name};
use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, RangedI64ValueParser, TypedValueParser};
use std::path::PathBuf;

/// A path that is not empty.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|value| if value.is_empty() { Err("a path must not be empty") } else { Ok(PathBuf::from(value)) })
}

/// A boot, counted back from this one: 0, -1, -2.
pub(super) fn boot() -> RangedI64ValueParser<i64> {
    RangedI64ValueParser::new().range(-9999..=0)
}

/// The name of a cartridge or of a saved state.
///
/// # Errors
/// When it cannot be one.
pub(super) fn name(value: &str) -> Result<String, String> {
    if is_name(value) { Ok(value.to_owned()) } else { Err(format!("not a valid name: {NAMES}")) }
}

/// Words, what each means to people (empty if it speaks for itself), and its value.
pub(super) type Words<T> = [(&'static str, &'static str, T)];

/// One of these words.
pub(super) fn one_of<T: Copy + Send + Sync + 'static>(words: &'static Words<T>) -> impl TypedValueParser<Value = T> {
    let possible = words.iter().map(|(word, help, _)| {
        let value = PossibleValue::new(*word);
        if help.is_empty() { value } else { value.help(*help) }
    });
    PossibleValuesParser::new(possible).try_map(move |value| {
        let found = words.iter().find(|(word, ..)| *word == value);
        found.map(|(.., meaning)| *meaning).ok_or("not one of the possible values")
    })
}
