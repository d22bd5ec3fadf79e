//! What a monitor shows, as pixels.

use persona::error::{Context, Error, Result};
use persona::settings::value::Color;
use std::collections::HashMap;
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
        let mut reader = png::Decoder::new(BufReader::new(File::open(file).doing(doing)?)).read_info().doing(doing)?;
        let size = reader.output_buffer_size().ok_or_else(|| Error::new(format!("{}: too large", doing())))?;
        let mut pixels = vec![0; size];
        let info = reader.next_frame(&mut pixels).doing(doing)?;
        let channels = info.color_type.samples();
        if channels < 3 {
            return Err(Error::new(format!("{}: it has no colours", doing())));
        }
        Ok(Self { width: info.width as usize, height: info.height as usize, pixels, channels })
    }

    /// A pixel's colour.
    pub fn at(&self, x: usize, y: usize) -> Color {
        let at = (y.min(self.height - 1) * self.width + x.min(self.width - 1)) * self.channels;
        Color::rgb(self.pixels[at], self.pixels[at + 1], self.pixels[at + 2])
    }

    /// How many different colours there are; a blank screen has one, a text console a few.
    pub fn colours(&self) -> usize {
        let mut seen = HashMap::new();
        for pixel in self.pixels.chunks_exact(self.channels) {
            *seen.entry([pixel[0], pixel[1], pixel[2]]).or_insert(0_u32) += 1;
        }
        seen.len()
    }

    /// Whether it has more colours than a text console: the menu's shades.
    pub fn is_painted(&self) -> bool {
        self.colours() > 1000
    }

    /// Whether there is nothing on it but, at most, QEMU's word that the monitor gets no signal.
    pub fn is_dark(&self) -> bool {
        self.colours() <= 2 && self.at(0, 0) == Color::rgb(0, 0, 0)
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
