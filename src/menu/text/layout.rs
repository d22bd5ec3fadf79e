//! A view laid out in a terminal's cells: a header, the stage, and the key hints at the bottom.

use super::line::{Ansi, Line, TextStyle};
use super::stages;
use crate::sys::width;
use persona_paint::{Overlay, Stage, View};

/// Lines longer than this are hard to read on a wide screen.
const WIDEST: usize = 96;

/// The view as text: exactly `rows` lines, none wider than `columns`. Plain ASCII except for texts from the settings.
pub fn lines(view: &View, columns: usize, rows: usize) -> Vec<Line> {
    let margin = if columns >= 40 { 2 } else { 0 };
    let wide = columns.saturating_sub(2 * margin).min(WIDEST);
    let left = (columns - wide) / 2;
    let head = head(view, wide, rows);
    let foot = foot(view, wide, rows);
    let room = rows.saturating_sub(head.len() + foot.len());
    let mut body = body(view, wide, room);
    body.truncate(room);
    let above = (room - body.len()) / 3;
    let below = room - body.len() - above;
    let empty = |count| std::iter::repeat_n(Line::default(), count);
    let all = head.into_iter().chain(empty(above)).chain(body).chain(empty(below)).chain(foot);
    all.take(rows).map(|line| line.cut(wide).indented(left)).collect()
}

/// The machine's name and where SSH reaches it; nothing on the smallest screens.
fn head(view: &View, wide: usize, rows: usize) -> Vec<Line> {
    if rows < 8 {
        return Vec::new();
    }
    let host = if view.host.is_empty() { String::new() } else { format!(" on {}", width::clean(&view.host)) };
    let address = view.address.as_deref().map(|address| format!("ssh {}", width::clean(address))).unwrap_or_default();
    let (name, room) = (format!("Persona{host}"), wide.saturating_sub(width::of(&address) + 2));
    let line = if address.is_empty() || width::of(&name) > room {
        Line::new(&name, TextStyle::BOLD)
    } else {
        let between = wide - width::of(&name) - width::of(&address);
        Line::new(&name, TextStyle::BOLD).with(" ".repeat(between) + &address, TextStyle::PLAIN)
    };
    let mut head = vec![line];
    if rows >= 14 {
        head.extend([rule(wide), Line::default()]);
    }
    head
}

/// The countdown if there is one, the warning, and what the keys do.
fn foot(view: &View, wide: usize, rows: usize) -> Vec<Line> {
    let mut foot = Vec::new();
    let roomy = rows >= 14;
    if let Stage::Countdown { remaining, total } = view.stage {
        foot.extend(stages::countdown(view, remaining, total, wide, rows >= 6));
        if roomy {
            foot.push(Line::default());
        }
    }
    if let Some(notice) = &view.notice
        && rows >= 8
    {
        let most = if rows >= 20 { 3 } else { 1 };
        let mut told = width::wrap(&format!("! {notice}"), wide);
        if told.len() > most {
            told = vec![width::clean(&format!("! {notice}"))];
        }
        foot.extend(told.into_iter().map(|line| Line::new(line, TextStyle::PLAIN.colored(Ansi::Yellow))));
    }
    if roomy {
        foot.push(rule(wide));
    }
    foot.push(match view.stage {
        Stage::Broken { .. } => Line::plain(view.words().press_any_key),
        _ => hints(&keys(view), wide),
    });
    foot
}

fn rule(wide: usize) -> Line {
    Line::plain("-".repeat(wide))
}

/// What the keys do now, the most important first.
fn keys(view: &View) -> Vec<(&'static str, &'static str)> {
    let words = view.words();
    let (help, power, back) = (("F1", words.help), ("Esc", words.power), ("Esc", words.back));
    match (&view.overlay, &view.stage) {
        (_, Stage::Broken { .. }) => Vec::new(),
        (Some(Overlay::Help), _) => vec![back],
        (Some(Overlay::Power { .. }), _) => vec![("Enter", words.confirm), ("Up/Down", words.choose), back],
        (Some(Overlay::Pin { .. }), _) => vec![("0-9", words.digits), ("Enter", words.start), back, ("Backspace", words.erase)],
        (None, Stage::Countdown { .. } | Stage::Waiting) => {
            vec![("Enter", words.start), ("Up/Down", words.choose), help, power]
        }
        (None, Stage::Failed { .. }) => vec![("Enter", words.menu), power, help],
        (None, Stage::Starting { .. } | Stage::Running { .. }) => vec![power, help],
    }
}

/// As many of them as there is room for.
fn hints(keys: &[(&str, &str)], wide: usize) -> Line {
    let mut line = Line::default();
    for (key, does) in keys {
        let between = if line.spans.is_empty() { "" } else { "   " };
        let longer = line.clone().with(between, TextStyle::PLAIN).with(key, TextStyle::BOLD).with(format!(": {does}"), TextStyle::PLAIN);
        if longer.width() > wide && !line.spans.is_empty() {
            break;
        }
        line = longer;
    }
    line
}

fn body(view: &View, wide: usize, room: usize) -> Vec<Line> {
    match (&view.overlay, &view.stage) {
        (_, Stage::Broken { why }) => stages::broken(view.words(), why, wide),
        (Some(Overlay::Help), _) => stages::help(view.words(), room),
        (Some(Overlay::Power { highlighted }), _) => stages::power(view.words(), *highlighted, room),
        (Some(Overlay::Pin { entered, cursor, answer }), _) => stages::pin(view, *entered, *cursor, answer, wide, room),
        (None, Stage::Countdown { .. } | Stage::Waiting) => stages::shelf(view, wide, room),
        (None, Stage::Starting { steps }) => stages::starting(view, steps, wide, room),
        (None, Stage::Running { screen }) => stages::running(view, screen.as_deref(), wide),
        (None, Stage::Failed { why }) => stages::failed(view, why, wide, room),
    }
}
