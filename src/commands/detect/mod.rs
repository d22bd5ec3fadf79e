//! `persona detect`: looks at this machine and prints settings for it. Changes nothing.

mod facts;
mod proposal;
mod text;

pub use facts::{CardFacts, CartridgeFacts, DetectedFacts};
pub use proposal::{Proposal, Proposed};

use super::print;
use crate::error::Result;
use crate::passthrough::Machine;
use crate::sys::paths::Paths;
use std::io::Write;

/// Prints a complete settings file, with the reasons as comments.
///
/// # Errors
/// When the machine cannot be read.
pub fn detect(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    let mut machine = Machine::read(paths)?;
    machine.name_functions(paths);
    let facts = DetectedFacts::read(paths, &machine);
    print(out, &text::render(&Proposal::new(&machine, &facts), &machine, &facts))
}
