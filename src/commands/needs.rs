//! `persona needs`: what this host cannot do without, for the initramfs. Changes nothing.

use super::print;
use crate::error::Result;
use crate::passthrough::{Machine, Needs};
use crate::paths::Paths;
use std::io::Write;

/// Prints the functions that carry disks and routes, as the `needs.toml` that `reserve` reads in the initramfs.
///
/// # Errors
/// When the machine cannot be read.
pub fn needs(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    print(out, &Needs::of(&Machine::read(paths)?).to_toml())
}
