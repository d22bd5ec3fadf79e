//! The chosen cartridge on its way into the slot.

use super::cartridges::cartridges;
use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::scene::{Item, Scene};
use super::shelf::{Shelf, position};
use super::theme::{BLACK, NIGHT, PLASTIC, WHITE, mix};
use super::view::View;

/// How far the highlighted cartridge is lifted before it goes down, in a cartridge's units.
const LIFT: f32 = 18.0;
/// How far it goes down from where it is highlighted; there the slot ends.
pub(super) const DEPTH: f32 = 62.0;
/// How far the slot rises.
const RISE: f32 = 46.0;

/// How far the insertion is, 0.0 to 1.0.
pub(super) fn share(view: &View) -> f32 {
    // A comparison with NaN is false.
    if view.pose.insertion > 0.0 { view.pose.insertion.min(1.0) } else { 0.0 }
}

/// The progress at `share` of a movement from `start` to `end`.
fn part(share: f32, start: f32, end: f32) -> f32 {
    ((share - start) / (end - start)).clamp(0.0, 1.0)
}

fn smooth(share: f32) -> f32 {
    share * share * (3.0 - 2.0 * share)
}

/// The cartridges and the slot: the others fade while the chosen one is lifted to the middle and the slot rises below
/// it; then it drops in, and the lamp lights up.
pub(super) fn scene(scene: &mut Scene, frame: &Frame, view: &View) {
    let share = share(view);
    let (aside, up, down) = (smooth(part(share, 0.0, 0.5)), smooth(part(share, 0.0, 0.45)), part(share, 0.5, 0.86).powi(2));
    let (slot_up, lamp) = (smooth(part(share, 0.08, 0.5)), part(share, 0.86, 1.0));
    let at = position(view);
    let units = |units: f32| units * frame.cartridge;
    let plain = frame.palette.plain;
    let mut shelf = Shelf::new(view.cards.len(), at, aside, frame.cartridge, (frame.margin(), frame.room()), frame.floor);
    let reach = frame.margin() * 1.9;
    scene.edges = (reach * shelf.more.0.max(aside), reach * shelf.more.1.max(aside));
    if let Some(body) = shelf.bodies.get_mut(view.highlighted) {
        body.y += units((DEPTH + LIFT) * down - LIFT * up);
    }
    // High contrast allows no faint text: there the others are not drawn at all.
    cartridges(scene, frame, view, &shelf, 1.0 - if plain { 1.0 } else { 0.8 } * aside);
    let light = &mut scene.background.lights[0].center.0;
    *light += (shelf.at - *light) / 2.0 * (1.0 - aside);

    let accent = frame.accent;
    let top = frame.floor + units(RISE * (1.0 - slot_up) - 12.0);
    let slot = Area::new(frame.middle() - units(250.0), top, units(500.0), units(74.0));
    let radius = units(20.0);
    let mut add = |kind: ElementKind, item: Item| {
        if slot_up > 0.0 {
            scene.put(kind, item);
        }
    };
    let filled = |area, radius, color, opacity: f32| Item::Box { area, radius, color, opacity: opacity * slot_up };
    add(ElementKind::Slot, filled(slot.outset(units(3.0)), radius + units(3.0), BLACK, 0.55));
    let (surface, width, edge) = if plain { (BLACK, 3.0, 1.0) } else { (mix(PLASTIC, NIGHT, 0.35), 1.5, 0.13) };
    add(ElementKind::Slot, filled(slot, radius, surface, 1.0));
    add(ElementKind::Slot, Item::Frame { area: slot, radius, width: units(width), color: WHITE, opacity: edge * slot_up });
    let lip = Area::new(slot.x + units(60.0), slot.y, slot.width - units(120.0), units(5.0));
    add(ElementKind::SlotLamp, filled(lip, units(2.5), mix(mix(accent, NIGHT, 0.6), accent, lamp), 1.0));
    let bulb = Area::around(slot.right() - units(36.0), slot.center().1 + units(3.0), units(6.0));
    add(ElementKind::SlotLamp, filled(bulb.outset(units(5.0)), units(12.0), accent, 0.25 * lamp));
    add(ElementKind::SlotLamp, filled(bulb, units(6.0), mix(mix(PLASTIC, BLACK, 0.4), mix(accent, WHITE, 0.4), lamp), 1.0));
}
