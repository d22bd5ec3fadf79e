//! The picture that a scene is made for: how large things are on it, and at what heights they stand.
//!
//! Distances are in units: the composition is made for at least 1200 by 1080 of them, and larger pictures only add
//! space. Text grows by the scale of the appearance, large text by half as much; the cartridges get the remaining
//! space.

use super::color::Color;
use super::geometry::Area;
use super::look::{HEIGHT, LIT};
use super::shelf::RAISED;
use super::text::{Face, Style};
use super::theme::{HIGH_CONTRAST, Palette, STANDARD};
use super::view::Appearance;

/// Cartridges never become smaller than this for the sake of text.
const SMALLEST: f32 = 0.5;
/// Nor does text become larger than this on the narrowest picture: a line must hold a few words.
const LARGEST: f32 = 2.0;
/// How much larger large text is.
const LARGE_TEXT: f32 = 1.35;
/// The height of the highlighted cartridge above the floor, in units.
const SHELF: f32 = HEIGHT * LIT + RAISED;
/// Units from the upper edge to the status line, and from the hints to the lower: a television may hide the outermost part.
const ABOVE: f32 = 42.0;
/// See [`ABOVE`].
const BELOW: f32 = 51.0;
/// Half the height of the status line, and of a keycap.
const HALF_LINE: f32 = 24.0;
/// See [`HALF_LINE`].
const HALF_KEYCAP: f32 = 23.0;

/// The picture a scene is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) width: f32,
    pub(super) height: f32,
    /// Pixels of one unit.
    pub(super) unit: f32,
    /// Pixels of one unit of text.
    pub(super) text: f32,
    /// Pixels of one unit of what is large already: titles, the ring.
    pub(super) large: f32,
    /// Pixels of one unit of a cartridge.
    pub(super) cartridge: f32,
    /// Where the cartridges stand, in pixels from the top.
    pub(super) floor: f32,
    /// The colour of the highlighted persona, lightened until it is visible on the dark background.
    pub(super) accent: Color,
    pub(super) palette: &'static Palette,
}

/// How much of `scale` what is large already grows.
fn less(scale: f32) -> f32 {
    if scale > 1.0 { 1.0 + (scale - 1.0) / 2.0 } else { scale }
}

/// Units above the cartridges, and below them: title, tagline, ring and hints.
fn around(scale: f32) -> (f32, f32) {
    let above = ABOVE + HALF_LINE * scale + (57.0 * scale + 16.0).max(85.0);
    (above, 59.0 + 190.0 * less(scale) + 46.0 + 38.0 * scale + 54.0 + 2.0 * HALF_KEYCAP * scale + BELOW)
}

impl Frame {
    pub(super) fn new(width: u32, height: u32, appearance: Appearance, accent: Color) -> Self {
        let (width, height) = (width as f32, height as f32);
        let unit = (width / 1200.0).min(height / 1080.0);
        let tall = height / unit;
        let left = |scale: f32| tall - around(scale).0 - around(scale).1;
        let wanted = if appearance.scale.is_finite() { appearance.scale.clamp(0.5, 3.0) } else { 1.0 };
        let mut scale = wanted * if appearance.large_text { LARGE_TEXT } else { 1.0 };
        scale = scale.min(LARGEST * width / unit / 1200.0);
        while scale > 1.0 && left(scale) < SHELF * SMALLEST {
            scale = (scale - 0.02).max(1.0);
        }
        let shelf = (left(scale) / SHELF).min(1.0);
        let floor = around(scale).0 + SHELF * shelf + (left(scale) - SHELF * shelf) * 0.42;
        Self {
            width,
            height,
            unit,
            text: unit * scale,
            large: unit * less(scale),
            cartridge: unit * shelf,
            floor: unit * floor,
            accent,
            palette: if appearance.high_contrast { &HIGH_CONTRAST } else { &STANDARD },
        }
    }

    /// `units` in pixels.
    pub(super) fn px(&self, units: f32) -> f32 {
        units * self.unit
    }

    /// Pixels from the top to `units` below the floor.
    pub(super) fn below(&self, units: f32) -> f32 {
        self.floor + units * self.unit
    }

    /// The horizontal middle.
    pub(super) fn middle(&self) -> f32 {
        self.width / 2.0
    }

    /// The width between the margins.
    pub(super) fn room(&self) -> f32 {
        self.width - 2.0 * self.margin()
    }

    /// Pixels kept free left and right.
    pub(super) fn margin(&self) -> f32 {
        self.px(72.0)
    }

    /// The middle of the status line.
    pub(super) fn status(&self) -> f32 {
        self.px(ABOVE) + HALF_LINE * self.text
    }

    /// The middle of the hints.
    pub(super) fn hints(&self) -> f32 {
        self.height - self.px(BELOW) - HALF_KEYCAP * self.text
    }

    /// The baseline of the highlighted persona's title.
    pub(super) fn title(&self) -> f32 {
        self.below(59.0) + 55.0 * self.large
    }

    /// From the title's baseline to that of the line below.
    pub(super) fn tagline(&self) -> f32 {
        self.px(5.0) + 19.0 * self.large + 30.0 * self.text
    }

    /// From the tagline's baseline to the middle of the countdown.
    pub(super) fn countdown(&self) -> f32 {
        self.px(42.0) + 8.0 * self.text + 58.0 * self.large
    }

    /// The middle of what is said while a persona runs.
    pub(super) fn running(&self) -> f32 {
        self.height * 0.46
    }

    /// What is between the status line and the hints, for what lies over the menu.
    pub(super) fn inside(&self) -> Area {
        let top = self.status() + HALF_LINE * self.text + self.px(24.0);
        let bottom = self.hints() - HALF_KEYCAP * self.text - self.px(30.0);
        Area::new(self.margin(), top, self.room(), bottom - top)
    }

    /// A style of `size` units of text.
    pub(super) fn style(&self, face: Face, size: f32, color: Color) -> Style {
        Style::new(face, self.text * size, color)
    }

    /// A style of `size` units for what is large already.
    pub(super) fn headline(&self, size: f32) -> Style {
        Style { tracking: -0.012, ..Style::new(Face::Title, self.large * size, self.palette.ink) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::INK;

    fn frame(width: u32, height: u32, scale: f32, large_text: bool) -> Frame {
        Frame::new(width, height, Appearance { high_contrast: false, large_text, scale }, INK)
    }

    #[test]
    fn what_is_designed_is_1080_units_high() {
        let frame = frame(1920, 1080, 1.0, false);
        assert!((frame.floor - 596.0).abs() < 1.0 && (frame.cartridge - 1.0).abs() < 0.01, "{frame:?}");
        assert_eq!((frame.status(), frame.hints()), (66.0, 1006.0));
    }

    #[test]
    fn the_cartridges_make_room_for_larger_text() {
        let [small, large] = [false, true].map(|large_text| frame(1920, 1080, 1.0, large_text));
        assert!((large.text / small.text - LARGE_TEXT).abs() < 1e-3 && large.large > small.large);
        assert!(large.cartridge < small.cartridge && large.cartridge > 0.7);
        let tall = frame(1080, 1920, 1.0, true);
        assert_eq!(tall.cartridge, tall.unit, "there is room enough");
    }

    #[test]
    fn text_grows_no_further_than_there_is_room() {
        let frame = frame(1920, 1080, 3.0, true);
        assert!(frame.text > 1.7 && frame.cartridge >= SMALLEST * frame.unit - 0.01, "{frame:?}");
    }
}
