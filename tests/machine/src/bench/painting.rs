//! How fast the menu's pictures are painted, against a copy of the pixels each of them touches.

use super::median;
use persona::error::{Error, Result};
use persona_paint::{BuiltInEmblem, Card, Color, Emblem, Painter, Pose, Stage, View};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Each picture is painted this often. The first one, for which everything is drawn, a few times less.
const ROUNDS: usize = 41;
const FIRST_ROUNDS: usize = 5;
/// A frame at 60 a second, in milliseconds.
const FRAME: f64 = 1000.0 / 60.0;

/// Paints the first frame, the answer to a key without motion, and frames of a glide, in two sizes.
///
/// # Errors
/// When nothing was painted.
pub(super) fn measure() -> Result<Vec<String>> {
    let mut lines = vec![format!("painting, seven personas, median of {ROUNDS}, first frames of {FIRST_ROUNDS}")];
    for (name, width, height) in [("1920x1080", 1920, 1080), ("3840x2160", 3840, 2160)] {
        let first: Vec<_> = (0..FIRST_ROUNDS).map(|_| paint(&mut Painter::new(width, height), &still(3))).collect();
        lines.push(line(name, "first frame", &first, "")?);

        let mut painter = Painter::new(width, height);
        for highlighted in 0..7 {
            painter.paint(&still(highlighted));
        }
        let keys: Vec<_> = (0..ROUNDS).map(|round| paint(&mut painter, &still(round % 7))).collect();
        lines.push(line(name, "after a key", &keys, "   aim 4 times")?);
        let glide: Vec<_> = (0..ROUNDS).map(|round| paint(&mut painter, &gliding(0.03 + 0.1 * round as f32))).collect();
        lines.push(line(name, "in a glide", &glide, &format!("   aim {FRAME:.1} ms"))?);
    }
    Ok(lines)
}

/// Milliseconds to paint, and to copy as many bytes as changed.
fn paint(painter: &mut Painter, view: &View) -> (f64, f64) {
    let (damage, painting) = timed(|| painter.paint(view));
    let bytes = damage.iter().map(|part| part.width as usize * part.height as usize * 4).sum::<usize>();
    let from = &painter.pixels()[..bytes];
    // Its pages are there before it is copied to, as those of the painter are.
    let mut to = from.to_vec();
    let (_, copying) = timed(|| black_box(&mut to).copy_from_slice(black_box(from)));
    (painting, copying)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64() * 1e3)
}

fn line(size: &str, what: &str, times: &[(f64, f64)], aim: &str) -> Result<String> {
    let (painting, copying): (Vec<_>, Vec<_>) = times.iter().copied().unzip();
    let nothing = || Error::new(format!("{what} at {size}: nothing was painted"));
    let (painting, copying) = (median(painting).ok_or_else(nothing)?, median(copying).ok_or_else(nothing)?);
    Ok(format!("  {size} {what:<12} {painting:7.2} ms   memcpy {copying:5.2} ms   ratio {:5.1}{aim}", painting / copying))
}

fn still(highlighted: usize) -> View {
    const ACCENTS: [Color; 3] = [Color::rgb(0x7f, 0xb0, 0x69), Color::rgb(0x6b, 0xa4, 0xe8), Color::rgb(0xd6, 0x45, 0x50)];
    let cards = BuiltInEmblem::ALL[..7].iter().enumerate().map(|(index, (name, emblem))| Card {
        title: (*name).to_owned(),
        tagline: "One of seven".to_owned(),
        accent: ACCENTS[index % 3],
        emblem: Emblem::BuiltIn(*emblem),
        is_default: index == 0,
        is_legion: true,
        is_locked: false,
        refused: None,
    });
    let second = Duration::from_secs(1);
    View::still(cards.collect(), highlighted, Stage::Countdown { remaining: 6 * second, total: 10 * second })
}

/// The same on its way between two cartridges.
fn gliding(shelf: f32) -> View {
    let view = still(shelf.ceil() as usize);
    View { pose: Pose { shelf, ..view.pose }, ..view }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_painting_touches_pixels() {
        let mut painter = Painter::new(320, 200);
        for view in [still(3), still(4), gliding(4.5)] {
            assert!(!painter.paint(&view).is_empty());
        }
    }
}
