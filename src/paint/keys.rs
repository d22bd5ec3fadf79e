//! Keycaps, and the hints along the bottom that say what the keys do.

use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::scene::{Item, Scene};
use super::signs::Sign;
use super::text::{CAPITAL, Face, Line, Style};
use super::theme::{BLACK, NIGHT, Palette, WHITE};

/// What is on a keycap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cap<'a> {
    /// A key's name.
    Key(&'a str),
    /// A button's name: gamepads have round ones.
    Button(&'a str),
    /// A sign.
    Sign(Sign),
}

/// Keys and what they do.
pub(super) type Hint<'a> = (&'a [&'a str], &'a str);

/// The height of a keycap, in units of text.
const HEIGHT: f32 = 46.0;
/// Between two keycaps that do the same.
const BETWEEN: f32 = 8.0;

impl Cap<'_> {
    fn style(unit: f32) -> Style {
        Style::new(Face::Text, 23.0 * unit, WHITE)
    }

    /// Its width in pixels, where a unit of text has `unit` of them.
    pub(super) fn width(self, unit: f32) -> f32 {
        let least = HEIGHT * unit;
        match self {
            Self::Sign(_) => least,
            Self::Key(label) | Self::Button(label) => (Self::style(unit).width(label) + 30.0 * unit).max(least),
        }
    }

    /// Draws it so that it starts at `x`, with its middle at `y`; in white or `lit`. Returns where it ends.
    pub(super) fn draw(self, scene: &mut Scene, palette: &Palette, (x, y): (f32, f32), unit: f32) -> f32 {
        let area = Area::new(x, y - HEIGHT / 2.0 * unit, self.width(unit), HEIGHT * unit);
        self.draw_in(scene, palette, ElementKind::Keycap, area, unit, None);
        area.right()
    }

    /// Draws it as large as `area`; lit up if it is given a light: the colours of the key and of what is on it.
    pub(super) fn draw_in(
        self,
        scene: &mut Scene,
        palette: &Palette,
        kind: ElementKind,
        area: Area,
        unit: f32,
        light: Option<super::color::Color>,
    ) {
        let radius = if matches!(self, Self::Button(_)) { area.height / 2.0 } else { 10.0 * unit };
        if !palette.plain {
            let lip = Area { y: area.y + 4.0 * unit, ..area };
            scene.put(kind, Item::Box { area: lip, radius, color: NIGHT, opacity: 0.9 });
        }
        let ink = if light.is_none() {
            palette.ink
        } else if palette.plain {
            BLACK
        } else {
            NIGHT
        };
        scene.put(kind, Item::Box { area, radius, color: light.unwrap_or(palette.keycap), opacity: 1.0 });
        let width = if palette.plain { 2.0 * unit } else { 1.5 * unit };
        scene.put(kind, Item::Frame { area, radius, width, color: WHITE, opacity: palette.edge });
        let (middle, y) = area.center();
        match self {
            Self::Sign(sign) => {
                scene.put(kind, Item::Sign { sign, area: Area::around(middle, y, area.height * 0.27), color: ink, opacity: 1.0 });
            }
            Self::Key(label) | Self::Button(label) => {
                let style = Style { color: ink, ..Self::style(unit) };
                scene.text(kind, Line::centered(middle, y + CAPITAL / 2.0 * style.size, style, label));
            }
        }
    }
}

/// The width of keycaps side by side.
pub(super) fn row_width(caps: &[Cap<'_>], unit: f32) -> f32 {
    caps.iter().map(|cap| cap.width(unit)).sum::<f32>() + BETWEEN * unit * caps.len().saturating_sub(1) as f32
}

/// Keycaps side by side. Returns where they end.
pub(super) fn row(scene: &mut Scene, palette: &Palette, caps: &[Cap<'_>], (mut x, y): (f32, f32), unit: f32) -> f32 {
    for cap in caps {
        x = cap.draw(scene, palette, (x, y), unit) + BETWEEN * unit;
    }
    x - BETWEEN * unit
}

/// Keycaps with what they do, along the bottom: as many as there is room for, the most important first.
pub(super) fn hints(scene: &mut Scene, frame: &Frame, hints: &[Hint<'_>]) {
    const WIDEST: f32 = 54.0;
    const NARROWEST: f32 = 30.0;
    let unit = frame.text;
    let style = frame.style(Face::Text, 24.0, frame.palette.muted);
    let before_word = 14.0 * unit;
    let caps: Vec<(Vec<Cap<'_>>, &str)> =
        hints.iter().map(|(keys, word)| (keys.iter().map(|key| Cap::Key(key)).collect(), *word)).collect();
    let width = |(caps, word): &(Vec<Cap<'_>>, &str)| row_width(caps, unit) + before_word + style.width(word);
    let needed = |count: usize| caps[..count].iter().map(width).sum::<f32>();
    let gaps = |count: usize| count.saturating_sub(1) as f32;
    let count = (0..=caps.len()).rev().find(|count| needed(*count) + gaps(*count) * NARROWEST * unit <= frame.room()).unwrap_or(0);
    let gap = ((frame.room() - needed(count)) / gaps(count).max(1.0)).min(WIDEST * unit);
    let y = frame.hints();
    let mut x = frame.middle() - (needed(count) + gaps(count) * gap) / 2.0;
    for (index, (caps, word)) in caps[..count].iter().enumerate() {
        let line = Line::at(row(scene, frame.palette, caps, (x, y), unit) + before_word, y + CAPITAL / 2.0 * style.size, style, *word);
        x = line.area().right() + gap;
        scene.text(ElementKind::KeyHint(index), line);
    }
}
