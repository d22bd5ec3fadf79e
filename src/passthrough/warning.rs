//! Warnings for the owner, without a refusal.

use crate::sys::pci::PciAddress;
use serde::Serialize;
use std::fmt;

/// A deviation from the owner's settings, or an effect that they will notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Its identifier, which stays when the text changes: `acs-override`.
    pub code: &'static str,
    /// The function it is about; `None` for the machine as a whole.
    pub address: Option<PciAddress>,
    /// The warning, a sentence without a full stop.
    #[serde(rename = "reason")]
    pub what: String,
    /// What the owner can do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}
