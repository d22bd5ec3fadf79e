//! Maps an upright picture to a panel that is mounted rotated: rectangles and pixels, without any device.

use crate::config::value::Rotation;
use persona_paint::Rect;

/// Pixels are copied in squares of this side: a square of the picture fits into the first cache, and a row of one fills
/// whole write-combining lines of the buffer.
const SQUARE: u32 = 64;

/// A picture of `width` by `height` pixels, and its clockwise rotation on the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transform {
    rotation: Rotation,
    width: u32,
    height: u32,
}

impl Transform {
    /// For a panel with a mode of `mode` pixels.
    pub(super) fn on_panel(rotation: Rotation, mode: (u32, u32)) -> Self {
        let (width, height) = match rotation {
            Rotation::None | Rotation::UpsideDown => mode,
            Rotation::Right | Rotation::Left => (mode.1, mode.0),
        };
        Self { rotation, width, height }
    }

    /// Width and height of the upright picture.
    pub(super) fn picture(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The part of a rectangle that lies in the picture.
    pub(super) fn clip(&self, rect: &Rect) -> Option<Rect> {
        let (x, y) = (rect.x.min(self.width), rect.y.min(self.height));
        let clipped = Rect { x, y, width: rect.width.min(self.width - x), height: rect.height.min(self.height - y) };
        (clipped.width > 0 && clipped.height > 0).then_some(clipped)
    }

    /// Where a rectangle of the picture is in the buffer.
    pub(super) fn rect(&self, rect: &Rect) -> Rect {
        let Rect { x, y, width, height } = *rect;
        let (right, below) = (self.width - x - width, self.height - y - height);
        match self.rotation {
            Rotation::None => *rect,
            Rotation::Right => Rect { x: below, y: x, width: height, height: width },
            Rotation::UpsideDown => Rect { x: right, y: below, width, height },
            Rotation::Left => Rect { x: y, y: right, width: height, height: width },
        }
    }

    /// Copies a rectangle of the picture (rows of exactly its width, four bytes a pixel) to its place in a buffer with rows
    /// of `pitch` bytes. Does nothing if either is too small for it.
    pub(super) fn copy(&self, picture: &[u8], rect: &Rect, buffer: &mut [u8], pitch: usize) {
        let (picture, _) = picture.as_chunks::<4>();
        let Some(rect) = self.clip(rect).filter(|_| picture.len() >= self.width as usize * self.height as usize) else { return };
        let place = self.rect(&rect);
        if ((place.y + place.height - 1) as usize) * pitch + (place.x + place.width) as usize * 4 > buffer.len() {
            return;
        }
        if self.rotation == Rotation::None {
            return self.copy_rows(picture, &rect, buffer, pitch);
        }
        for top in (rect.y..rect.y + rect.height).step_by(SQUARE as usize) {
            for left in (rect.x..rect.x + rect.width).step_by(SQUARE as usize) {
                let width = SQUARE.min(rect.x + rect.width - left);
                let height = SQUARE.min(rect.y + rect.height - top);
                self.copy_square(picture, &Rect { x: left, y: top, width, height }, buffer, pitch);
            }
        }
    }

    fn copy_rows(&self, picture: &[[u8; 4]], rect: &Rect, buffer: &mut [u8], pitch: usize) {
        let length = rect.width as usize;
        for row in rect.y as usize..(rect.y + rect.height) as usize {
            let from = row * self.width as usize + rect.x as usize;
            let to = row * pitch + rect.x as usize * 4;
            buffer[to..to + length * 4].copy_from_slice(picture[from..from + length].as_flattened());
        }
    }

    /// Row by row of the buffer: it may be slow memory that is best written in whole lines.
    fn copy_square(&self, picture: &[[u8; 4]], rect: &Rect, buffer: &mut [u8], pitch: usize) {
        let place = self.rect(rect);
        let stride = self.width as usize;
        let (x, y) = (rect.x as usize, rect.y as usize);
        let (last_x, last_y) = (x + rect.width as usize - 1, y + rect.height as usize - 1);
        for row in 0..place.height as usize {
            let to = (place.y as usize + row) * pitch + place.x as usize * 4;
            let (target, _) = buffer[to..to + place.width as usize * 4].as_chunks_mut::<4>();
            match self.rotation {
                Rotation::None | Rotation::UpsideDown => {
                    let from = (last_y - row) * stride;
                    fill(target.iter_mut().rev(), picture[from + x..=from + last_x].iter());
                }
                Rotation::Right => {
                    let column = picture[y * stride + x + row..=last_y * stride + x + row].iter().step_by(stride);
                    fill(target.iter_mut().rev(), column);
                }
                Rotation::Left => {
                    let column = picture[y * stride + last_x - row..=last_y * stride + last_x - row].iter().step_by(stride);
                    fill(target.iter_mut(), column);
                }
            }
        }
    }
}

fn fill<'a>(target: impl Iterator<Item = &'a mut [u8; 4]>, pixels: impl Iterator<Item = &'a [u8; 4]>) {
    for (target, pixel) in target.zip(pixels) {
        *target = *pixel;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const ALL: [Rotation; 4] = [Rotation::None, Rotation::Right, Rotation::UpsideDown, Rotation::Left];

    fn picture(width: u32, height: u32) -> Vec<u8> {
        (0..width * height).flat_map(|number| (number + 1).to_le_bytes()).collect()
    }

    fn turned(rotation: Rotation, mode: (u32, u32)) -> Vec<Vec<u32>> {
        let turn = Transform::on_panel(rotation, mode);
        let (width, height) = turn.picture();
        // Rows of a dumb buffer are longer than its width.
        let pitch = mode.0 as usize * 4 + 12;
        let mut buffer = vec![0; pitch * mode.1 as usize];
        turn.copy(&picture(width, height), &Rect { x: 0, y: 0, width, height }, &mut buffer, pitch);
        let pixel = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        buffer.chunks(pitch).map(|row| row[..mode.0 as usize * 4].as_chunks::<4>().0.iter().map(pixel).collect()).collect()
    }

    #[test]
    fn a_picture_turns_clockwise() {
        assert_eq!(turned(Rotation::None, (3, 2)), [[1, 2, 3], [4, 5, 6]]);
        assert_eq!(turned(Rotation::UpsideDown, (3, 2)), [[6, 5, 4], [3, 2, 1]]);
        // The upright picture is 2 wide and 3 high: 1 2, 3 4, 5 6.
        assert_eq!(turned(Rotation::Right, (3, 2)), [[5, 3, 1], [6, 4, 2]]);
        assert_eq!(turned(Rotation::Left, (3, 2)), [[2, 4, 6], [1, 3, 5]]);
    }

    #[test]
    fn what_does_not_fit_is_left_alone() {
        let turn = Transform::on_panel(Rotation::Right, (5, 3));
        let all = Rect { x: 0, y: 0, width: 3, height: 5 };
        let mut buffer = [0; 59];
        turn.copy(&picture(3, 5), &all, &mut buffer, 20);
        turn.copy(&picture(3, 5), &Rect { x: 3, ..all }, &mut buffer, 20);
        turn.copy(&[7; 59], &all, &mut [0; 60], 20);
        assert_eq!(buffer, [0; 59]);
    }

    proptest! {
        /// Every pixel of every rectangle lands where a pixel alone would, and no other is touched.
        #[test]
        fn rectangles_and_their_pixels_turn_alike(
            (which, width, height) in (0..4_usize, 1..70_u32, 1..70_u32),
            (x, y, w, h) in (0..80_u32, 0..80_u32, 0..80_u32, 0..80_u32),
        ) {
            let turn = Transform::on_panel(ALL[which], (width, height));
            let (across, down) = turn.picture();
            let rect = Rect { x, y, width: w, height: h };
            let pitch = width as usize * 4 + 4;
            let mut buffer = vec![0; pitch * height as usize];
            turn.copy(&picture(across, down), &rect, &mut buffer, pitch);
            let place = turn.clip(&rect).map(|rect| turn.rect(&rect));
            for row in 0..height {
                for column in 0..width {
                    let at = row as usize * pitch + column as usize * 4;
                    let found = u32::from_le_bytes(buffer[at..at + 4].try_into().unwrap());
                    let (px, py) = match ALL[which] {
                        Rotation::None => (column, row),
                        Rotation::Right => (row, width - 1 - column),
                        Rotation::UpsideDown => (width - 1 - column, height - 1 - row),
                        Rotation::Left => (height - 1 - row, column),
                    };
                    let inside = (x..x + w).contains(&px) && (y..y + h).contains(&py);
                    prop_assert_eq!(found, if inside { py * across + px + 1 } else { 0 });
                    let within = place.is_some_and(|place| {
                        (place.x..place.x + place.width).contains(&column) && (place.y..place.y + place.height).contains(&row)
                    });
                    prop_assert_eq!(within, inside);
                }
            }
        }
    }
}
