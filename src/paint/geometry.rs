//! Rectangles: whole pixels that changed, and areas of a layout in fractions of a pixel.

/// A rectangle of pixels inside the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Pixels from the left edge.
    pub x: u32,
    /// Pixels from the top edge.
    pub y: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Rect {
    /// The part of a `width` by `height` rectangle at (`left`, `top`) that lies in `bounds`.
    pub(super) fn clipped(left: i32, top: i32, width: u32, height: u32, bounds: Self) -> Option<Self> {
        let clip = |start: i32, length: u32, first: u32, room: u32| {
            let inside = |at: i64| at.clamp(i64::from(first), i64::from(first) + i64::from(room)) as u32;
            let (start, end) = (inside(i64::from(start)), inside(i64::from(start) + i64::from(length)));
            (end > start).then(|| (start, end - start))
        };
        let (x, width) = clip(left, width, bounds.x, bounds.width)?;
        let (y, height) = clip(top, height, bounds.y, bounds.height)?;
        Some(Self { x, y, width, height })
    }

    /// Whether they share a pixel.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.x < other.x + other.width && other.x < self.x + self.width && self.y < other.y + other.height && other.y < self.y + self.height
    }

    /// The smallest rectangle around both.
    pub(super) fn around(&self, other: &Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let (right, bottom) = ((self.x + self.width).max(other.x + other.width), (self.y + self.height).max(other.y + other.height));
        Self { x, y, width: right - x, height: bottom - y }
    }
}

/// An area of the layout, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// From the left edge.
    pub x: f32,
    /// From the top edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Area {
    /// An area by its top left and size.
    pub(super) const fn new(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { x, y, width, height }
    }

    /// A square around a centre.
    pub(super) fn around(x: f32, y: f32, radius: f32) -> Self {
        Self::new(x - radius, y - radius, 2.0 * radius, 2.0 * radius)
    }

    /// Its right edge.
    pub fn right(&self) -> f32 {
        self.x + self.width
    }

    /// Its bottom edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.height
    }

    /// Its centre.
    pub(super) fn center(&self) -> (f32, f32) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    /// The same, larger by `by` on every side.
    pub(super) fn outset(&self, by: f32) -> Self {
        Self::new(self.x - by, self.y - by, self.width + 2.0 * by, self.height + 2.0 * by)
    }

    /// Whether the two share more than an edge.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }

    /// All pixels it touches, inside `bounds`.
    pub(super) fn covered(&self, bounds: Rect) -> Option<Rect> {
        let (left, top) = (self.x.floor(), self.y.floor());
        let (width, height) = (self.right().ceil() - left, self.bottom().ceil() - top);
        Rect::clipped(left as i32, top as i32, width.max(0.0) as u32, height.max(0.0) as u32, bounds)
    }

    /// Signed distance of a point from the edge of this area with corners of `radius`; negative inside.
    pub(super) fn distance(&self, radius: f32, x: f32, y: f32) -> f32 {
        let radius = radius.min(self.width / 2.0).min(self.height / 2.0);
        let (center_x, center_y) = self.center();
        let dx = (x - center_x).abs() - self.width / 2.0 + radius;
        let dy = (y - center_y).abs() - self.height / 2.0 + radius;
        let outside = if dx > 0.0 && dy > 0.0 { (dx * dx + dy * dy).sqrt() } else { dx.max(dy).max(0.0) };
        outside + dx.max(dy).min(0.0) - radius
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_keeps_to_the_bounds() {
        let bounds = Rect { x: 0, y: 0, width: 10, height: 8 };
        assert_eq!(Rect::clipped(-3, 6, 5, 5, bounds), Some(Rect { x: 0, y: 6, width: 2, height: 2 }));
        assert_eq!(Rect::clipped(10, 0, 5, 5, bounds), None);
        let part = Rect { x: 4, y: 2, width: 3, height: 3 };
        assert_eq!(Rect::clipped(-3, 4, 9, 9, part), Some(Rect { x: 4, y: 4, width: 2, height: 1 }));
        assert_eq!(Rect::clipped(i32::MIN, 0, u32::MAX, 5, bounds), Some(Rect { x: 0, y: 0, width: 10, height: 5 }));
    }

    #[test]
    fn distance_is_zero_on_the_edge_and_round_at_the_corner() {
        let area = Area::new(0.0, 0.0, 20.0, 10.0);
        assert_eq!(area.distance(4.0, 10.0, 0.0), 0.0);
        assert_eq!(area.distance(4.0, 10.0, 5.0), -5.0);
        assert!((area.distance(4.0, 0.0, 0.0) - (32.0_f32.sqrt() - 4.0)).abs() < 1e-4);
    }
}
