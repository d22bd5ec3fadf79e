//! A cartridge while its highlight changes: blended from two sprites, at any size and at fractional pixel positions.

use super::canvas::{Canvas, PIXEL};
use super::fade::{Fade, Shares, mixed};
use super::geometry::{Area, Rect};
use super::look::{MARGIN, WIDTH};
use super::target::Target;
use std::ops::Range;

/// Fixed point: bits after the point.
const BITS: u32 = 16;
/// How far around the body there are visible edges, in units of the drawing; beyond that is only light and shadow.
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
        let place = (self.start + self.step * i64::from(at)).clamp(0, ((self.last - 1).max(0) << BITS) + 0xffff);
        let first = (place >> BITS) as usize;
        (first, (first + 1).min(self.last as usize), ((place >> (BITS - 8)) & 0xff) as u16)
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
    /// A row interpolated between two of its rows, in its own columns.
    row: Vec<Wide>,
}

impl<'a> Source<'a> {
    /// `ratio` is how many of its pixels are in one of the picture's.
    fn new(sprite: &'a Canvas, origin: (f32, f32), ratio: f32) -> Self {
        let (across, down) = (Axis::new(origin.0, ratio, sprite.width), Axis::new(origin.1, ratio, sprite.height));
        Self { sprite, across, down, row: vec![Wide::default(); sprite.width as usize + 1] }
    }

    /// Reads what is at the picture's row `y` of its own `columns`.
    fn read(&mut self, y: u32, columns: Range<usize>) {
        let columns = columns.start..columns.end.min(self.sprite.width as usize);
        let (above, below, share) = self.down.pair(y);
        let [above, below] = [above, below].map(|row| &self.sprite.row(row as u32)[columns.clone()]);
        let rest = 256 - share;
        let to = self.row[columns].as_flattened_mut();
        for ((to, above), below) in to.iter_mut().zip(above.as_flattened()).zip(below.as_flattened()) {
            *to = (u16::from(*above) * rest + u16::from(*below) * share) >> 8;
        }
    }
}

/// What one column of the picture takes from both sprites: from each a pixel and the one to its right, of 256 altogether.
struct Column {
    at: [usize; 2],
    shares: [u64; 4],
}

impl Column {
    fn new(x: u32, across: [Axis; 2], light: u16) -> Self {
        let [dark, lit] = across.map(|axis| axis.pair(x));
        let [lit_right, dark_right] = [(light, lit.2), (256 - light, dark.2)].map(|(part, share)| u64::from(part) * u64::from(share) / 256);
        let (lit_left, dark_left) = (u64::from(light) - lit_right, u64::from(256 - light) - dark_right);
        Self { at: [dark.0, lit.0], shares: [dark_left, dark_right, lit_left, lit_right] }
    }

    fn pixel(&self, [dark, lit]: [&[Wide]; 2]) -> [u8; PIXEL] {
        // All four channels at once: no sum of products is above 16 bits.
        let lanes = |it: Wide| u64::from(it[0]) | u64::from(it[1]) << 16 | u64::from(it[2]) << 32 | u64::from(it[3]) << 48;
        let [dark, lit] = [&dark[self.at[0]..][..2], &lit[self.at[1]..][..2]];
        let all = [dark[0], dark[1], lit[0], lit[1]].map(lanes);
        let sum = all[0] * self.shares[0] + all[1] * self.shares[1] + all[2] * self.shares[2] + all[3] * self.shares[3];
        let bytes = (sum >> 8) & 0x00ff_00ff_00ff_00ff;
        let pairs = bytes | bytes >> 8;
        (((pairs & 0xffff) | ((pairs >> 16) & 0xffff_0000)) as u32).to_le_bytes()
    }
}

/// Draws the cartridge whose body covers `body`, `light` (0.0 to 1.0) of the way from one sprite to the other, each given
/// with the pixels of its unit.
pub(super) fn draw(target: &mut Target, sprites: [(&Canvas, f32); 2], body: Area, light: f32, fade: Fade) {
    let unit = body.width / WIDTH;
    let whole = body.outset(MARGIN * unit);
    let Some(seen) = whole.covered(target.clip()) else { return };
    let rim = body.outset(RIM * unit).covered(seen).unwrap_or(Rect { width: 0, ..seen });
    let [mut dark, mut lit] = sprites.map(|(sprite, scale)| Source::new(sprite, (whole.x, whole.y), scale / unit));
    let across = [dark.across, lit.across];
    let light = (light * 256.0) as u16;
    let shares = Shares::new(fade, seen.x, seen.width);
    // Light and shadow are smooth: the nearest pixel is good enough.
    let nearest: Vec<[usize; 2]> = (seen.x..seen.x + seen.width).map(|x| across.map(|axis| axis.nearest(x))).collect();
    let columns: Vec<Column> = (rim.x..rim.x + rim.width).map(|x| Column::new(x, across, light)).collect();
    let read = columns.first().zip(columns.last()).map(|(first, last)| [0, 1].map(|i| first.at[i]..last.at[i] + 2));
    let sharp = (rim.x - seen.x) as usize..(rim.x - seen.x + rim.width) as usize;
    let mut row = vec![[0; PIXEL]; seen.width as usize];
    for y in seen.y..seen.y + seen.height {
        let sharp = if (rim.y..rim.y + rim.height).contains(&y) { sharp.clone() } else { 0..0 };
        let rows = [&dark, &lit].map(|source| source.sprite.row(source.down.nearest(y) as u32));
        for soft in [0..sharp.start, sharp.end..row.len()] {
            for (pixel, at) in row[soft.clone()].iter_mut().zip(&nearest[soft]) {
                *pixel = mixed(rows[0][at[0]], rows[1][at[1]], u32::from(light)).to_le_bytes();
            }
        }
        if let Some([of_dark, of_lit]) = &read
            && !sharp.is_empty()
        {
            dark.read(y, of_dark.clone());
            lit.read(y, of_lit.clone());
            for (pixel, column) in row[sharp].iter_mut().zip(&columns) {
                *pixel = column.pixel([&dark.row, &lit.row]);
            }
        }
        shares.lay(target.row(y, seen.x, seen.width), &row, 0..0);
    }
}
