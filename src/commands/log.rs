//! `persona log`: the log of this boot and of earlier ones.

use super::{OutputFormat, print, print_json};
use crate::boot_log::journal::{self, Boots};
use crate::boot_log::{BootLog, JournalEntry, entry, text};
use crate::error::Result;
use crate::sys::account::Account;
use crate::sys::paths::Paths;
use crate::sys::style::Style;
use std::io::Write;

/// Prints one boot's log in full, or all boots in short.
///
/// # Errors
/// When there is no journal, or none of this boot.
pub fn log(paths: &Paths, boots: Boots, output: OutputFormat, style: Style, out: &mut dyn Write) -> Result<()> {
    let entries = JournalEntry::read(&journal::entries(paths, boots)?, Account::of_legion(paths).ok().map(|account| account.uid));
    // The boots are printed without numbers if those are unknown.
    let numbers = journal::boots(paths).map(|list| entry::numbers(&list)).unwrap_or_else(|error| {
        log::info!("{error}");
        Vec::new()
    });
    let logs = BootLog::all(&entries, &numbers);
    match (output, boots) {
        (OutputFormat::Json, _) => print_json(out, &logs),
        (OutputFormat::Text, _) if logs.is_empty() => {
            print(out, "The journal that you may read contains nothing from Persona. (root may read all of it.)\n")
        }
        (OutputFormat::Text, Boots::All) => print(out, &text::summary(&logs, style)),
        (OutputFormat::Text, Boots::One(_)) => logs.iter().try_for_each(|log| print(out, &text::full(log, style))),
    }
}
