//! Text inside XML.

use crate::error::{Error, Result};

/// `text` as it stands in an element or an attribute, whatever is in it. White space but blanks is spelt out: a reader would
/// make blanks of it in attributes.
///
/// # Errors
/// When it has characters that XML has no way to write: control characters but tab and line breaks (XML 1.0, section 2.2).
pub(super) fn escape(text: &str) -> Result<String> {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&apos;"),
            '"' => escaped.push_str("&quot;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                return Err(Error::new(format!("XML cannot hold the characters of {text:?}")).with_hint("give it another name"));
            }
            letter => escaped.push(letter),
        }
    }
    Ok(escaped)
}
