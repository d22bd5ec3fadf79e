//! The chosen cartridge on its way into the slot.

use super::geometry::Area;
use super::scene::{Frame, Item, Scene, accent, position};
use super::shelf::Shelf;
use super::stages::{FLOOR, cartridges};
use super::theme::{BLACK, NIGHT, PLASTIC, WHITE, mix};
use super::view::View;

/// How far the highlighted cartridge is lifted before it goes down, in units.
const LIFT: f32 = 18.0;
/// How far it goes down from where it is highlighted.
const DEPTH: f32 = 62.0;
/// How far the slot rises.
const RISE: f32 = 46.0;

/// How far the insertion is, 0.0 to 1.0.
pub(super) fn share(view: &View) -> f32 {
    // A comparison with what is no number is false.
    if view.pose.insertion > 0.0 { view.pose.insertion.min(1.0) } else { 0.0 }
}

/// The part of the way that is gone at `share` if it starts at `start` and ends at `end`.
fn part(share: f32, start: f32, end: f32) -> f32 {
    ((share - start) / (end - start)).clamp(0.0, 1.0)
}

fn smooth(share: f32) -> f32 {
    share * share * (3.0 - 2.0 * share)
}

/// The cartridges and the slot: the others fade while the chosen one is lifted to the middle and the slot rises below
/// it; then it falls in, and the lamp goes on.
pub(super) fn scene(scene: &mut Scene, frame: &Frame, view: &View) {
    let share = share(view);
    let (aside, up, down) = (smooth(part(share, 0.0, 0.5)), smooth(part(share, 0.0, 0.45)), part(share, 0.5, 0.86).powi(2));
    let (slot_up, lamp) = (smooth(part(share, 0.08, 0.5)), part(share, 0.86, 1.0));
    let at = position(view);
    let mut shelf = Shelf::new(view.cards.len(), at, aside, frame.unit, (frame.margin(), frame.room()), frame.down(FLOOR));
    let reach = frame.margin() * 1.9;
    scene.edges = (reach * shelf.more.0.max(aside), reach * shelf.more.1.max(aside));
    if let Some(body) = shelf.bodies.get_mut(view.highlighted) {
        body.y += frame.px((DEPTH + LIFT) * down - LIFT * up);
    }
    cartridges(scene, frame, view, &shelf, 1.0 - 0.8 * aside);
    let light = &mut scene.background.lights[0].center.0;
    *light += (shelf.at - *light) / 2.0 * (1.0 - aside);

    let accent = accent(view);
    let top = frame.down(FLOOR - 12.0 + RISE * (1.0 - slot_up));
    let slot = Area::new(frame.middle() - frame.px(250.0), top, frame.px(500.0), frame.px(74.0));
    let radius = frame.px(20.0);
    let mut add = |item: Item| {
        if slot_up > 0.0 {
            scene.items.push(item);
        }
    };
    let filled = |area, radius, color, opacity: f32| Item::Box { area, radius, color, opacity: opacity * slot_up };
    add(filled(slot.outset(frame.px(3.0)), radius + frame.px(3.0), BLACK, 0.55));
    add(filled(slot, radius, mix(PLASTIC, NIGHT, 0.35), 1.0));
    add(Item::Frame { area: slot, radius, width: frame.px(1.5), color: WHITE, opacity: 0.13 * slot_up });
    let lip = Area::new(slot.x + frame.px(60.0), slot.y, slot.width - frame.px(120.0), frame.px(5.0));
    add(filled(lip, frame.px(2.5), mix(mix(accent, NIGHT, 0.6), accent, lamp), 1.0));
    let bulb = Area::around(slot.right() - frame.px(36.0), slot.center().1 + frame.px(3.0), frame.px(6.0));
    add(filled(bulb.outset(frame.px(5.0)), frame.px(12.0), accent, 0.25 * lamp));
    add(filled(bulb, frame.px(6.0), mix(mix(PLASTIC, BLACK, 0.4), mix(accent, WHITE, 0.4), lamp), 1.0));
}
