//! A cartridge on its way into or out of the light: between two sprites, at any size and at fractions of a pixel.

use super::canvas::{Canvas, PIXEL};
use super::cartridge::{MARGIN, WIDTH};
use super::fade::{Fade, Shares};
use super::geometry::{Area, Rect};
use super::target::Target;
use std::ops::Range;

/// Fixed point: bits after the point.
const BITS: u32 = 16;
/// How far around the body there are edges to be seen, in units of the drawing; beyond is only light and shadow.
const RIM: f32 = 12.0;

/// A pixel with room for products.
type Wide = [u16; PIXEL];

/// One of the two sprites along one axis: its pixel for each of the picture's, in fixed point, by their centres.
#[derive(Clone, Copy)]
struct Axis {
    start: i64,
    step: i64,
    last: i64,
}

impl Axis {
    /// `origin` is where the sprite begins on the picture, `ratio` its pixels in one of the picture's.
    fn new(origin: f32, ratio: f32, length: u32) -> Self {
        let fixed = |value: f32| (f64::from(value) * f64::from(1 << BITS)) as i64;
        Self { start: fixed((0.5 - origin) * ratio - 0.5), step: fixed(ratio), last: i64::from(length) - 1 }
    }

    /// The pixel at or before the picture's pixel `at`, the one after, and how far it is from the first to the second,
    /// of 256.
    fn pair(&self, at: u32) -> (usize, usize, u16) {
        let place = self.start + self.step * i64::from(at);
        let inside = |index: i64| index.clamp(0, self.last) as usize;
        (inside(place >> BITS), inside((place >> BITS) + 1), ((place >> (BITS - 8)) & 0xff) as u16)
    }

    /// The nearest pixel.
    fn nearest(&self, at: u32) -> usize {
        let (before, after, share) = self.pair(at);
        if share < 128 { before } else { after }
    }
}

/// One of the two sprites, and where its pixels are on the picture.
struct Source<'a> {
    sprite: &'a Canvas,
    across: Axis,
    down: Axis,
    /// A row between two of its rows, its columns at their own places.
    row: Vec<Wide>,
}

impl<'a> Source<'a> {
    /// `ratio` is how many of its pixels are in one of the picture's.
    fn new(sprite: &'a Canvas, origin: (f32, f32), ratio: f32) -> Self {
        let (across, down) = (Axis::new(origin.0, ratio, sprite.width), Axis::new(origin.1, ratio, sprite.height));
        Self { sprite, across, down, row: vec![Wide::default(); sprite.width as usize] }
    }

    /// Makes ready for [`Source::between`] what the picture's `columns` need in row `y`.
    fn read(&mut self, y: u32, columns: Range<u32>) {
        let (above, below, share) = self.down.pair(y);
        let range = self.across.pair(columns.start).0..=self.across.pair(columns.end).1;
        let [above, below] = [above, below].map(|row| &self.sprite.row(row as u32)[range.clone()]);
        for ((to, above), below) in self.row[range].iter_mut().zip(above).zip(below) {
            *to = mix(above.map(u16::from), below.map(u16::from), share);
        }
    }

    /// The colour at the picture's column `x` of the row that was read.
    fn between(&self, x: u32) -> Wide {
        let (left, right, share) = self.across.pair(x);
        mix(self.row[left], self.row[right], share)
    }
}

/// `share` of 256 of the way from one colour to another.
fn mix(from: Wide, to: Wide, share: u16) -> Wide {
    std::array::from_fn(|i| (from[i] * (256 - share) + to[i] * share) >> 8)
}

/// Draws the cartridge whose body covers `body`, `light` (0.0 to 1.0) of the way from one sprite to the other, each given
/// with the pixels of its unit.
pub(super) fn draw(target: &mut Target, sprites: [(&Canvas, f32); 2], body: Area, light: f32, fade: Fade) {
    let unit = body.width / WIDTH;
    let whole = body.outset(MARGIN * unit);
    let Some(seen) = whole.covered(target.clip()) else { return };
    let rim = body.outset(RIM * unit).covered(seen).unwrap_or(Rect { width: 0, ..seen });
    let [mut dark, mut lit] = sprites.map(|(sprite, scale)| Source::new(sprite, (whole.x, whole.y), scale / unit));
    let share = (light * 256.0) as u16;
    let shares = Shares::new(fade, seen.x, seen.width);
    // Light and shadow are smooth: the nearest pixel does.
    let nearest: Vec<[usize; 2]> = (seen.x..seen.x + seen.width).map(|x| [dark.across.nearest(x), lit.across.nearest(x)]).collect();
    let mut row = vec![[0; PIXEL]; seen.width as usize];
    for y in seen.y..seen.y + seen.height {
        let sharp = if (rim.y..rim.y + rim.height).contains(&y) { rim.x..rim.x + rim.width } else { seen.x..seen.x };
        let [start, end] = [sharp.start, sharp.end].map(|x| (x - seen.x) as usize);
        let rows = [&dark, &lit].map(|source| source.sprite.row(source.down.nearest(y) as u32));
        for soft in [0..start, end..row.len()] {
            for (pixel, at) in row[soft.clone()].iter_mut().zip(&nearest[soft]) {
                *pixel = mix(rows[0][at[0]].map(u16::from), rows[1][at[1]].map(u16::from), share).map(|part| part as u8);
            }
        }
        if !sharp.is_empty() {
            dark.read(y, sharp.clone());
            lit.read(y, sharp.clone());
            for (pixel, x) in row[start..end].iter_mut().zip(sharp) {
                *pixel = mix(dark.between(x), lit.between(x), share).map(|part| part as u8);
            }
        }
        shares.lay(target.row(y, seen.x, seen.width), &row, 0..0);
    }
}
