//! Where the cartridges stand: pure geometry.

use super::cartridge::{HEIGHT, WIDTH};
use super::geometry::Area;

/// How much larger the highlighted cartridge is.
pub(super) const LIT: f32 = 1.22;
/// Between two cartridges, in units.
const GAP: f32 = 42.0;
/// More of it on both sides of the highlighted one.
const AISLE: f32 = 20.0;
/// How far the highlighted one is raised.
const RAISED: f32 = 16.0;
/// The shelf shrinks this far to show all; if that is not enough it scrolls, at full size.
const SMALLEST: f32 = 0.8;

/// The cartridges of a shelf.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shelf {
    /// Each cartridge's body, in pixels; some may lie outside.
    pub(super) bodies: Vec<Area>,
    /// Pixels of one unit of a cartridge that is not highlighted.
    pub(super) scale: f32,
    /// Whether there is more than can be seen on the left, and on the right.
    pub(super) more: (bool, bool),
}

/// Which cartridge must be seen best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    /// The shelf scrolls as little as it can to show the highlighted one.
    Visible,
    /// The highlighted one stands in the middle.
    Centered,
}

impl Shelf {
    /// `count` cartridges standing on `floor`, between `left` and `left + room`; one unit is `unit` pixels.
    pub(super) fn new(count: usize, highlighted: usize, focus: Focus, unit: f32, (left, room): (f32, f32), floor: f32) -> Self {
        let lit_width = WIDTH * LIT;
        let ends = if count > 1 { AISLE * 2.0 } else { 0.0 };
        let needed = unit * (WIDTH * count.saturating_sub(1) as f32 + lit_width + GAP * count.saturating_sub(1) as f32 + ends);
        let scale = if needed * SMALLEST > room { 1.0 } else { (room / needed).min(1.0) } * unit;
        let mut x = 0.0;
        let mut bodies: Vec<Area> = (0..count)
            .map(|index| {
                let lit = index == highlighted;
                let size = if lit { LIT } else { 1.0 } * scale;
                let aisle = if lit { AISLE * scale } else { 0.0 };
                let (width, height) = (WIDTH * size, HEIGHT * size);
                let start = if index == 0 { x } else { x + aisle };
                x = start + width + aisle + GAP * scale;
                Area::new(start, floor - height - if lit { RAISED * scale } else { 0.0 }, width, height)
            })
            .collect();
        let length = bodies.last().map_or(0.0, Area::right);
        let middle = bodies.get(highlighted).map_or(0.0, |body| body.center().0);
        let shift = match focus {
            Focus::Centered => room / 2.0 - middle,
            Focus::Visible if length <= room => (room - length) / 2.0,
            Focus::Visible => (room / 2.0 - middle).clamp(room - length, 0.0),
        };
        for body in &mut bodies {
            body.x += left + shift;
        }
        let scrolls = length > room + 0.5;
        let more = (scrolls && shift < -0.5, scrolls && length + shift > room + 0.5);
        Self { bodies, scale, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(count: usize, highlighted: usize) -> Shelf {
        Shelf::new(count, highlighted, Focus::Visible, 1.0, (80.0, 1760.0), 600.0)
    }

    #[test]
    fn a_few_stand_in_the_middle() {
        let shelf = shelf(3, 1);
        assert_eq!(shelf.bodies[1].center().0, 960.0);
        assert_eq!(shelf.more, (false, false));
        assert!(shelf.bodies.windows(2).all(|pair| pair[0].right() < pair[1].x));
    }

    #[test]
    fn the_highlighted_one_is_always_seen_whole() {
        for count in 1..30 {
            for highlighted in 0..count {
                let body = shelf(count, highlighted).bodies[highlighted];
                assert!(body.x >= 79.0 && body.right() <= 1841.0, "{highlighted} of {count}: {body:?}");
            }
        }
    }

    #[test]
    fn a_long_shelf_says_where_there_is_more() {
        assert_eq!(shelf(12, 0).more, (false, true));
        assert_eq!(shelf(12, 6).more, (true, true));
        assert_eq!(shelf(12, 11).more, (true, false));
    }
}
