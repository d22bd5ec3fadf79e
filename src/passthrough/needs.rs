//! What the running host needs, recorded for the next boot's initramfs: before coldplug it cannot be determined. The image must contain the
//! driver of the display card.

use super::machine::{HostUse, Machine};
use crate::config::document;
use crate::error::Result;
use crate::sys::file;
use crate::sys::paths::Paths;
use serde::{Deserialize, Serialize};

/// What the host needs, in the format of `needs.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// The kernel modules that draw the menu.
    #[serde(default)]
    display_drivers: Vec<String>,
    /// In address order.
    #[serde(default)]
    device: Vec<Need>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Need {
    address: String,
    id: String,
    why: String,
}

impl Needs {
    /// What this machine needs now; `display_drivers` are the kernel modules that draw the menu.
    pub fn of(machine: &Machine, display_drivers: Vec<String>) -> Self {
        let needed = machine.functions.values().filter(|function| !function.duties.is_empty() && !function.is_bridge());
        let need = |function: &super::Function| Need {
            address: function.address.to_string(),
            id: function.id.to_string(),
            why: HostUse::in_words(&function.duties),
        };
        Self { display_drivers, device: needed.map(need).collect() }
    }

    /// The file's text.
    ///
    /// # Errors
    /// When it cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        document::write(self)
    }

    /// What was recorded when the initramfs was built; `None` without the file, or if it cannot be read.
    pub(super) fn read(paths: &Paths) -> Option<Self> {
        let path = paths.needs();
        let read = || match file::read_text_if_there(&path)? {
            Some(text) => document::read(&text, &path.display().to_string()).map(Some),
            None => Ok(None),
        };
        read().unwrap_or_else(|error| {
            log::warn!("what the host needs is not known: {error}");
            None
        })
    }

    /// Adds the recorded uses to the functions, if they are still at the same address.
    pub(super) fn apply_to(self, machine: &mut Machine) {
        for Need { address, id, why } in self.device {
            let function = address.parse().ok().and_then(|address| machine.functions.get_mut(&address));
            if let Some(function) = function.filter(|function| function.id.to_string() == id && function.duties.is_empty()) {
                function.duties.push(HostUse::Recorded(why));
            }
        }
    }
}
