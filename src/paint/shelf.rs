//! Where the cartridges stand: pure geometry.

use super::geometry::Area;
use super::look::{HEIGHT, LIT, WIDTH};
use super::view::View;

/// Between two cartridges, in units.
const GAP: f32 = 42.0;
/// More of it on both sides of the highlighted one.
const AISLE: f32 = 20.0;
/// How far the highlighted one is raised.
pub(super) const RAISED: f32 = 16.0;
/// The shelf shrinks this far to show all; if that is not enough it scrolls, at full size.
const SMALLEST: f32 = 0.8;

/// Where the highlight is on the shelf, in cartridges.
pub(super) fn position(view: &View) -> f32 {
    let last = view.cards.len().saturating_sub(1) as f32;
    // A comparison with NaN is false.
    if view.pose.shelf >= 0.0 { view.pose.shelf.min(last) } else { 0.0 }
}

/// The cartridges of a shelf.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shelf {
    /// Each cartridge's body, in pixels; some may lie outside.
    pub(super) bodies: Vec<Area>,
    /// Pixels of one unit of a cartridge that is not highlighted.
    pub(super) scale: f32,
    /// Whether there is more than can be seen on the left, and on the right: 0.0 no, 1.0 yes.
    pub(super) more: (f32, f32),
    /// Where the highlight is, in pixels from the left.
    pub(super) at: f32,
}

/// How much of the highlight's light a cartridge has, 0.0 to 1.0, by its index and where the highlight is.
pub(super) fn light(index: usize, at: f32) -> f32 {
    (1.0 - (index as f32 - at).abs()).max(0.0)
}

/// Where the highlight is between two cartridges: their indices, and how far it is from the first to the second.
pub(super) fn neighbours(at: f32) -> (usize, usize, f32) {
    (at as usize, at.ceil() as usize, at.fract())
}

impl Shelf {
    /// `count` cartridges standing on `floor`, between `left` and `left + room`; one unit is `unit` pixels. The highlight
    /// is `at` so many cartridges, from 0.0 to the last one. The shelf scrolls as little as it can to show what is there;
    /// `centered` (0.0 to 1.0) of the way further it stands in the middle.
    pub(super) fn new(count: usize, at: f32, centered: f32, unit: f32, (left, room): (f32, f32), floor: f32) -> Self {
        let lit_width = WIDTH * LIT;
        let ends = if count > 1 { AISLE * 2.0 } else { 0.0 };
        let needed = unit * (WIDTH * count.saturating_sub(1) as f32 + lit_width + GAP * count.saturating_sub(1) as f32 + ends);
        let scale = if needed * SMALLEST > room { 1.0 } else { (room / needed).min(1.0) } * unit;
        let mut x = 0.0;
        let mut bodies: Vec<Area> = (0..count)
            .map(|index| {
                let light = light(index, at);
                let size = (1.0 + (LIT - 1.0) * light) * scale;
                let aisle = AISLE * scale * light;
                let (width, height) = (WIDTH * size, HEIGHT * size);
                let start = if index == 0 { x } else { x + aisle };
                x = start + width + aisle + GAP * scale;
                Area::new(start, floor - height - RAISED * scale * light, width, height)
            })
            .collect();
        let length = bodies.last().map_or(0.0, Area::right);
        let (from, to, share) = neighbours(at);
        let center = |index: usize| bodies.get(index).map_or(0.0, |body: &Area| body.center().0);
        let middle = center(from) + (center(to) - center(from)) * share;
        let visible = if length <= room { (room - length) / 2.0 } else { (room / 2.0 - middle).clamp(room - length, 0.0) };
        let shift = visible + (room / 2.0 - middle - visible) * centered;
        for body in &mut bodies {
            body.x += left + shift;
        }
        // The fade is whole as soon as a good piece of a cartridge is out of sight.
        let hidden = |beyond: f32| if length > room + 0.5 { (beyond / (60.0 * scale)).clamp(0.0, 1.0) } else { 0.0 };
        Self { bodies, scale, more: (hidden(-shift), hidden(length + shift - room)), at: left + shift + middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(count: usize, highlighted: usize) -> Shelf {
        Shelf::new(count, highlighted as f32, 0.0, 1.0, (80.0, 1760.0), 600.0)
    }

    #[test]
    fn a_few_stand_in_the_middle() {
        let shelf = shelf(3, 1);
        assert_eq!(shelf.bodies[1].center().0, 960.0);
        assert_eq!(shelf.more, (0.0, 0.0));
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
    fn a_glide_is_steady() {
        for count in [2, 4, 12] {
            let at = |step: usize| Shelf::new(count, step as f32 / 100.0, 0.0, 1.0, (80.0, 1760.0), 600.0);
            for step in 0..(count - 1) * 100 {
                for (body, next) in at(step).bodies.iter().zip(at(step + 1).bodies) {
                    assert!((body.x - next.x).abs() < 5.0 && (body.width - next.width).abs() < 1.0, "{body:?} {next:?}");
                }
            }
        }
    }

    #[test]
    fn a_long_shelf_says_where_there_is_more() {
        assert_eq!(shelf(12, 0).more, (0.0, 1.0));
        assert_eq!(shelf(12, 6).more, (1.0, 1.0));
        assert_eq!(shelf(12, 11).more, (1.0, 0.0));
    }
}
