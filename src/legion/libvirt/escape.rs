//! Text inside XML.

use crate::error::{Error, Result};

/// `text` escaped for an XML element or attribute. White space other than spaces is written as character references: a reader would turn it
/// into spaces in attributes.
///
/// # Errors
/// When it has characters that XML cannot represent: control characters except tab and line breaks (XML 1.0, section 2.2).
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
                return Err(Error::new(format!("XML cannot represent the characters of {text:?}")).with_hint("give it another name"));
            }
            letter => escaped.push(letter),
        }
    }
    Ok(escaped)
}
