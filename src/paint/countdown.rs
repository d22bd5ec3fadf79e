//! The countdown: a ring with the seconds in it and words beside it, or a small ring and words.

use super::frame::Frame;
use super::geometry::Area;
use super::language::fill;
use super::scene::{Countdown, Scene};
use super::text::{CAPITAL, Face, Line, Style};
use super::theme::vivid;
use super::view::{Stage, View};
use std::time::Duration;

/// Where the countdown goes.
struct Row {
    /// Its middle, in pixels.
    middle: (f32, f32),
    /// The width there is for it.
    room: f32,
    /// The radius of the ring.
    radius: f32,
    /// The number in the ring; a small ring has none.
    number: Option<Style>,
    /// The words beside it.
    words: Style,
}

/// Half the height of the small countdown, in units of text.
pub(super) const HALF_SMALL: f32 = 24.0;

/// The countdown below the highlighted persona.
pub(super) fn large(scene: &mut Scene, frame: &Frame, view: &View) {
    place(
        scene,
        view,
        &Row {
            middle: (frame.middle(), frame.title() + frame.tagline() + frame.countdown()),
            room: frame.room(),
            radius: 58.0 * frame.large,
            number: Some(Style { tracking: 0.02, ..frame.headline(52.0) }),
            words: frame.style(Face::Text, 33.0, frame.palette.ink),
        },
    );
}

/// The countdown as one line of words, around `middle`, where a unit of text has `unit` pixels.
pub(super) fn small(scene: &mut Scene, frame: &Frame, view: &View, middle: (f32, f32), room: f32, unit: f32) {
    let words = Style::new(Face::Text, 26.0 * unit, frame.palette.ink);
    place(scene, view, &Row { middle, room, radius: 17.0 * unit, number: None, words });
}

fn place(scene: &mut Scene, view: &View, row: &Row) {
    let Stage::Countdown { remaining, total } = view.stage else { return };
    let Some(card) = view.cards.iter().find(|card| card.is_default).or(view.cards.get(view.highlighted)) else { return };
    let total = total.max(remaining);
    // "1" is shown for the whole last second.
    let seconds = |time: Duration| time.as_millis().div_ceil(1000);
    let Row { middle: (middle, y), radius, words: style, .. } = *row;
    let gap = 0.36 * radius + 0.27 * style.size;
    let said = view.words();
    let over = remaining.is_zero();
    let words = |title: &str, time: &str| match over {
        // A countdown that is over is still seen while the host boots.
        true => fill(said.countdown_over, "persona", title),
        false => fill(&fill(said.countdown, "time", time), "persona", title),
    };
    // The width is reserved for the longest time, or the words would jump when the seconds lose a digit.
    let widest: String = spoken(seconds(total)).chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    let title_room = row.room - 2.0 * radius - gap - style.width(&words("", &widest));
    let title = style.cut(&card.title, title_room.max(0.0));
    let width = 2.0 * radius + gap + style.width(&words(&title, &widest));
    let x = middle - width / 2.0;
    let ring = Area::new(x, y - radius, 2.0 * radius, 2.0 * radius);
    let left = (remaining.as_secs_f32() / total.as_secs_f32().max(f32::EPSILON)).clamp(0.0, 1.0);

    let number = row.number.map(|number| {
        let (number, digits) = number.fit(&clock(seconds(remaining)), radius * 1.35, 0.1);
        Line::centered(x + radius, y + CAPITAL / 2.0 * number.size, number, digits)
    });
    let beside = Line::at(ring.right() + gap, y + CAPITAL / 2.0 * style.size, style, words(&title, &spoken(seconds(remaining))));
    let height = (2.0 * radius).max(1.25 * style.size);
    let area = Area::new(x, y - height / 2.0, width, height).outset(0.1 * radius);
    scene.countdown = Some(Countdown { ring, left: (left * 720.0).ceil() as u16, color: vivid(card.accent), number, words: beside, area });
}

/// What the ring says: "67", "2:05".
fn clock(seconds: u128) -> String {
    if seconds < 100 { seconds.to_string() } else { format!("{}:{:02}", seconds / 60, seconds % 60) }
}

/// What the words say: "67 s", "2:05 min".
fn spoken(seconds: u128) -> String {
    format!("{} {}", clock(seconds), if seconds < 100 { "s" } else { "min" })
}
