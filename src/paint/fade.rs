//! Blends a row of pixels over another, with an opacity and a fade towards the picture's edges.

use super::canvas::PIXEL;
use super::target::over;
use std::ops::Range;

/// How much of something is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fade {
    /// 0.0 to 1.0.
    pub(super) opacity: f32,
    /// How far from the left and the right edge it begins to fade, in pixels.
    pub(super) edges: (f32, f32),
    /// Where the right edge is, in pixels.
    pub(super) right: f32,
}

impl Fade {
    /// The same everywhere.
    pub(super) fn even(opacity: f32) -> Self {
        Self { opacity, edges: (0.0, 0.0), right: 0.0 }
    }

    /// Of 256, in column `x`.
    fn share(&self, x: u32) -> u32 {
        let x = x as f32 + 0.5;
        let within = |distance: f32, reach: f32| if reach > 0.0 { (distance / reach).clamp(0.0, 1.0) } else { 1.0 };
        (256.0 * self.opacity * within(x, self.edges.0) * within(self.right - x, self.edges.1)) as u32
    }
}

/// The same for some columns of a picture, worked out.
pub(super) struct Shares {
    shares: Vec<u32>,
    /// The columns without fade.
    whole: Range<usize>,
}

impl Shares {
    pub(super) fn new(fade: Fade, first: u32, count: u32) -> Self {
        let shares: Vec<u32> = (first..first + count).map(|x| fade.share(x)).collect();
        let start = shares.iter().position(|share| *share == 256).unwrap_or(shares.len());
        let length = shares[start..].iter().position(|share| *share != 256).unwrap_or(shares.len() - start);
        Self { shares, whole: start..start + length }
    }

    /// Lays a row over another, both as long as there are columns. Those in `solid` are opaque.
    pub(super) fn lay(&self, to: &mut [[u8; PIXEL]], from: &[[u8; PIXEL]], solid: Range<usize>) {
        let Range { start, end } = self.whole.clone();
        for faded in [0..start, end..to.len()] {
            for ((to, from), share) in to[faded.clone()].iter_mut().zip(&from[faded.clone()]).zip(&self.shares[faded]) {
                if from[3] > 0 {
                    over(to, mixed([0; PIXEL], *from, *share));
                }
            }
        }
        let (first, last) = (solid.start.clamp(start, end), solid.end.clamp(start, end));
        let (first, last) = if first < last { (first, last) } else { (start, start) };
        to[first..last].copy_from_slice(&from[first..last]);
        for soft in [start..first, last..end] {
            for (to, from) in to[soft.clone()].iter_mut().zip(&from[soft]) {
                // As one word: otherwise the compiler reads it byte by byte.
                let from = u32::from_le_bytes(*from);
                match from >> 24 {
                    0 => {}
                    255 => *to = from.to_le_bytes(),
                    _ => over(to, from),
                }
            }
        }
    }
}

/// Two of a pixel's channels, with room for products.
const EVEN: u32 = 0x00ff_00ff;

/// `share` of 256 of the way from one pixel to another.
pub(super) fn mixed(from: [u8; PIXEL], to: [u8; PIXEL], share: u32) -> u32 {
    let (from, to, rest) = (u32::from_le_bytes(from), u32::from_le_bytes(to), 256 - share);
    let even = ((from & EVEN) * rest + (to & EVEN) * share) >> 8;
    let odd = ((from >> 8) & EVEN) * rest + ((to >> 8) & EVEN) * share;
    (even & EVEN) | (odd & !EVEN)
}
