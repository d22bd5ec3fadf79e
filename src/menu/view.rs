//! What the menu shows at one instant, as the painter wants it.

use super::state::Menu;
use crate::settings::Settings;
use std::time::Duration;

pub use persona_paint::{Card, Stage, View};

/// What the menu of these settings shows at `now`; nothing while the console has the screen.
pub fn view(settings: &Settings, menu: &Menu, now: Duration, host: &str, notice: Option<&str>) -> Option<View> {
    let cards = settings.personas.iter().enumerate().map(|(index, persona)| Card {
        title: persona.title.clone(),
        tagline: persona.tagline.clone(),
        accent: persona.accent,
        emblem: persona.emblem.clone(),
        is_default: index == menu.default(),
        is_legion: persona.legion().is_some(),
        is_locked: false,
        refused: None,
    });
    let still = View::still(cards.collect(), menu.highlighted(), menu.stage(now)?);
    Some(View { host: host.to_owned(), notice: notice.map(str::to_owned), ..still })
}
