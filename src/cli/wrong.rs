//! What is wrong with a command line, in one message.

use super::help::{help, typed, usage};
use super::table::Entry;
use std::fmt;

/// A command line that means nothing.
pub struct Wrong {
    /// From `persona` to the command that was being read.
    pub(super) path: Vec<&'static Entry>,
    /// Nothing when a command was left out: then the help tells more than a message would.
    pub(super) what: Option<String>,
    pub(super) hint: Option<String>,
}

impl Wrong {
    /// What to tell the person who typed it, for lines of `width` characters.
    pub fn text(&self, width: usize) -> String {
        let Some(what) = &self.what else { return help(&self.path, width) };
        let hint = self.hint.as_deref().map(|hint| format!("  hint: {hint}\n")).unwrap_or_default();
        format!("persona: {what}\n{hint}{}See `{} --help`.\n", usage(&self.path, width), typed(&self.path))
    }
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(100))
    }
}
