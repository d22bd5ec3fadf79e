//! A picture in memory.
//!
//! Pixels are B,G,R,A bytes, alpha premultiplied: on the screen (opaque) that is XRGB8888 as DRM names it.

use super::geometry::Rect;
use super::target::Target;

/// Bytes of one pixel.
pub(super) const PIXEL: usize = 4;

/// A picture: rows of exactly `4 * width` bytes.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) data: Vec<u8>,
}

/// How much of each pixel something covers: a glyph, or a shape.
#[derive(Debug)]
pub(super) struct Mask {
    /// Pixels from the left edge, or right of the pen.
    pub(super) left: i32,
    /// Pixels from the top edge, or below the line on which letters stand.
    pub(super) top: i32,
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
    /// Rows of `size.0` bytes.
    pub(super) cover: Vec<u8>,
}

impl Canvas {
    /// A transparent picture.
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self { width, height, data: vec![0; width as usize * height as usize * PIXEL] }
    }

    /// The whole picture.
    pub(super) fn bounds(&self) -> Rect {
        Rect { x: 0, y: 0, width: self.width, height: self.height }
    }

    /// All of it, to draw on.
    pub(super) fn target(&mut self) -> Target<'_> {
        self.part(self.bounds())
    }

    /// Only the part `clip`, which lies inside, to draw on.
    pub(super) fn part(&mut self, clip: Rect) -> Target<'_> {
        let pitch = self.width as usize * PIXEL;
        let rows = clip.y as usize * pitch..(clip.y + clip.height) as usize * pitch;
        Target::new(&mut self.data[rows], self.width, clip)
    }

    /// Desaturates everything by a share of 0.0 to 1.0, and darkens it to `keep` of 256.
    pub(super) fn drain(&mut self, keep: u32, share: f32) {
        let share = (share * 256.0) as u32;
        for pixel in pixels_mut(&mut self.data) {
            let [blue, green, red, alpha] = pixel.map(u32::from);
            // Rec. 709.
            let grey = (18 * blue + 183 * green + 55 * red) >> 8;
            let part = |part: u32| ((((256 - share) * part + share * grey) * keep) >> 16) as u8;
            *pixel = [part(blue), part(green), part(red), alpha as u8];
        }
    }

    /// The row `y`.
    pub(super) fn row(&self, y: u32) -> &[[u8; PIXEL]] {
        let pitch = self.width as usize * PIXEL;
        self.data[y as usize * pitch..][..pitch].as_chunks().0
    }
}

/// The pixels of a row, to change.
pub(super) fn pixels_mut(row: &mut [u8]) -> impl Iterator<Item = &mut [u8; PIXEL]> {
    row.as_chunks_mut().0.iter_mut()
}
