//! The part of a picture that is being drawn, and the few shapes that are quick enough to draw by hand.

use super::background::threshold;
use super::canvas::{Canvas, Mask, PIXEL};
use super::color::Color;
use super::fade::{Fade, Shares};
use super::geometry::{Area, Rect};
use std::ops::Range;

/// Whole rows of a picture. Nothing is drawn outside of `clip`, and what is drawn inside does not depend on it: a
/// picture that is drawn in parts is the same.
pub(super) struct Target<'a> {
    rows: &'a mut [u8],
    /// Pixels of a row.
    width: u32,
    /// The first of the rows.
    top: u32,
    clip: Rect,
}

impl<'a> Target<'a> {
    /// `rows` begin where `clip` does.
    pub(super) fn new(rows: &'a mut [u8], width: u32, clip: Rect) -> Self {
        Self { rows, width, top: clip.y, clip }
    }

    /// The part of the picture that is drawn on.
    pub(super) fn clip(&self) -> Rect {
        self.clip
    }

    /// The same, but only what lies in `area`. Nothing if that is no pixel.
    pub(super) fn within(&mut self, area: Area) -> Option<Target<'_>> {
        let clip = area.covered(self.clip)?;
        Some(Target { rows: self.rows, width: self.width, top: self.top, clip })
    }

    /// The same in `count` strips, one below the other, for several threads.
    pub(super) fn strips(self, count: u32) -> Vec<Self> {
        let Self { mut rows, width, top, clip } = self;
        rows = &mut rows[(clip.y - top) as usize * width as usize * PIXEL..];
        let mut strips = Vec::new();
        for strip in 0..count {
            let at = |strip: u32| clip.y + clip.height * strip / count;
            let clip = Rect { y: at(strip), height: at(strip + 1) - at(strip), ..clip };
            let (upper, lower) = rows.split_at_mut(clip.height as usize * width as usize * PIXEL);
            strips.push(Self::new(upper, width, clip));
            rows = lower;
        }
        strips
    }

    /// `width` pixels from (`x`, `y`) on, which lie inside.
    pub(super) fn row(&mut self, y: u32, x: u32, width: u32) -> &mut [[u8; PIXEL]] {
        let start = ((y - self.top) as usize * self.width as usize + x as usize) * PIXEL;
        self.rows[start..start + width as usize * PIXEL].as_chunks_mut().0
    }

    /// Darkens everything; `keep` of 256 is left.
    pub(super) fn darken(&mut self, keep: u16) {
        let Rect { x, y, width, height } = self.clip;
        for row in y..y + height {
            for byte in self.row(row, x, width).as_flattened_mut() {
                *byte = ((u16::from(*byte) * keep) >> 8) as u8;
            }
        }
    }

    /// Lays `sprite` over this picture with its top left at (`left`, `top`). `solid` gives the columns of each of its rows
    /// that are known to be opaque.
    pub(super) fn blit(&mut self, sprite: &Canvas, (left, top): (i32, i32), fade: Fade, solid: impl Fn(u32) -> Range<u32>) {
        let Some(seen) = Rect::clipped(left, top, sprite.width, sprite.height, self.clip) else { return };
        let shares = Shares::new(fade, seen.x, seen.width);
        let skip_x = (i64::from(seen.x) - i64::from(left)) as u32;
        let skip_y = (i64::from(seen.y) - i64::from(top)) as u32;
        for y in 0..seen.height {
            let source = &sprite.row(skip_y + y)[skip_x as usize..][..seen.width as usize];
            let Range { start, end } = solid(skip_y + y);
            let inside = |x: u32| x.saturating_sub(skip_x).min(seen.width) as usize;
            shares.lay(self.row(seen.y + y, seen.x, seen.width), source, inside(start)..inside(end));
        }
    }

    /// Lays `color` over the pixels of `area` (and half a pixel around it), as much as `coverage` (0.0 to 1.0) says for
    /// the centre of each pixel.
    pub(super) fn shade(&mut self, area: Area, color: Color, coverage: impl Fn(f32, f32) -> f32) {
        let Some(seen) = area.outset(1.0).covered(self.clip) else { return };
        for y in seen.y..seen.y + seen.height {
            for (x, pixel) in (seen.x..).zip(self.row(y, seen.x, seen.width)) {
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
        let Some(seen) = area.outset(1.0).covered(self.clip) else { return };
        for y in seen.y..seen.y + seen.height {
            for (x, pixel) in (seen.x..).zip(self.row(y, seen.x, seen.width)) {
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
        let Some(seen) = Rect::clipped(left, top, width, height, self.clip) else { return };
        let skip_x = (i64::from(seen.x) - i64::from(left)) as usize;
        let skip_y = (i64::from(seen.y) - i64::from(top)) as usize;
        for y in 0..seen.height {
            let start = (skip_y + y as usize) * width as usize + skip_x;
            let source = &mask.cover[start..start + seen.width as usize];
            let (color, opacity) = ink(seen.y + y);
            let strength = (opacity * 256.0) as u32;
            for (pixel, covered) in self.row(seen.y + y, seen.x, seen.width).iter_mut().zip(source) {
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
        let Some(seen) = area.covered(self.clip) else { return };
        for y in seen.y..seen.y + seen.height {
            for (x, pixel) in (seen.x..).zip(self.row(y, seen.x, seen.width)) {
                let color = picture(x as f32 + 0.5 - area.x, y as f32 + 0.5 - area.y);
                over(pixel, u32::from_le_bytes(color.map(|part| (part + 0.5) as u8)));
            }
        }
    }
}

/// `color` at `alpha` of 256, in the order of a pixel's bytes.
fn premultiplied(color: Color, alpha: u32) -> u32 {
    u32::from_le_bytes([color.blue, color.green, color.red, 255].map(|part| ((u32::from(part) * alpha + 128) >> 8) as u8))
}

/// "Source over", for one premultiplied pixel. What is opaque stays opaque.
pub(super) fn over(to: &mut [u8; PIXEL], from: u32) {
    // Two channels in one word each: no product is above 16 bits, as no part is above its alpha.
    const EVEN: u32 = 0x00ff_00ff;
    let rest = 255 - (from >> 24);
    let pixel = u32::from_le_bytes(*to);
    let even = (((pixel & EVEN) * rest + EVEN) >> 8) & EVEN;
    let odd = (((pixel >> 8) & EVEN) * rest + EVEN) & !EVEN;
    *to = from.wrapping_add(even | odd).to_le_bytes();
}
