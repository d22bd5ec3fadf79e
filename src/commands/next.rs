//! `persona next`: the persona for the next boot.

use super::{find_persona, print};
use crate::error::Result;
use crate::paths::Paths;
use crate::settings::Settings;
use crate::state::Override;
use std::io::Write;

/// Sets the override.
///
/// # Errors
/// When there is no such persona, or the override cannot be stored.
pub fn set(paths: &Paths, name: &str, until_cleared: bool, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = find_persona(&settings, name)?;
    Override { persona: persona.name.clone(), until_cleared }.write(paths)?;
    let how_long = if until_cleared { "from the next boot on, until `persona next --clear`" } else { "at the next boot, once" };
    print(out, &format!("{} starts {how_long}.\n", persona.title))
}

/// Clears the override.
///
/// # Errors
/// When it cannot be removed.
pub fn clear(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    Override::clear(paths)?;
    print(out, "The next boot starts the default.\n")
}
