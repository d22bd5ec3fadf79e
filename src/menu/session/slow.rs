//! The operations of the menu that may block: a disk is slow, a driver hangs, another process holds a lock. They run in threads, and behind
//! a trait, so that a test can replace them by slow ones.

use crate::config::{Persona, Settings};
use crate::error::Result;
use crate::menu::data::MenuData;
use crate::menu::facts::Facts;
use crate::menu::session::launch::{self, Launch};
use crate::state::{Choice, Reason};
use crate::sys::paths::Paths;

/// Operations that may block.
pub(super) trait SlowWork: Send + Sync {
    /// Reads settings, state and machine anew.
    fn contents(&self, paths: &Paths) -> Result<MenuData>;
    /// Looks at the machine, and at every persona's cartridge.
    fn facts(&self, paths: &Paths, settings: Option<&Settings>) -> Facts;
    /// Records a choice, which starts legion.
    fn record(&self, paths: &Paths, persona: &Persona, reason: Reason, by: Option<String>) -> Result<Choice>;
    /// Counts the start of what a choice starts, and returns what that is.
    fn account(&self, paths: &Paths, persona: &Persona, choice: &Choice) -> Result<Option<Launch>>;
}

/// This machine.
pub(super) struct Live;

impl SlowWork for Live {
    fn contents(&self, paths: &Paths) -> Result<MenuData> {
        MenuData::read(paths)
    }

    fn facts(&self, paths: &Paths, settings: Option<&Settings>) -> Facts {
        settings.map_or_else(|| Facts::of_host(paths), |settings| Facts::gather(paths, settings).0)
    }

    fn record(&self, paths: &Paths, persona: &Persona, reason: Reason, by: Option<String>) -> Result<Choice> {
        launch::choose(paths, persona, reason, by)
    }

    fn account(&self, paths: &Paths, persona: &Persona, choice: &Choice) -> Result<Option<Launch>> {
        launch::of(paths, persona, choice)
    }
}
