//! The scene: a view laid out on a picture of some size, as a list of things to draw. The painter compares it with the last one.

use super::background::Background;
use super::color::Color;
use super::element::ElementKind;
use super::geometry::Area;
use super::look::Look;
use super::signs::Sign;
use super::text::Line;

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

/// The countdown: the only part that changes by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Countdown {
    /// The square the ring fills.
    pub(super) ring: Area,
    /// What is left of the ring, in steps of a 720th.
    pub(super) left: u16,
    /// Colour of what is left.
    pub(super) color: Color,
    /// The number in the ring, if it is large enough.
    pub(super) number: Option<Line>,
    /// The words beside it.
    pub(super) words: Line,
    /// Everything the countdown may ever cover.
    pub(super) area: Area,
}

impl Countdown {
    /// Its lines of text.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.number.iter().chain([&self.words])
    }
}
