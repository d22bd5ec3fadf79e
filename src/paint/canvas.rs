//! A picture in memory, and the few shapes that are quick enough to draw by hand.
//!
//! Pixels are B,G,R,A bytes, alpha premultiplied: on the screen (opaque) that is XRGB8888 as DRM names it.

use super::background::threshold;
use super::color::Color;
use super::geometry::{Area, Rect};

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

    fn row(&mut self, y: u32, x: u32, width: u32) -> &mut [u8] {
        let start = (y as usize * self.width as usize + x as usize) * PIXEL;
        &mut self.data[start..start + width as usize * PIXEL]
    }

    /// A copy of the part `rect`, which lies inside.
    pub(super) fn crop(&self, rect: Rect) -> Self {
        let mut part = Self::new(rect.width, rect.height);
        for y in 0..rect.height {
            let start = ((rect.y + y) as usize * self.width as usize + rect.x as usize) * PIXEL;
            part.row(y, 0, rect.width).copy_from_slice(&self.data[start..start + rect.width as usize * PIXEL]);
        }
        part
    }

    /// Puts `part` back where [`Canvas::crop`] took it.
    pub(super) fn restore(&mut self, part: &Self, at: Rect) {
        for (y, source) in part.data.chunks_exact(part.width as usize * PIXEL).enumerate() {
            self.row(at.y + y as u32, at.x, part.width).copy_from_slice(source);
        }
    }

    /// Lays `sprite` over this picture with its top left at (`left`, `top`). `opacity` gives each column's share of
    /// the sprite (0 to 256) by its x on this canvas.
    pub(super) fn blit(&mut self, sprite: &Self, left: i32, top: i32, opacity: impl Fn(u32) -> u32) {
        let Some(seen) = Rect::clipped(left, top, sprite.width, sprite.height, self.bounds()) else { return };
        let shares: Vec<u32> = (seen.x..seen.x + seen.width).map(opacity).collect();
        let opaque = shares.iter().all(|share| *share == 256);
        let skip_x = (i64::from(seen.x) - i64::from(left)) as usize;
        let skip_y = (i64::from(seen.y) - i64::from(top)) as usize;
        let pitch = sprite.width as usize * PIXEL;
        for y in 0..seen.height {
            let start = (skip_y + y as usize) * pitch + skip_x * PIXEL;
            let source = &sprite.data[start..start + seen.width as usize * PIXEL];
            let target = self.row(seen.y + y, seen.x, seen.width);
            if opaque {
                over_row(target, source);
            } else {
                for ((to, from), share) in pixels_mut(target).zip(pixels(source)).zip(&shares) {
                    over(to, from.map(|part| (u32::from(part) * share) >> 8));
                }
            }
        }
    }

    /// Lays `color` over the pixels of `area` (and half a pixel around it), as much as `coverage` (0.0 to 1.0) says for
    /// the centre of each pixel.
    pub(super) fn shade(&mut self, area: Area, color: Color, coverage: impl Fn(f32, f32) -> f32) {
        let Some(seen) = area.outset(1.0).covered(self.bounds()) else { return };
        for y in seen.y..seen.y + seen.height {
            for (x, pixel) in (seen.x..).zip(pixels_mut(self.row(y, seen.x, seen.width))) {
                let alpha = (coverage(x as f32 + 0.5, y as f32 + 0.5) * 256.0) as u32;
                if alpha > 0 {
                    over(pixel, premultiplied(color, alpha.min(256)));
                }
            }
        }
    }

    /// A rounded rectangle.
    pub(super) fn fill_round(&mut self, area: Area, radius: f32, color: Color, opacity: f32) {
        self.shade(area, color, |x, y| (0.5 - area.distance(radius, x, y)).clamp(0.0, 1.0) * opacity);
    }

    /// A rounded rectangle, each pixel in a colour of its own (`tint`: blue, green and red, 0.0 to 255.0), dithered.
    pub(super) fn fill_tinted(&mut self, area: Area, radius: f32, tint: impl Fn(f32, f32) -> [f32; 3]) {
        let Some(seen) = area.outset(1.0).covered(self.bounds()) else { return };
        for y in seen.y..seen.y + seen.height {
            for (x, pixel) in (seen.x..).zip(pixels_mut(self.row(y, seen.x, seen.width))) {
                let (center_x, center_y) = (x as f32 + 0.5, y as f32 + 0.5);
                let coverage = 0.5 - area.distance(radius, center_x, center_y);
                if coverage > 0.0 {
                    let noise = threshold(x, y);
                    let [blue, green, red] = tint(center_x, center_y).map(|part| (part + noise) as u8);
                    over(pixel, premultiplied(Color::rgb(red, green, blue), (coverage.min(1.0) * 256.0) as u32));
                }
            }
        }
    }

    /// The inner edge of a rounded rectangle.
    pub(super) fn stroke_round(&mut self, area: Area, radius: f32, width: f32, color: Color, opacity: f32) {
        self.shade(area, color, |x, y| {
            let distance = area.distance(radius, x, y);
            (0.5 - distance).clamp(0.0, 1.0).min((distance + width + 0.5).clamp(0.0, 1.0)) * opacity
        });
    }

    /// Lays ink over the pixels of `mask`, shifted by (`right`, `down`). `ink` gives each row's colour and opacity (0.0
    /// to 1.0) by its y on this canvas.
    pub(super) fn stencil(&mut self, mask: &Mask, (right, down): (i32, i32), ink: impl Fn(u32) -> (Color, f32)) {
        let (left, top, (width, height)) = (mask.left.saturating_add(right), mask.top.saturating_add(down), mask.size);
        let Some(seen) = Rect::clipped(left, top, width, height, self.bounds()) else { return };
        let skip_x = (i64::from(seen.x) - i64::from(left)) as usize;
        let skip_y = (i64::from(seen.y) - i64::from(top)) as usize;
        for y in 0..seen.height {
            let start = (skip_y + y as usize) * width as usize + skip_x;
            let source = &mask.cover[start..start + seen.width as usize];
            let (color, opacity) = ink(seen.y + y);
            let strength = (opacity * 256.0) as u32;
            for (pixel, covered) in pixels_mut(self.row(seen.y + y, seen.x, seen.width)).zip(source) {
                if *covered > 0 {
                    let alpha = ((u32::from(*covered) + u32::from(*covered >> 7)) * strength) >> 8;
                    over(pixel, premultiplied(color, alpha.min(256)));
                }
            }
        }
    }

    /// Lays the pixels that `picture` gives (premultiplied, 0.0 to 255.0) for the centres of those in `area`, seen from
    /// its top left.
    pub(super) fn lay(&mut self, area: Area, picture: impl Fn(f32, f32) -> [f32; PIXEL]) {
        let Some(seen) = area.covered(self.bounds()) else { return };
        for y in seen.y..seen.y + seen.height {
            for (x, pixel) in (seen.x..).zip(pixels_mut(self.row(y, seen.x, seen.width))) {
                over(pixel, picture(x as f32 + 0.5 - area.x, y as f32 + 0.5 - area.y).map(|part| (part + 0.5) as u32));
            }
        }
    }
}

/// `color` at `alpha` of 256, in the order of a pixel's bytes.
fn premultiplied(color: Color, alpha: u32) -> [u32; PIXEL] {
    [color.blue, color.green, color.red, 255].map(|part| (u32::from(part) * alpha + 128) >> 8)
}

/// "Source over", for one pixel.
fn over(to: &mut [u8; PIXEL], from: [u32; PIXEL]) {
    let rest = 256 - (from[3] + (from[3] >> 7));
    for (to, from) in to.iter_mut().zip(from) {
        *to = (from + ((u32::from(*to) * rest) >> 8)).min(255) as u8;
    }
}

/// "Source over", for a row; a sprite is mostly quite clear or quite opaque.
fn over_row(to: &mut [u8], from: &[u8]) {
    for (to, from) in pixels_mut(to).zip(pixels(from)) {
        match from[3] {
            0 => {}
            255 => *to = *from,
            _ => over(to, from.map(u32::from)),
        }
    }
}

/// The pixels of a row.
pub(super) fn pixels(row: &[u8]) -> impl Iterator<Item = &[u8; PIXEL]> {
    row.as_chunks().0.iter()
}

/// The pixels of a row, to change.
pub(super) fn pixels_mut(row: &mut [u8]) -> impl Iterator<Item = &mut [u8; PIXEL]> {
    row.as_chunks_mut().0.iter_mut()
}
