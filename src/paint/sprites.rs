//! Cartridges that were drawn once, kept for the next frame, and the owner's emblems they carry.

use super::art::Art;
use super::canvas::{Canvas, PIXEL};
use super::cartridge;
use super::look::Look;
use super::text::Glyphs;
use super::view::Emblem;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The owner's emblems, shared by the painters of all monitors.
#[derive(Debug, Clone, Default)]
pub struct Gallery {
    art: Arc<HashMap<PathBuf, Art>>,
}

impl Gallery {
    /// A gallery of these pictures, each with the path that [`Emblem::Png`] names it by.
    pub fn of(art: impl IntoIterator<Item = (PathBuf, Art)>) -> Self {
        Self { art: Arc::new(art.into_iter().collect()) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.art.is_empty()
    }

    fn get(&self, path: &Path) -> Option<&Art> {
        self.art.get(path)
    }
}

/// More than almost any screen shows at a time.
const MOST_KEPT: usize = 32;

/// A picture with the columns of each row that are known to be opaque.
pub(super) struct Sprite {
    pub(super) canvas: Canvas,
    solid: Vec<Range<u32>>,
}

impl Sprite {
    fn new(canvas: Canvas) -> Self {
        let solid = (0..canvas.height).map(|y| solid(canvas.row(y))).collect();
        Self { canvas, solid }
    }

    /// The columns of row `y` that are known to be opaque.
    pub(super) fn solid(&self, y: u32) -> Range<u32> {
        self.solid[y as usize].clone()
    }
}

/// The run of opaque pixels around the middle.
fn solid(row: &[[u8; PIXEL]]) -> Range<u32> {
    let opaque = |pixel: &&[u8; PIXEL]| pixel[3] == 255;
    let (left, right) = row.split_at(row.len() / 2);
    let before = left.iter().rev().take_while(opaque).count();
    let after = right.iter().take_while(opaque).count();
    (left.len() - before) as u32..(left.len() + after) as u32
}

/// The part of a look that a sprite shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The whole cartridge.
    Cartridge,
    /// Only its emblem; the look's scale is its size in pixels.
    Emblem,
}

/// The sprites drawn so far, the most recently used at the end.
pub(super) struct Sprites {
    gallery: Gallery,
    drawn: Vec<(Look, Part, Sprite)>,
}

impl Sprites {
    pub(super) fn new(gallery: Gallery) -> Self {
        Self { gallery, drawn: Vec::new() }
    }

    /// Whether one more can be kept without another being thrown away.
    pub(super) fn has_room(&self) -> bool {
        self.drawn.len() < MOST_KEPT
    }

    /// Draws `part` of `look` if it is new. Returns whether it was.
    pub(super) fn ready(&mut self, look: &Look, part: Part, glyphs: &mut Glyphs) -> bool {
        if let Some(index) = self.position(look, part) {
            self.drawn[index..].rotate_left(1);
            return false;
        }
        if self.drawn.len() >= MOST_KEPT {
            self.drawn.remove(0);
        }
        let art = match &look.card.emblem {
            Emblem::Png(path) => self.gallery.get(path),
            Emblem::Initial | Emblem::BuiltIn(_) => None,
        };
        let canvas = match part {
            Part::Cartridge => cartridge::sprite(look, art, glyphs),
            Part::Emblem => cartridge::emblem(look, look.scale, art, glyphs),
        };
        self.drawn.push((look.clone(), part, Sprite::new(canvas)));
        true
    }

    /// What has been drawn of it.
    pub(super) fn get(&self, look: &Look, part: Part) -> Option<&Sprite> {
        Some(&self.drawn[self.position(look, part)?].2)
    }

    fn position(&self, look: &Look, part: Part) -> Option<usize> {
        self.drawn.iter().rposition(|(drawn, its_part, _)| *its_part == part && drawn == look)
    }
}
