//! Lines of styled text.

use crate::sys::width;
use persona_paint::Color;

/// A row of a text screen, from the left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Its parts; none of them has a control character in it.
    pub spans: Vec<Span>,
}

/// Letters in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The letters.
    pub text: String,
    /// How they look.
    pub style: TextStyle,
}

/// How letters look. A line must be readable without any of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextStyle {
    /// Bold.
    pub bold: bool,
    /// Reverse video.
    pub reverse: bool,
    /// One of the terminal's colours, if not its own.
    pub color: Option<Ansi>,
}

/// The terminal colours in use: 1 to 7 of ECMA-48's eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ansi {
    /// 1
    Red = 1,
    /// 2
    Green,
    /// 3
    Yellow,
    /// 4
    Blue,
    /// 5
    Magenta,
    /// 6
    Cyan,
    /// 7
    White,
}

impl Ansi {
    /// The terminal colour nearest to a persona's: of the same hue, or white for greys.
    pub fn nearest(color: Color) -> Self {
        let parts = [color.red, color.green, color.blue];
        let (least, most) = (parts.into_iter().min().unwrap_or(0), parts.into_iter().max().unwrap_or(0));
        if u16::from(most - least) * 4 < u16::from(most).max(64) {
            return Self::White;
        }
        // A channel counts as lit if it is in the upper half between the weakest and the strongest.
        let lit = parts.map(|part| u16::from(part) * 2 >= u16::from(least) + u16::from(most));
        match lit {
            [true, false, false] => Self::Red,
            [false, true, false] => Self::Green,
            [true, true, false] => Self::Yellow,
            [false, false, true] => Self::Blue,
            [true, false, true] => Self::Magenta,
            [false, true, true] => Self::Cyan,
            [true, true, true] | [false, false, false] => Self::White,
        }
    }
}

impl TextStyle {
    /// The terminal's own letters.
    pub const PLAIN: Self = Self { bold: false, reverse: false, color: None };
    /// For headings.
    pub const BOLD: Self = Self { bold: true, reverse: false, color: None };
    /// For what is highlighted.
    pub const REVERSE: Self = Self { bold: true, reverse: true, color: None };

    /// The same in a colour.
    #[must_use]
    pub fn colored(self, color: Ansi) -> Self {
        Self { color: Some(color), ..self }
    }
}

impl Line {
    /// A line in one style.
    pub fn new(text: impl AsRef<str>, style: TextStyle) -> Self {
        Self::default().with(text, style)
    }

    /// A line without style.
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self::new(text, TextStyle::PLAIN)
    }

    /// The line with more text at its end.
    #[must_use]
    pub fn with(mut self, text: impl AsRef<str>, style: TextStyle) -> Self {
        let text = width::clean(text.as_ref());
        if !text.is_empty() {
            self.spans.push(Span { text, style });
        }
        self
    }

    /// How many cells it takes.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|span| width::of(&span.text)).sum()
    }

    /// The line in at most `room` cells.
    pub(super) fn cut(self, room: usize) -> Self {
        let mut left = room;
        let mut spans = Vec::new();
        for span in self.spans {
            let text = width::cut(&span.text, left);
            let was_cut = text != span.text;
            left -= width::of(&text);
            spans.push(Span { text, style: span.style });
            if was_cut {
                break;
            }
        }
        spans.retain(|span| !span.text.is_empty());
        Self { spans }
    }

    /// The line `cells` further to the right.
    pub(super) fn indented(mut self, cells: usize) -> Self {
        if cells > 0 && !self.spans.is_empty() {
            self.spans.insert(0, Span { text: " ".repeat(cells), style: TextStyle::PLAIN });
        }
        self
    }

    /// Its letters alone.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn accents_keep_their_hue() {
        for (color, near) in [
            ("#7fb069", Ansi::Green),
            ("#6ba4e8", Ansi::Blue),
            ("#e4572e", Ansi::Red),
            ("#9aa5b1", Ansi::White),
            ("#f2b134", Ansi::Yellow),
            ("#3fb8af", Ansi::Cyan),
            ("#000000", Ansi::White),
            ("#c030c0", Ansi::Magenta),
        ] {
            assert_eq!(Ansi::nearest(color.parse().unwrap()), near, "{color}");
        }
    }
}
