//! Text: which face, how wide, how to make it fit, and its glyphs as coverage masks.

use super::canvas::Mask;
use super::color::Color;
use super::geometry::Area;
use super::target::Target;
use fontdue::{Font, FontSettings};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The faces there are; `fonts/make.py` says where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Face {
    /// Inter Display Bold: titles and numbers.
    Title,
    /// Inter Medium: everything else that is read.
    Text,
    /// JetBrains Mono Medium: lines quoted from a file, whose columns must stay in line.
    Mono,
}

/// How far capitals with accents rise above the baseline, in em.
pub(super) const ASCENT: f32 = 0.96;
/// How far letters hang below the baseline, in em.
pub(super) const DESCENT: f32 = 0.25;
/// The height of capitals, in em.
pub(super) const CAPITAL: f32 = 0.727;

impl Face {
    fn font(self) -> &'static Font {
        static FONTS: [OnceLock<Font>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
        let (slot, data): (_, &[u8]) = match self {
            Self::Title => (&FONTS[0], include_bytes!("fonts/InterDisplay-Bold.otf")),
            Self::Text => (&FONTS[1], include_bytes!("fonts/Inter-Medium.otf")),
            Self::Mono => (&FONTS[2], include_bytes!("fonts/JetBrainsMono-Medium.ttf")),
        };
        slot.get_or_init(|| Font::from_bytes(data, settings()).expect("the embedded fonts are whole"))
    }
}

/// A font of the owner's for letters that the faces lack.
static OWNERS: OnceLock<Font> = OnceLock::new();

fn settings() -> FontSettings {
    FontSettings { scale: 120.0, load_substitutions: false, ..FontSettings::default() }
}

/// Takes a font (TrueType or OpenType) for letters that the built-in fonts lack. The first one stays for the life of the process.
///
/// # Errors
/// When the data are no font.
pub fn add_font(data: &[u8]) -> Result<(), &'static str> {
    let font = Font::from_bytes(data, settings())?;
    OWNERS.get_or_init(|| font);
    Ok(())
}

/// Whether there is a letter for every character of the text.
pub fn can_write(text: &str) -> bool {
    text.chars().all(|letter| letter.is_control() || Glyph::of(Face::Title, letter).index != 0)
}

/// The picture of a letter in one of the fonts; index 0 is the box that stands for a missing one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Glyph {
    /// The face; none for the owner's font.
    face: Option<Face>,
    index: u16,
}

impl Glyph {
    fn of(face: Face, letter: char) -> Self {
        let index = face.font().lookup_glyph_index(letter);
        let owners = || OWNERS.get().map(|font| font.lookup_glyph_index(letter)).filter(|index| *index != 0);
        match if index == 0 { owners() } else { None } {
            Some(index) => Self { face: None, index },
            None => Self { face: Some(face), index },
        }
    }

    fn font(self) -> &'static Font {
        match self.face {
            Some(face) => face.font(),
            None => OWNERS.get().unwrap_or_else(|| Face::Text.font()),
        }
    }
}

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub(super) face: Face,
    /// Pixels of one em.
    pub(super) size: f32,
    /// Extra space after each letter, in em.
    pub(super) tracking: f32,
    pub(super) color: Color,
    /// 0.0 to 1.0.
    pub(super) opacity: f32,
}

impl Style {
    /// Opaque text without extra space.
    pub(super) const fn new(face: Face, size: f32, color: Color) -> Self {
        Self { face, size, tracking: 0.0, color, opacity: 1.0 }
    }

    /// The width of `text` on one line, in pixels.
    pub(super) fn width(&self, text: &str) -> f32 {
        self.advances(text).map(|(_, _, advance)| advance).sum::<f32>()
    }

    /// Every glyph with the pen's advance before it (kerning) and after it.
    fn advances<'a>(&self, text: &'a str) -> impl Iterator<Item = (Glyph, f32, f32)> + use<'a> {
        let Self { size, tracking, face, .. } = *self;
        let mut before: Option<Glyph> = None;
        text.chars().map(move |letter| {
            let glyph = Glyph::of(face, if letter.is_control() { ' ' } else { letter });
            let font = glyph.font();
            let neighbour = before.filter(|before| before.face == glyph.face);
            let kern = neighbour.and_then(|before| font.horizontal_kern_indexed(before.index, glyph.index, size)).unwrap_or(0.0);
            before = Some(glyph);
            (glyph, kern, kern + font.metrics_indexed(glyph.index, size).advance_width + tracking * size)
        })
    }

    /// `text` in this style within `width`: smaller if need be, down to `smallest` of its size, then cut with an
    /// ellipsis.
    pub(super) fn fit(mut self, text: &str, width: f32, smallest: f32) -> (Self, String) {
        let natural = self.width(text);
        if natural <= width {
            return (self, text.to_owned());
        }
        self.size *= (width / natural).max(smallest);
        (self, self.cut(text, width))
    }

    /// `text`, or as much of it as fits in `width` together with an ellipsis.
    pub(super) fn cut(&self, text: &str, width: f32) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let ends = text.char_indices().map(|(at, _)| at).collect::<Vec<_>>();
        let fitting = ends.partition_point(|end| self.width(&format!("{}…", text[..*end].trim_end())) <= width);
        match fitting.checked_sub(1) {
            Some(last) => format!("{}…", text[..ends[last]].trim_end()),
            None => String::new(),
        }
    }

    /// Breaks `text` into at most `most` lines within `width`: at its own line ends, between words, within words that
    /// are too long. What is left over is cut with an ellipsis.
    pub(super) fn wrap(&self, text: &str, width: f32, most: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for line in text.lines() {
            let mut rest = line;
            while self.width(rest) > width && lines.len() + 1 < most {
                let end = self.break_point(rest, width);
                lines.push(rest[..end].trim_end().to_owned());
                rest = rest[end..].trim_start();
            }
            lines.push(rest.to_owned());
        }
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                last.push('…');
            }
        }
        lines.iter().map(|line| self.cut(line, width)).collect()
    }

    /// Where to break a line that is too long: after the last word that fits, else after the last letter that does.
    fn break_point(&self, line: &str, width: f32) -> usize {
        let ends = || line.char_indices().map(|(at, letter)| (at + letter.len_utf8(), letter));
        let indent = line.len() - line.trim_start().len();
        let fits = |end: usize| self.width(line[..end].trim_end()) <= width;
        let word = ends().filter(|(end, letter)| *letter == ' ' && *end > indent).map(|(end, _)| end).take_while(|end| fits(*end)).last();
        let letter = ends().map(|(end, _)| end).take_while(|end| fits(*end)).last();
        word.or(letter).or_else(|| ends().next().map(|(end, _)| end)).unwrap_or(line.len())
    }
}

/// One line of text in its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) style: Style,
    /// Where the pen starts.
    pub(super) x: f32,
    /// Where the letters stand.
    pub(super) baseline: f32,
}

impl Line {
    /// A line that starts at `x`.
    pub(super) fn at(x: f32, baseline: f32, style: Style, text: impl Into<String>) -> Self {
        Self { text: text.into(), style, x, baseline }
    }

    /// A line around `x`.
    pub(super) fn centered(x: f32, baseline: f32, style: Style, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { x: x - (style.width(&text) - style.tracking * style.size) / 2.0, baseline, style, text }
    }

    /// The space it takes, with room for accents and descenders.
    pub(super) fn area(&self) -> Area {
        let size = self.style.size;
        Area::new(self.x, self.baseline - ASCENT * size, self.style.width(&self.text), (ASCENT + DESCENT) * size)
    }

    /// The clip of all letters: some faces have letters that are taller than their metrics.
    pub(super) fn reach(&self) -> Area {
        self.area().outset(0.5 * self.style.size)
    }
}

/// Draws lines, and keeps the glyphs it has drawn.
#[derive(Default)]
pub(super) struct Glyphs {
    drawn: HashMap<(Glyph, u32), Mask>,
}

impl Glyphs {
    /// Draws a line. Text that is too small to be visible is not drawn.
    pub(super) fn draw(&mut self, target: &mut Target, line: &Line) {
        self.ready(line);
        self.lay(target, line);
    }

    /// Draws the glyphs of a line that are new, for [`Glyphs::lay`].
    pub(super) fn ready(&mut self, line: &Line) {
        const SMALLEST: f32 = 3.0;
        let style = line.style;
        if style.size < SMALLEST {
            return;
        }
        for (glyph, _, _) in style.advances(&line.text) {
            self.drawn.entry((glyph, style.size.to_bits())).or_insert_with(|| {
                let (metrics, cover) = glyph.font().rasterize_indexed(glyph.index, style.size);
                let top = -metrics.ymin - metrics.height as i32;
                Mask { left: metrics.xmin, top, size: (metrics.width as u32, metrics.height as u32), cover }
            });
        }
    }

    /// Draws as much of a line as is ready.
    pub(super) fn lay(&self, target: &mut Target, line: &Line) {
        let Some(mut target) = target.within(line.reach()) else { return };
        let style = line.style;
        let baseline = line.baseline.round() as i32;
        let mut pen = line.x;
        for (glyph, kern, advance) in style.advances(&line.text) {
            if let Some(drawn) = self.drawn.get(&(glyph, style.size.to_bits())) {
                target.stencil(drawn, ((pen + kern).round() as i32, baseline), |_| (style.color, style.opacity));
            }
            pen += advance;
        }
    }

    /// Drops the glyphs if there are very many.
    pub(super) fn tidy(&mut self) {
        const MOST_KEPT: usize = 2000;
        if self.drawn.len() > MOST_KEPT {
            self.drawn.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Canvas;
    use crate::theme::INK;

    const STYLE: Style = Style::new(Face::Text, 20.0, INK);

    #[test]
    fn pairs_are_kerned() {
        let apart = STYLE.width("A") + STYLE.width("V");
        assert!(STYLE.width("AV") < apart - 1.0);
    }

    #[test]
    fn letters_of_europe_are_there_and_others_come_from_the_owners_font() {
        for text in ["Größe", "București, Iași", "Đường Việt Nam ỗ", "Ρίβεντελ", "Ривенделл ҐЄЇ", "Łódź, Ğ, Þ"]
        {
            assert!(can_write(text), "{text}");
        }
        assert!(!can_write("漢字") && !can_write("Gondor 🎮"));
        assert!(add_font(b"no font").is_err());
    }

    #[test]
    fn letters_that_no_face_has_are_drawn_as_a_box() {
        let mut canvas = Canvas::new(40, 40);
        Glyphs::default().draw(&mut canvas.target(), &Line::at(4.0, 30.0, STYLE, "漢"));
        assert!(canvas.data.iter().any(|byte| *byte > 200));
    }

    #[test]
    fn what_is_too_long_shrinks_then_is_cut() {
        let (style, text) = STYLE.fit("Rivendale", STYLE.width("Rivendale") * 0.9, 0.8);
        assert_eq!(text, "Rivendale");
        assert!(style.size < 20.0);
        let (style, text) = STYLE.fit("Rivendale of the elves", 100.0, 0.8);
        assert!(text.ends_with('…') && style.width(&text) <= 100.0, "{text}");
        assert_eq!(STYLE.cut("Rivendale", 1.0), "");
    }

    #[test]
    fn lines_break_between_words_and_keep_their_own_ends() {
        let lines = STYLE.wrap("one two three\n  four", STYLE.width("one two "), 9);
        assert_eq!(lines, ["one two", "three", "  four"]);
        let lines = STYLE.wrap("one two three four", STYLE.width("one two"), 2);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with('…'));
        assert!(STYLE.wrap("unbreakable", 30.0, 9).iter().all(|line| STYLE.width(line) <= 30.0));
    }
}
