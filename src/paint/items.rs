//! Things of a scene that need neither glyphs nor sprites.

use super::ring;
use super::scene::Item;
use super::signs;
use super::target::Target;

/// Draws one.
pub(super) fn plain(target: &mut Target, item: &Item) {
    match item {
        Item::Box { area, radius, color, opacity } => target.fill_round(*area, *radius, *color, *opacity),
        Item::Frame { area, radius, width, color, opacity } => target.stroke_round(*area, *radius, *width, *color, *opacity),
        Item::Sign { sign, area, color, opacity } => signs::draw(target, *sign, *area, *color, *opacity),
        Item::Veil { keep } => target.darken(*keep),
        Item::Pointer { area, color } => ring::pointer(target, *area, *color),
        Item::Text(_) | Item::Cartridge { .. } | Item::Emblem { .. } => {}
    }
}
