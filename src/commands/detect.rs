//! `persona detect`: looks at this machine and prints settings for it. Changes nothing.

use super::print;
use crate::detect::{Facts, Proposal};
use crate::error::Result;
use crate::passthrough::Machine;
use crate::paths::Paths;
use std::io::Write;

/// Prints a complete settings file, with the reasons as comments.
///
/// # Errors
/// When the machine cannot be read.
pub fn detect(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    let mut machine = Machine::read(paths)?;
    machine.name_functions(paths);
    let facts = Facts::read(paths, &machine);
    print(out, &Proposal::new(&machine, &facts).to_toml(&machine, &facts))
}
