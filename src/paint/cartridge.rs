//! One cartridge as a sprite: the shell with its grip and contacts, the label with emblem and title.

use super::art::Art;
use super::background::threshold;
use super::canvas::{Canvas, Mask, PIXEL, pixels_mut};
use super::color::Color;
use super::emblem;
use super::geometry::Area;
use super::items;
use super::label;
use super::look::{HEIGHT, LABEL, Look, MARGIN, WIDTH, placed};
use super::outline::{Outline, Place};
use super::scene::{Item, Placed};
use super::target::Target;
use super::text::{CAPITAL, Face, Glyphs, Line, Style};
use super::theme::{BLACK, GOLD, NIGHT, PLASTIC, WHITE, mix, vivid};
use super::view::Emblem;

const BODY: Area = Area::new(0.0, 0.0, WIDTH, 308.0);
const CONNECTOR: Area = Area::new(34.0, 308.0, 196.0, 44.0);
const SHELL: &str = "M28 0 L236 0 Q264 0 264 28 L264 62 L256 70 L256 84 L264 92 L264 296 Q264 308 252 308 L238 308 Q230 308 230 316 \
    L230 340 Q230 352 218 352 L46 352 Q34 352 34 340 L34 316 Q34 308 26 308 L12 308 Q0 308 0 296 L0 92 L8 84 L8 70 L0 62 L0 28 Q0 0 28 0 Z";
const LABEL_OUTLINE: &str = "M33 52 L231 52 Q245 52 245 66 L245 280 Q245 294 231 294 L33 294 Q19 294 19 280 L19 66 Q19 52 33 52 Z";
const SHEEN: &str = "M33 52 L150 52 L72 294 L33 294 Q19 294 19 280 L19 66 Q19 52 33 52 Z";
const TITLE_BAND: &str = "M19 236 L245 236 L245 280 Q245 294 231 294 L33 294 Q19 294 19 280 Z";
const EMBLEM: Area = Area::new(70.0, 82.0, 124.0, 124.0);

/// Draws it, [`MARGIN`] included.
pub(super) fn sprite(look: &Look, art: Option<&Art>, glyphs: &mut Glyphs) -> Canvas {
    let pixels = |units: f32| (units * look.scale).ceil().max(1.0) as u32;
    let mut canvas = Canvas::new(pixels(WIDTH + 2.0 * MARGIN), pixels(HEIGHT + 2.0 * MARGIN));
    if !look.plain {
        halo(&mut canvas, look);
    }
    let mut target = canvas.target();
    let mut pen = Pen { canvas: &mut target, place: Place { scale: look.scale, origin: (MARGIN * look.scale, MARGIN * look.scale) } };
    if look.plain {
        pen.outlines(look);
    } else {
        pen.shell(look);
        pen.label(look);
    }
    picture(&mut target, look, placed(EMBLEM, look.scale), art, glyphs);
    match (look.card.refused.is_some(), look.plain) {
        (false, _) => lay(&mut target, label::lettering(look, 0), glyphs),
        (true, false) => {
            lay(&mut target, label::lettering(look, 0), glyphs);
            canvas.drain(if look.lit { 190 } else { 130 }, 0.9);
        }
        // No fainter words in high contrast.
        (true, true) => {
            canvas.drain(256, 1.0);
            lay(&mut canvas.target(), label::lettering(look, 0), glyphs);
        }
    }
    lay(&mut canvas.target(), label::badges(look, 0), glyphs);
    canvas
}

/// Draws what is on a cartridge.
fn lay(target: &mut Target, parts: Vec<Placed>, glyphs: &mut Glyphs) {
    for Placed { item, .. } in parts {
        match item {
            Item::Text(line) => glyphs.draw(target, &line),
            item => items::plain(target, &item),
        }
    }
}

/// Only its emblem, `size` pixels wide and high.
pub(super) fn emblem(look: &Look, size: f32, art: Option<&Art>, glyphs: &mut Glyphs) -> Canvas {
    let pixels = size.ceil().max(1.0) as u32;
    let mut canvas = Canvas::new(pixels, pixels);
    picture(&mut canvas.target(), look, Area::new(0.0, 0.0, size, size), art, glyphs);
    canvas
}

/// The light around a highlighted cartridge and the shadow under every one, dithered, as both fade slowly into the dark.
///
/// A blurred rectangle is the product of two blurred steps, and the shell is nearly two rectangles.
fn halo(canvas: &mut Canvas, look: &Look) {
    let scale = look.scale;
    let (width, height) = (canvas.width as usize, canvas.height as usize);
    let profiles = |down: f32, blur: f32| {
        [BODY, CONNECTOR].map(|part| {
            let area = placed(Area { y: part.y + down, ..part }, scale);
            (blurred_step(width, area.x, area.right(), blur * scale), blurred_step(height, area.y, area.bottom(), blur * scale))
        })
    };
    let (shadow, light) = (profiles(12.0, 20.0), profiles(0.0, 24.0));
    let glow = vivid(look.card.accent);
    let glow = [glow.blue, glow.green, glow.red].map(|part| f32::from(part) / 255.0);
    const SHADOW: f32 = 0.85;
    const GLOW: f32 = 0.9;
    let at =
        |parts: &[(Vec<f32>, Vec<f32>); 2], x: usize, y: usize| (parts[0].0[x] * parts[0].1[y] + parts[1].0[x] * parts[1].1[y]).min(1.0);
    // What the shell will cover, its round corners left out.
    let body = placed(BODY, scale);
    let covered = placed(BODY, scale).outset(-30.0 * scale);
    let skipped = (covered.y as usize..covered.bottom() as usize, body.x as usize + 10..(body.right() as usize).saturating_sub(10));
    for (y, row) in canvas.data.chunks_exact_mut(width * PIXEL).enumerate() {
        let noise: [f32; 8] = std::array::from_fn(|x| threshold(x as u32, y as u32));
        for (x, pixel) in pixels_mut(row).enumerate() {
            let noise = noise[x % 8];
            let dark = SHADOW * at(&shadow, x, y);
            if !look.lit {
                pixel[3] = (254.0 * dark + noise) as u8;
            } else if !(skipped.0.contains(&y) && skipped.1.contains(&x)) {
                let light = GLOW * at(&light, x, y);
                let part = |part: f32| (254.0 * light * part + noise) as u8;
                *pixel = [part(glow[0]), part(glow[1]), part(glow[2]), (254.0 * (light + dark * (1.0 - light)) + noise) as u8];
            }
        }
    }
}

/// A step from `start` to `end`, blurred by a Gaussian of standard deviation `blur`, at the middle of every pixel.
fn blurred_step(length: usize, start: f32, end: f32, blur: f32) -> Vec<f32> {
    // The normal distribution's integral, to within a thousandth.
    let rise = |t: f32| 0.5 + 0.5 * (0.797_885 * (t + 0.044_715 * t * t * t)).tanh();
    (0..length).map(|at| at as f32 + 0.5).map(|at| rise((at - start) / blur) - rise((at - end) / blur)).collect()
}

/// What an outline is filled with: from one colour and opacity to another, between two heights of the drawing.
type Ink = [(f32, Color, f32); 2];

fn plain(color: Color, opacity: f32) -> Ink {
    [(0.0, color, opacity), (1.0, color, opacity)]
}

struct Pen<'a, 'b> {
    canvas: &'a mut Target<'b>,
    place: Place,
}

impl Pen<'_, '_> {
    fn fill(&mut self, outline: &str, ink: Ink) {
        self.stencil(&Outline::read(outline, self.place).fill(), ink);
    }

    fn stroke(&mut self, outline: &str, width: f32, ink: Ink) {
        self.stencil(&Outline::read(outline, self.place).stroke(width * self.place.scale), ink);
    }

    fn stencil(&mut self, mask: &Mask, [(top, above, strong), (bottom, below, weak)]: Ink) {
        let Place { scale, origin } = self.place;
        self.canvas.stencil(mask, (0, 0), |y| {
            let share = (((y as f32 + 0.5 - origin.1) / scale - top) / (bottom - top)).clamp(0.0, 1.0);
            (mix(above, below, share), strong + (weak - strong) * share)
        });
    }

    /// The cartridge in high contrast: black, with strong edges.
    fn outlines(&mut self, look: &Look) {
        let accent = if look.card.refused.is_some() { WHITE } else { vivid(look.card.accent) };
        if look.lit {
            self.stroke(SHELL, 26.0, plain(accent, 1.0));
            self.stroke(SHELL, 12.0, plain(BLACK, 1.0));
        }
        self.fill(SHELL, plain(BLACK, 1.0));
        self.stroke(SHELL, if look.lit { 4.0 } else { 2.5 }, plain(WHITE, 1.0));
        self.stroke(LABEL_OUTLINE, 3.0, plain(accent, 1.0));
        self.fill("M19 235 L245 235 L245 237.5 L19 237.5 Z", plain(accent, 1.0));
        let pins: String = (0..12).map(|pin| pill(50.0 + 14.0 * pin as f32, 324.0, 9.0, 20.0)).collect();
        self.fill(&pins, plain(WHITE, 1.0));
    }

    fn shell(&mut self, look: &Look) {
        let accent = look.card.accent;
        if look.lit {
            self.stroke(SHELL, 18.0, plain(mix(vivid(accent), WHITE, 0.2), 1.0));
            self.stroke(SHELL, 9.0, plain(NIGHT, 1.0));
        }
        let lift = if look.lit { 0.10 } else { 0.0 };
        let top = mix(mix(PLASTIC, accent, 0.16), WHITE, 0.06 + lift);
        let bottom = mix(mix(PLASTIC, accent, 0.08), BLACK, 0.5 - lift);
        self.fill(SHELL, [(0.0, top, 1.0), (HEIGHT, bottom, 1.0)]);
        self.stroke(SHELL, 2.0, [(0.0, WHITE, 0.34), (120.0, WHITE, 0.05)]);
        // The grip: grooves across the head, each with a lit lower edge.
        let grooves = |x: f32, width: f32| (0..7).map(|groove| pill(x + 9.0 * groove as f32, 14.0, width, 24.0)).collect::<String>();
        self.fill(&grooves(105.0, 4.0), plain(BLACK, 0.5));
        self.fill(&grooves(108.4, 1.1), plain(WHITE, 0.16));
        // The connector with its contacts.
        self.fill(
            "M46 318 L218 318 Q222 318 222 322 L222 348 Q222 352 218 352 L46 352 Q42 352 42 348 L42 322 Q42 318 46 318 Z",
            plain(BLACK, 0.55),
        );
        let gold = mix(GOLD, BLACK, if look.lit { 0.0 } else { 0.3 });
        let pins: String = (0..12).map(|pin| pill(50.0 + 14.0 * pin as f32, 324.0, 9.0, 25.0)).collect();
        self.fill(&pins, [(322.0, gold, 1.0), (352.0, mix(gold, BLACK, 0.5), 1.0)]);
        self.fill("M0 300 L264 300 L264 302 L0 302 Z", plain(BLACK, 0.22));
    }

    fn label(&mut self, look: &Look) {
        let accent = look.card.accent;
        let depth = if look.lit { 0.0 } else { 0.22 };
        let top = mix(mix(accent, NIGHT, 0.52), BLACK, depth);
        let bottom = mix(mix(accent, NIGHT, 0.82), BLACK, depth);
        // The recess the label sits in.
        self.stroke(LABEL_OUTLINE, 7.0, plain(BLACK, 0.42));
        let glow = vivid(accent);
        let [from, to, light] = [top, bottom, glow].map(|color| [color.blue, color.green, color.red].map(f32::from));
        let strength = if look.lit { 0.44 } else { 0.28 };
        let label = placed(LABEL, look.scale);
        let (center_x, center_y) = placed(EMBLEM, look.scale).center();
        let reach = 122.0 * look.scale;
        self.canvas.fill_tinted(label, 14.0 * look.scale, |x, y| {
            let down = (y - label.y) / label.height;
            let distance = ((x - center_x).powi(2) + (y - center_y).powi(2)) / (reach * reach);
            let glow = strength * (1.0 - distance).max(0.0).powi(2);
            std::array::from_fn(|i| {
                let ground = from[i] + (to[i] - from[i]) * down;
                (ground + (light[i] - ground) * glow).max(0.0)
            })
        });
        self.stroke("O132 144 78", 1.4, plain(glow, 0.26));
        self.fill(TITLE_BAND, plain(BLACK, 0.34));
        self.fill("M19 235 L245 235 L245 237 L19 237 Z", plain(glow, 0.55));
        self.fill(SHEEN, plain(WHITE, 0.05));
        self.stroke(LABEL_OUTLINE, 1.6, plain(mix(glow, WHITE, 0.3), if look.lit { 0.5 } else { 0.25 }));
    }
}

/// The emblem in `place`; the title's first letter where there is no picture.
fn picture(canvas: &mut Target, look: &Look, place: Area, art: Option<&Art>, glyphs: &mut Glyphs) {
    let accent = look.card.accent;
    match (&look.card.emblem, art) {
        (Emblem::BuiltIn(built_in), _) => {
            emblem::draw(canvas, *built_in, accent, Place { scale: place.width / 100.0, origin: (place.x, place.y) });
        }
        (Emblem::Png(_), Some(art)) => art.draw(canvas, place),
        _ => {
            let style = Style::new(Face::Title, place.width, mix(vivid(accent), WHITE, 0.25));
            let letter = look.card.title.trim_start().chars().next().into_iter().flat_map(char::to_uppercase).collect::<String>();
            let (x, y) = place.center();
            glyphs.draw(canvas, &Line::centered(x, y + CAPITAL / 2.0 * style.size, style, letter));
        }
    }
}

fn pill(x: f32, y: f32, width: f32, height: f32) -> String {
    let round = width / 2.0;
    let (right, bottom) = (x + width, y + height);
    format!(
        "M{x} {} Q{x} {y} {} {y} Q{right} {y} {right} {} L{right} {} Q{right} {bottom} {} {bottom} Q{x} {bottom} {x} {} Z",
        y + round,
        x + round,
        y + round,
        bottom - round,
        x + round,
        bottom - round
    )
}
