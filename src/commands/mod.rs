//! One file per subcommand: what it reads, what it decides through the pure modules, what it prints.
//!
//! Imports: everything but `cli`.

pub mod cartridge;
pub mod choose;
pub mod default;
pub mod detect;
pub mod doctor;
pub mod export;
pub mod list;
pub mod log;
pub mod menu;
pub mod needs;
pub mod next;
pub mod pin;
pub mod plan;
pub mod power;
pub mod prepare;
pub mod preview;
pub mod release;
pub mod reserve;
pub mod run;
pub mod status;
pub mod watch;

use crate::config::document::nearest;
use crate::config::{Persona, Settings};
use crate::error::{Context, Error, Result};
use crate::passthrough::attribute;
pub(crate) use crate::state::or_absent;
use crate::state::{Choice, Last};
use crate::sys::paths::Paths;
use crate::sys::style::harmless;
use serde::Serialize;
use std::io::{ErrorKind, Write};

/// The audience of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// For programs: JSON, stable.
    Json,
}

/// The persona of that name.
///
/// # Errors
/// When there is none; the message names the existing ones.
pub fn find_persona<'a>(settings: &'a Settings, name: &str) -> Result<&'a Persona> {
    settings.persona(name).ok_or_else(|| {
        let names: Vec<_> = settings.personas.iter().map(|persona| persona.name.as_str()).collect();
        Error::usage(format!("there is no persona `{name}`")).with_hint(match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the personas are {}", names.join(", ")),
        })
    })
}

/// The named persona, the default if none is named.
fn named_or_default<'a>(paths: &Paths, settings: &'a Settings, name: Option<&str>) -> Result<&'a Persona> {
    match name {
        Some(name) => find_persona(settings, name),
        None => Ok(settings.default_persona(or_absent(Last::read(paths)).map(|last| last.persona).as_deref())),
    }
}

/// The persona that `persona start` starts if none is named: the one that was chosen in this boot if it starts legion, else the default.
fn chosen_or_default<'a>(paths: &Paths, settings: &'a Settings) -> &'a Persona {
    let chosen = or_absent(Choice::read(paths)).and_then(|choice| settings.persona(&choice.persona));
    let last = || or_absent(Last::read(paths)).map(|last| last.persona);
    chosen.filter(|persona| persona.legion().is_some()).unwrap_or_else(|| settings.default_persona(last().as_deref()))
}

/// Prints text. It is no error when the reader has closed its end.
pub(crate) fn print(out: &mut dyn Write, text: &str) -> Result<()> {
    match out.write_all(harmless(text).as_bytes()) {
        // A closed pipe is not an error.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context(|| "printing".into()),
    }
}

fn print_json(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context(|| "printing".into())?;
    print(out, &(text + "\n"))
}

/// The hidden subcommand that writes attributes, in a process that may hang without harm.
///
/// # Errors
/// When its input cannot be read.
pub fn write_attributes(out: &mut dyn Write) -> Result<()> {
    attribute::serve(&mut std::io::stdin().lock(), out).context(|| "writing attributes for another process".into())
}
