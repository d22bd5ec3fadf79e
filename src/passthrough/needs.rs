//! What the running host needs, written down for the next boot's initramfs: before coldplug nobody could tell.

use super::machine::{Duty, Machine};
use crate::error::{Context, Result};
use crate::paths::Paths;
use serde::{Deserialize, Serialize};

/// The functions that the host cannot do without, as `needs.toml` has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
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
    /// What this machine needs now.
    pub fn of(machine: &Machine) -> Self {
        let needed = machine.functions.values().filter(|function| !function.duties.is_empty() && !function.is_bridge());
        let need = |function: &super::Function| Need {
            address: function.address.to_string(),
            id: function.id.to_string(),
            why: Duty::in_words(&function.duties),
        };
        Self { device: needed.map(need).collect() }
    }

    /// The file's text.
    ///
    /// # Errors
    /// Never in practice: it is text only.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).doing(|| "writing down what the host needs".into())
    }

    /// What was written down when the initramfs was built. Without the file, or with one that cannot be read, nothing is known.
    pub(super) fn read(paths: &Paths) -> Self {
        let path = paths.needs();
        let Ok(text) = std::fs::read_to_string(&path) else { return Self::default() };
        toml::from_str(&text).unwrap_or_else(|error| {
            log::warn!("{} is ignored: {error}", path.display());
            Self::default()
        })
    }

    /// Gives the functions their duties of then, if they are still where they were.
    pub(super) fn remind(self, machine: &mut Machine) {
        for Need { address, id, why } in self.device {
            let function = address.parse().ok().and_then(|address| machine.functions.get_mut(&address));
            if let Some(function) = function.filter(|function| function.id.to_string() == id && function.duties.is_empty()) {
                function.duties.push(Duty::Recorded(why));
            }
        }
    }
}
