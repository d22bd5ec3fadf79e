//! The painter: a [`View`] in, pixels out. It knows no clock, no device, no file and no settings.
//!
//! A view is first laid out as a scene, a list of things with their places; that is compared with the scene on the
//! picture, and what differs is drawn: everything, or, while only the countdown runs, the few pixels of its ring and
//! words. Cartridges are slow to draw and kept as sprites; text, boxes and the background are drawn by hand.

mod art;
mod background;
mod canvas;
mod cartridge;
mod color;
mod emblem;
mod geometry;
mod outline;
mod png;
mod ring;
mod scene;
mod shelf;
mod splash;
mod sprites;
mod stages;
mod text;
mod theme;
mod view;

pub use self::png::write_png;
pub use art::Art;
pub use color::Color;
pub use emblem::BuiltInEmblem;
pub use geometry::{Area, Rect};
pub use splash::splash;
pub use sprites::Gallery;
pub use view::{Appearance, Card, Emblem, Overlay, PinAnswer, PinKey, Pose, PowerEntry, Progress, Stage, Step, View};

use canvas::Canvas;
use scene::{Item, Scene};
use sprites::Sprites;
use text::Glyphs;

/// The longest side of a picture, in pixels.
const LONGEST: u32 = 16384;

/// Paints views on a picture of one size.
pub struct Painter {
    frame: Canvas,
    scene: Option<Scene>,
    /// What is below the countdown, and where.
    below: Option<(Rect, Canvas)>,
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
    pub fn with(width: u32, height: u32, gallery: Gallery, _appearance: Appearance) -> Self {
        let frame = Canvas::new(width.clamp(1, LONGEST), height.clamp(1, LONGEST));
        Self { frame, scene: None, below: None, sprites: Sprites::new(gallery), glyphs: Glyphs::default() }
    }

    /// Brings the picture up to date. Returns the parts that changed since the last call: all of it the first time,
    /// nothing if the view looks the same.
    pub fn paint(&mut self, view: &View) -> Vec<Rect> {
        let scene = Scene::compose(view, self.frame.width, self.frame.height);
        let same_but_countdown = |old: &Scene| {
            let (old_area, new_area) = (old.countdown.as_ref().map(|it| it.area), scene.countdown.as_ref().map(|it| it.area));
            old.background == scene.background && old.items == scene.items && old.edges == scene.edges && old_area == new_area
        };
        let damage = match &self.scene {
            Some(old) if *old == scene => return Vec::new(),
            Some(old) if same_but_countdown(old) => {
                if let Some((area, below)) = &self.below {
                    self.frame.restore(below, *area);
                }
                self.below.as_ref().map(|(area, _)| *area)
            }
            _ => {
                self.paint_all(&scene);
                let area = scene.countdown.as_ref().and_then(|countdown| countdown.area.covered(self.frame.bounds()));
                self.below = area.map(|area| (area, self.frame.crop(area)));
                Some(self.frame.bounds())
            }
        };
        if let Some(countdown) = &scene.countdown {
            ring::draw(&mut self.frame, countdown);
            for line in &countdown.lines {
                self.glyphs.draw(&mut self.frame, line);
            }
        }
        self.scene = Some(scene);
        damage.into_iter().collect()
    }

    /// The picture: B,G,R,X bytes, rows of exactly 4 · width, as DRM's XRGB8888 wants them.
    pub fn pixels(&self) -> &[u8] {
        &self.frame.data
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.frame.width, self.frame.height)
    }

    fn paint_all(&mut self, scene: &Scene) {
        let Self { frame, sprites, glyphs, .. } = self;
        scene.background.paint(frame);
        let (width, (left, right)) = (frame.width as f32, scene.edges);
        let edge = |x: u32| {
            let x = x as f32 + 0.5;
            let within = |distance: f32, reach: f32| if reach > 0.0 { (distance / reach).min(1.0) } else { 1.0 };
            within(x, left) * within(width - x, right)
        };
        for item in &scene.items {
            match item {
                Item::Text(line) => glyphs.draw(frame, line),
                Item::Box { area, radius, color, opacity } => frame.fill_round(*area, *radius, *color, *opacity),
                Item::Frame { area, radius, width, color, opacity } => frame.stroke_round(*area, *radius, *width, *color, *opacity),
                Item::Pointer { area, color } => ring::pointer(frame, *area, *color),
                Item::Cartridge { look, body, opacity } => {
                    let margin = cartridge::MARGIN * look.scale;
                    let (x, y) = ((body.x - margin).round() as i32, (body.y - margin).round() as i32);
                    let sprite = sprites.cartridge(look, glyphs);
                    frame.blit(sprite, x, y, |x| (256.0 * opacity * edge(x)) as u32);
                }
                Item::Emblem { look, place, opacity } => {
                    let sprite = sprites.emblem(look, place.width, glyphs);
                    frame.blit(&sprite, place.x.round() as i32, place.y.round() as i32, |_| (256.0 * opacity) as u32);
                }
            }
        }
    }
}

/// Where a view's lines of text are on a picture of this size, those on the cartridges left out.
pub fn text_areas(view: &View, width: u32, height: u32) -> Vec<(String, Area)> {
    Scene::compose(view, width, height).lines().map(|line| (line.text.clone(), line.area())).collect()
}
