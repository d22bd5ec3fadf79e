//! The cartridges of a view on their places.

use super::element::ElementKind;
use super::frame::Frame;
use super::look::Look;
use super::scene::{Item, Scene};
use super::shelf::{Shelf, light, position};
use super::view::View;

/// How the cartridge `index` looks without the highlight.
pub(super) fn look(frame: &Frame, view: &View, index: usize, scale: f32) -> Option<Look> {
    let number = (index < 9).then_some(index + 1);
    let text = (frame.text / frame.unit).clamp(1.0, 1.35);
    Some(Look {
        card: view.cards.get(index)?.clone(),
        number,
        lit: false,
        scale,
        text,
        plain: frame.palette.plain,
        language: view.language,
    })
}

/// Places all cartridges that can be seen, the one with the most light last, those without at `opacity`.
pub(super) fn cartridges(scene: &mut Scene, frame: &Frame, view: &View, shelf: &Shelf, opacity: f32) {
    let at = position(view);
    let mut order: Vec<usize> = (0..shelf.bodies.len()).collect();
    order.sort_by(|a, b| light(*a, at).total_cmp(&light(*b, at)));
    for index in order {
        let Some((body, look)) = shelf.bodies.get(index).zip(look(frame, view, index, shelf.scale)) else { continue };
        let light = light(index, at);
        let opacity = opacity + (1.0 - opacity) * light;
        if opacity > 0.0 && body.right() > 0.0 && body.x < frame.width {
            scene.put(ElementKind::Cartridge(index), Item::Cartridge { look: Box::new(look), body: *body, light, opacity });
        }
    }
}
