//! systemd, asked through `systemctl`.

use crate::error::{Context, Error, Result};
use sd_notify::NotifyState;
use std::process::{Command, Stdio};

/// legion's unit.
pub const LEGION: &str = "legion.service";

/// A `systemctl` to be run.
pub fn systemctl(arguments: &[&str]) -> Command {
    let mut command = Command::new("systemctl");
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Tells the service manager, if one has started this process, that it does its work now (`sd_notify(3)`).
pub fn ready() {
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        log::warn!("telling the service manager: {error}");
    }
}

/// Runs `systemctl` to its end, and returns what it printed; `doing` says what for.
///
/// # Errors
/// With systemd's own words, when it refuses.
pub fn ask(arguments: &[&str], doing: &str) -> Result<String> {
    let output = systemctl(arguments).output().doing(|| doing.to_owned())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::because(doing, String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
