//! `persona pin`: creates a PIN for the settings, or checks one.

use super::{find_persona, print};
use crate::config::Settings;
use crate::config::pin::Pin;
use crate::error::{Context, Error, Result};
use crate::state::PinTries;
use crate::sys::paths::Paths;
use crate::sys::syscalls;
use crate::sys::terminal;
use std::io::Write;
use std::time::SystemTime;

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
/// When it is wrong, when wrong ones were entered shortly before, at the menu or here, or when there is no such persona or PIN.
pub fn check(paths: &Paths, name: &str, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = find_persona(&settings, name)?;
    let Some(pin) = &persona.pin else {
        return Err(
            Error::usage(format!("`{name}` has no PIN")).with_hint("put the line that `persona pin` prints below its name in the settings")
        );
    };
    let now = SystemTime::now();
    let wait = PinTries::current(paths, true, now).wait(now);
    if !wait.is_zero() {
        return Err(Error::new(format!("wrong PINs were entered: the next try is possible in {} s", wait.as_secs().max(1)))
            .with_hint("wait; a right PIN ends the delay"));
    }
    let digits = terminal::hidden_line(&format!("PIN of {}: ", persona.title))?;
    // A user who may read the hash but not write the count can try PINs without Persona as well.
    if let Err(error) = PinTries::count(paths, true, now) {
        log::debug!("this try is not counted: {error}");
    }
    if !pin.verify(&digits) {
        return Err(Error::new(format!("that is not the PIN of `{name}`")));
    }
    if let Err(error) = PinTries::clear(paths, true) {
        log::debug!("the earlier wrong PINs still count: {error}");
    }
    print(out, &format!("That is the PIN of `{name}`.\n"))
}
