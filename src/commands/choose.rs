//! `persona choose` and `persona hold`: remote equivalents of the menu's keys.

use super::{find_persona, or_absent, print};
use crate::config::Settings;
use crate::control::{Asked, Request, ask, shown};
use crate::error::{Error, Result};
use crate::state::{LegionState, Phase};
use crate::sys::identity;
use crate::sys::paths::Paths;
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// How long the menu may take to answer: it may be drawing on a slow card, on a busy machine.
const MENU_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the menu on the screen choose a persona.
///
/// # Errors
/// When there is no menu, or it refuses; the message says why and what to do instead.
pub fn choose(paths: &Paths, name: &str, out: &mut dyn Write) -> Result<()> {
    match asked(paths, Request::Choose(name.to_owned()))? {
        Some(state) => print(out, &format!("{}.\n", shown::in_words(&state))),
        None => {
            // The menu knows its personas; without a menu, the settings do.
            let settings = Settings::load(paths)?;
            let persona = find_persona(&settings, name)?;
            let legion = or_absent(LegionState::read(paths)).filter(|legion| !matches!(legion.phase, Phase::Ended | Phase::Failed));
            let now = match (persona.legion(), legion) {
                (Some(_), Some(_)) => format!("`persona switch {name}` stops legion and starts it as that one now, "),
                (Some(_), None) => format!("`persona start {name}` starts it now, "),
                (None, _) => String::new(),
            };
            Err(no_menu().with_hint(format!("{now}`persona next {name}` starts it at the next boot")))
        }
    }
}

/// Makes the menu on the screen stop its countdown.
///
/// # Errors
/// When there is no menu, or nothing counts down.
pub fn hold(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    match asked(paths, Request::Hold)? {
        Some(_) => print(out, "The countdown is stopped. The menu waits for a choice: `persona choose NAME`, or a key.\n"),
        None => Err(no_menu().with_hint("`persona status` shows what was chosen")),
    }
}

fn asked(paths: &Paths, request: Request) -> Result<Option<Value>> {
    ask(paths, &Asked { request, who: Some(identity::of_caller()) }, MENU_TIMEOUT)
}

fn no_menu() -> Error {
    Error::new("no menu is on the screen")
}
