//! Cartridges that were drawn once, kept for the next frame, and the owner's emblems they carry.

use super::art::Art;
use super::canvas::Canvas;
use super::cartridge::{self, Look};
use super::text::Glyphs;
use super::view::Emblem;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The owner's emblems, shared by the painters of all monitors.
#[derive(Debug, Clone, Default)]
pub struct Gallery {
    art: Rc<HashMap<PathBuf, Art>>,
}

impl Gallery {
    /// A gallery of these pictures, each with the path that [`Emblem::Png`] names it by.
    pub fn of(art: impl IntoIterator<Item = (PathBuf, Art)>) -> Self {
        Self { art: Rc::new(art.into_iter().collect()) }
    }

    fn get(&self, path: &Path) -> Option<&Art> {
        self.art.get(path)
    }
}

/// More than any screen shows at a time.
const MOST_KEPT: usize = 32;

/// The sprites drawn so far.
pub(super) struct Sprites {
    gallery: Gallery,
    drawn: Vec<(Look, Canvas)>,
}

impl Sprites {
    pub(super) fn new(gallery: Gallery) -> Self {
        Self { gallery, drawn: Vec::new() }
    }

    /// The cartridge that looks like `look`, drawn now if it is new.
    pub(super) fn cartridge(&mut self, look: &Look, glyphs: &mut Glyphs) -> &Canvas {
        let index = match self.drawn.iter().position(|(drawn, _)| drawn == look) {
            Some(index) => index,
            None => {
                if self.drawn.len() >= MOST_KEPT {
                    self.drawn.remove(0);
                }
                let sprite = cartridge::sprite(look, self.art(look), glyphs);
                self.drawn.push((look.clone(), sprite));
                self.drawn.len() - 1
            }
        };
        &self.drawn[index].1
    }

    /// Only its emblem, `size` pixels wide and high.
    pub(super) fn emblem(&mut self, look: &Look, size: f32, glyphs: &mut Glyphs) -> Canvas {
        cartridge::emblem(look, size, self.art(look), glyphs)
    }

    fn art(&self, look: &Look) -> Option<&Art> {
        match &look.card.emblem {
            Emblem::Png(path) => self.gallery.get(path),
            Emblem::Initial | Emblem::BuiltIn(_) => None,
        }
    }
}
