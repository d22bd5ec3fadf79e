//! The emblems Persona draws itself: vector pictures in a square of 100 by 100, in five tones of the accent.

use super::color::Color;
use super::outline::{Outline, Place};
use super::target::Target;
use super::theme::{BLACK, WHITE, mix, vivid};

/// The emblems Persona draws itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltInEmblem {
    /// `leaf`
    Leaf,
    /// `tree`
    Tree,
    /// `mountain`
    Mountain,
    /// `eye`
    Eye,
    /// `flame`
    Flame,
    /// `anvil`
    Anvil,
    /// `ship`
    Ship,
    /// `star`
    Star,
}

impl BuiltInEmblem {
    /// All of them with the names that settings use.
    pub const ALL: [(&'static str, Self); 8] = [
        ("leaf", Self::Leaf),
        ("tree", Self::Tree),
        ("mountain", Self::Mountain),
        ("eye", Self::Eye),
        ("flame", Self::Flame),
        ("anvil", Self::Anvil),
        ("ship", Self::Ship),
        ("star", Self::Star),
    ];
}

/// A tone of the accent.
#[derive(Clone, Copy)]
enum Tone {
    Light,
    Soft,
    Main,
    Shade,
    Deep,
}

enum Shape {
    Fill(Tone, &'static str),
    Line(Tone, f32, &'static str),
}

use Shape::{Fill, Line};
use Tone::{Deep, Light, Main, Shade, Soft};

const LEAF: &[Shape] = &[
    Line(Shade, 5.0, "M8 94 C14 86 18 82 26 74"),
    Fill(Main, "M92 8 C54 8 16 26 14 62 C14 70 18 78 24 80 C32 86 42 86 50 84 C80 78 94 46 92 8 Z"),
    Fill(Light, "M92 8 C54 8 16 26 14 62 C14 70 18 77 24 78 C40 56 60 36 92 8 Z"),
    Line(
        Deep,
        3.2,
        "M24 78 C40 56 56 40 74 25 M37 61 C38 52 38 46 36 38 M48 48 C50 40 50 34 49 27 M38 60 C48 62 56 62 64 59 M50 47 C60 48 68 47 76 44",
    ),
];

const TREE: &[Shape] = &[
    Fill(Shade, "O72 50 19 O27 50 19 O50 58 20"),
    Fill(Main, "O50 28 22 O31 40 18 O69 40 18 O50 46 20"),
    Fill(Soft, "O47 24 16 O30 36 12 O44 38 12"),
    Fill(
        Light,
        "M36 97 C44 92 46 82 46 70 C46 62 40 58 33 53 L35.5 50 C41 53 45 55 47 57 L48.4 38 L51.6 38 L53 60 C57 57 61 54 66 50 L68.5 53 C61 60 54 64 54 72 C54 83 56 92 64 97 C58 95 54 96 50 98 C46 96 42 95 36 97 Z",
    ),
];

const MOUNTAIN: &[Shape] = &[
    Fill(Main, "M42 88 L70 36 L99 88 Z"),
    Fill(Shade, "M70 36 L99 88 L80 88 L74 71 L78 61 L72 50 Z"),
    Fill(Light, "M70 36 L63 49 L68 47 L72 53 L77 49 Z"),
    Fill(Main, "M1 88 L40 14 L79 88 Z"),
    Fill(Shade, "M40 14 L79 88 L50 88 L43 70 L49 56 L42 44 Z"),
    Fill(Light, "M40 14 L57 46 L50 42 L45 51 L38 43 L31 50 L26 41 Z"),
];

const EYE: &[Shape] = &[
    Line(Shade, 4.0, "M50 6 L50 14 M24 13 L28 20 M76 13 L72 20 M50 94 L50 86 M24 87 L28 80 M76 87 L72 80"),
    Fill(Main, "M2 50 C20 28 35 20 50 20 C65 20 80 28 98 50 C80 72 65 80 50 80 C35 80 20 72 2 50 Z"),
    Fill(Deep, "M13 50 C27 34 39 28 50 28 C61 28 73 34 87 50 C73 66 61 72 50 72 C39 72 27 66 13 50 Z"),
    Fill(Light, "O50 50 20"),
    Fill(Main, "O50 50 15"),
    Fill(Deep, "M50 33 C57 43 57 57 50 67 C43 57 43 43 50 33 Z"),
];

const FLAME: &[Shape] = &[
    Fill(Shade, "M54 2 C56 24 86 38 86 66 C86 86 68 98 50 98 C32 98 14 86 14 65 C14 48 25 40 30 24 C36 32 39 38 40 44 C46 34 52 20 54 2 Z"),
    Fill(
        Main,
        "M53 24 C56 40 76 50 76 70 C76 86 64 96 50 96 C36 96 24 86 24 70 C24 60 29 54 32 46 C36 50 39 55 40 60 C46 52 52 40 53 24 Z",
    ),
    Fill(
        Light,
        "M51 54 C53 63 65 68 65 79 C65 89 58 95 50 95 C42 95 35 89 35 79 C35 73 38 70 40 65 C43 68 44 70 45 73 C48 69 51 62 51 54 Z",
    ),
];

const ANVIL: &[Shape] = &[
    Fill(
        Main,
        "M2 34 C12 35 22 33 30 31 L30 26 L97 26 L97 40 C85 41 72 46 68 56 C67 64 74 70 84 72 L84 74 L30 74 L30 72 C40 70 47 64 46 56 C44 49 36 47 28 47 C16 46 7 42 2 34 Z",
    ),
    Fill(Shade, "M22 74 L92 74 L92 88 L22 88 Z"),
    Fill(Light, "M2 34 C12 35 22 33 30 31 L30 26 L97 26 L97 32 L32 33 C22 36 12 37 2 34 Z"),
    Fill(Light, "M48 2 L51 11 L48 20 L45 11 Z M66 7 L69 11 L63 17 L62 14 Z M30 7 L34 14 L33 17 L27 11 Z"),
];

const SHIP: &[Shape] = &[
    Line(Light, 3.6, "M50 6 L50 68"),
    Fill(Main, "M54 10 C70 20 82 40 84 60 L54 60 Z"),
    Fill(Light, "M46 18 C38 36 28 50 14 60 L46 60 Z"),
    Fill(Main, "M6 66 L94 66 C91 78 85 86 78 88 L24 88 C15 85 9 77 6 66 Z"),
    Fill(Shade, "M9.5 74 L91 74 C88 82 83 87 78 88 L24 88 C17 86 12 81 9.5 74 Z"),
    Line(Light, 3.6, "M3 95 C11 89 19 89 27 95 C35 100 42 100 50 95 C58 89 65 89 73 95 C81 100 89 100 97 95"),
];

const STAR: &[Shape] = &[
    Fill(
        Main,
        "M50.0 1.0 L56.5 34.3 L74.0 26.0 L65.7 43.5 L99.0 50.0 L65.7 56.5 L74.0 74.0 L56.5 65.7 L50.0 99.0 L43.5 65.7 L26.0 74.0 L34.3 56.5 L1.0 50.0 L34.3 43.5 L26.0 26.0 L43.5 34.3 Z",
    ),
    Fill(
        Light,
        "M50 50 L50.0 1.0 L43.5 34.3 Z M50 50 L74.0 26.0 L56.5 34.3 Z M50 50 L99.0 50.0 L65.7 43.5 Z \
         M50 50 L74.0 74.0 L65.7 56.5 Z M50 50 L50.0 99.0 L56.5 65.7 Z M50 50 L26.0 74.0 L43.5 65.7 Z M50 50 L1.0 50.0 L34.3 56.5 Z M50 50 L26.0 26.0 L34.3 43.5 Z",
    ),
];

fn shapes(emblem: BuiltInEmblem) -> &'static [Shape] {
    match emblem {
        BuiltInEmblem::Leaf => LEAF,
        BuiltInEmblem::Tree => TREE,
        BuiltInEmblem::Mountain => MOUNTAIN,
        BuiltInEmblem::Eye => EYE,
        BuiltInEmblem::Flame => FLAME,
        BuiltInEmblem::Anvil => ANVIL,
        BuiltInEmblem::Ship => SHIP,
        BuiltInEmblem::Star => STAR,
    }
}

/// Draws an emblem; its square is 100 units of `place` wide and high.
pub(super) fn draw(canvas: &mut Target, emblem: BuiltInEmblem, accent: Color, place: Place) {
    let accent = vivid(accent);
    let tone = |tone| match tone {
        Light => mix(accent, WHITE, 0.5),
        Soft => mix(accent, WHITE, 0.2),
        Main => accent,
        Shade => mix(accent, BLACK, 0.3),
        Deep => mix(accent, BLACK, 0.72),
    };
    for shape in shapes(emblem) {
        let (color, mask) = match shape {
            Fill(color, outline) => (color, Outline::read(outline, place).fill()),
            Line(color, width, outline) => (color, Outline::read(outline, place).stroke(width * place.scale)),
        };
        canvas.stencil(&mask, (0, 0), |_| (tone(*color), 1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Canvas;

    const UNITS: Place = Place { scale: 1.0, origin: (0.0, 0.0) };

    #[test]
    fn every_outline_is_read_whole_and_stays_in_its_square() {
        for (name, emblem) in BuiltInEmblem::ALL {
            for shape in shapes(emblem) {
                let (Fill(_, outline) | Line(_, _, outline)) = shape;
                let wanted: usize = outline
                    .chars()
                    .map(|c| match c {
                        'M' | 'L' => 2,
                        'Q' => 4,
                        'C' => 6,
                        'O' => 3,
                        _ => 0,
                    })
                    .sum();
                let numbers = outline.split(|c: char| c.is_ascii_uppercase() || c.is_whitespace()).filter(|word| !word.is_empty());
                assert_eq!(numbers.filter(|word| word.parse::<f32>().is_ok()).count(), wanted, "{name}: {outline}");
                let bounds = Outline::read(outline, UNITS).bounds();
                assert!(bounds.iter().all(|at| (0.0..=100.0).contains(at)), "{name}: {bounds:?}");
            }
        }
    }

    #[test]
    fn every_emblem_fills_a_good_part_of_its_square() {
        for (name, emblem) in BuiltInEmblem::ALL {
            let mut canvas = Canvas::new(100, 100);
            draw(&mut canvas.target(), emblem, Color::rgb(0x7f, 0xb0, 0x69), UNITS);
            let inked = canvas.data.chunks_exact(4).filter(|pixel| pixel[3] > 128).count();
            assert!((1500..8000).contains(&inked), "{name}: {inked}");
        }
    }
}
