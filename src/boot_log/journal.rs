//! systemd's journal: writes events of commands, and reads Persona's earlier entries.

use crate::boot_log::LogEvent;
use crate::error::{Context, Error, Result};
use crate::sys::logger::{self, EVENT_FIELD, EVENT_IDENTIFIER, IDENTIFIER};
use crate::sys::paths::Paths;
use log::Level;
use std::process::{Command, Stdio};

/// Logs to the journal what a command does for a user; its standard error is the terminal, not the journal. Without a journal it does
/// nothing.
pub fn write(paths: &Paths, event: &LogEvent) {
    if let Err(error) = logger::to_journal(&paths.journal_socket(), Level::Info, &event.to_string(), &event.to_json()) {
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

/// Persona's last ten thousand entries, a JSON object on each line, oldest first.
///
/// # Errors
/// When the journal, or this boot in it, cannot be read.
pub fn entries(paths: &Paths, boots: Boots) -> Result<String> {
    let boot = match boots {
        Boots::One(number) => Some(format!("--boot={number}")),
        Boots::All => None,
    };
    let fields =
        format!("--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,{EVENT_FIELD},_SOURCE_MONOTONIC_TIMESTAMP,_BOOT_ID,_UID,_TRANSPORT");
    // The newest of them: a boot has about thirty, and a program may have written any number under our name.
    let arguments = ["--quiet", "--no-pager", "--lines=10000", "--output=json", &fields, "-t", IDENTIFIER, "-t", EVENT_IDENTIFIER];
    journalctl(paths, &arguments.into_iter().chain(boot.as_deref()).collect::<Vec<_>>()).map_err(|error| match boots {
        Boots::One(number) if number != 0 => {
            error.with_hint("the journal is kept across boots only if /var/log/journal exists: mkdir /var/log/journal; then reboot")
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
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn an_event_is_one_entry_whatever_is_in_it() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let event = LogEvent::Decision("to go\nPRIORITY=0".into());
        write(&paths, &event);
        std::fs::create_dir_all(paths.journal_socket().parent().unwrap()).unwrap();
        let journal = UnixDatagram::bind(paths.journal_socket()).unwrap();
        write(&paths, &event);
        let mut entry = [0; 200];
        let length = journal.recv(&mut entry).unwrap();
        let expected = "SYSLOG_IDENTIFIER=persona\nPRIORITY=6\nMESSAGE=decision: to go PRIORITY=0\nPERSONA_EVENT={\"decision\":\"to go\\nPRIORITY=0\"}\n";
        assert_eq!(String::from_utf8_lossy(&entry[..length]), expected);
    }

    #[test]
    fn a_recorded_machine_has_none() {
        let error = entries(&Paths::new("/recorded", None), Boots::One(0)).unwrap_err();
        assert!(error.to_string().contains("without `--root`"), "{error}");
    }
}
