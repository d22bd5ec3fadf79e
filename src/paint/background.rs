//! The dark field behind everything: a vertical gradient and soft lights in the accent colour, dithered.
//!
//! A light is the product of a horizontal and a vertical falloff, so that a pixel costs one multiplication per channel
//! and light. Its height is limited: while it moves or changes its colour, the rest of the picture is unchanged.

use super::canvas::PIXEL;
use super::color::Color;
use super::geometry::{Area, Rect};
use super::target::Target;
use super::theme::{FLOOR, SKY, mix};

/// A soft light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light {
    /// Its centre, in pixels.
    pub(super) center: (f32, f32),
    /// The standard deviation of the Gaussian it is across, in pixels.
    pub(super) spread: f32,
    /// How far it reaches up and down, in pixels.
    pub(super) reach: f32,
    /// Its colour.
    pub(super) color: Color,
    /// How much of its colour is added at the centre, 0.0 to 0.5.
    pub(super) strength: f32,
}

/// What the background looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Background {
    /// Both lights, the wide one first.
    pub(super) lights: [Light; 2],
    /// 1.0 as designed, less is darker.
    pub(super) brightness: f32,
}

/// Pixels in a period of the dither.
const PERIOD: usize = 8;
const STEP: usize = PERIOD * PIXEL;

/// Ordered dither (Bayer, 8 by 8), 0 to 63.
const BAYER: [[u8; PERIOD]; PERIOD] = [
    [0, 32, 8, 40, 2, 34, 10, 42],
    [48, 16, 56, 24, 50, 18, 58, 26],
    [12, 44, 4, 36, 14, 46, 6, 38],
    [60, 28, 52, 20, 62, 30, 54, 22],
    [3, 35, 11, 43, 1, 33, 9, 41],
    [51, 19, 59, 27, 49, 17, 57, 25],
    [15, 47, 7, 39, 13, 45, 5, 37],
    [63, 31, 55, 23, 61, 29, 53, 21],
];

/// The dither's threshold at a pixel, 0.0 to 1.0.
pub(super) fn threshold(x: u32, y: u32) -> f32 {
    (f32::from(BAYER[y as usize % PERIOD][x as usize % PERIOD]) + 0.5) / 64.0
}

/// A background worked out for some columns of a picture.
pub(super) struct Field<'a> {
    background: &'a Background,
    /// The picture's height in pixels.
    height: f32,
    /// Of 65536, each light's share in each column, once for every byte.
    across: [Vec<u16>; 2],
}

impl Background {
    /// Works out the columns of `rect` on a picture of `height` pixels.
    pub(super) fn field(&self, rect: Rect, height: u32) -> Field<'_> {
        let across = self.lights.map(|light| {
            let columns = rect.x..rect.x + rect.width.next_multiple_of(PERIOD as u32);
            columns.flat_map(|x| [(gaussian(x as f32, light.center.0, light.spread) * 65535.0) as u16; PIXEL]).collect()
        });
        Field { background: self, height: height as f32, across }
    }

    /// The part of a picture that differs between two backgrounds.
    pub(super) fn difference(old: &Self, new: &Self, bounds: Rect) -> Area {
        let (width, height) = (bounds.width as f32, bounds.height as f32);
        if old.brightness != new.brightness {
            return Area::new(0.0, 0.0, width, height);
        }
        let differing = old.lights.iter().zip(&new.lights).filter(|(old, new)| old != new).flat_map(|(old, new)| [old, new]);
        let (top, bottom) = differing.fold((height, 0.0_f32), |(top, bottom), light| {
            (top.min(light.center.1 - light.reach), bottom.max(light.center.1 + light.reach))
        });
        Area::new(0.0, top - 1.0, width, (bottom - top).max(0.0) + 2.0)
    }
}

impl Field<'_> {
    /// Covers all of `target`, which has the columns that were worked out.
    pub(super) fn paint(&self, target: &mut Target) {
        let clip = target.clip();
        let Background { lights, brightness } = *self.background;
        let [wide, pool] = self.across.each_ref().map(|across| across.as_chunks().0);
        for y in clip.y..clip.y + clip.height {
            let ground = fixed(mix(SKY, FLOOR, y as f32 / self.height), brightness);
            let bayer = BAYER[y as usize % PERIOD];
            let base = std::array::from_fn(|i| ground[i % PIXEL] + 4 * u16::from(bayer[(clip.x as usize + i / PIXEL) % PERIOD]));
            let lit = lights.map(|light| fixed(light.color, brightness * light.strength * light.down(y)));
            let row = target.row(y, clip.x, clip.width).as_flattened_mut();
            match lit.map(|lit| lit == [0; PIXEL]) {
                [true, true] => row_of(row, base, []),
                [false, true] => row_of(row, base, [(wide, lit[0])]),
                [true, false] => row_of(row, base, [(pool, lit[1])]),
                [false, false] => row_of(row, base, [(wide, lit[0]), (pool, lit[1])]),
            }
        }
    }
}

/// Fills a row with `base` and lights, each by its strength in every column and its colour.
fn row_of<const N: usize>(row: &mut [u8], base: [u16; STEP], lights: [(&[[u16; STEP]], [u16; PIXEL]); N]) {
    let lights = lights.map(|(across, lit)| -> (_, [u16; STEP]) { (across, std::array::from_fn(|i| lit[i % PIXEL])) });
    let (tiles, rest) = row.as_chunks_mut::<STEP>();
    for (index, tile) in tiles.iter_mut().enumerate() {
        fill(tile, index, &base, &lights);
    }
    if !rest.is_empty() {
        let mut tile = [0; STEP];
        fill(&mut tile, tiles.len(), &base, &lights);
        rest.copy_from_slice(&tile[..rest.len()]);
    }
}

/// Lights with what they are in one tile.
type Lights<'a, const N: usize> = [(&'a [[u16; STEP]], [u16; STEP]); N];

#[inline(always)]
fn fill<const N: usize>(tile: &mut [u8; STEP], index: usize, base: &[u16; STEP], lights: &Lights<N>) {
    let across = lights.each_ref().map(|(across, _)| &across[index]);
    for i in 0..STEP {
        let mut sum = base[i];
        for light in 0..N {
            sum += high_product(across[light][i], lights[light].1[i]);
        }
        tile[i] = (sum >> 8) as u8;
    }
}

impl Light {
    /// Its share in row `y`.
    fn down(&self, y: u32) -> f32 {
        let distance = (y as f32 - self.center.1) / self.reach.max(1.0);
        (1.0 - distance * distance).max(0.0).powi(2)
    }
}

fn high_product(a: u16, b: u16) -> u16 {
    ((u32::from(a) * u32::from(b)) >> 16) as u16
}

/// A colour as 8.8 fixed point, in the order of a pixel's bytes.
fn fixed(color: Color, share: f32) -> [u16; PIXEL] {
    [color.blue, color.green, color.red, 0].map(|part| (f32::from(part) * share * 256.0).min(28000.0) as u16)
}

fn gaussian(at: f32, center: f32, spread: f32) -> f32 {
    let distance = (at - center) / spread.max(1.0);
    (-0.5 * distance * distance).exp()
}
