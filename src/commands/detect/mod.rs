//! `persona detect`: looks at this machine, and prints settings for it or writes them to where there are none.

mod facts;
mod proposal;
mod text;

pub use facts::{CardFacts, CartridgeFacts, DetectedFacts};
pub use proposal::{Proposal, Proposed};

use super::print;
use crate::error::Result;
use crate::passthrough::Machine;
use crate::sys::atomic;
use crate::sys::paths::Paths;
use std::io::Write;

/// Prints a complete settings file, with the reasons as comments.
///
/// # Errors
/// When the machine cannot be read.
pub fn detect(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    print(out, &proposed(paths)?)
}

/// Writes it as the machine's settings file, which only root may read: it may get the hashes of PINs later, and what a shell writes with `>`
/// everybody may read.
///
/// # Errors
/// When there are settings already, or the file cannot be written.
pub fn write(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    let file = paths.settings();
    let text = proposed(paths)?;
    atomic::create_private(&file, text.as_bytes()).map_err(|error| match error.errno() {
        Some(nix::libc::EEXIST) => error.with_hint("there are settings already: compare them with what `persona detect` prints"),
        _ => error,
    })?;
    print(out, &format!("The settings are in {}. See what would happen with `persona plan`.\n", file.display()))
}

fn proposed(paths: &Paths) -> Result<String> {
    let mut machine = Machine::read(paths)?;
    machine.name_functions(paths);
    let facts = DetectedFacts::read(paths, &machine);
    Ok(text::render(&Proposal::new(&machine, &facts), &machine, &facts))
}
