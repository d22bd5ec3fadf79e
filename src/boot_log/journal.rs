//! systemd's journal: writes events of commands, and reads Persona's earlier entries.

use crate::boot_log::Event;
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

/// The name that all of Persona's lines have in the journal.
pub const IDENTIFIER: &str = "persona";

/// Logs to the journal what a command does for a user; its standard error is the terminal, not the journal. Without a journal it does
/// nothing.
pub fn tell(paths: &Paths, event: &Event) {
    // systemd's native protocol (JOURNAL_NATIVE_PROTOCOL): a field on each line, and a text with a newline would end there.
    let message: String = event.to_string().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let entry = format!("SYSLOG_IDENTIFIER={IDENTIFIER}\nPRIORITY=6\nMESSAGE={message}\n");
    let told = UnixDatagram::unbound().and_then(|socket| socket.send_to(entry.as_bytes(), paths.journal_socket()));
    if let Err(error) = told {
        log::debug!("telling the journal: {error}");
    }
}

/// Which boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boots {
    /// This one (0) or one before it (-1 is the last one).
    One(i64),
    /// All boots in the journal.
    All,
}

/// Persona's entries, a JSON object on each line, oldest first.
///
/// # Errors
/// When the journal, or this boot in it, cannot be read.
pub fn entries(paths: &Paths, boots: Boots) -> Result<String> {
    let boot = match boots {
        Boots::One(number) => Some(format!("--boot={number}")),
        Boots::All => None,
    };
    let fields = "--output-fields=MESSAGE,PRIORITY,_SOURCE_MONOTONIC_TIMESTAMP,_BOOT_ID";
    let arguments = ["--quiet", "--no-pager", "--output=json", fields, "-t", IDENTIFIER];
    journalctl(paths, &arguments.into_iter().chain(boot.as_deref()).collect::<Vec<_>>()).map_err(|error| match boots {
        Boots::One(number) if number != 0 => {
            error.with_hint("the journal outlives a boot where there is a folder for it: mkdir /var/log/journal; then restart")
        }
        _ => error,
    })
}

/// The boots in the journal, as `journalctl --list-boots` prints them.
///
/// # Errors
/// When the journal cannot be read.
pub fn boots(paths: &Paths) -> Result<String> {
    journalctl(paths, &["--quiet", "--no-pager", "--list-boots"])
}

fn journalctl(paths: &Paths, arguments: &[&str]) -> Result<String> {
    let doing = || "reading the journal".to_owned();
    if !paths.is_live() {
        return Err(
            Error::usage("a recorded machine has no journal").with_hint("run `persona log` on the machine itself, without `--root`")
        );
    }
    let output = Command::new("journalctl")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context(doing)
        .map_err(|error| error.with_hint("`persona log` needs systemd's journalctl"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::caused_by(doing(), if words.is_empty() { format!("journalctl: {}", output.status) } else { words }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_event_is_one_entry_whatever_is_in_it() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let event = Event::Decision("to go\nPRIORITY=0".into());
        tell(&paths, &event);
        std::fs::create_dir_all(paths.journal_socket().parent().unwrap()).unwrap();
        let journal = UnixDatagram::bind(paths.journal_socket()).unwrap();
        tell(&paths, &event);
        let mut entry = [0; 200];
        let length = journal.recv(&mut entry).unwrap();
        assert_eq!(&entry[..length], b"SYSLOG_IDENTIFIER=persona\nPRIORITY=6\nMESSAGE=decision: to go PRIORITY=0\n");
    }

    #[test]
    fn a_recorded_machine_has_none() {
        let error = entries(&Paths::new("/recorded", None), Boots::One(0)).unwrap_err();
        assert!(error.to_string().contains("without `--root`"), "{error}");
    }
}
