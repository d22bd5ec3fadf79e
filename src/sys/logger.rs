//! The destination of messages: the journal (through standard error) in the running system, the kernel log in the initramfs, where nothing
//! else keeps them.

use crate::sys::paths::Paths;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fs::{File, OpenOptions};
use std::io::{Write, stderr};

/// The longest message that the kernel accepts, with room for its own prefix (`PRINTKRB_RECORD_MAX` is 1024).
const LONGEST_RECORD: usize = 976;

enum Target {
    StandardError,
    KernelLog(File),
}

struct Logger(Target);

/// Whether standard error is discarded (`systemd.exec(5)`).
pub fn is_without_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_none()
}

/// Messages go to standard error: under systemd with the level that `sd-daemon(3)` describes.
pub fn to_standard_error(verbosity: u8) {
    install(Target::StandardError, verbosity);
}

/// Messages go to the kernel log; where there is none (a recorded machine), to standard error.
pub fn to_kernel_log(paths: &Paths, verbosity: u8) {
    let target = OpenOptions::new().write(true).open(paths.kernel_log()).map_or(Target::StandardError, Target::KernelLog);
    install(target, verbosity);
}

fn install(target: Target, verbosity: u8) {
    log::set_max_level(match verbosity {
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    });
    // A second logger in one process happens only in tests; the first one stays.
    let _ = log::set_boxed_logger(Box::new(Logger(target)));
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
        // There is no other destination for a message that cannot be delivered.
        let _ = match &self.0 {
            Target::StandardError => {
                let prefix = if is_without_journal() { "persona: ".to_owned() } else { format!("<{}>", syslog_level(record.level())) };
                writeln!(stderr(), "{}", lines(&prefix, &record.args().to_string()).join("\n"))
            }
            Target::KernelLog(log) => {
                let prefix = format!("<{}>persona: ", syslog_level(record.level()));
                // One write is one record.
                lines(&prefix, &record.args().to_string()).iter().try_for_each(|line| (&*log).write_all(line.as_bytes()))
            }
        };
    }

    fn flush(&self) {}
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
