//! What differs between two scenes, as rectangles of pixels.

use super::MAX_SIDE;
use super::background::Background;
use super::look::{MARGIN, WIDTH};

use super::geometry::{Area, Rect};
use super::scene::{Countdown, Item, Placed, Scene};

/// The parts of a picture that are not the same in both scenes, apart from each other.
pub(super) fn damage(old: &Scene, new: &Scene, bounds: Rect) -> Vec<Rect> {
    let mut areas = Vec::new();
    if old.background != new.background {
        areas.push(Background::difference(&old.background, &new.background, bounds));
    }
    // Items that are in both scenes in the same order are unchanged; the others were removed or added.
    let same = |a: &Item, b: &Item| a == b && (old.edges == new.edges || !matches!(a, Item::Cartridge { .. }));
    let reach = |placed: &Placed| placed.item.reach();
    let mut left = old.items.as_slice();
    for Placed { item, .. } in &new.items {
        match left.iter().position(|candidate| same(&candidate.item, item)) {
            Some(skipped) => {
                areas.extend(left[..skipped].iter().map(reach));
                left = &left[skipped + 1..];
            }
            None => areas.push(item.reach()),
        }
    }
    areas.extend(left.iter().map(reach));
    if old.countdown != new.countdown {
        areas.extend(old.countdown.iter().chain(&new.countdown).flat_map(Countdown::reach));
    }
    let mut parts: Vec<Rect> = Vec::new();
    for mut part in areas.iter().filter_map(|area| area.covered(bounds)) {
        while let Some(index) = parts.iter().position(|other| other.meets(&part)) {
            part = part.around(&parts.swap_remove(index));
        }
        parts.push(part);
    }
    parts
}

impl Item {
    /// What it never draws beyond.
    pub(super) fn reach(&self) -> Area {
        match self {
            Self::Text(line) => line.reach(),
            Self::Cartridge { body, .. } => body.outset(body.width / WIDTH * MARGIN + 3.0),
            Self::Emblem { place, .. } => place.outset(2.0),
            Self::Veil { .. } => Area::new(0.0, 0.0, MAX_SIDE as f32, MAX_SIDE as f32),
            Self::Sign { area, .. } => area.outset(area.width * 0.1 + 1.0),
            Self::Box { area, .. } | Self::Frame { area, .. } | Self::Pointer { area, .. } => area.outset(1.0),
        }
    }
}

impl Countdown {
    pub(super) fn reach(&self) -> impl Iterator<Item = Area> {
        self.lines().map(super::text::Line::reach).chain([self.area])
    }
}
