//! Lines as the bytes that make a terminal show them (ECMA-48, as the VT100 and the kernel's own terminals implement it).

use super::line::{Line, TextStyle};
use std::fmt::Write;

/// At the start: hides the cursor, switches automatic line wrap off, clears the screen.
pub const ENTER: &str = "\x1b[0m\x1b[?25l\x1b[?7l\x1b[2J";

/// At the end: restores all of that and clears the screen.
pub const LEAVE: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[2J\x1b[H";

/// The bytes that turn the screen from `before` into `after`: only rows that differ, each written over and not erased
/// first, to avoid flicker. All rows without a `before`; no bytes if nothing differs.
pub fn ansi(before: &[Line], after: &[Line], columns: usize) -> Vec<u8> {
    let mut bytes = String::new();
    for (row, line) in after.iter().enumerate() {
        if before.get(row) == Some(line) {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(bytes, "\x1b[{};1H", row + 1);
        for span in &line.spans {
            bytes += &select(span.style);
            bytes += &span.text;
        }
        bytes += "\x1b[0m";
        // In a full row the cursor stands on the last letter, which would be erased.
        if line.width() < columns {
            bytes += "\x1b[K";
        }
    }
    if !bytes.is_empty() {
        bytes += "\x1b[H";
    }
    bytes.into_bytes()
}

/// The sequence that selects a style, independent of the previous one.
fn select(style: TextStyle) -> String {
    let mut sequence = "\x1b[0".to_owned();
    sequence += if style.bold { ";1" } else { "" };
    sequence += if style.reverse { ";7" } else { "" };
    if let Some(color) = style.color {
        let _ = write!(sequence, ";3{}", color as u8);
    }
    sequence + "m"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::line::Ansi;
    use super::*;

    #[test]
    fn only_rows_that_differ_are_written() {
        let before = [Line::plain("one"), Line::plain("two")];
        let after = [Line::plain("one"), Line::new("2", TextStyle::REVERSE.colored(Ansi::Red))];
        assert_eq!(String::from_utf8(ansi(&before, &after, 80)).unwrap(), "\x1b[2;1H\x1b[0;1;7;31m2\x1b[0m\x1b[K\x1b[H");
        assert!(ansi(&before, &before, 80).is_empty());
        assert_eq!(ansi(&[], &before, 80).iter().filter(|byte| **byte == b'K').count(), 2);
    }

    #[test]
    fn a_full_row_keeps_its_last_letter() {
        let bytes = String::from_utf8(ansi(&[], &[Line::plain("full")], 4)).unwrap();
        assert!(bytes.contains("full") && !bytes.contains("\x1b[K"), "{bytes:?}");
    }
}
