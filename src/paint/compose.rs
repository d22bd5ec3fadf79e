//! Lays a view out as a scene. Pure, and cheap enough to be done again for every frame.

use super::background::{Background, Light};
use super::color::Color;
use super::countdown;
use super::frame::Frame;
use super::insertion;
use super::keys::{Hint, hints};
use super::language::fill;
use super::scene::Scene;
use super::shelf;
use super::theme::{MUTED, grey, mix, vivid};
use super::view::{Appearance, Card, Stage, View};
use super::{header, messages, overlays, stages, words};

/// Lays out `view` on a picture of `width` by `height` pixels.
pub(super) fn compose(view: &View, appearance: Appearance, width: u32, height: u32) -> Scene {
    let (card, words) = (view.cards.get(view.highlighted), view.words());
    let frame = Frame::new(width, height, appearance, accent(view));
    let mut scene = Scene { background: backdrop(&frame, view), items: Vec::new(), countdown: None, edges: (0.0, 0.0) };
    match (&view.stage, card) {
        (Stage::Broken { why }, _) => messages::broken(&mut scene, &frame, words, why),
        (_, None) => messages::broken(&mut scene, &frame, words, words.no_personas),
        (_, Some(card)) => stage(&mut scene, &frame, view, card),
    }
    if !matches!(view.stage, Stage::Running { .. }) {
        header::place(&mut scene, &frame, view);
    }
    scene
}

/// The stage and what lies over it: words are either below the shelf or on the overlay.
fn stage(scene: &mut Scene, frame: &Frame, view: &View, card: &Card) {
    // On black nothing is dimmed: hidden parts are left out.
    if !frame.palette.plain || view.overlay.is_none() {
        match &view.stage {
            Stage::Countdown { .. } | Stage::Waiting | Stage::Failed { .. } => stages::shelf(scene, frame, view),
            Stage::Starting { .. } => insertion::scene(scene, frame, view),
            Stage::Running { .. } => stages::emblem(scene, frame, view),
            Stage::Broken { .. } => {}
        }
    }
    if let Some(overlay) = &view.overlay {
        return overlays::place(scene, frame, view, overlay);
    }
    let said = view.words();
    let power: Hint<'_> = (&["Esc"], said.power);
    match &view.stage {
        Stage::Countdown { .. } | Stage::Waiting => {
            words::names(scene, frame, card);
            match &card.refused {
                None => countdown::large(scene, frame, view),
                Some(why) => words::refusal(scene, frame, view, why),
            }
            hints(scene, frame, &shelf_hints(view, card));
        }
        Stage::Failed { why } => {
            messages::failed(scene, frame, &fill(said.not_running, "persona", &card.title), why);
            hints(scene, frame, &[(&[said.any_key], said.menu), power, (&["F1"], said.help)]);
        }
        Stage::Starting { steps } => words::starting(scene, frame, view, card, steps),
        Stage::Running { screen } => {
            words::running(scene, frame, view, card, screen.as_deref());
            // A unit has neither the screen nor the keyboard: the menu is one key away.
            let unit: [Hint<'_>; 2] = [(&["Enter"], said.menu), power];
            hints(scene, frame, if card.is_legion { &unit[1..] } else { &unit });
        }
        Stage::Broken { .. } => {}
    }
}

/// What the keys do on the shelf, the most important first.
fn shelf_hints<'a>(view: &View, card: &Card) -> Vec<Hint<'a>> {
    let words = view.words();
    let mut hints: Vec<Hint<'a>> = Vec::new();
    if view.cards.len() > 1 {
        hints.push((&["←", "→"], words.choose));
    }
    if card.refused.is_none() {
        hints.push((&["Enter"], if card.is_locked { words.unlock } else { words.start }));
    }
    hints.extend::<[Hint<'a>; 2]>([(&["Esc"], words.power), (&["F1"], words.help)]);
    if matches!(view.stage, Stage::Countdown { .. }) {
        hints.push((std::slice::from_ref(&words.any_key), words.more_time));
    }
    hints
}

/// The accent where the highlight is, light enough to stand out.
fn accent(view: &View) -> Color {
    let (from, to, share) = shelf::neighbours(shelf::position(view));
    let colour = |card: &Card| vivid(if card.refused.is_some() { grey(card.accent) } else { card.accent });
    let [from, to] = [from, to].map(|index| view.cards.get(index).map_or(MUTED, colour));
    mix(from, to, share)
}

/// The lights behind everything, by what is going on.
fn backdrop(frame: &Frame, view: &View) -> Background {
    let (strength, brightness) = match &view.stage {
        _ if frame.palette.plain => (0.0, 0.0),
        Stage::Countdown { .. } | Stage::Waiting => (0.30, 1.0),
        Stage::Starting { .. } => (0.30 + 0.08 * insertion::share(view), 1.0),
        Stage::Failed { .. } => (0.20, 0.9),
        Stage::Running { .. } => (0.07, 0.45),
        Stage::Broken { .. } => (0.05, 0.9),
    };
    let color = frame.accent;
    let wide = Light {
        center: (frame.middle(), frame.below(-176.0)),
        spread: frame.px(540.0),
        reach: frame.px(350.0),
        color,
        strength: strength * 1.2,
    };
    let pool = Light {
        center: (frame.middle(), frame.below(44.0)),
        spread: frame.px(760.0),
        reach: frame.px(240.0),
        color,
        strength: strength * 0.35,
    };
    Background { lights: [wide, pool], brightness }
}
