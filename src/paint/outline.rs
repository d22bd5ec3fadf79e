//! Outlines: path data as straight pieces, and what these cover, filled or drawn along, as masks.

use super::canvas::Mask;
use std::f32::consts::TAU;

/// A point in pixels.
type Point = (f32, f32);

/// Where a drawing stands on the picture, and how large.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Pixels of one unit of the drawing.
    pub(super) scale: f32,
    /// Where the drawing's origin is, in pixels.
    pub(super) origin: Point,
}

impl Place {
    fn point(&self, x: f32, y: f32) -> Point {
        (self.origin.0 + x * self.scale, self.origin.1 + y * self.scale)
    }
}

/// Lines of straight pieces, in pixels.
#[derive(Debug, Default)]
pub(super) struct Outline {
    lines: Vec<Vec<Point>>,
}

impl Outline {
    /// Reads an outline as SVG's path data has it: M, L, C, Q, Z with absolute coordinates, and `O x y r` for a circle.
    pub(super) fn read(data: &str, place: Place) -> Self {
        let mut outline = Self::default();
        let spaced = data.replace(|letter: char| letter.is_ascii_uppercase(), " ");
        let mut numbers = spaced.split_whitespace().filter_map(|word| word.parse::<f32>().ok());
        for command in data.chars().filter(char::is_ascii_uppercase) {
            let mut next = || numbers.next().unwrap_or_default();
            let mut point = || place.point(next(), next());
            match command {
                'M' => outline.lines.push(vec![point()]),
                'L' => outline.curve([point()]),
                'Q' => outline.curve([point(), point()]),
                'C' => outline.curve([point(), point(), point()]),
                'O' => {
                    let center = point();
                    outline.circle(center, next() * place.scale);
                }
                _ => outline.close(),
            }
        }
        outline
    }

    /// Bézier's curve from the last point over these, by de Casteljau's construction; one point more is a line.
    fn curve<const N: usize>(&mut self, points: [Point; N]) {
        let Some(line) = self.lines.last_mut() else { return };
        let Some(start) = line.last().copied() else { return };
        let mut controls = vec![start];
        controls.extend(points);
        let length: f32 = controls.windows(2).map(|ends| (ends[1].0 - ends[0].0).hypot(ends[1].1 - ends[0].1)).sum();
        let pieces = if N == 1 { 1 } else { pieces(length) };
        for piece in 1..=pieces {
            let share = piece as f32 / pieces as f32;
            let mut between = controls.clone();
            for left in (1..=N).rev() {
                for at in 0..left {
                    let (from, to) = (between[at], between[at + 1]);
                    between[at] = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
                }
            }
            line.push(between[0]);
        }
    }

    fn circle(&mut self, center: Point, radius: f32) {
        // Half as long: every chord lies inside, and most circles are small.
        let pieces = 2 * pieces(radius * TAU).max(8);
        let angles = (0..=pieces).map(|piece| piece as f32 / pieces as f32 * TAU);
        self.lines.push(angles.map(|angle| (center.0 + radius * angle.cos(), center.1 + radius * angle.sin())).collect());
    }

    fn close(&mut self) {
        if let Some(line) = self.lines.last_mut() {
            line.extend(line.first().copied());
        }
    }

    /// Left, top, right and bottom.
    pub(super) fn bounds(&self) -> [f32; 4] {
        let all = self.lines.iter().flatten();
        all.fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |it, (x, y)| [it[0].min(*x), it[1].min(*y), it[2].max(*x), it[3].max(*y)])
    }

    /// What it encloses, by the non-zero rule.
    pub(super) fn fill(&self) -> Mask {
        let mut cover = Cover::new(self.bounds());
        for line in &self.lines {
            for (at, from) in line.iter().enumerate() {
                cover.edge(*from, line[(at + 1) % line.len()]);
            }
        }
        let width = cover.width;
        for row in cover.cells.chunks_exact_mut(width) {
            let mut sum = 0.0;
            for cell in row {
                sum += *cell;
                *cell = sum.abs();
            }
        }
        cover.mask()
    }

    /// What a round pen of `width` pixels covers on its way along it.
    pub(super) fn stroke(&self, width: f32) -> Mask {
        let reach = width / 2.0 + HALF_DIAGONAL;
        let [left, top, right, bottom] = self.bounds();
        let mut cover = Cover::new([left - reach, top - reach, right + reach, bottom + reach]);
        for ends in self.lines.iter().flat_map(|line| line.windows(2)) {
            cover.draw(ends[0], ends[1], width);
        }
        cover.mask()
    }
}

/// How far a pixel reaches from its centre.
const HALF_DIAGONAL: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// How much of a pixel is on the near side of a straight edge, `inside` pixels beyond its centre in the direction of the
/// unit vector `across`. Seen along the edge a pixel is a trapezium: this is its integral.
fn beside(inside: f32, across: (f32, f32)) -> f32 {
    let (long, short) = (across.0.abs().max(across.1.abs()), across.0.abs().min(across.1.abs()));
    let distance = inside.abs();
    let (flat, end) = ((long - short) / 2.0, (long + short) / 2.0);
    let half = if distance <= flat {
        distance / long
    } else if distance < end {
        0.5 - (end - distance).powi(2) / (2.0 * long * short)
    } else {
        0.5
    };
    0.5 + half.copysign(inside)
}

/// Into how many pieces a curve of `length` pixels is cut: pieces of two pixels are not visible.
fn pieces(length: f32) -> usize {
    ((length / 2.0).ceil() as usize).clamp(1, 500)
}

/// Accumulates how much of each pixel is covered.
struct Cover {
    left: f32,
    top: f32,
    /// Two cells wider than what is covered: an edge on the right end counts for the cells after it.
    width: usize,
    height: usize,
    cells: Vec<f32>,
}

impl Cover {
    fn new([left, top, right, bottom]: [f32; 4]) -> Self {
        let (left, top) = (left.floor(), top.floor());
        let (width, height) = ((right.ceil() - left).max(0.0) as usize + 2, (bottom.ceil() - top).max(0.0) as usize);
        Self { left, top, width, height, cells: vec![0.0; width * height] }
    }

    /// Notes an edge: in each row the area to its right, as differences from one pixel to the next.
    fn edge(&mut self, from: Point, to: Point) {
        let (down, from, to) = if from.1 <= to.1 { (1.0, from, to) } else { (-1.0, to, from) };
        let (from, to) = ((from.0 - self.left, from.1 - self.top), (to.0 - self.left, to.1 - self.top));
        let slope = (to.0 - from.0) / (to.1 - from.1);
        for y in from.1 as usize..(to.1.ceil() as usize).min(self.height) {
            let (top, bottom) = (from.1.max(y as f32), to.1.min(y as f32 + 1.0));
            if bottom <= top {
                continue;
            }
            let x = |y: f32| (from.0 + (y - from.1) * slope).clamp(from.0.min(to.0), from.0.max(to.0));
            let (left, right) = (x(top).min(x(bottom)), x(top).max(x(bottom)));
            let row = &mut self.cells[y * self.width..(y + 1) * self.width];
            for cell in left as usize..=right as usize {
                // The part of the edge that is in this cell: how high, and where its middle is.
                let (start, end) = (left.max(cell as f32), right.min(cell as f32 + 1.0));
                let share = if right > left { (end - start) / (right - left) } else { 1.0 };
                let height = down * (bottom - top) * share;
                let beside = height * ((start + end) / 2.0 - cell as f32);
                if let Some([here, next]) = row.get_mut(cell..cell + 2) {
                    *here += height - beside;
                    *next += beside;
                }
            }
        }
    }

    /// Draws a straight line with round ends.
    fn draw(&mut self, from: Point, to: Point, width: f32) {
        let (from, to) = ((from.0 - self.left, from.1 - self.top), (to.0 - self.left, to.1 - self.top));
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let square = (dx * dx + dy * dy).max(f32::EPSILON);
        let reach = width / 2.0 + HALF_DIAGONAL;
        let range = |a: f32, b: f32, limit: usize| (a.min(b) - reach).max(0.0) as usize..((a.max(b) + reach).ceil() as usize).min(limit);
        for y in range(from.1, to.1, self.height) {
            let row = &mut self.cells[y * self.width..(y + 1) * self.width];
            for x in range(from.0, to.0, row.len()) {
                let (px, py) = (x as f32 + 0.5 - from.0, y as f32 + 0.5 - from.1);
                let along = ((px * dx + py * dy) / square).clamp(0.0, 1.0);
                let (px, py) = (px - along * dx, py - along * dy);
                let away = (px * px + py * py).sqrt();
                let across = if away > 1e-3 { (px / away, py / away) } else { (dy / square.sqrt(), dx / square.sqrt()) };
                // A strip is what is on this side of its one edge but not of its other.
                row[x] = row[x].max(beside(width / 2.0 - away, across) - beside(-width / 2.0 - away, across));
            }
        }
    }

    fn mask(self) -> Mask {
        let cover = self.cells.iter().map(|cell| (cell.clamp(0.0, 1.0) * 255.0 + 0.5) as u8).collect();
        Mask { left: self.left as i32, top: self.top as i32, size: (self.width as u32, self.height as u32), cover }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: Place = Place { scale: 1.0, origin: (0.0, 0.0) };

    fn area(mask: &Mask) -> f32 {
        mask.cover.iter().map(|part| f32::from(*part) / 255.0).sum()
    }

    #[test]
    fn what_is_filled_has_its_area_to_the_part_of_a_pixel() {
        assert!((area(&Outline::read("M1.5 2 L4 2 L4 5.25 L1.5 5.25 Z", UNITS).fill()) - 2.5 * 3.25).abs() < 0.05);
        assert!((area(&Outline::read("M0 0 L10 0 L0 7 Z", UNITS).fill()) - 35.0).abs() < 0.1);
        assert!((area(&Outline::read("O20 20 10", UNITS).fill()) - 314.16).abs() < 2.0);
        assert!(
            (area(&Outline::read("M0 0 Q10 0 10 10 L0 10 Z", Place { scale: 4.0, origin: (-7.3, 3.1) }).fill()) - 1600.0 / 1.2).abs() < 8.0
        );
    }

    #[test]
    fn what_overlaps_counts_once_and_what_runs_backwards_is_a_hole() {
        let square = "M0 0 L8 0 L8 8 L0 8 Z";
        assert_eq!(area(&Outline::read(&format!("{square} M4 0 L12 0 L12 8 L4 8 Z"), UNITS).fill()), 96.0);
        assert_eq!(area(&Outline::read(&format!("{square} M2 2 L2 6 L6 6 L6 2 Z"), UNITS).fill()), 48.0);
    }

    #[test]
    fn a_stroke_is_as_wide_as_its_pen_with_round_ends() {
        let wide = area(&Outline::read("M10 10 L50 10", UNITS).stroke(4.0));
        assert!((wide - (160.0 + 12.57)).abs() < 2.0, "{wide}");
        let thin = area(&Outline::read("M10 10.5 L50 10.5", UNITS).stroke(0.5));
        assert!((thin - 20.0).abs() < 1.0, "{thin}");
    }

    #[test]
    fn nothing_covers_nothing() {
        for data in ["", "M1 1", "Z", "L3 4"] {
            assert_eq!(area(&Outline::read(data, UNITS).fill()), 0.0, "{data}");
            assert_eq!(area(&Outline::read(data, UNITS).stroke(2.0)), 0.0, "{data}");
        }
    }
}
