//! The parts of the picture that each buffer of an output has not received yet.

use persona_paint::Rect;

/// More parts than this are merged: copying a little too much is cheaper than listing every part.
const PARTS: usize = 16;

/// The damaged parts of the picture, per buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    missed: Vec<Vec<Rect>>,
}

impl Damage {
    /// For this many empty buffers and a picture of `width` by `height`.
    pub(super) fn all(buffers: usize, (width, height): (u32, u32)) -> Self {
        Self { missed: vec![vec![Rect { x: 0, y: 0, width, height }]; buffers] }
    }

    /// A part of the picture changed: every buffer misses it.
    pub(super) fn add(&mut self, rect: Rect) {
        for missed in &mut self.missed {
            if missed.iter().any(|old| contains(old, &rect)) {
                continue;
            }
            missed.retain(|old| !contains(&rect, old));
            missed.push(rect);
            if missed.len() > PARTS
                && let Some(all) = missed.drain(..).reduce(union)
            {
                missed.push(all);
            }
        }
    }

    /// The missing parts of a buffer, which count as drawn from now on.
    pub(super) fn take(&mut self, buffer: usize) -> Vec<Rect> {
        self.missed.get_mut(buffer).map(std::mem::take).unwrap_or_default()
    }
}

fn contains(outer: &Rect, inner: &Rect) -> bool {
    union(*outer, *inner) == *outer
}

/// The smallest rectangle around both.
fn union(a: Rect, b: Rect) -> Rect {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    let (right, bottom) = ((a.x + a.width).max(b.x + b.width), (a.y + a.height).max(b.y + b.height));
    Rect { x, y, width: right - x, height: bottom - y }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect { x, y, width, height }
    }

    #[test]
    fn each_buffer_gets_what_it_missed() {
        let mut damage = Damage::all(2, (100, 50));
        assert_eq!(damage.take(0), [rect(0, 0, 100, 50)]);
        damage.add(rect(1, 1, 5, 5));
        assert_eq!(damage.take(1), [rect(0, 0, 100, 50)], "it has never been drawn: a part more changes nothing");
        damage.add(rect(20, 1, 5, 5));
        assert_eq!(damage.take(0), [rect(1, 1, 5, 5), rect(20, 1, 5, 5)]);
        assert_eq!(damage.take(1), [rect(20, 1, 5, 5)]);
        assert_eq!((damage.take(0), damage.take(1), damage.take(2)), (vec![], vec![], vec![]));
    }

    #[test]
    fn a_part_swallows_those_inside_it() {
        let mut damage = Damage::all(1, (100, 50));
        damage.take(0);
        for part in [rect(2, 2, 3, 3), rect(50, 2, 3, 3), rect(0, 0, 10, 10), rect(1, 1, 2, 2)] {
            damage.add(part);
        }
        assert_eq!(damage.take(0), [rect(50, 2, 3, 3), rect(0, 0, 10, 10)]);
    }

    proptest! {
        /// A buffer that is drawn as `take` says has the current picture, in any order of draws and changes.
        #[test]
        fn a_buffer_that_draws_what_it_missed_is_up_to_date(
            steps in prop::collection::vec((0..3_usize, 0..12_u32, 0..12_u32, 1..9_u32, 1..9_u32), 1..60),
        ) {
            const SIDE: u32 = 20;
            let mut damage = Damage::all(2, (SIDE, SIDE));
            let mut picture = vec![1_u32; (SIDE * SIDE) as usize];
            let mut buffers = [vec![0; picture.len()], vec![0; picture.len()]];
            let pixels = |rect: &Rect| {
                let Rect { x, y, width, height } = *rect;
                (y..y + height).flat_map(move |row| (x..x + width).map(move |column| (row * SIDE + column) as usize))
            };
            for (number, (what, x, y, width, height)) in steps.into_iter().enumerate() {
                if let Some(buffer) = buffers.get_mut(what) {
                    let missed = damage.take(what);
                    prop_assert!(missed.len() <= PARTS);
                    for pixel in missed.iter().flat_map(pixels) {
                        buffer[pixel] = picture[pixel];
                    }
                    prop_assert_eq!(&*buffer, &picture);
                } else {
                    let part = Rect { x, y, width, height };
                    pixels(&part).for_each(|pixel| picture[pixel] = number as u32 + 2);
                    damage.add(part);
                }
            }
        }
    }
}
