//! Text on a terminal: colours, lines that are rewritten, columns. In a pipe it is plain text, and no information depends on colour alone.

use crate::sys::width;
use std::ffi::OsStr;
use std::io::IsTerminal;

/// The abilities of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Colours are understood and wanted.
    pub colour: bool,
    /// The cursor can go back, to write a line again.
    pub live: bool,
}

/// The meaning of a piece of text, which selects its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Good.
    Good,
    /// In progress, or a warning.
    Busy,
    /// Bad.
    Bad,
    /// Most important.
    Strong,
    /// Least important.
    Faint,
}

impl Style {
    /// For pipes and files.
    pub const PLAIN: Self = Self { colour: false, live: false };

    /// Decides by whether the reader is a terminal, by `NO_COLOR` (<https://no-color.org>: set and not empty) and by `TERM`.
    pub fn decide(is_terminal: bool, no_colour: Option<&OsStr>, term: Option<&OsStr>) -> Self {
        let live = is_terminal && term.is_some_and(|term| !term.is_empty() && term != "dumb");
        Self { live, colour: live && no_colour.is_none_or(OsStr::is_empty) }
    }

    /// For what reads `stream`.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let variable = |name| std::env::var_os(name);
        Self::decide(stream.is_terminal(), variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
    }

    /// The text in its tone's colour.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        // ECMA-48, SGR: the eight colours of the terminal's own palette.
        let code = match tone {
            Tone::Good => "32",
            Tone::Busy => "33",
            Tone::Bad => "31",
            Tone::Strong => "1",
            Tone::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// The text without what could do something to a terminal: labels, names of folders and devices and words of a guest may hold escape
/// sequences. Line ends, tabs and the colours of [`Style::paint`] stay.
pub fn harmless(text: &str) -> String {
    const COLOURS: [&str; 6] = ["\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"];
    if !text.chars().any(is_harmful) {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let kept = COLOURS.iter().find(|colour| rest.starts_with(**colour)).map_or(letter.len_utf8(), |colour| colour.len());
        let (piece, tail) = rest.split_at(kept);
        if kept > 1 && letter == '\x1b' || !is_harmful(letter) {
            clean.push_str(piece);
        }
        rest = tail;
    }
    clean
}

/// Whether it is a control character, or one that changes the direction of writing and so the order of what is read.
fn is_harmful(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\t') || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A cell of a table: its text and its tone, if any.
pub type Cell = (String, Option<Tone>);

/// Rows with their columns aligned by display width; the last column is not padded.
pub fn columns(rows: &[Vec<Cell>], style: Style) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<Cell>, column: usize| row.get(column).map_or(0, |(text, _)| width::of(text));
    let widths: Vec<usize> = (0..count).map(|column| rows.iter().map(|row| cell(row, column)).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        // Empty cells at the end of a row leave no spaces there.
        let used = row.iter().rposition(|(text, _)| !text.is_empty()).map_or(0, |last| last + 1);
        for (index, (words, tone)) in row[..used].iter().enumerate() {
            text += &tone.map_or_else(|| words.clone(), |tone| style.paint(tone, words));
            if index + 1 < used {
                text.extend(std::iter::repeat_n(' ', widths[index] - width::of(words) + 2));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_escape_sequences_do_not_reach_a_terminal() {
        let colour = Style { colour: true, live: false }.paint(Tone::Bad, "bad");
        for (text, expected) in [
            ("usb\x1b[2J\x1b]0;title\x07", "usb[2J]0;title"),
            ("a\u{9b}31mb\r\nc\td\x00\u{7f}", "a31mb\nc\td"),
            ("\u{202e}live\u{2066}", "live"),
            (colour.as_str(), colour.as_str()),
            ("gr\u{fc}n \u{2713}", "gr\u{fc}n \u{2713}"),
            ("\x1b[", "["),
        ] {
            assert_eq!(harmless(text), expected, "{text:?}");
        }
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        let decide = |is_terminal, no_colour: Option<&str>, term: Option<&str>| {
            Style::decide(is_terminal, no_colour.map(OsStr::new), term.map(OsStr::new))
        };
        let plain = Style { colour: false, live: true };
        assert_eq!(decide(true, None, Some("xterm")), Style { colour: true, live: true });
        assert_eq!(decide(true, Some(""), Some("xterm")), Style { colour: true, live: true });
        assert_eq!(decide(true, Some("0"), Some("xterm")), plain);
        for (is_terminal, term) in [(false, Some("xterm")), (true, Some("dumb")), (true, Some("")), (true, None)] {
            assert_eq!(decide(is_terminal, None, term), Style::PLAIN);
        }
    }

    #[test]
    fn columns_are_aligned_by_cells_and_colours_take_none() {
        let cell = |text: &str, tone| (text.to_owned(), tone);
        let rows = [
            vec![cell("漢字", Some(Tone::Strong)), cell("legion", None), cell("", None)],
            vec![cell("gondor", None), cell("host", None), cell("default", Some(Tone::Good))],
        ];
        assert_eq!(columns(&rows, Style::PLAIN), "漢字    legion\ngondor  host    default\n");
        let colour = Style { colour: true, live: true };
        assert_eq!(columns(&rows, colour), "\x1b[1m漢字\x1b[0m    legion\ngondor  host    \x1b[32mdefault\x1b[0m\n");
    }
}
