//! Writing XML.

use crate::error::{Error, Result};
use std::fmt::Write as _;

/// Writes indented XML. Whatever text it is given stays text.
#[derive(Debug, Default)]
pub(super) struct Writer {
    text: String,
    open: Vec<&'static str>,
    /// The first text that XML has no way to hold.
    unwritable: Option<String>,
}

/// An element's attributes, in order.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Writer {
    /// `<name ...>`, until [`Writer::close`].
    pub(super) fn open(&mut self, name: &'static str, attributes: Attributes<'_>) -> &mut Self {
        self.start(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
        self
    }

    /// `</name>` of what was opened last.
    pub(super) fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            self.indent();
            let _ = writeln!(self.text, "</{name}>");
        }
        self
    }

    /// `<name ... />`
    pub(super) fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>) -> &mut Self {
        self.start(name, attributes);
        self.text.push_str("/>\n");
        self
    }

    /// `<name ...>text</name>`
    pub(super) fn text(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) -> &mut Self {
        self.start(name, attributes);
        self.text.push('>');
        self.escape(text);
        let _ = writeln!(self.text, "</{name}>");
        self
    }

    /// The whole document, after `comment`, which must not have two dashes side by side.
    ///
    /// # Errors
    /// When something in it is a character that XML has no way to write (control characters but tab and line breaks).
    pub(super) fn finish(mut self, comment: &str) -> Result<String> {
        while !self.open.is_empty() {
            self.close();
        }
        match self.unwritable {
            Some(text) => Err(Error::new(format!("XML cannot hold the characters of {text:?}")).mend("give it another name")),
            None => Ok(format!("<!--\n{comment}-->\n{}", self.text)),
        }
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.open.len()));
    }

    fn start(&mut self, name: &str, attributes: Attributes<'_>) {
        self.indent();
        let _ = write!(self.text, "<{name}");
        for (name, value) in attributes {
            let _ = write!(self.text, " {name}='");
            self.escape(value);
            self.text.push('\'');
        }
    }

    /// White space but blanks is spelt out: a reader would make blanks of it in attributes.
    fn escape(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '\'' => self.text.push_str("&apos;"),
                '"' => self.text.push_str("&quot;"),
                '\t' | '\n' | '\r' => {
                    let _ = write!(self.text, "&#{};", u32::from(letter));
                }
                // XML 1.0, section 2.2.
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                    self.unwritable.get_or_insert_with(|| text.to_owned());
                }
                letter => self.text.push(letter),
            }
        }
    }
}
