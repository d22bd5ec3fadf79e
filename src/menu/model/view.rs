//! What the menu shows at one instant, as the painter wants it.

use crate::config::{MenuSettings, Settings};
use crate::menu::facts::Facts;
use crate::menu::model::Menu;
use crate::menu::reasons;
use crate::state::Phase;
use persona_paint::{Appearance, LaunchStep, Progress, can_write};
use std::cmp::Ordering;
use std::time::Duration;

pub use persona_paint::{Card, Stage, View};

/// What the menu of these settings shows at `now` on this machine; nothing while the console has the screen.
pub fn view(settings: &Settings, menu: &Menu, facts: &Facts, now: Duration) -> Option<View> {
    let cards = settings.personas.iter().enumerate().map(|(index, persona)| Card {
        title: if can_write(&persona.title) { persona.title.clone() } else { persona.name.clone() },
        tagline: Some(&persona.tagline).filter(|tagline| can_write(tagline)).cloned().unwrap_or_default(),
        accent: persona.accent,
        emblem: persona.emblem.clone(),
        is_default: menu.default() == Some(index),
        is_legion: persona.legion().is_some(),
        is_locked: persona.pin.is_some(),
        refused: facts.refusal(index).map(|refusal| reasons::explanation(refusal, facts.language.words())),
    });
    let stage = match menu.stage(now)? {
        Stage::Starting { mut steps } => {
            steps.iter_mut().zip(facts.language.words().steps).for_each(|(step, name)| step.name = name.to_owned());
            Stage::Starting { steps }
        }
        Stage::Running { .. } => Stage::Running { screen: facts.screen.clone() },
        stage => stage,
    };
    Some(View {
        overlay: menu.overlay(now),
        language: facts.language,
        host: facts.host.clone(),
        address: facts.address.clone(),
        notice: facts.notice.clone().or_else(|| facts.opening.clone()),
        ..View::still(cards.collect(), menu.highlighted(), stage)
    })
}

/// How the owner wants it drawn; at its designed size where that is left to the screen.
pub fn appearance(settings: &MenuSettings) -> Appearance {
    Appearance { high_contrast: settings.high_contrast, large_text: settings.large_text, scale: settings.scale.unwrap_or(1.0) }
}

/// How far the steps of a launch of legion are in `phase`.
pub(super) fn launch_steps(phase: Phase) -> Vec<LaunchStep> {
    let busy = match phase {
        Phase::Preparing => 0,
        Phase::Inserting => 1,
        Phase::Starting => 2,
        Phase::Running | Phase::Stopping | Phase::Ended | Phase::Failed => 3,
    };
    let progress = |index: usize| match index.cmp(&busy) {
        Ordering::Less => Progress::Done,
        Ordering::Equal => Progress::Busy,
        Ordering::Greater => Progress::Pending,
    };
    let steps = ["devices", "cartridge", "power"].into_iter().enumerate();
    steps.map(|(index, name)| LaunchStep { name: name.to_owned(), progress: progress(index) }).collect()
}
