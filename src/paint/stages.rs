//! The shelf to choose from, and the emblem of what runs.

use super::cartridges::{cartridges, look};
use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::insertion;
use super::scene::{Item, Scene};
use super::shelf::{Shelf, position};
use super::theme::{WHITE, mix};
use super::view::View;

/// The cartridges, and a pointer below the highlighted one.
pub(super) fn shelf(scene: &mut Scene, frame: &Frame, view: &View) {
    let shelf = Shelf::new(view.cards.len(), position(view), 0.0, frame.cartridge, (frame.margin(), frame.room()), frame.floor);
    let reach = frame.margin() * 1.9;
    scene.edges = (reach * shelf.more.0, reach * shelf.more.1);
    if insertion::share(view) > 0.0 {
        return insertion::scene(scene, frame, view);
    }
    cartridges(scene, frame, view, &shelf, 1.0);
    // The light moves towards the highlighted one.
    let light = &mut scene.background.lights[0].center.0;
    *light = (*light + shelf.at) / 2.0;
    let (width, height) = (frame.px(34.0), frame.px(17.0));
    let area = Area::new(shelf.at - width / 2.0, frame.below(14.0), width, height);
    scene.put(ElementKind::Pointer, Item::Pointer { area, color: mix(frame.accent, WHITE, 0.2) });
}

/// The emblem of what runs, calm and dark: this may be on the monitor for hours.
pub(super) fn emblem(scene: &mut Scene, frame: &Frame, view: &View) {
    if let Some(look) = look(frame, view, view.highlighted, 2.0 * frame.px(72.0)) {
        let place = Area::around(frame.middle(), frame.running() - 55.0 * frame.large - frame.px(110.0), frame.px(72.0));
        scene.put(
            ElementKind::RunningEmblem,
            Item::Emblem { look: Box::new(look), place, opacity: if frame.palette.plain { 1.0 } else { 0.42 } },
        );
    }
}
