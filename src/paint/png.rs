//! The picture as a PNG file.

use super::Painter;
use super::canvas::PIXEL;
use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use std::io::{self, Write};

/// Writes what `painter` shows as a PNG file.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write_png(painter: &Painter, out: impl Write) -> io::Result<()> {
    let (width, height) = painter.size();
    let mut encoder = Encoder::new(out, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(Filter::Adaptive);
    let pixels: Vec<u8> = painter.pixels().chunks_exact(PIXEL).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    Ok(writer.finish()?)
}
