//! `persona log`: the story of this boot and of those before it.

use super::{Output, print, print_json};
use crate::boot_log::journal::{self, Boots};
use crate::boot_log::{Entry, Story, entry, text};
use crate::error::Result;
use crate::sys::paths::Paths;
use crate::sys::style::Style;
use std::io::Write;

/// Prints what the journal tells of one boot in full, or of all boots in short.
///
/// # Errors
/// When there is no journal, or not that of this boot.
pub fn log(paths: &Paths, boots: Boots, output: Output, style: Style, out: &mut dyn Write) -> Result<()> {
    let entries = Entry::read(&journal::entries(paths, boots)?);
    // Without their numbers the boots are told all the same.
    let numbers = journal::boots(paths).map(|list| entry::numbers(&list)).unwrap_or_else(|error| {
        log::info!("{error}");
        Vec::new()
    });
    let stories = Story::all(&entries, &numbers);
    match (output, boots) {
        (Output::Json, _) => print_json(out, &stories),
        (Output::Text, _) if stories.is_empty() => {
            print(out, "The journal that you may read has nothing of Persona here. (root may read all of it.)\n")
        }
        (Output::Text, Boots::All) => print(out, &text::summary(&stories, style)),
        (Output::Text, Boots::One(_)) => stories.iter().try_for_each(|story| print(out, &text::full(story, style))),
    }
}
