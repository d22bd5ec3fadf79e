//! How many terminal cells text takes, and how it is cut and wrapped to them.

use unicode_width::UnicodeWidthChar;

/// How many cells a character takes; control characters take none.
pub(crate) fn of_letter(letter: char) -> usize {
    letter.width().unwrap_or(0)
}

/// Invisible marks, among them those that change the direction of writing.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// How many cells text takes.
pub(crate) fn of(text: &str) -> usize {
    text.chars().map(of_letter).sum()
}

/// The text without anything that a terminal would execute: control characters become spaces, and invisible marks are removed, except
/// accents on a letter.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !is_invisible(*letter)).map(|letter| if letter.is_control() { ' ' } else { letter }) {
        let has_base = !cleaned.is_empty() && !cleaned.ends_with(' ');
        if has_base || of_letter(letter) > 0 {
            cleaned.push(letter);
        }
    }
    cleaned
}

/// The text in at most `room` cells; a cut is marked by three dots, if there is room for them.
pub(crate) fn cut(text: &str, room: usize) -> String {
    if of(text) <= room {
        return text.to_owned();
    }
    let dots = if room >= 6 { "..." } else { "" };
    head(text, room - dots.len()).trim_end().to_owned() + dots
}

/// As much of the text's start as fits in `room` cells.
fn head(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, letter)| {
        taken += of_letter(*letter);
        taken > room
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// The text's lines, each in at most `room` cells, broken at spaces where there are some. A line's own indentation stays:
/// the settings' checker points at wrong words with carets below them. Nothing if there is no room at all.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut wrapped = Vec::new();
    if room == 0 {
        return wrapped;
    }
    for line in text.lines() {
        let line = clean(line);
        let mut rest = line.trim_end();
        loop {
            let fitting = head(rest, room);
            if fitting.len() == rest.len() {
                wrapped.push(rest.to_owned());
                break;
            }
            // A character wider than the room would never fit.
            let Some(first) = rest.chars().next() else { break };
            let fitting = if fitting.is_empty() { &rest[..first.len_utf8()] } else { fitting };
            let indented = rest.len() - rest.trim_start().len();
            let space = if rest[fitting.len()..].starts_with(' ') { Some(fitting.len()) } else { fitting.rfind(' ') };
            let end = space.filter(|end| *end > indented).unwrap_or(fitting.len());
            if of(&rest[..end]) <= room {
                wrapped.push(rest[..end].trim_end().to_owned());
            }
            rest = rest[end..].trim_start();
            if rest.is_empty() {
                break;
            }
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_take_two_cells_and_accents_none() {
        for (text, cells) in [("Gondor", 6), ("Barad-dûr", 9), ("漢字", 4), ("u\u{302}", 1), ("🎮", 2), ("", 0)] {
            assert_eq!(of(text), cells, "{text}");
        }
    }

    #[test]
    fn nothing_is_left_for_a_terminal_to_obey() {
        assert_eq!(clean("a\x1b[2Jb\u{9b}c\u{202e}d\te"), "a [2Jb cd e");
        assert_eq!(clean("\u{301}a\u{301} \u{301}b\u{13447}"), "a\u{301} b\u{13447}", "an accent needs a letter");
    }

    #[test]
    fn text_is_cut_with_dots_and_never_through_a_letter() {
        assert_eq!(cut("Rivendale", 9), "Rivendale");
        assert_eq!(cut("Rivendale", 8), "Riven...");
        assert_eq!(cut("Rivendale", 4), "Rive");
        assert_eq!(cut("漢字漢字", 7), "漢字...");
        assert_eq!(cut("漢字", 3), "漢");
        assert_eq!(cut("漢", 0), "");
    }

    #[test]
    fn lines_break_at_spaces_and_keep_their_indentation() {
        assert_eq!(wrap("the settings are older than these", 12), ["the settings", "are older", "than these"]);
        assert_eq!(wrap("unbreakable", 4), ["unbr", "eaka", "ble"]);
        assert_eq!(wrap("3 | timeout\n  |     ^^^\n", 20), ["3 | timeout", "  |     ^^^"]);
        assert_eq!(wrap("one\n\ntwo", 10), ["one", "", "two"]);
        assert_eq!(wrap("漢a", 1), ["a"], "what cannot fit is left out");
    }
}
