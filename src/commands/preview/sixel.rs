//! Pictures as sixels (DEC STD 070): columns of six pixels, one colour after the other, from a palette of 256.

use std::fmt::Write;

/// The size of a terminal's palette.
const PALETTE: usize = 256;

/// The number of significant bits of each colour component when the palette is chosen.
const BITS: u32 = 5;

/// Rows in a band.
const BAND: usize = 6;

/// A picture of B,G,R,X pixels, `width` in a row, at the cursor's position.
pub(super) fn picture(pixels: &[u8], width: usize) -> String {
    let colors = || pixels.chunks_exact(4).map(|pixel| [pixel[2], pixel[1], pixel[0]]);
    let (palette, index_of) = quantize(colors());
    let indices: Vec<u8> = colors().map(|color| index_of[usize::from(bin(color))]).collect();
    let mut sequence = format!("\x1bP0;1;0q\"1;1;{width};{}", indices.len() / width.max(1));
    for (index, color) in palette.iter().enumerate() {
        let [red, green, blue] = color.map(|part| (u32::from(part) * 100 + 127) / 255);
        // Writing to a String cannot fail.
        let _ = write!(sequence, "#{index};2;{red};{green};{blue}");
    }
    for band in indices.chunks(width.max(1) * BAND) {
        push_band(&mut sequence, band, width);
    }
    sequence + "\x1b\\"
}

/// Six rows: for each colour in them its columns, then back to the start of the band.
fn push_band(sequence: &mut String, band: &[u8], width: usize) {
    let mut columns: Vec<Option<Vec<u8>>> = vec![None; PALETTE];
    for (row, indices) in band.chunks(width).enumerate() {
        for (x, index) in indices.iter().enumerate() {
            columns[usize::from(*index)].get_or_insert_with(|| vec![0; width])[x] |= 1 << row;
        }
    }
    for (index, sixels) in columns.iter().enumerate() {
        let Some(sixels) = sixels else { continue };
        let _ = write!(sequence, "#{index}");
        for run in sixels.chunk_by(|one, next| one == next) {
            let letter = char::from(b'?' + run[0]);
            match run.len() {
                length @ 1..4 => sequence.extend(std::iter::repeat_n(letter, length)),
                length => {
                    let _ = write!(sequence, "!{length}{letter}");
                }
            }
        }
        sequence.push('$');
    }
    sequence.push('-');
}

/// A colour's bin: its upper bits.
fn bin(color: [u8; 3]) -> u16 {
    color.into_iter().fold(0, |bin, part| bin << BITS | u16::from(part) >> (8 - BITS))
}

/// A bin's components.
fn parts(bin: u16) -> [u16; 3] {
    let mask = (1 << BITS) - 1;
    [bin >> (2 * BITS) & mask, bin >> BITS & mask, bin & mask]
}

/// A palette for these colours, and for each bin its palette index, by median cut: the set of bins with the largest product of pixel count
/// and widest extent is cut in two, until there are as many sets as colours.
fn quantize(colors: impl Iterator<Item = [u8; 3]>) -> (Vec<[u8; 3]>, Vec<u8>) {
    let mut counts = vec![Count::default(); 1 << (3 * BITS)];
    for color in colors {
        counts[usize::from(bin(color))].add(color);
    }
    let used: Vec<u16> = (0..=u16::MAX >> 1).filter(|bin| counts[usize::from(*bin)].pixels > 0).collect();
    let mut sets = vec![Set::new(used, &counts)];
    while sets.len() < PALETTE {
        let Some(widest) = (0..sets.len()).filter(|set| sets[*set].extent > 0).max_by_key(|set| sets[*set].weight()) else { break };
        let (one, other) = sets.swap_remove(widest).cut(&counts);
        sets.extend([one, other]);
    }
    let mut index_of = vec![0; counts.len()];
    for (index, set) in sets.iter().enumerate() {
        for bin in &set.bins {
            index_of[usize::from(*bin)] = index as u8;
        }
    }
    (sets.iter().map(|set| set.mean(&counts)).collect(), index_of)
}

/// The pixels of a bin, and the sums of their components: dark colours would get a tint from the bins alone.
#[derive(Clone, Copy, Default)]
struct Count {
    pixels: u64,
    sums: [u64; 3],
}

impl Count {
    fn add(&mut self, color: [u8; 3]) {
        self.pixels += 1;
        for (sum, part) in self.sums.iter_mut().zip(color) {
            *sum += u64::from(part);
        }
    }
}

/// Bins that share a colour.
struct Set {
    bins: Vec<u16>,
    pixels: u64,
    /// The component in which they differ most, and the difference.
    axis: usize,
    extent: u16,
}

impl Set {
    fn new(bins: Vec<u16>, counts: &[Count]) -> Self {
        let extent = |axis: usize| {
            let part = || bins.iter().map(move |bin| parts(*bin)[axis]);
            part().max().unwrap_or(0) - part().min().unwrap_or(0)
        };
        let axis = (0..3).max_by_key(|axis| extent(*axis)).unwrap_or(0);
        let extent = extent(axis);
        let pixels = bins.iter().map(|bin| counts[usize::from(*bin)].pixels).sum();
        Self { bins, pixels, axis, extent }
    }

    fn weight(&self) -> u64 {
        self.pixels * u64::from(self.extent)
    }

    /// Two sets with about half of the pixels each, neither of them empty.
    fn cut(mut self, counts: &[Count]) -> (Self, Self) {
        self.bins.sort_by_key(|bin| parts(*bin)[self.axis]);
        let mut below = 0;
        let median = self.bins.iter().position(|bin| {
            below += counts[usize::from(*bin)].pixels;
            below * 2 >= self.pixels
        });
        let at = median.map_or(1, |median| median + 1).clamp(1, self.bins.len() - 1);
        let above = self.bins.split_off(at);
        (Self::new(self.bins, counts), Self::new(above, counts))
    }

    fn mean(&self, counts: &[Count]) -> [u8; 3] {
        let mut sums = [0; 3];
        for bin in &self.bins {
            for (sum, of_bin) in sums.iter_mut().zip(counts[usize::from(*bin)].sums) {
                *sum += of_bin;
            }
        }
        sums.map(|sum| (sum / self.pixels.max(1)) as u8)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    /// What a terminal shows, as red, green and blue in percent.
    fn decode(sequence: &str) -> (usize, Vec<[u32; 3]>) {
        let body = sequence.strip_prefix("\x1bP0;1;0q\"").unwrap().strip_suffix("\x1b\\").unwrap();
        let (size, mut rest) = body.split_at(body.find('#').unwrap());
        let size: Vec<usize> = size.split(';').map(|number| number.parse().unwrap()).collect();
        let (width, height) = (size[2], size[3]);
        let mut pixels = vec![[999; 3]; width * height];
        let (mut palette, mut color, mut x, mut y) = (vec![[0; 3]; PALETTE], 0, 0, 0);
        let number = |rest: &mut &str| {
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap();
            let (number, after) = rest.split_at(end);
            *rest = after;
            number.parse::<usize>().unwrap()
        };
        while let Some(letter) = rest.chars().next() {
            rest = &rest[1..];
            let (count, sixel) = match letter {
                '#' => {
                    color = number(&mut rest);
                    if rest.starts_with(';') {
                        let values: Vec<usize> = (0..4)
                            .map(|_| {
                                rest = &rest[1..];
                                number(&mut rest)
                            })
                            .collect();
                        palette[color] = [values[1] as u32, values[2] as u32, values[3] as u32];
                    }
                    continue;
                }
                '$' => {
                    x = 0;
                    continue;
                }
                '-' => {
                    (x, y) = (0, y + BAND);
                    continue;
                }
                '!' => {
                    let count = number(&mut rest);
                    let sixel = rest.as_bytes()[0];
                    rest = &rest[1..];
                    (count, sixel)
                }
                letter => (1, letter as u8),
            };
            for _ in 0..count {
                for row in (0..BAND).filter(|row| (sixel - b'?') >> row & 1 == 1) {
                    pixels[(y + row) * width + x] = palette[color];
                }
                x += 1;
            }
        }
        (width, pixels)
    }

    fn percent(part: u8) -> u32 {
        u32::from(part) * 100 / 255
    }

    #[test]
    fn a_terminal_shows_the_picture() {
        // A height that is not a multiple of six, and fewer colours than the palette has.
        let (width, height) = (37, 20);
        let pixel = |i: usize| [(i % width * 6) as u8, (i / width * 12) as u8, if i.is_multiple_of(5) { 255 } else { 16 }, 0];
        let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
        let (seen_width, seen) = decode(&picture(&pixels, width));
        assert_eq!((seen_width, seen.len()), (width, width * height));
        for (seen, pixel) in seen.iter().zip(pixels.chunks_exact(4)) {
            for (seen, part) in seen.iter().zip([pixel[2], pixel[1], pixel[0]]) {
                assert!(seen.abs_diff(percent(part)) <= 12, "{seen:?} for {pixel:?}");
            }
        }
    }

    #[test]
    fn few_colours_stay_what_they_are() {
        let pixels: Vec<u8> = [[0, 0, 0, 0], [255, 255, 255, 0], [0, 0, 255, 0]].concat();
        let (_, seen) = decode(&picture(&pixels, 3));
        assert!(seen[0].iter().all(|part| *part <= 2) && seen[1].iter().all(|part| *part >= 98), "{seen:?}");
        assert!(seen[2][0] >= 98 && seen[2][1] <= 2, "{seen:?}");
    }

    #[test]
    fn more_colours_than_the_palette_has_are_shared() {
        let colors = || (0..32 * 32 * 32u32).map(|bin| [bin >> 10, bin >> 5 & 31, bin & 31].map(|part| (part * 8) as u8));
        let (palette, index_of) = quantize(colors());
        assert_eq!(palette.len(), PALETTE);
        for color in colors() {
            let near = palette[usize::from(index_of[usize::from(bin(color))])];
            assert!(color.iter().zip(near).all(|(part, near)| part.abs_diff(near) <= 32), "{color:?} as {near:?}");
        }
    }
}
