//! The dark field behind everything: a vertical gradient and soft lights in the accent colour, dithered.
//!
//! A Gaussian is separable, so that a pixel costs one multiplication a channel and light.

use super::canvas::{Canvas, PIXEL};
use super::color::Color;
use super::theme::{FLOOR, SKY, mix};

/// A soft light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light {
    /// Its centre, in pixels.
    pub(super) center: (f32, f32),
    /// Standard deviations of the Gaussian, in pixels.
    pub(super) spread: (f32, f32),
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

impl Background {
    /// Covers the whole canvas.
    pub(super) fn paint(&self, canvas: &mut Canvas) {
        let (width, height) = (canvas.width as usize, canvas.height as usize);
        let across = self.lights.map(|light| {
            (0..width.next_multiple_of(PERIOD) * PIXEL)
                .map(|i| (gaussian((i / PIXEL) as f32, light.center.0, light.spread.0) * 65535.0) as u16)
                .collect::<Vec<u16>>()
        });
        for (y, row) in canvas.data.chunks_exact_mut(width * PIXEL).enumerate() {
            let ground = fixed(mix(SKY, FLOOR, y as f32 / height as f32), self.brightness);
            let lit = self
                .lights
                .map(|light| fixed(light.color, self.brightness * light.strength * gaussian(y as f32, light.center.1, light.spread.1)));
            let base: [u16; STEP] = std::array::from_fn(|i| ground[i % PIXEL] + 4 * u16::from(BAYER[y % PERIOD][i / PIXEL]));
            let lit = lit.map(|lit| -> [u16; STEP] { std::array::from_fn(|i| lit[i % PIXEL]) });
            let tile = |start: usize| -> [u8; STEP] {
                let [first, second] = [&across[0][start..start + STEP], &across[1][start..start + STEP]];
                std::array::from_fn(|i| {
                    let light = high_product(first[i], lit[0][i]).saturating_add(high_product(second[i], lit[1][i]));
                    (base[i].saturating_add(light) >> 8) as u8
                })
            };
            let (tiles, rest) = row.as_chunks_mut::<STEP>();
            for (index, pixels) in tiles.iter_mut().enumerate() {
                *pixels = tile(index * STEP);
            }
            if !rest.is_empty() {
                rest.copy_from_slice(&tile(tiles.len() * STEP)[..rest.len()]);
            }
        }
    }
}

fn high_product(a: u16, b: u16) -> u16 {
    ((u32::from(a) * u32::from(b)) >> 16) as u16
}

/// A colour as 8.8 fixed point, in the order of a pixel's bytes.
fn fixed(color: Color, share: f32) -> [u16; PIXEL] {
    [color.blue, color.green, color.red, 0].map(|part| (f32::from(part) * share * 256.0).min(65000.0) as u16)
}

fn gaussian(at: f32, center: f32, spread: f32) -> f32 {
    let distance = (at - center) / spread.max(1.0);
    (-0.5 * distance * distance).exp()
}
