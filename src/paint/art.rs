//! The owner's own emblems: PNG files, decoded once and kept as pixels.

use super::canvas::{Canvas, PIXEL};
use super::geometry::Area;
use super::target::Target;
use png::{ColorType, Decoder, Limits, Transformations};
use std::io::{self, BufReader, Cursor};

/// The longest side an emblem may have, in pixels: it takes 16 MiB, and twice as much while it is read. No screen shows it larger.
const MAX_SIDE: u32 = 2048;

/// A picture to put on a label.
#[derive(Debug, Clone)]
pub struct Art {
    canvas: Canvas,
}

impl Art {
    /// Reads a PNG file from memory.
    ///
    /// # Errors
    /// When it is no PNG of at most 2048 by 2048 pixels.
    pub fn decode(file: &[u8]) -> io::Result<Self> {
        let mut decoder = Decoder::new_with_limits(BufReader::new(Cursor::new(file)), Limits { bytes: 16 << 20 });
        decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
        let mut reader = decoder.read_info()?;
        let (width, height) = (reader.info().width, reader.info().height);
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("the picture has {width} by {height} pixels")));
        }
        // The library takes this for granted, and would panic.
        if reader.info().palette.as_ref().is_some_and(|palette| !palette.len().is_multiple_of(3) || palette.len() > 3 * 256) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its palette is damaged"));
        }
        let mut data = vec![0; reader.output_buffer_size().unwrap_or(0)];
        let info = reader.next_frame(&mut data)?;
        let rgba: fn(&[u8]) -> [u8; 4] = match info.color_type {
            ColorType::Rgba => |p| [p[0], p[1], p[2], p[3]],
            ColorType::GrayscaleAlpha => |p| [p[0], p[0], p[0], p[1]],
            ColorType::Rgb => |p| [p[0], p[1], p[2], 255],
            ColorType::Grayscale | ColorType::Indexed => |p| [p[0], p[0], p[0], 255],
        };
        let mut canvas = Canvas::new(width, height);
        for (to, from) in canvas.data.chunks_exact_mut(PIXEL).zip(data.chunks_exact(info.color_type.samples())) {
            let [red, green, blue, alpha] = rgba(from);
            let premultiplied = |part: u8| (u16::from(part) * u16::from(alpha) / 255) as u8;
            to.copy_from_slice(&[premultiplied(blue), premultiplied(green), premultiplied(red), alpha]);
        }
        Ok(Self { canvas })
    }

    /// Draws it as large as it fits into `place`, in its own proportions.
    pub(super) fn draw(&self, canvas: &mut Target, place: Area) {
        let scale = (place.width / self.canvas.width as f32).min(place.height / self.canvas.height as f32);
        // Bilinear sampling uses two pixels in each direction: a picture that becomes much smaller is halved first.
        let mut halved = None;
        let mut remaining = scale;
        while remaining <= 0.5 {
            halved = Some(halve(halved.as_ref().unwrap_or(&self.canvas)));
            remaining *= 2.0;
        }
        let source = halved.as_ref().unwrap_or(&self.canvas);
        let (width, height) = (source.width as f32 * remaining, source.height as f32 * remaining);
        let (center_x, center_y) = place.center();
        let place = Area::new(center_x - width / 2.0, center_y - height / 2.0, width, height);
        canvas.lay(place, |x, y| sample(source, x / remaining - 0.5, y / remaining - 0.5));
    }
}

/// The colour between the centres of four pixels, in proportion; beyond the edge, the edge pixel repeats.
fn sample(from: &Canvas, x: f32, y: f32) -> [f32; PIXEL] {
    let (x, y) = (x.clamp(0.0, from.width as f32 - 1.0), y.clamp(0.0, from.height as f32 - 1.0));
    let (right, down) = (x.fract(), y.fract());
    let at = |x: usize, y: usize, channel: usize| {
        let (x, y) = (x.min(from.width as usize - 1), y.min(from.height as usize - 1));
        f32::from(from.data[(y * from.width as usize + x) * PIXEL + channel])
    };
    let (x, y) = (x as usize, y as usize);
    std::array::from_fn(|channel| {
        let across = |y: usize| at(x, y, channel) + (at(x + 1, y, channel) - at(x, y, channel)) * right;
        across(y) + (across(y + 1) - across(y)) * down
    })
}

/// Half as wide and high, each pixel the mean of four.
fn halve(from: &Canvas) -> Canvas {
    let mut half = Canvas::new(from.width.div_ceil(2), from.height.div_ceil(2));
    let at = |x: u32, y: u32| (y.min(from.height - 1) * from.width + x.min(from.width - 1)) as usize * PIXEL;
    for (i, pixel) in half.data.chunks_exact_mut(PIXEL).enumerate() {
        let (x, y) = (i as u32 % from.width.div_ceil(2) * 2, i as u32 / from.width.div_ceil(2) * 2);
        for (channel, byte) in pixel.iter_mut().enumerate() {
            let sum: u16 =
                [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)].map(|at| u16::from(from.data[at + channel])).iter().sum();
            *byte = ((sum + 2) / 4) as u8;
        }
    }
    half
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn picture(width: u32, height: u32) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&vec![7; (width * height) as usize]).unwrap();
        writer.finish().unwrap();
        file
    }

    #[test]
    fn picture_with_a_damaged_palette_is_refused() {
        for (bytes, is_good) in [(6, true), (4, false), (768, true), (771, false)] {
            let mut file = Vec::new();
            let mut encoder = png::Encoder::new(&mut file, 2, 1);
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(vec![7; bytes]);
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&[0, 1]).unwrap();
            writer.finish().unwrap();
            assert_eq!(Art::decode(&file).is_ok(), is_good, "{bytes} bytes of colours");
        }
    }

    #[test]
    fn picture_larger_than_any_emblem_is_refused() {
        assert!(Art::decode(&picture(MAX_SIDE, 1)).is_ok());
        for (width, height) in [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1)] {
            assert!(Art::decode(&picture(width, height)).is_err());
        }
    }
}
