//! The painter: a [`View`] in, pixels out. It knows no clock, no device, no file and no settings.
//!
//! A view is first laid out as a scene, a list of things with their places; that is compared with the scene on the
//! picture, and the parts that differ are drawn anew, large ones by two threads. Cartridges are slow to draw and kept as
//! sprites; text, boxes and the background are drawn by hand.

mod appearance;
mod art;
mod background;
mod between;
mod canvas;
mod cartridge;
mod cartridges;
mod color;
mod compose;
mod countdown;
mod damage;
mod dim;
mod draw;
mod element;
mod emblem;
mod fade;
mod frame;
mod geometry;
mod header;
mod help;
mod insertion;
mod items;
mod keys;
mod label;
mod language;
mod layout;
mod look;
mod messages;
mod outline;
mod overlays;
mod panel;
mod paragraph;
mod png;
mod ring;
mod scene;
mod shelf;
mod signs;
mod splash;
mod sprites;
mod stages;
mod steps;
mod target;
mod text;
mod theme;
mod view;
mod words;

pub use self::png::write_png;
pub use art::Art;
pub use color::Color;
pub use element::ElementKind;
pub use emblem::BuiltInEmblem;
pub use geometry::{Area, Rect};
pub use language::{Language, Words, fill};
pub use layout::{Element, Layout, Shape};
pub use splash::splash;
pub use sprites::Gallery;
pub use view::{Appearance, Card, Emblem, LaunchStep, Overlay, PinAnswer, PinKey, Pose, PowerEntry, Progress, Stage, View};

use canvas::Canvas;
use scene::Scene;
use sprites::Sprites;
use text::Glyphs;
pub use text::{add_font, can_write};

/// The longest side of a picture, in pixels.
const MAX_SIDE: u32 = 16384;

/// Paints views on a picture of one size.
pub struct Painter {
    frame: Canvas,
    appearance: Appearance,
    /// What is on the frame.
    scene: Option<Scene>,
    /// The frame as dark as it is shown, while that is darker than designed.
    dimmed: Option<dim::Dimmed>,
    sprites: Sprites,
    glyphs: Glyphs,
}

impl Painter {
    /// A painter of pictures of `width` by `height` pixels, each of them 1 to 16384.
    pub fn new(width: u32, height: u32) -> Self {
        Self::with(width, height, Gallery::default(), Appearance::default())
    }

    /// The same, with the owner's emblems and in another appearance. A PNG that is not in the gallery is replaced by the
    /// title's first letter.
    pub fn with(width: u32, height: u32, gallery: Gallery, appearance: Appearance) -> Self {
        let frame = Canvas::new(width.clamp(1, MAX_SIDE), height.clamp(1, MAX_SIDE));
        Self { frame, appearance, scene: None, dimmed: None, sprites: Sprites::new(gallery), glyphs: Glyphs::default() }
    }

    /// Brings the picture up to date. Returns the parts that changed since the last call: all of it the first time,
    /// nothing if the view looks the same.
    pub fn paint(&mut self, view: &View) -> Vec<Rect> {
        let bounds = self.frame.bounds();
        let scene = compose::compose(view, self.appearance, bounds.width, bounds.height);
        let damage = match &self.scene {
            Some(old) => damage::damage(old, &scene, bounds),
            None => vec![bounds],
        };
        if !damage.is_empty() {
            self.glyphs.tidy();
            draw::ready(&scene, &mut self.sprites, &mut self.glyphs);
            for part in &damage {
                draw::draw(&scene, &mut self.frame, *part, &self.sprites, &self.glyphs);
            }
        }
        self.scene = Some(scene);
        dim::show(&mut self.dimmed, &self.frame, view.pose.brightness, damage)
    }

    /// Draws one of the sprites that a key would need and that has not been drawn yet: call it in idle time, otherwise
    /// the first frame after the key has to wait for it. Returns whether there may be more.
    pub fn prepare(&mut self) -> bool {
        self.scene.as_ref().is_some_and(|scene| draw::prepare(scene, &mut self.sprites, &mut self.glyphs))
    }

    /// Where everything is on the picture; nothing before the first call of [`Painter::paint`].
    pub fn layout(&self) -> Option<Layout> {
        self.scene.as_ref().map(|scene| Layout::of(scene, self.frame.width, self.frame.height))
    }

    /// The picture: B,G,R,X bytes, rows of exactly 4 · width, as DRM's XRGB8888 wants them.
    pub fn pixels(&self) -> &[u8] {
        self.dimmed.as_ref().map_or(&self.frame.data, |dimmed| &dimmed.data)
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.frame.width, self.frame.height)
    }
}

/// Where everything of a view is on a picture of this size: what a painter would draw, without drawing it.
pub fn layout(view: &View, appearance: Appearance, width: u32, height: u32) -> Layout {
    Layout::of(&compose::compose(view, appearance, width, height), width, height)
}
