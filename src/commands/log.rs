//! `persona log`: the log of this boot and of earlier ones.

use super::{Output, print, print_json};
use crate::boot_log::journal::{self, Boots};
use crate::boot_log::{BootLog, Entry, entry, text};
use crate::error::Result;
use crate::sys::paths::Paths;
use crate::sys::style::Style;
use std::io::Write;

/// Prints one boot's log in full, or all boots in short.
///
/// # Errors
/// When there is no journal, or none of this boot.
pub fn log(paths: &Paths, boots: Boots, output: Output, style: Style, out: &mut dyn Write) -> Result<()> {
    let entries = Entry::read(&journal::entries(paths, boots)?);
    // The boots are printed without numbers if those are unknown.
    let numbers = journal::boots(paths).map(|list| entry::numbers(&list)).unwrap_or_else(|error| {
        log::info!("{error}");
        Vec::new()
    });
    let stories = BootLog::all(&entries, &numbers);
    match (output, boots) {
        (Output::Json, _) => print_json(out, &stories),
        (Output::Text, _) if stories.is_empty() => {
            print(out, "The journal that you may read contains nothing from Persona. (root may read all of it.)\n")
        }
        (Output::Text, Boots::All) => print(out, &text::summary(&stories, style)),
        (Output::Text, Boots::One(_)) => stories.iter().try_for_each(|story| print(out, &text::full(story, style))),
    }
}
