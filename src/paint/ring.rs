//! The countdown's ring and the pointer: shapes drawn by their distance.

use super::color::Color;
use super::geometry::Area;
use super::scene::Countdown;
use super::target::Target;
use super::theme::{BLACK, WHITE, mix};
use std::f32::consts::TAU;

/// Draws the ring: the track whole, what is left clockwise from the top, with round ends.
pub(super) fn draw(canvas: &mut Target, countdown: &Countdown) {
    let (center_x, center_y) = countdown.ring.center();
    let outer = countdown.ring.width / 2.0;
    let width = outer * 0.155;
    let middle = outer - width / 2.0;
    let polar = |x: f32, y: f32| {
        let (dx, dy) = (x - center_x, y - center_y);
        (dx.hypot(dy), dx, dy)
    };
    let inside = |distance: f32| (0.5 - distance).clamp(0.0, 1.0);
    canvas.shade(countdown.ring, BLACK, |x, y| inside(polar(x, y).0 - outer) * 0.38);
    canvas.shade(countdown.ring, WHITE, |x, y| inside((polar(x, y).0 - middle).abs() - width / 2.0) * 0.12);
    let share = f32::from(countdown.left) / 720.0;
    if share <= 0.0 {
        return;
    }
    let end = share * TAU;
    let cap = |angle: f32, x: f32, y: f32| (x - center_x - middle * angle.sin()).hypot(y - center_y + middle * angle.cos()) - width / 2.0;
    canvas.shade(countdown.ring, mix(countdown.color, WHITE, 0.12), |x, y| {
        let (radius, dx, dy) = polar(x, y);
        let band = (radius - middle).abs() - width / 2.0;
        if band >= 0.5 {
            return 0.0;
        }
        let angle = dx.atan2(-dy).rem_euclid(TAU);
        inside(if angle <= end { band } else { cap(0.0, x, y).min(cap(end, x, y)) })
    });
}

/// Draws a triangle that points up, with soft corners.
pub(super) fn pointer(canvas: &mut Target, area: Area, color: Color) {
    let round = area.height * 0.16;
    let (center, _) = area.center();
    let slope = area.height.hypot(area.width / 2.0).max(f32::EPSILON);
    canvas.shade(area, color, |x, y| {
        // Distance from the slanted sides and from the base, of a triangle smaller by `round` on every side.
        let side = ((x - center).abs() * area.height - (y - area.y) * area.width / 2.0) / slope + round;
        let base = y - area.bottom() + round;
        let outside = if side > 0.0 && base > 0.0 { side.hypot(base) } else { side.max(base) };
        (0.5 - (outside - round)).clamp(0.0, 1.0)
    });
}
