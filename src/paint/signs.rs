//! Small signs: their meaning must be visible without colour.

use super::color::Color;
use super::geometry::Area;
use super::outline::{Outline, Place};
use super::target::Target;

/// A sign, drawn in a square of 24 by 24.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Done.
    Check,
    /// Not begun.
    Ring,
    /// Being done.
    RingWithDot,
    /// A full disc, below another sign.
    Disc,
    /// It asks for a PIN.
    Padlock,
    /// It cannot start.
    Barred,
    /// Something is wrong.
    Exclamation,
    /// This one.
    Marker,
    /// The host at its console.
    Console,
    /// Restart.
    Restart,
    /// Switch off.
    Power,
    /// Takes a digit back.
    Erase,
    /// Tries what was entered.
    Enter,
}

impl Sign {
    /// Its name in a layout.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Ring => "ring",
            Self::RingWithDot => "ring-with-dot",
            Self::Disc => "disc",
            Self::Padlock => "padlock",
            Self::Barred => "barred",
            Self::Exclamation => "exclamation",
            Self::Marker => "marker",
            Self::Console => "console",
            Self::Restart => "restart",
            Self::Power => "power",
            Self::Erase => "erase",
            Self::Enter => "enter",
        }
    }
}

/// Lines with the pen's width, and outlines that are filled.
type Drawing = (&'static [(f32, &'static str)], &'static str);

const CIRCLE: &str = "O12 12 9.5";

fn drawing(sign: Sign) -> Drawing {
    match sign {
        Sign::Check => (&[(3.4, "M5.5 12.6 L10.2 17.2 L18.5 7.4")], ""),
        Sign::Ring => (&[(2.0, CIRCLE)], ""),
        Sign::RingWithDot => (&[(2.8, CIRCLE)], "O12 12 4.6"),
        Sign::Disc => (&[], "O12 12 11.5"),
        Sign::Padlock => (
            &[(2.6, "M7.6 11 L7.6 7.6 C7.6 1.9 16.4 1.9 16.4 7.6 L16.4 11")],
            "M6 10.4 L18 10.4 Q20 10.4 20 12.4 L20 20.4 Q20 22.4 18 22.4 L6 22.4 Q4 22.4 4 20.4 L4 12.4 Q4 10.4 6 10.4 Z \
             M12 14 Q10.2 14 10.2 15.8 Q10.2 16.8 11 17.3 L11 19.4 L13 19.4 L13 17.3 Q13.8 16.8 13.8 15.8 Q13.8 14 12 14 Z",
        ),
        Sign::Barred => (&[(2.8, CIRCLE), (2.8, "M5.6 5.6 L18.4 18.4")], ""),
        Sign::Exclamation => (&[(3.2, "M12 5.5 L12 13")], "O12 18 2.0"),
        Sign::Marker => (&[(2.0, "M8 5.5 L18 12 L8 18.5 Z")], "M8 5.5 L18 12 L8 18.5 Z"),
        Sign::Console => (
            &[(
                2.2,
                "M4.5 4 L19.5 4 Q21.5 4 21.5 6 L21.5 18 Q21.5 20 19.5 20 L4.5 20 Q2.5 20 2.5 18 L2.5 6 Q2.5 4 4.5 4 Z \
                 M7 8.8 L10.4 12 L7 15.2 M12.8 15.4 L17 15.4",
            )],
            "",
        ),
        Sign::Restart => (
            &[(2.4, "M19.6 7.2 C16.8 2.6 10 1.9 6 5.9 C2 9.9 2.6 16.4 7.2 19.4 C12.2 22.5 18.9 20.2 20.6 14.6 M20.2 2.6 L20 7.6 L15 7.4")],
            "",
        ),
        Sign::Power => {
            (&[(2.4, "M12 2.6 L12 11.4 M6.9 6 C2.6 9.4 2.4 15.6 6 19 C9.4 22.2 14.6 22.2 18 19 C21.6 15.6 21.4 9.4 17.1 6")], "")
        }
        Sign::Erase => (&[(2.2, "M8.6 5 L21.5 5 L21.5 19 L8.6 19 L2.5 12 Z M12 9.4 L17.2 14.6 M17.2 9.4 L12 14.6")], ""),
        Sign::Enter => (&[(2.4, "M20 5 L20 12.4 L4.6 12.4 M9.4 7.6 L4.6 12.4 L9.4 17.2")], ""),
    }
}

/// Draws a sign as large as `area`, a square.
pub(super) fn draw(canvas: &mut Target, sign: Sign, area: Area, color: Color, opacity: f32) {
    let place = Place { scale: area.width / 24.0, origin: (area.x, area.y) };
    let (lines, filled) = drawing(sign);
    for (width, line) in lines {
        canvas.stencil(&Outline::read(line, place).stroke(width * place.scale), (0, 0), |_| (color, opacity));
    }
    if !filled.is_empty() {
        canvas.stencil(&Outline::read(filled, place).fill(), (0, 0), |_| (color, opacity));
    }
}
