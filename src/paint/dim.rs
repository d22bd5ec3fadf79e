//! Fades the whole picture to black.

use super::canvas::{Canvas, PIXEL};
use super::geometry::Rect;

/// A darker copy of the frame.
pub(super) struct Dimmed {
    pub(super) data: Vec<u8>,
    /// The remaining brightness, of 256.
    share: u16,
}

/// Updates the darker copy after the frame has changed in `damage`; there is no copy at full `brightness`. Returns the
/// changed parts of the shown picture.
pub(super) fn show(dimmed: &mut Option<Dimmed>, frame: &Canvas, brightness: f32, damage: Vec<Rect>) -> Vec<Rect> {
    let share = (brightness.clamp(0.0, 1.0) * 256.0) as u16;
    let before = dimmed.as_ref().map_or(256, |dimmed| dimmed.share);
    let damage = if share == before { damage } else { vec![frame.bounds()] };
    if share == 256 {
        *dimmed = None;
        return damage;
    }
    let dimmed = dimmed.get_or_insert_with(|| Dimmed { data: vec![0; frame.data.len()], share });
    dimmed.share = share;
    for part in &damage {
        let pitch = frame.width as usize * PIXEL;
        for y in part.y..part.y + part.height {
            let start = y as usize * pitch + part.x as usize * PIXEL;
            let row = start..start + part.width as usize * PIXEL;
            for (to, from) in dimmed.data[row.clone()].iter_mut().zip(&frame.data[row]) {
                *to = ((u16::from(*from) * share) >> 8) as u8;
            }
        }
    }
    damage
}
