//! A scene, or a part of it, on the picture.

use super::background::Field;
use super::between;
use super::canvas::Canvas;
use super::fade::Fade;
use super::geometry::{Area, Rect};
use super::items::plain;
use super::look::{LIT, Look, MARGIN, WIDTH};
use super::ring;
use super::scene::{Countdown, Item, Placed, Scene};
use super::sprites::{Part, Sprites};
use super::target::Target;
use super::text::Glyphs;
use std::sync::Mutex;
use std::thread;

/// More pixels than this are drawn by two threads; starting one takes as long as drawing a twentieth of them.
const LARGE: u32 = 1 << 19;
/// Into how many strips a large part is cut, so that neither thread waits long for the other.
const STRIPS: u32 = 8;

/// Draws the sprites and glyphs that a scene needs and that are new.
pub(super) fn ready(scene: &Scene, sprites: &mut Sprites, glyphs: &mut Glyphs) {
    for Placed { item, .. } in &scene.items {
        match item {
            Item::Text(line) => glyphs.ready(line),
            Item::Cartridge { look, light, .. } => {
                if *light < 1.0 {
                    sprites.ready(look, Part::Cartridge, glyphs);
                }
                if *light > 0.0 {
                    sprites.ready(&look.highlighted(), Part::Cartridge, glyphs);
                }
            }
            Item::Emblem { look, .. } => _ = sprites.ready(look, Part::Emblem, glyphs),
            Item::Box { .. } | Item::Frame { .. } | Item::Sign { .. } | Item::Veil { .. } | Item::Pointer { .. } => {}
        }
    }
    for line in scene.countdown.iter().flat_map(Countdown::lines) {
        glyphs.ready(line);
    }
}

/// Draws one sprite that is needed only when the highlight moves. Returns whether there was one.
pub(super) fn prepare(scene: &Scene, sprites: &mut Sprites, glyphs: &mut Glyphs) -> bool {
    let looks = scene.items.iter().filter_map(|placed| match &placed.item {
        Item::Cartridge { look, .. } => Some(look),
        _ => None,
    });
    let mut wanted = looks.flat_map(|look| [look.highlighted(), Look::clone(look)]);
    wanted.any(|look| sprites.has_room() && sprites.ready(&look, Part::Cartridge, glyphs))
}

/// Draws the part `rect` of `scene` with the sprites and glyphs that are ready.
pub(super) fn draw(scene: &Scene, frame: &mut Canvas, rect: Rect, sprites: &Sprites, glyphs: &Glyphs) {
    let field = scene.background.field(rect, frame.height);
    let brush = Brush { scene, field, sprites, glyphs, width: frame.width as f32 };
    if rect.width * rect.height > LARGE {
        let strips = Mutex::new(frame.part(rect).strips(STRIPS));
        let work = || {
            while let Some(mut strip) = strips.lock().ok().and_then(|mut strips| strips.pop()) {
                brush.paint(&mut strip);
            }
        };
        thread::scope(|scope| {
            // Without a second thread the first one does it all.
            _ = thread::Builder::new().spawn_scoped(scope, work);
            work();
        });
    } else {
        brush.paint(&mut frame.part(rect));
    }
}

struct Brush<'a> {
    scene: &'a Scene,
    field: Field<'a>,
    sprites: &'a Sprites,
    glyphs: &'a Glyphs,
    /// Of the picture, in pixels.
    width: f32,
}

impl Brush<'_> {
    fn paint(&self, target: &mut Target) {
        self.field.paint(target);
        for Placed { item, .. } in &self.scene.items {
            if item.reach().covered(target.clip()).is_some() {
                self.item(item, target);
            }
        }
        if let Some(countdown) = &self.scene.countdown
            && countdown.reach().any(|area| area.covered(target.clip()).is_some())
        {
            ring::draw(target, countdown);
            for line in countdown.lines() {
                self.glyphs.lay(target, line);
            }
        }
    }

    fn item(&self, item: &Item, target: &mut Target) {
        match item {
            Item::Text(line) => self.glyphs.lay(target, line),
            Item::Box { .. } | Item::Frame { .. } | Item::Sign { .. } | Item::Veil { .. } | Item::Pointer { .. } => plain(target, item),
            Item::Cartridge { look, body, light, opacity } => {
                let fade = Fade { opacity: *opacity, edges: self.scene.edges, right: self.width };
                self.cartridge(target, look, *body, *light, fade);
            }
            Item::Emblem { look, place, opacity } => {
                if let Some(sprite) = self.sprites.get(look, Part::Emblem) {
                    let corner = (place.x.round() as i32, place.y.round() as i32);
                    target.blit(&sprite.canvas, corner, Fade::even(*opacity), |y| sprite.solid(y));
                }
            }
        }
    }

    fn cartridge(&self, target: &mut Target, look: &Look, body: Area, light: f32, fade: Fade) {
        let get = |look: &Look| self.sprites.get(look, Part::Cartridge);
        let still = if light <= 0.0 {
            get(look)
        } else if light >= 1.0 {
            get(&look.highlighted())
        } else if let Some((dark, lit)) = get(look).zip(get(&look.highlighted())) {
            let sprites = [(&dark.canvas, look.scale), (&lit.canvas, look.scale * LIT)];
            return between::draw(target, sprites, body, light, fade);
        } else {
            None
        };
        if let Some(sprite) = still {
            let margin = MARGIN * body.width / WIDTH;
            let corner = ((body.x - margin).round() as i32, (body.y - margin).round() as i32);
            target.blit(&sprite.canvas, corner, fade, |y| sprite.solid(y));
        }
    }
}
