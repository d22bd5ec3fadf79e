//! The text about the highlighted persona: its title and tagline, why it cannot be picked, how far its launch is, where to look.

use super::countdown;
use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::insertion::DEPTH;
use super::language::fill;
use super::paragraph::Paragraph;
use super::scene::{Item, Scene};
use super::signs::Sign;
use super::steps;
use super::text::{CAPITAL, Face, Line, Style};
use super::theme::mix;
use super::view::{Card, LaunchStep, Stage, View};

/// Title and tagline, large; a padlock or a bar before the title of one that is locked or refused.
pub(super) fn names(scene: &mut Scene, frame: &Frame, card: &Card) {
    match &card.refused {
        None => {
            let sign = card.is_locked.then_some(Sign::Padlock);
            headline(scene, frame, frame.title(), sign, &card.title);
            below(scene, frame, frame.title() + frame.tagline(), &card.tagline);
        }
        Some(_) => headline(scene, frame, frame.title(), Some(Sign::Barred), &card.title),
    }
}

/// A large line around the middle, with a sign before it.
pub(super) fn headline(scene: &mut Scene, frame: &Frame, baseline: f32, sign: Option<Sign>, text: &str) {
    let style = frame.headline(76.0);
    let (side, gap) = (style.size * 0.66, style.size * 0.26);
    let before = if sign.is_some() { side + gap } else { 0.0 };
    let (style, text) = style.fit(text, frame.room() - before, 0.55);
    let line = Line::centered(frame.middle() + before / 2.0, baseline, style, text);
    if let Some(sign) = sign {
        let area = Area::new(line.x - before, baseline - (CAPITAL * style.size + side) / 2.0, side, side);
        let color = if sign == Sign::Barred { frame.palette.warning } else { frame.accent };
        scene.put(ElementKind::TitleSign, Item::Sign { sign, area, color, opacity: 1.0 });
    }
    scene.text(ElementKind::Title, line);
}

/// The line below a large one.
pub(super) fn below(scene: &mut Scene, frame: &Frame, baseline: f32, text: &str) {
    let (style, text) = frame.style(Face::Text, 31.0, frame.palette.muted).fit(text, frame.room(), 0.75);
    scene.text(ElementKind::Tagline, Line::centered(frame.middle(), baseline, style, text));
}

/// Why a persona cannot be picked, where its tagline would be and further down: the reason, then, quieter, how to fix
/// it. A countdown is a line of words below.
pub(super) fn refusal(scene: &mut Scene, frame: &Frame, view: &View, why: &str) {
    let palette = frame.palette;
    let counting = matches!(view.stage, Stage::Countdown { .. });
    let half_small = countdown::HALF_SMALL * frame.text;
    let lowest = frame.hints() - 23.0 * frame.text - frame.px(30.0);
    let width = frame.room().min(1280.0 * frame.text);
    let (reason, hint) = why.trim().split_once('\n').unwrap_or((why.trim(), ""));
    // Where the first line's letters begin.
    let top = frame.title() + frame.tagline() - 31.0 * frame.text;
    let room = lowest - top - if counting { 2.0 * half_small + frame.px(12.0) } else { 0.0 };
    let share = if hint.is_empty() { 1.0 } else { 0.6 };
    let reason = Paragraph::new(frame.style(Face::Text, 31.0, palette.ink), reason, (width, room * share));
    let hint_top = top + reason.height() + 4.0 * frame.text;
    let hint_style = frame.style(Face::Text, 26.0, mix(palette.muted, palette.ink, 0.15));
    let hint = Paragraph::new(hint_style, &hint.replace('\n', " "), (width, top + room - hint_top));
    let fits = hint_top + hint.height() <= top + room + 1.0;
    let mut end = top + reason.height();
    centered(scene, frame, ElementKind::Reason, reason, top);
    if fits && !hint.lines.is_empty() {
        end = hint_top + hint.height();
        centered(scene, frame, ElementKind::ReasonHint, hint, hint_top);
    }
    if counting {
        // Where the large one would be, if the text leaves room for it.
        let usual = frame.title() + frame.tagline() + frame.countdown();
        let y = usual.max(end + frame.px(10.0) + half_small).min(lowest - half_small);
        countdown::small(scene, frame, view, (frame.middle(), y), frame.room(), frame.text);
    }
}

/// What is being done for a persona that was chosen, below the slot.
pub(super) fn starting(scene: &mut Scene, frame: &Frame, view: &View, card: &Card, launch: &[LaunchStep]) {
    let title = frame.title() + (DEPTH + 2.0) * frame.cartridge;
    headline(scene, frame, title, None, &format!("{}…", fill(view.words().starting, "persona", &card.title)));
    let tagline = title + frame.tagline();
    below(scene, frame, tagline, &card.tagline);
    steps::place(scene, frame, launch, tagline + frame.px(34.0) + 52.0 * frame.text);
}

/// Where to look while a persona runs.
pub(super) fn running(scene: &mut Scene, frame: &Frame, view: &View, card: &Card, screen: Option<&str>) {
    let (palette, words) = (frame.palette, view.words());
    let opacity = if palette.plain { 1.0 } else { 0.62 };
    let style = Style { opacity, ..frame.headline(56.0) };
    let (style, text) = style.fit(&fill(words.running, "persona", &card.title), frame.room(), 0.55);
    let title = frame.running() + 20.0 * frame.large;
    scene.text(ElementKind::Title, Line::centered(frame.middle(), title, style, text));
    let look = match screen.map(str::trim).filter(|screen| !screen.is_empty()) {
        Some(screen) if card.is_legion => fill(words.look_at, "screen", screen),
        None if card.is_legion => words.look_at_legion.to_owned(),
        _ => words.on_the_host.to_owned(),
    };
    let style = Style { opacity, ..frame.style(Face::Text, 31.0, palette.ink) };
    let (style, text) = style.fit(&look, frame.room(), 0.7);
    scene.text(ElementKind::Tagline, Line::centered(frame.middle(), title + frame.px(34.0) + 31.0 * frame.text, style, text));
}

fn centered(scene: &mut Scene, frame: &Frame, kind: fn(usize) -> ElementKind, text: Paragraph, top: f32) {
    for (index, line) in text.lines.into_iter().enumerate() {
        let baseline = top + text.style.size * (1.0 + Paragraph::LEADING * index as f32);
        scene.text(kind(index), Line::centered(frame.middle(), baseline, text.style, line));
    }
}
