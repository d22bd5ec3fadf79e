//! `persona pin`: creates a PIN for the settings, or checks one.

use super::{find_persona, print};
use crate::config::Settings;
use crate::config::pin::Pin;
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use crate::sys::syscalls;
use crate::sys::terminal;
use std::io::Write;

/// Asks for a PIN, twice at a terminal, and prints its line for the settings.
///
/// # Errors
/// When no PIN can be read.
pub fn make(out: &mut dyn Write) -> Result<()> {
    let digits = terminal::hidden_line("New PIN: ")?;
    let salt = syscalls::random().context(|| "getting random bytes from the kernel".into())?;
    let pin = Pin::hash(&digits, &salt).map_err(Error::usage)?;
    if terminal::is_there() && !pin.verify(&terminal::hidden_line("Again: ")?) {
        return Err(Error::new("the two PINs are not the same").with_hint("run `persona pin` again"));
    }
    print(out, &format!("pin = \"{pin}\"\n"))
}

/// Asks for the PIN of the persona called `name`, and reports if it is right.
///
/// # Errors
/// When it is wrong, or when there is no such persona or PIN.
pub fn check(paths: &Paths, name: &str, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = find_persona(&settings, name)?;
    let Some(pin) = &persona.pin else {
        return Err(
            Error::usage(format!("`{name}` has no PIN")).with_hint("put the line that `persona pin` prints below its name in the settings")
        );
    };
    if !pin.verify(&terminal::hidden_line(&format!("PIN of {}: ", persona.title))?) {
        return Err(Error::new(format!("that is not the PIN of `{name}`")));
    }
    print(out, &format!("That is the PIN of `{name}`.\n"))
}
