//! Colours and their notation.

use std::str::FromStr;

/// An sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    /// Red, 0 to 255.
    pub red: u8,
    /// Green, 0 to 255.
    pub green: u8,
    /// Blue, 0 to 255.
    pub blue: u8,
}

impl Color {
    /// A colour from its three parts.
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }
}

impl FromStr for Color {
    type Err = String;

    /// Reads `#7fb069`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('#') {
            Some(digits) if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or(0);
                Ok(Self::rgb(part(0), part(2), part(4)))
            }
            _ => Err(format!("`{text}` is not a colour such as \"#7fb069\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours() {
        assert_eq!("#7fB069".parse(), Ok(Color::rgb(0x7f, 0xb0, 0x69)));
        for text in ["7fb069", "#7fb06", "#7fb06g", "#éé12"] {
            assert!(text.parse::<Color>().is_err(), "{text}");
        }
    }
}
