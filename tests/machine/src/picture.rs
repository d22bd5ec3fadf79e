//! What a monitor shows, as pixels.

use persona::config::value::Color;
use persona::error::{Context, Error, Result};
use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::BufReader;
use std::path::Path;

/// A screendump.
#[derive(Debug)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    pixels: Vec<u8>,
    channels: usize,
}

impl Picture {
    /// Reads a PNG of 8-bit colours.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(file: &Path) -> Result<Self> {
        let doing = || format!("reading the picture {}", file.display());
        let mut reader = png::Decoder::new(BufReader::new(File::open(file).context(doing)?)).read_info().context(doing)?;
        let size = reader.output_buffer_size().ok_or_else(|| Error::new(format!("{}: too large", doing())))?;
        let mut pixels = vec![0; size];
        let info = reader.next_frame(&mut pixels).context(doing)?;
        let channels = info.color_type.samples();
        if channels < 3 {
            return Err(Error::new(format!("{}: it has no colours", doing())));
        }
        Ok(Self { width: info.width as usize, height: info.height as usize, pixels, channels })
    }

    /// Reads a binary PPM of 8-bit colours (netpbm's ppm(5)) as QEMU writes it, without comments: quicker to write than a PNG.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn from_ppm(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut word = || {
            let end = rest.iter().position(u8::is_ascii_whitespace)?;
            let (word, after) = rest.split_at(end);
            rest = &after[1..];
            std::str::from_utf8(word).ok()
        };
        let (magic, width, height, maximum) = (word()?, word()?.parse().ok()?, word()?.parse().ok()?, word()?);
        let is_whole = magic == "P6" && maximum == "255" && rest.len() == usize::checked_mul(width, height)?.checked_mul(3)?;
        is_whole.then(|| Self { width, height, pixels: rest.to_vec(), channels: 3 })
    }

    /// A pixel's colour.
    pub fn at(&self, x: usize, y: usize) -> Color {
        let at = (y.min(self.height - 1) * self.width + x.min(self.width - 1)) * self.channels;
        Color::rgb(self.pixels[at], self.pixels[at + 1], self.pixels[at + 2])
    }

    /// How many different colours there are; a blank screen has one, a text console a few. More than `enough` are not counted.
    fn colours(&self, enough: usize) -> usize {
        let mut seen = HashSet::new();
        let mut last = None;
        for pixel in self.pixels.chunks_exact(self.channels) {
            let colour = [pixel[0], pixel[1], pixel[2]];
            if last.replace(colour) != Some(colour) && seen.insert(colour) && seen.len() > enough {
                break;
            }
        }
        seen.len()
    }

    /// Whether it has more colours than that.
    pub fn has_more_colours_than(&self, number: usize) -> bool {
        self.colours(number) > number
    }

    /// Whether it has more colours than a text console: the menu's shades.
    pub fn is_painted(&self) -> bool {
        self.has_more_colours_than(1000)
    }

    /// Whether there is nothing on it but, at most, QEMU's word that the monitor gets no signal.
    pub fn is_dark(&self) -> bool {
        !self.has_more_colours_than(2) && self.at(0, 0) == Color::rgb(0, 0, 0)
    }

    /// A number that another picture hardly has.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.width, self.height, &self.pixels).hash(&mut hasher);
        hasher.finish()
    }

    /// The share of pixels, 0 to 1, that differ visibly from the other picture's; 1 if the sizes differ.
    pub fn difference(&self, other: &Self) -> f64 {
        if (self.width, self.height) != (other.width, other.height) {
            return 1.0;
        }
        let pairs = self.pixels.chunks_exact(self.channels).zip(other.pixels.chunks_exact(other.channels));
        let differ = pairs.filter(|(a, b)| (0..3).any(|part| a[part].abs_diff(b[part]) > 24)).count();
        differ as f64 / (self.width * self.height) as f64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ppm_is_read_and_one_that_is_cut_off_is_not() {
        let picture = Picture::from_ppm(b"P6\n2 1\n255\n\x01\x02\x03 \n!").unwrap();
        assert_eq!((picture.width, picture.height), (2, 1));
        assert_eq!((picture.at(0, 0), picture.at(1, 0)), (Color::rgb(1, 2, 3), Color::rgb(b' ', b'\n', b'!')));
        for broken in [&b"P6\n2 1\n255\n\x01\x02\x03 \n"[..], b"P5\n1 1\n255\nabc", b"P6\n2", b""] {
            assert!(Picture::from_ppm(broken).is_none(), "{broken:?}");
        }
    }

    #[test]
    fn colours_are_counted_as_far_as_anybody_asks() {
        let picture = Picture::from_ppm(b"P6\n4 1\n255\naaaabbbbbabb").unwrap();
        assert_eq!((picture.colours(10), picture.colours(1)), (3, 2));
        assert!(picture.has_more_colours_than(2) && !picture.has_more_colours_than(3));
    }
}
