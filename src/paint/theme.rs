//! Colours, and how they mix.

use super::color::Color;

/// What is read first.
pub(super) const INK: Color = Color::rgb(0xf3, 0xf5, 0xf9);
/// What is read second.
pub(super) const MUTED: Color = Color::rgb(0xa7, 0xaf, 0xbd);
/// What need not be read.
pub(super) const FAINT: Color = Color::rgb(0x6d, 0x76, 0x86);
/// A quiet warning.
pub(super) const AMBER: Color = Color::rgb(0xf0, 0xb4, 0x4c);
/// A failure.
pub(super) const RED: Color = Color::rgb(0xff, 0x6b, 0x5c);
/// The plastic of panels, keycaps and the slot.
pub(super) const PLASTIC: Color = Color::rgb(0x2a, 0x2f, 0x3a);
/// The deepest shadow.
pub(super) const NIGHT: Color = Color::rgb(0x06, 0x07, 0x0b);
/// The background at the top edge.
pub(super) const SKY: Color = Color::rgb(0x12, 0x15, 0x1d);
/// The background at the bottom edge.
pub(super) const FLOOR: Color = Color::rgb(0x07, 0x08, 0x0c);
/// Pure white.
pub(super) const WHITE: Color = Color::rgb(0xff, 0xff, 0xff);
/// Pure black.
pub(super) const BLACK: Color = Color::rgb(0, 0, 0);
/// A cartridge's contacts.
pub(super) const GOLD: Color = Color::rgb(0xd9, 0xb3, 0x62);

/// The colours of words and surfaces.
#[derive(Debug, PartialEq)]
pub(super) struct Palette {
    /// What is read first.
    pub(super) ink: Color,
    /// What is read second.
    pub(super) muted: Color,
    /// Lines between things.
    pub(super) faint: Color,
    /// A quiet warning.
    pub(super) warning: Color,
    /// A failure.
    pub(super) failure: Color,
    /// What lies over the menu.
    pub(super) panel: Color,
    /// The top of a keycap.
    pub(super) keycap: Color,
    /// How strong the white edges of panels and keycaps are, 0.0 to 1.0.
    pub(super) edge: f32,
    /// Whether surfaces are black or white and nothing else.
    pub(super) plain: bool,
}

/// As designed.
pub(super) const STANDARD: Palette = Palette {
    ink: INK,
    muted: MUTED,
    faint: FAINT,
    warning: AMBER,
    failure: RED,
    panel: Color::rgb(0x12, 0x15, 0x1c),
    keycap: Color::rgb(0x35, 0x39, 0x44),
    edge: 0.16,
    plain: false,
};

/// Black and white: every word has a contrast of 21 to 1.
pub(super) const HIGH_CONTRAST: Palette =
    Palette { ink: WHITE, muted: WHITE, faint: WHITE, warning: WHITE, failure: WHITE, panel: BLACK, keycap: BLACK, edge: 1.0, plain: true };

/// The colour `share` (0.0 to 1.0) of the way from `a` to `b`.
pub(super) fn mix(a: Color, b: Color, share: f32) -> Color {
    let part = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share).round() as u8;
    Color::rgb(part(a.red, b.red), part(a.green, b.green), part(a.blue, b.blue))
}

/// How bright a colour looks, 0.0 to 1.0 (Rec. 709 weights on the encoded values).
pub(super) fn brightness(color: Color) -> f32 {
    (0.2126 * f32::from(color.red) + 0.7152 * f32::from(color.green) + 0.0722 * f32::from(color.blue)) / 255.0
}

/// The accent, lightened until it stands out from the dark background: the settings may name black.
pub(super) fn vivid(accent: Color) -> Color {
    const MIN_BRIGHTNESS: f32 = 0.5;
    let lacking = (MIN_BRIGHTNESS - brightness(accent)).max(0.0);
    mix(accent, WHITE, lacking / (1.0 - brightness(accent)).max(0.1))
}

/// A colour reduced to its brightness.
pub(super) fn grey(color: Color) -> Color {
    let part = (brightness(color) * 255.0) as u8;
    Color::rgb(part, part, part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accent_stands_out() {
        for accent in [BLACK, WHITE, Color::rgb(0, 0, 255), Color::rgb(255, 0, 0), Color::rgb(0x7f, 0xb0, 0x69)] {
            assert!(brightness(vivid(accent)) > 0.49, "{accent:?}");
        }
    }
}
