//! What the owner should know although nothing is refused.

use crate::sys::pci::PciAddress;
use std::fmt;

/// Something that differs from the owner's wish, or that they will see happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is, as an identifier that stays when the words change: `acs-override`.
    pub code: &'static str,
    /// The function it is about; `None` for the machine as a whole.
    pub address: Option<PciAddress>,
    /// What it is, a sentence without a full stop.
    pub what: String,
    /// What the owner can do, if they want it otherwise.
    pub hint: Option<String>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}
