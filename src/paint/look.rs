//! What one cartridge looks like, and its size.

use super::geometry::Area;
use super::language::Language;
use super::view::Card;

/// The size of a cartridge in the units of its drawing.
pub(super) const WIDTH: f32 = 264.0;
/// See [`WIDTH`].
pub(super) const HEIGHT: f32 = 352.0;
/// How far light and shadow reach around it, in the same units.
pub(super) const MARGIN: f32 = 68.0;
/// How much larger the highlighted cartridge is.
pub(super) const LIT: f32 = 1.22;
/// Where the label is.
pub(super) const LABEL: Area = Area::new(19.0, 52.0, 226.0, 242.0);

/// What a cartridge looks like.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    pub(super) card: Card,
    /// The key that moves to it, if it has one.
    pub(super) number: Option<usize>,
    /// Whether it is the highlighted one.
    pub(super) lit: bool,
    /// Pixels of one unit of the drawing.
    pub(super) scale: f32,
    /// How much larger than designed its title is.
    pub(super) text: f32,
    /// Whether it is drawn in high contrast.
    pub(super) plain: bool,
    /// The language of its default tab.
    pub(super) language: Language,
}

impl Look {
    /// The same cartridge, highlighted: lit, and larger.
    pub(super) fn highlighted(&self) -> Self {
        Self { lit: true, scale: self.scale * LIT, ..self.clone() }
    }
}

/// An area of the drawing on the sprite.
pub(super) fn placed(area: Area, scale: f32) -> Area {
    Area::new((area.x + MARGIN) * scale, (area.y + MARGIN) * scale, area.width * scale, area.height * scale)
}
