//! Where everything is on a picture: the drawn scene, as data.
//!
//! A layout is derived from the scene itself, so it is what the painter draws. It includes the text on a cartridge: the
//! sprite is drawn from the same list.

use super::element::ElementKind;
use super::geometry::Area;
use super::label;
use super::look::{MARGIN, WIDTH};
use super::scene::{Item, Placed, Scene};
use super::text::Line;

/// The elements of a picture, from back to front.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// The picture's width in pixels.
    pub width: u32,
    /// The picture's height in pixels.
    pub height: u32,
    /// Everything that is drawn over the background, in drawing order.
    pub elements: Vec<Element>,
}

/// One thing that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// What it stands for.
    pub kind: ElementKind,
    /// How it is drawn.
    pub shape: Shape,
    /// The rectangle it takes, in pixels. Shadows and the light around a cartridge reach further.
    pub area: Area,
    /// 1.0 as designed, less is fainter.
    pub opacity: f32,
}

/// How an element is drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// One line of text.
    Text {
        /// What is drawn; it ends with an ellipsis if it was cut.
        text: String,
        /// Pixels of one em.
        size: f32,
        /// Where the letters stand, in pixels from the top.
        baseline: f32,
    },
    /// A filled rectangle, perhaps with round corners.
    Box,
    /// The edge of a rectangle.
    Frame,
    /// A sign, by its name: `padlock`.
    Sign(&'static str),
    /// A triangle that points up.
    Triangle,
    /// A ring of which `share` (0.0 to 1.0) is left.
    Ring {
        /// The part that is drawn in the accent colour.
        share: f32,
    },
    /// A whole cartridge.
    Cartridge {
        /// How much of the highlight it has: 0.0 none, 1.0 all.
        light: f32,
    },
    /// Only the emblem of a persona.
    Emblem,
    /// Darkens all that is behind it.
    Veil,
}

impl Element {
    /// The text, if it is a line of text.
    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

impl Layout {
    pub(super) fn of(scene: &Scene, width: u32, height: u32) -> Self {
        let mut elements = Vec::new();
        for placed in &scene.items {
            elements.push(element(placed));
            if let (Item::Cartridge { look, body, light, opacity }, ElementKind::Cartridge(index)) = (&placed.item, placed.kind) {
                let look = if *light < 0.5 { (**look).clone() } else { look.highlighted() };
                // From the sprite's pixels to the picture's.
                let ratio = body.width / (WIDTH * look.scale);
                let (left, top) = (body.x - MARGIN * look.scale * ratio, body.y - MARGIN * look.scale * ratio);
                for placed in label::lettering(&look, index).into_iter().chain(label::badges(&look, index)) {
                    let mut part = element(&placed);
                    let Area { x, y, width, height } = part.area;
                    part.area = Area::new(left + x * ratio, top + y * ratio, width * ratio, height * ratio);
                    if let Shape::Text { size, baseline, .. } = &mut part.shape {
                        (*size, *baseline) = (*size * ratio, top + *baseline * ratio);
                    }
                    part.opacity *= opacity;
                    elements.push(part);
                }
            }
        }
        if let Some(countdown) = &scene.countdown {
            let ring = Shape::Ring { share: f32::from(countdown.left) / 720.0 };
            elements.push(Element { kind: ElementKind::CountdownRing, shape: ring, area: countdown.ring, opacity: 1.0 });
            elements.extend(countdown.number.iter().map(|line| text(ElementKind::CountdownNumber, line)));
            elements.push(text(ElementKind::CountdownText, &countdown.words));
        }
        Self { width, height, elements }
    }

    /// The first element of a kind.
    pub fn find(&self, kind: ElementKind) -> Option<&Element> {
        self.all(kind).next()
    }

    /// All elements of a kind, in drawing order.
    pub fn all(&self, kind: ElementKind) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(move |element| element.kind == kind)
    }

    /// The lines of text that are not part of a cartridge.
    pub fn lines(&self) -> impl Iterator<Item = (&Element, &str)> {
        self.elements.iter().filter(|element| !element.kind.is_on_a_cartridge()).filter_map(|element| Some((element, element.text()?)))
    }
}

fn text(kind: ElementKind, line: &Line) -> Element {
    let shape = Shape::Text { text: line.text.clone(), size: line.style.size, baseline: line.baseline };
    Element { kind, shape, area: line.area(), opacity: line.style.opacity }
}

fn element(placed: &Placed) -> Element {
    let (shape, area, opacity) = match &placed.item {
        Item::Text(line) => return text(placed.kind, line),
        Item::Cartridge { body, light, opacity, .. } => (Shape::Cartridge { light: *light }, *body, *opacity),
        Item::Emblem { place, opacity, .. } => (Shape::Emblem, *place, *opacity),
        Item::Box { area, opacity, .. } => (Shape::Box, *area, *opacity),
        Item::Frame { area, opacity, .. } => (Shape::Frame, *area, *opacity),
        Item::Sign { sign, area, opacity, .. } => (Shape::Sign(sign.name()), *area, *opacity),
        Item::Pointer { area, .. } => (Shape::Triangle, *area, 1.0),
        Item::Veil { .. } => (Shape::Veil, placed.item.reach(), 1.0),
    };
    Element { kind: placed.kind, shape, area, opacity }
}
