//! The scene: a view laid out on a picture of some size, as a list of things to draw. Pure, and cheap enough to build
//! again for every frame; the painter compares it with the last one.

use super::background::{Background, Light};
use super::cartridge::Look;
use super::color::Color;
use super::countdown::{self, Countdown};
use super::frame::Frame;
use super::geometry::Area;
use super::insertion;
use super::keys::{Hint, hints};
use super::language::fill;
use super::layout::ElementKind;
use super::shelf;
use super::signs::Sign;
use super::text::Line;
use super::theme::{MUTED, grey, mix, vivid};
use super::view::{Appearance, Card, Stage, View};
use super::{header, messages, overlays, stages, words};

/// A thing to draw.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// A line of text.
    Text(Line),
    /// A cartridge; its body covers `body`. `look` is how it looks without the highlight.
    Cartridge {
        look: Box<Look>,
        body: Area,
        /// How much of the highlight it has: 0.0 none, 1.0 all.
        light: f32,
        /// 0.0 to 1.0.
        opacity: f32,
    },
    /// Only the emblem of a persona.
    Emblem { look: Box<Look>, place: Area, opacity: f32 },
    /// A rounded rectangle.
    Box { area: Area, radius: f32, color: Color, opacity: f32 },
    /// Its edge.
    Frame { area: Area, radius: f32, width: f32, color: Color, opacity: f32 },
    /// A sign in a square.
    Sign { sign: Sign, area: Area, color: Color, opacity: f32 },
    /// Darkens all that is behind it; `keep` of 256 is left.
    Veil { keep: u16 },
    /// A triangle that points up.
    Pointer { area: Area, color: Color },
}

/// A thing to draw, and what it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) kind: ElementKind,
    pub(super) item: Item,
}

/// A view laid out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    pub(super) background: Background,
    /// From back to front.
    pub(super) items: Vec<Placed>,
    pub(super) countdown: Option<Countdown>,
    /// How wide the fade at the left and the right edge is for cartridges, in pixels.
    pub(super) edges: (f32, f32),
}

impl Scene {
    /// Lays out `view` on a picture of `width` by `height` pixels.
    pub(super) fn compose(view: &View, appearance: Appearance, width: u32, height: u32) -> Self {
        let (card, words) = (view.cards.get(view.highlighted), view.words());
        let frame = Frame::new(width, height, appearance, accent(view));
        let mut scene = Self { background: backdrop(&frame, view), items: Vec::new(), countdown: None, edges: (0.0, 0.0) };
        match (&view.stage, card) {
            (Stage::Broken { why }, _) => messages::broken(&mut scene, &frame, words, why),
            (_, None) => messages::broken(&mut scene, &frame, words, words.no_personas),
            (_, Some(card)) => scene.stage(&frame, view, card),
        }
        if !matches!(view.stage, Stage::Running { .. }) {
            header::place(&mut scene, &frame, view);
        }
        scene
    }

    /// The stage and what lies over it: words are either below the shelf or on the overlay.
    fn stage(&mut self, frame: &Frame, view: &View, card: &Card) {
        // On black nothing is dimmed: hidden parts are left out.
        if !frame.palette.plain || view.overlay.is_none() {
            match &view.stage {
                Stage::Countdown { .. } | Stage::Waiting | Stage::Failed { .. } => stages::shelf(self, frame, view),
                Stage::Starting { .. } => insertion::scene(self, frame, view),
                Stage::Running { .. } => stages::emblem(self, frame, view),
                Stage::Broken { .. } => {}
            }
        }
        if let Some(overlay) = &view.overlay {
            return overlays::place(self, frame, view, overlay);
        }
        let said = view.words();
        let power: Hint<'_> = (&["Esc"], said.power);
        match &view.stage {
            Stage::Countdown { .. } | Stage::Waiting => {
                words::names(self, frame, card);
                match &card.refused {
                    None => countdown::large(self, frame, view),
                    Some(why) => words::refusal(self, frame, view, why),
                }
                hints(self, frame, &shelf_hints(view, card));
            }
            Stage::Failed { why } => {
                messages::failed(self, frame, &fill(said.not_running, "persona", &card.title), why);
                hints(self, frame, &[(&[said.any_key], said.menu), power, (&["F1"], said.help)]);
            }
            Stage::Starting { steps } => words::starting(self, frame, view, card, steps),
            Stage::Running { screen } => {
                words::running(self, frame, view, card, screen.as_deref());
                // A unit has neither the screen nor the keyboard: the menu is one key away.
                let unit: [Hint<'_>; 2] = [(&["Enter"], said.menu), power];
                hints(self, frame, if card.is_legion { &unit[1..] } else { &unit });
            }
            Stage::Broken { .. } => {}
        }
    }

    /// Adds a thing in front of all others.
    pub(super) fn put(&mut self, kind: ElementKind, item: Item) {
        self.items.push(Placed { kind, item });
    }

    /// Adds a line of text, unless there are no letters in it.
    pub(super) fn text(&mut self, kind: ElementKind, line: Line) {
        if !line.text.is_empty() {
            self.put(kind, Item::Text(line));
        }
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

/// Where the highlight is on the shelf, in cartridges.
pub(super) fn position(view: &View) -> f32 {
    let last = view.cards.len().saturating_sub(1) as f32;
    // A comparison with NaN is false.
    if view.pose.shelf >= 0.0 { view.pose.shelf.min(last) } else { 0.0 }
}

/// The accent where the highlight is, light enough to stand out.
fn accent(view: &View) -> Color {
    let (from, to, share) = shelf::neighbours(position(view));
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
