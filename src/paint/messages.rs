//! What went wrong: a panel below the shelf, or a screen of its own.

use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::language::Words;
use super::paragraph::Paragraph;
use super::scene::{Item, Scene};
use super::signs::Sign;
use super::text::{CAPITAL, Face, Line};
use super::theme::{BLACK, NIGHT, RED, mix};

/// Why the highlighted persona does not run; the shelf stays usable above.
pub(super) fn failed(scene: &mut Scene, frame: &Frame, title: &str, why: &str) {
    let palette = frame.palette;
    let units = |units: f32| units * frame.text;
    let width = units(1200.0).min(frame.room());
    let left = frame.middle() - width / 2.0;
    let text_left = left + units(104.0);
    let room = left + width - units(44.0) - text_left;
    let top = frame.below(48.0);
    let highest = frame.hints() - units(23.0) - frame.px(38.0) - top;
    let style = frame.style(Face::Text, 28.0, mix(palette.ink, palette.muted, 0.3));
    let reason = Paragraph::new(style, why, (room, highest - units(126.0)));

    let height = (units(126.0) + reason.height()).min(highest);
    let panel = Area::new(left, top + (highest - height).min(frame.px(160.0)) * 0.3, width, height);
    let radius = units(22.0);
    let surface = if palette.plain { palette.panel } else { mix(NIGHT, RED, 0.07) };
    scene.put(ElementKind::Panel, Item::Box { area: panel, radius, color: surface, opacity: if palette.plain { 1.0 } else { 0.94 } });
    let edge = if palette.plain { 1.0 } else { 0.55 };
    scene.put(ElementKind::Panel, Item::Frame { area: panel, radius, width: units(2.0), color: palette.failure, opacity: edge });
    let (sign_x, sign_y, sign) = (left + units(62.0), panel.y + units(56.0), units(22.0));
    exclamation(scene, frame, Area::around(sign_x, sign_y, sign));

    let (style, text) = frame.style(Face::Title, 38.0, palette.ink).fit(title, room, 0.75);
    scene.text(ElementKind::PanelTitle, Line::at(text_left, sign_y + CAPITAL / 2.0 * style.size, style, text));
    reason.place(scene, text_left, panel.y + units(92.0));
}

/// An exclamation mark in a disc.
pub(super) fn exclamation(scene: &mut Scene, frame: &Frame, area: Area) {
    let palette = frame.palette;
    let mark = if palette.plain { BLACK } else { NIGHT };
    scene.put(ElementKind::TitleSign, Item::Sign { sign: Sign::Disc, area, color: palette.failure, opacity: 1.0 });
    scene.put(
        ElementKind::TitleSign,
        Item::Sign { sign: Sign::Exclamation, area: area.outset(area.width * -0.1), color: mark, opacity: 1.0 },
    );
}

/// Nothing but the message.
pub(super) fn broken(scene: &mut Scene, frame: &Frame, words: &Words, why: &str) {
    let palette = frame.palette;
    let units = |units: f32| units * frame.text;
    let left = frame.margin();
    let top = frame.status() + units(94.0);
    let width = units(1600.0).min(frame.room());
    let mark = Area::new(left, top, units(64.0), units(6.0));
    scene.put(ElementKind::TitleSign, Item::Box { area: mark, radius: units(3.0), color: palette.failure, opacity: 1.0 });
    let headline = top + frame.px(25.0) + 65.0 * frame.large;
    let (style, text) = frame.headline(64.0).fit(words.no_menu, width, 0.6);
    scene.text(ElementKind::Title, Line::at(left, headline, style, text));
    // What the settings' checker says quotes the file, with carets below the wrong word.
    let face = if why.contains(" | ") { Face::Mono } else { Face::Text };
    let (start, end) = (headline + frame.px(40.0) + 16.0 * frame.large, frame.height - frame.px(70.0) - units(80.0));
    Paragraph::new(frame.style(face, 31.0, mix(palette.ink, palette.muted, 0.3)), why, (width, end - start)).place(scene, left, start);
    let style = frame.style(Face::Text, 27.0, palette.muted);
    scene.text(ElementKind::BottomLine, Line::at(left, frame.height - frame.px(66.0), style, words.press_any_key));
}
