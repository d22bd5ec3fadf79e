//! The parts of a text screen that differ from stage to stage.

use super::line::{Ansi, Line, Style};
use crate::sys::width;
use persona_paint::{Card, PinAnswer, PinKey, PowerEntry, Progress, Step, View};
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
    let (marker, style) = if is_highlighted { (MARKER, Style::REVERSE) } else { (NO_MARKER, Style::PLAIN) };
    Line::new(marker, Style::BOLD).with(text, style)
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
        lines.push(title_line(card, index, is_highlighted, each == 1 && (spare == 0 || !is_highlighted), wide));
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
    scrolled(lines, if each == 1 { view.highlighted } else { 0 }, room)
}

/// The part of a list around line `at` that fits, with a note about the rest where there is room for it.
fn scrolled(lines: Vec<Line>, at: usize, room: usize) -> Vec<Line> {
    let count = lines.len();
    if count <= room {
        return lines;
    }
    let told = usize::from(room >= 5);
    let shown = room - 2 * told;
    let first = at.saturating_sub(shown / 2).min(count - shown);
    let more = |count: usize| if count == 0 { Line::default() } else { Line::plain(format!("     ({count} more)")) };
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
    let (before, after) = ("[cannot start: ", "]");
    let why = width::cut(&width::clean(why.lines().next().unwrap_or("")), room.saturating_sub(before.len() + after.len()));
    Line::new(format!("{before}{why}{after}"), Style::PLAIN.colored(Ansi::Yellow))
}

/// Number, title and marks; the title is shortened before the marks.
fn title_line(card: &Card, index: usize, is_highlighted: bool, tells_refusal: bool, wide: usize) -> Line {
    let mut marks = String::new();
    marks += if card.is_default { " (default)" } else { "" };
    marks += if card.is_locked { " [locked]" } else { "" };
    let number = if index < 9 { format!("{} ", index + 1) } else { NO_MARKER.into() };
    let room = wide.saturating_sub(MARKER.len() + number.len() + marks.len());
    let title = width::cut(&width::clean(&card.title), room.max(6));
    let color = Ansi::nearest(card.accent);
    let style = if is_highlighted { Style::REVERSE } else { Style::BOLD };
    let line = Line::new(if is_highlighted { MARKER } else { NO_MARKER }, Style::BOLD);
    let line = line.with(number, Style::PLAIN).with(title, style.colored(color)).with(marks, Style::PLAIN);
    match card.refused.as_deref().filter(|_| tells_refusal) {
        Some(why) => {
            let line = line.with(" ", Style::PLAIN);
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
    let words = match seconds {
        // A countdown that is over is still seen while the host boots.
        0 => [" starts with the host".to_owned(), " with the host".to_owned()],
        _ => [format!(" starts in {time}"), format!(" in {time}")],
    };
    let words = words.iter().find(|words| width::of(&name) + words.len() <= wide).unwrap_or(&words[1]);
    let name = width::cut(&name, wide.saturating_sub(words.len()).max(1));
    let line = Line::new(name + words, Style::BOLD);
    if !with_bar {
        return vec![line];
    }
    let cells = wide.saturating_sub(2).min(60);
    let whole = total.max(remaining).as_secs_f32().max(f32::EPSILON);
    let left = ((remaining.as_secs_f32() / whole * cells as f32).ceil() as usize).min(cells);
    vec![line, Line::plain(format!("[{}{}]", "#".repeat(left), ".".repeat(cells - left)))]
}

/// What starts, and how far it is.
pub(super) fn starting(view: &View, steps: &[Step], wide: usize, room: usize) -> Vec<Line> {
    let mut lines = heading(&format!("Starting {}", title(view)), room);
    if let Some(tagline) = highlighted(view).map(|card| &card.tagline).filter(|tagline| !tagline.is_empty() && room >= 6) {
        lines.extend([Line::plain(tagline), Line::default()]);
    }
    let step = |step: &Step| {
        let mark = match step.progress {
            Progress::Pending => ' ',
            Progress::Busy => '.',
            Progress::Done => 'x',
        };
        (format!("[{mark}] {}", width::clean(&step.name)), if step.progress == Progress::Busy { Style::BOLD } else { Style::PLAIN })
    };
    let row = steps.iter().map(step).fold(Line::default(), |line, (text, style)| {
        let between = if line.spans.is_empty() { "" } else { "   " };
        line.with(between, Style::PLAIN).with(text, style)
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
    let place = match (is_legion, screen) {
        (true, Some(screen)) => format!("Its picture is on the screen at the {screen}."),
        (true, None) => "Its picture is on legion's own screen.".into(),
        (false, _) => "It runs on this host.".into(),
    };
    let mut lines = vec![Line::new(format!("{} is running", title(view)), Style::BOLD), Line::default()];
    lines.extend(width::wrap(&place, wide).into_iter().map(Line::plain));
    lines
}

/// Why the highlighted persona does not run; then the personas, if there is room for them.
pub(super) fn failed(view: &View, why: &str, wide: usize, room: usize) -> Vec<Line> {
    let mut lines = vec![Line::new(format!("{} is not running", title(view)), Style::BOLD.colored(Ansi::Red))];
    lines.extend(width::wrap(why, wide).into_iter().map(Line::plain));
    let left = room.saturating_sub(lines.len() + 1);
    if left >= view.cards.len() {
        lines.push(Line::default());
        lines.extend(shelf(view, wide, left.min(2 * view.cards.len())));
    }
    lines
}

/// Nothing but the message.
pub(super) fn broken(why: &str, wide: usize) -> Vec<Line> {
    let mut lines = vec![Line::new("There is no menu to show", Style::BOLD.colored(Ansi::Red)), Line::default()];
    lines.extend(width::wrap(why, wide).into_iter().map(Line::plain));
    lines
}

/// What the keys do.
pub(super) fn help(room: usize) -> Vec<Line> {
    const KEYS: [(&str, &str); 5] = [
        ("Arrows", "choose a persona"),
        ("1 to 9", "go to that one"),
        ("Enter", "start it (Space too)"),
        ("Esc", "power menu, or back"),
        ("F1", "this help"),
    ];
    let mut lines = heading("Keys", room);
    lines.extend(KEYS.iter().map(|(key, does)| Line::new(format!("{key:<8}"), Style::BOLD).with(does, Style::PLAIN)));
    lines
}

/// What to do with the host.
pub(super) fn power(highlighted: usize, room: usize) -> Vec<Line> {
    let mut lines = heading("This machine", room);
    let entry = |(index, entry): (usize, &PowerEntry)| choice(&format!("{} {}", index + 1, entry.words()), index == highlighted);
    lines.extend(PowerEntry::ALL.iter().enumerate().map(entry));
    lines
}

/// The PIN as far as it is entered, and the answer to the last try.
pub(super) fn pin(view: &View, entered: usize, cursor: Option<usize>, answer: &PinAnswer, wide: usize, room: usize) -> Vec<Line> {
    let mut lines = heading(&format!("{} is locked", title(view)), room);
    lines.push(Line::new("PIN: ", Style::PLAIN).with(format!("{}_", "*".repeat(entered)), Style::BOLD));
    let told = match answer {
        PinAnswer::None => None,
        PinAnswer::Checking => Some("Checking it".to_owned()),
        PinAnswer::Wrong => Some("That was wrong".to_owned()),
        PinAnswer::Wait { seconds } => Some(format!("That was wrong. Wait {seconds} s")),
    };
    lines.extend(told.map(Line::plain));
    if let Some(cursor) = cursor {
        lines.push(Line::default());
        lines.extend(pad(cursor, wide));
    }
    lines
}

/// The number pad in as many rows as it takes; the highlighted key stands in brackets.
fn pad(cursor: usize, wide: usize) -> Vec<Line> {
    let mut rows = vec![Line::default()];
    for (index, key) in PinKey::ALL.iter().enumerate() {
        let name = match key {
            PinKey::Digit(digit) => digit.to_string(),
            PinKey::Erase => "erase".into(),
            PinKey::Enter => "enter".into(),
        };
        let (text, style) = if index == cursor { (format!("[{name}]"), Style::REVERSE) } else { (format!(" {name} "), Style::PLAIN) };
        match rows.last_mut() {
            Some(row) if row.width() + text.len() <= wide => *row = std::mem::take(row).with(text, style),
            _ => rows.push(Line::new(text, style)),
        }
    }
    rows
}

fn heading(text: &str, room: usize) -> Vec<Line> {
    let mut lines = vec![Line::new(text, Style::BOLD)];
    if room >= 6 {
        lines.push(Line::default());
    }
    lines
}
