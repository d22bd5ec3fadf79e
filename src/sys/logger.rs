//! The destination of messages: the journal (through standard error) in the running system, the kernel log in the initramfs, where nothing
//! else keeps them.

use crate::sys::paths::Paths;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fs::{File, OpenOptions};
use std::io::{self, Write, stderr};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// The longest message that the kernel accepts, with room for its own prefix (`PRINTKRB_RECORD_MAX` is 1024).
const LONGEST_RECORD: usize = 976;

enum Target {
    StandardError,
    KernelLog(File),
}

/// The name that Persona's lines have in the journal.
pub const IDENTIFIER: &str = "persona";
/// The field of the journal with an event as JSON.
pub const EVENT_FIELD: &str = "PERSONA_EVENT";
/// The name of the lines that have an event as JSON in the kernel log, which has no fields.
pub const EVENT_IDENTIFIER: &str = "persona-event";
/// The key of an event in a log record.
const EVENT: &str = "event";

struct Logger {
    target: Target,
    /// journald's socket.
    journal: PathBuf,
}

/// Whether standard error is discarded (`systemd.exec(5)`).
pub fn is_without_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_none()
}

/// Messages go to standard error: under systemd with the level that `sd-daemon(3)` describes.
pub fn to_standard_error(paths: &Paths, verbosity: u8) {
    install(paths, Target::StandardError, verbosity);
}

/// Messages go to the kernel log; where there is none (a recorded machine), to standard error.
pub fn to_kernel_log(paths: &Paths, verbosity: u8) {
    let target = OpenOptions::new().write(true).open(paths.kernel_log()).map_or(Target::StandardError, Target::KernelLog);
    install(paths, target, verbosity);
}

fn install(paths: &Paths, target: Target, verbosity: u8) {
    log::set_max_level(match verbosity {
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    });
    // A second logger in one process happens only in tests; the first one stays.
    let _ = log::set_boxed_logger(Box::new(Logger { target, journal: paths.journal_socket() }));
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Debug messages of other crates are not useful to our reader.
        metadata.target().starts_with("persona") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = record.args().to_string();
        match record.key_values().get(EVENT.into()) {
            Some(event) => self.event(record.level(), &message, &event.to_string()),
            None => self.message(record.level(), &message),
        }
    }

    fn flush(&self) {}
}

impl Logger {
    /// There is no other destination for a message that cannot be delivered.
    fn message(&self, level: Level, message: &str) {
        let _ = match &self.target {
            Target::StandardError => {
                let prefix = if is_without_journal() { "persona: ".to_owned() } else { format!("<{}>", syslog_level(level)) };
                writeln!(stderr(), "{}", lines(&prefix, message).join("\n"))
            }
            Target::KernelLog(log) => {
                // One write is one record.
                lines(&kernel_prefix(level, IDENTIFIER), message).iter().try_for_each(|line| (&*log).write_all(line.as_bytes()))
            }
        };
    }

    /// An event is one entry of the journal with a field. Where there is no journal yet, the kernel log has it on a line of its own, which
    /// no console shows.
    fn event(&self, level: Level, message: &str, event: &str) {
        let is_terminal = matches!(self.target, Target::StandardError) && is_without_journal();
        if !is_terminal && to_journal(&self.journal, level, message, event).is_ok() {
            return;
        }
        if let Target::KernelLog(log) = &self.target {
            let line = kernel_prefix(Level::Debug, EVENT_IDENTIFIER) + event;
            // What is cut off is no JSON any more.
            if line.len() <= LONGEST_RECORD {
                let _ = (&*log).write_all(line.as_bytes());
            }
        }
        self.message(level, message);
    }
}

fn kernel_prefix(level: Level, identifier: &str) -> String {
    format!("<{}>{identifier}: ", syslog_level(level))
}

/// Sends an event to the journal, by systemd's native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL>).
///
/// # Errors
/// When there is no journal, or it does not take the entry.
pub fn to_journal(socket: &Path, level: Level, message: &str, event: &str) -> io::Result<()> {
    // A field ends with its line.
    let line = |text: &str| -> String { text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect() };
    let level = syslog_level(level);
    let entry = format!("SYSLOG_IDENTIFIER={IDENTIFIER}\nPRIORITY={level}\nMESSAGE={}\n{EVENT_FIELD}={}\n", line(message), line(event));
    let journal = UnixDatagram::unbound()?;
    // A journal that is stuck must not stop the menu.
    journal.set_nonblocking(true)?;
    journal.send_to(entry.as_bytes(), socket).map(drop)
}

/// The message's lines, each with the prefix and short enough for the kernel.
fn lines(prefix: &str, message: &str) -> Vec<String> {
    message
        .lines()
        .map(|line| {
            let end = (0..=line.len().min(LONGEST_RECORD - prefix.len())).rev().find(|&end| line.is_char_boundary(end)).unwrap_or(0);
            format!("{prefix}{}", &line[..end])
        })
        .collect()
}

/// The numbers of syslog(3), which kernel log and journal share.
fn syslog_level(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_carries_the_level_and_fits_a_kernel_record() {
        let lines = lines("<4>persona: ", &format!("first\nhint: {}", "ü".repeat(900)));
        assert_eq!(lines[0], "<4>persona: first");
        assert!(lines[1].starts_with("<4>persona: hint: ü") && lines[1].len() <= LONGEST_RECORD);
    }
}
