//! The parts of a text screen that differ from stage to stage.

use super::line::{Ansi, Line, TextStyle};
use crate::sys::width;
use persona_paint::{Card, LaunchStep, PinAnswer, PinKey, Progress, View, Words, fill};
use std::time::Duration;

/// Marks the highlighted line; all other lines are indented by the same width.
const MARKER: &str = "> ";
const NO_MARKER: &str = "  ";

fn highlighted(view: &View) -> Option<&Card> {
    view.cards.get(view.highlighted)
}

fn title(view: &View) -> &str {
    highlighted(view).map_or("", |card| &card.title)
}

/// A line that may be highlighted.
fn choice(text: &str, is_highlighted: bool) -> Line {
    let (marker, style) = if is_highlighted { (MARKER, TextStyle::REVERSE) } else { (NO_MARKER, TextStyle::PLAIN) };
    Line::new(marker, TextStyle::BOLD).with(text, style)
}

/// The personas, with as much detail as there is room for; the highlighted one is always shown.
pub(super) fn shelf(view: &View, wide: usize, room: usize) -> Vec<Line> {
    let count = view.cards.len();
    let (each, spare) = match room {
        _ if room >= 3 * count => (3, room - 3 * count),
        _ if room >= 2 * count => (2, room - 2 * count),
        _ => (1, room.saturating_sub(count)),
    };
    let mut lines = Vec::new();
    for (index, card) in view.cards.iter().enumerate() {
        let is_highlighted = index == view.highlighted;
        let tells_refusal = each == 1 && (spare == 0 || !is_highlighted);
        lines.push(title_line(view.words(), card, index, is_highlighted, tells_refusal, wide));
        if each > 1 || is_highlighted && spare > 0 {
            lines.push(below(card, wide));
        }
        if each == 3 && index + 1 < count {
            lines.push(Line::default());
        }
    }
    // The list shows neither the hint nor the end of a long reason.
    if let Some(why) = highlighted(view).and_then(|card| card.refused.as_deref()) {
        let told = width::wrap(why, wide);
        if lines.len() + 1 + told.len() <= room {
            lines.push(Line::default());
            lines.extend(told.into_iter().map(Line::plain));
        }
    }
    scrolled(lines, if each == 1 { view.highlighted } else { 0 }, room, view.words())
}

/// The part of a list around line `at` that fits, with a note about the rest where there is room for it.
fn scrolled(lines: Vec<Line>, at: usize, room: usize, words: &Words) -> Vec<Line> {
    let count = lines.len();
    if count <= room {
        return lines;
    }
    let told = usize::from(room >= 5);
    let shown = room - 2 * told;
    let first = at.saturating_sub(shown / 2).min(count - shown);
    let more = |count: usize| {
        if count == 0 { Line::default() } else { Line::plain(format!("     ({})", fill(words.more_lines, "count", &count.to_string()))) }
    };
    let mut part = Vec::new();
    part.extend((told > 0).then(|| more(first)));
    part.extend(lines.into_iter().skip(first).take(shown));
    part.extend((told > 0).then(|| more(count - first - shown)));
    part
}

/// The line below a title: why it cannot start, or else the tagline.
fn below(card: &Card, wide: usize) -> Line {
    const INDENT: usize = 5;
    let line = match &card.refused {
        Some(why) => cannot_start(why, wide.saturating_sub(INDENT)),
        None => Line::plain(&card.tagline),
    };
    line.indented(INDENT)
}

fn cannot_start(why: &str, room: usize) -> Line {
    let why = width::cut(&width::clean(why.lines().next().unwrap_or("")), room.saturating_sub("[]".len()));
    Line::new(format!("[{why}]"), TextStyle::PLAIN.colored(Ansi::Yellow))
}

/// Number, title and marks; the title is shortened before the marks.
fn title_line(words: &Words, card: &Card, index: usize, is_highlighted: bool, tells_refusal: bool, wide: usize) -> Line {
    let mut marks = String::new();
    let [default, locked] = words.marks;
    if card.is_default {
        marks += &format!(" ({default})");
    }
    if card.is_locked {
        marks += &format!(" [{locked}]");
    }
    let number = if index < 9 { format!("{} ", index + 1) } else { NO_MARKER.into() };
    let room = wide.saturating_sub(MARKER.len() + number.len() + width::of(&marks));
    let title = width::cut(&width::clean(&card.title), room.max(6));
    let color = Ansi::nearest(card.accent);
    let style = if is_highlighted { TextStyle::REVERSE } else { TextStyle::BOLD };
    let line = Line::new(if is_highlighted { MARKER } else { NO_MARKER }, TextStyle::BOLD);
    let line = line.with(number, TextStyle::PLAIN).with(title, style.colored(color)).with(marks, TextStyle::PLAIN);
    match card.refused.as_deref().filter(|_| tells_refusal) {
        Some(why) => {
            let line = line.with(" ", TextStyle::PLAIN);
            let room = wide.saturating_sub(line.width());
            Line { spans: [line.spans, cannot_start(why, room).spans].concat() }
        }
        None => line,
    }
}

/// What starts when, in words and, if there is room, as a bar. "1" is shown for the whole last second.
pub(super) fn countdown(view: &View, remaining: Duration, total: Duration, wide: usize, with_bar: bool) -> Vec<Line> {
    let seconds = remaining.as_millis().div_ceil(1000);
    let time = if seconds < 100 { format!("{seconds} s") } else { format!("{}:{:02} min", seconds / 60, seconds % 60) };
    let card = view.cards.iter().find(|card| card.is_default).or(highlighted(view));
    let name = width::clean(card.map_or("", |card| &card.title));
    let words = view.words();
    let sentences = match seconds {
        // A countdown that is over is still seen while the host boots.
        0 => [words.countdown_over, words.countdown_over_short].map(str::to_owned),
        _ => [words.countdown, words.countdown_short].map(|sentence| fill(sentence, "time", &time)),
    };
    let without_name = |sentence: &str| width::of(&fill(sentence, "persona", ""));
    let [sentence, short] = sentences;
    let sentence = if width::of(&name) + without_name(&sentence) <= wide { sentence } else { short };
    let name = width::cut(&name, wide.saturating_sub(without_name(&sentence)).max(1));
    let line = Line::new(fill(&sentence, "persona", &name), TextStyle::BOLD);
    if !with_bar {
        return vec![line];
    }
    let cells = wide.saturating_sub(2).min(60);
    let whole = total.max(remaining).as_secs_f32().max(f32::EPSILON);
    let left = ((remaining.as_secs_f32() / whole * cells as f32).ceil() as usize).min(cells);
    vec![line, Line::plain(format!("[{}{}]", "#".repeat(left), ".".repeat(cells - left)))]
}

/// What starts, and how far it is.
pub(super) fn starting(view: &View, steps: &[LaunchStep], wide: usize, room: usize) -> Vec<Line> {
    let mut lines = heading(&fill(view.words().starting, "persona", title(view)), room);
    if let Some(tagline) = highlighted(view).map(|card| &card.tagline).filter(|tagline| !tagline.is_empty() && room >= 6) {
        lines.extend([Line::plain(tagline), Line::default()]);
    }
    let step = |step: &LaunchStep| {
        let mark = match step.progress {
            Progress::Pending => ' ',
            Progress::Busy => '.',
            Progress::Done => 'x',
        };
        (format!("[{mark}] {}", width::clean(&step.name)), if step.progress == Progress::Busy { TextStyle::BOLD } else { TextStyle::PLAIN })
    };
    let row = steps.iter().map(step).fold(Line::default(), |line, (text, style)| {
        let between = if line.spans.is_empty() { "" } else { "   " };
        line.with(between, TextStyle::PLAIN).with(text, style)
    });
    if row.width() <= wide {
        lines.push(row);
    } else {
        lines.extend(steps.iter().map(step).map(|(text, style)| Line::new(text, style)));
    }
    lines
}

/// What runs, and where to look.
pub(super) fn running(view: &View, screen: Option<&str>, wide: usize) -> Vec<Line> {
    let is_legion = highlighted(view).is_some_and(|card| card.is_legion);
    let words = view.words();
    let place = match (is_legion, screen) {
        (true, Some(screen)) => fill(words.look_at, "screen", screen),
        (true, None) => words.look_at_legion.to_owned(),
        (false, _) => words.on_the_host.to_owned(),
    };
    let mut lines = vec![Line::new(fill(words.running, "persona", title(view)), TextStyle::BOLD), Line::default()];
    lines.extend(width::wrap(&place, wide).into_iter().map(Line::plain));
    lines
}

/// Why the highlighted persona does not run; then the personas, if there is room for them.
pub(super) fn failed(view: &View, why: &str, wide: usize, room: usize) -> Vec<Line> {
    let mut lines = vec![Line::new(fill(view.words().not_running, "persona", title(view)), TextStyle::BOLD.colored(Ansi::Red))];
    lines.extend(width::wrap(why, wide).into_iter().map(Line::plain));
    let left = room.saturating_sub(lines.len() + 1);
    if left >= view.cards.len() {
        lines.push(Line::default());
        lines.extend(shelf(view, wide, left.min(2 * view.cards.len())));
    }
    lines
}

/// Nothing but the message.
pub(super) fn broken(words: &Words, why: &str, wide: usize) -> Vec<Line> {
    let mut lines = vec![Line::new(words.no_menu, TextStyle::BOLD.colored(Ansi::Red)), Line::default()];
    lines.extend(width::wrap(why, wide).into_iter().map(Line::plain));
    lines
}

/// What the keys do.
pub(super) fn help(words: &Words, room: usize) -> Vec<Line> {
    const KEYS: [&str; 6] = ["Up/Down", "1-9", "Enter", "Esc", "Backspace", "F1"];
    let mut lines = heading(words.help_title, room);
    let row = |(key, does): (&str, &str)| Line::new(format!("{key:<11}"), TextStyle::BOLD).with(does, TextStyle::PLAIN);
    lines.extend(KEYS.into_iter().zip(words.help_rows).map(row));
    lines
}

/// What to do with the host.
pub(super) fn power(words: &Words, highlighted: usize, room: usize) -> Vec<Line> {
    let mut lines = heading(words.this_machine, room);
    let entry = |(index, (called, _)): (usize, (&str, &str))| choice(&format!("{} {called}", index + 1), index == highlighted);
    lines.extend(words.power_menu.into_iter().enumerate().map(entry));
    lines
}

/// The PIN as far as it is entered, and the answer to the last try.
pub(super) fn pin(view: &View, entered: usize, cursor: Option<usize>, answer: &PinAnswer, wide: usize, room: usize) -> Vec<Line> {
    let words = view.words();
    let mut lines = heading(&fill(words.locked, "persona", title(view)), room);
    lines.push(Line::new("PIN: ", TextStyle::PLAIN).with(format!("{}_", "*".repeat(entered)), TextStyle::BOLD));
    let told = match answer {
        PinAnswer::None => None,
        PinAnswer::Checking => Some(words.checking.to_owned()),
        PinAnswer::Wrong => Some(words.wrong_pin.to_owned()),
        PinAnswer::Wait { seconds } => Some(fill(words.wrong_pin_wait, "seconds", &seconds.to_string())),
    };
    lines.extend(told.into_iter().flat_map(|told| width::wrap(&told, wide)).map(Line::plain));
    if let Some(cursor) = cursor {
        lines.push(Line::default());
        lines.extend(pad(words, cursor, wide));
    }
    lines
}

/// The number pad in as many rows as it takes; the highlighted key stands in brackets.
fn pad(words: &Words, cursor: usize, wide: usize) -> Vec<Line> {
    let mut rows = vec![Line::default()];
    for (index, key) in PinKey::ALL.iter().enumerate() {
        let name = match key {
            PinKey::Digit(digit) => digit.to_string(),
            PinKey::Erase => words.erase.to_owned(),
            PinKey::Enter => words.start.to_owned(),
        };
        let (text, style) =
            if index == cursor { (format!("[{name}]"), TextStyle::REVERSE) } else { (format!(" {name} "), TextStyle::PLAIN) };
        match rows.last_mut() {
            Some(row) if row.width() + width::of(&text) <= wide => *row = std::mem::take(row).with(text, style),
            _ => rows.push(Line::new(text, style)),
        }
    }
    rows
}

fn heading(text: &str, room: usize) -> Vec<Line> {
    let mut lines = vec![Line::new(text, TextStyle::BOLD)];
    if room >= 6 {
        lines.push(Line::default());
    }
    lines
}
