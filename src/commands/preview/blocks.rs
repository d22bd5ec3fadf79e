//! Pictures as characters: every cell is an upper half block, in the colours of its two pixels.

use std::fmt::Write;

/// A cell: the colours of its upper and its lower half, as red, green and blue.
pub(super) type Cell = [[u8; 3]; 2];

/// The cells of a picture of B,G,R,X pixels, `width` in a row: every half of a cell is the mean of a square of `side` pixels.
pub(super) fn cells(pixels: &[u8], width: usize, side: usize) -> Vec<Cell> {
    let columns = width / side;
    let rows = pixels.len() / 4 / width / side / 2;
    let mean = |column: usize, half: usize| {
        let mut sums = [0u32; 3];
        for y in half * side..(half + 1) * side {
            let start = (y * width + column * side) * 4;
            for pixel in pixels[start..start + side * 4].chunks_exact(4) {
                sums = [sums[0] + u32::from(pixel[2]), sums[1] + u32::from(pixel[1]), sums[2] + u32::from(pixel[0])];
            }
        }
        sums.map(|sum| (sum / (side * side) as u32) as u8)
    };
    (0..rows * columns).map(|cell| [0, 1].map(|half| mean(cell % columns, cell / columns * 2 + half))).collect()
}

/// The bytes that turn the terminal from `before` into `after`, `columns` cells in a row: only cells that differ. With nothing
/// `before`, all of them.
pub(super) fn encode(before: &[Cell], after: &[Cell], columns: usize) -> String {
    let mut sequence = String::new();
    let mut selected: [Option<[u8; 3]>; 2] = [None, None];
    let mut at = None;
    for (index, cell) in after.iter().enumerate() {
        if before.len() == after.len() && before[index] == *cell {
            continue;
        }
        // Writing to a String cannot fail. At the end of a row the cursor is not yet in the next one.
        if at != Some(index) || index % columns == 0 {
            let _ = write!(sequence, "\x1b[{};{}H", index / columns + 1, index % columns + 1);
        }
        for (half, ground) in [(0, 38), (1, 48)] {
            if selected[half] != Some(cell[half]) {
                let [red, green, blue] = cell[half];
                let _ = write!(sequence, "\x1b[{ground};2;{red};{green};{blue}m");
                selected[half] = Some(cell[half]);
            }
        }
        sequence.push('▀');
        at = Some(index + 1);
    }
    if !sequence.is_empty() {
        sequence += "\x1b[0m";
    }
    sequence
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    /// What a terminal that showed `cells` shows after these bytes.
    fn obey(cells: &mut [Cell], columns: usize, sequence: &str) {
        let (mut at, mut colors) = (0, [[0; 3]; 2]);
        let mut rest = sequence;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            if letter == '▀' {
                cells[at] = colors;
                at += 1;
                continue;
            }
            assert_eq!(letter, '\x1b');
            let end = rest.find(|end: char| end.is_ascii_alphabetic()).unwrap();
            let numbers: Vec<usize> = rest[1..end].split(';').map(|number| number.parse().unwrap()).collect();
            match (&rest[end..=end], numbers.as_slice()) {
                ("H", [row, column]) => at = (row - 1) * columns + column - 1,
                ("m", [38, 2, color @ ..]) => colors[0] = [color[0] as u8, color[1] as u8, color[2] as u8],
                ("m", [48, 2, color @ ..]) => colors[1] = [color[0] as u8, color[1] as u8, color[2] as u8],
                ("m", [0]) => {}
                other => panic!("{other:?}"),
            }
            rest = &rest[end + 1..];
        }
    }

    #[test]
    fn a_half_is_the_mean_of_its_square() {
        // Two columns, one row of cells, squares of 2 by 2 pixels: black and white above, blue below.
        let mut pixels = Vec::new();
        for y in 0..4 {
            for x in 0..4 {
                let gray = if x < 2 { 0 } else { 255 };
                pixels.extend(if y < 2 { [gray, gray, gray, 0] } else { [if y == 2 { 100 } else { 200 }, 0, 0, 0] });
            }
        }
        assert_eq!(cells(&pixels, 4, 2), [[[0; 3], [0, 0, 150]], [[255; 3], [0, 0, 150]]]);
    }

    proptest! {
        #[test]
        fn a_terminal_shows_the_cells_whatever_it_showed(
            columns in 1..9usize, first in proptest::collection::vec(any::<u8>(), 40), second in proptest::collection::vec(any::<u8>(), 40),
        ) {
            let cell = |byte: &u8| [[*byte & 3; 3], [*byte >> 6; 3]];
            let (first, second): (Vec<Cell>, Vec<Cell>) = (first.iter().map(cell).collect(), second.iter().map(cell).collect());
            let mut shown = vec![[[9; 3]; 2]; 40];
            obey(&mut shown, columns, &encode(&[], &first, columns));
            prop_assert_eq!(&shown, &first);
            obey(&mut shown, columns, &encode(&first, &second, columns));
            prop_assert_eq!(&shown, &second);
            prop_assert!(encode(&second, &second, columns).is_empty());
        }
    }
}
