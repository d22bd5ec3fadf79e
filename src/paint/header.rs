//! The status line: the word-mark, the machine's name and address at the left; the notice at the right or, where that is
//! too narrow, below.

use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::scene::{Item, Scene};
use super::text::{CAPITAL, Face, Line, Style};
use super::theme::{NIGHT, mix};
use super::view::View;

pub(super) fn place(scene: &mut Scene, frame: &Frame, view: &View) {
    let middle = frame.status();
    let end = machine(scene, frame, view, middle);
    let Some(notice) = view.notice.as_deref().map(str::trim).filter(|notice| !notice.is_empty()) else { return };
    let palette = frame.palette;
    let units = |units: f32| units * frame.text;
    let style = frame.style(Face::Text, 22.0, mix(palette.warning, palette.muted, 0.35));
    let dot = units(24.0);
    let beside = frame.width - frame.margin() - end - units(60.0) - dot;
    let width = style.width(notice);
    let (style, text, x, middle) = if width <= beside {
        (style, notice.to_owned(), frame.width - frame.margin() - width, middle)
    } else {
        let (style, text) = style.fit(notice, frame.room() - dot, 0.85);
        (style, text, frame.margin() + dot, middle + units(44.0))
    };
    let area = Area::around(x - units(18.0), middle, units(6.0));
    scene.put(ElementKind::Notice, Item::Box { area, radius: units(6.0), color: palette.warning, opacity: 1.0 });
    scene.text(ElementKind::Notice, Line::at(x, middle + CAPITAL / 2.0 * style.size, style, text));
}

/// The mark, the word, the host's name and its address, as much as there is room for; the address is needed most, the
/// word least. Returns where they end.
fn machine(scene: &mut Scene, frame: &Frame, view: &View, middle: f32) -> f32 {
    let palette = frame.palette;
    let units = |units: f32| units * frame.text;
    let mark = Area::new(frame.margin(), middle - units(14.0), units(22.0), units(24.0));
    let connector = Area::new(mark.x + units(4.0), mark.y + units(20.0), units(14.0), units(8.0));
    scene
        .put(ElementKind::WordMark, Item::Box { area: connector, radius: units(1.5), color: mix(frame.accent, NIGHT, 0.35), opacity: 1.0 });
    scene.put(ElementKind::WordMark, Item::Box { area: mark, radius: units(5.0), color: frame.accent, opacity: 1.0 });
    let label = Area::new(mark.x + units(5.0), mark.y + units(6.0), units(12.0), units(12.0));
    scene.put(ElementKind::WordMark, Item::Box { area: label, radius: units(2.5), color: NIGHT, opacity: 0.75 });

    let (before_word, before_part) = (units(14.0), units(30.0));
    let word = Style { tracking: 0.16, ..frame.style(Face::Title, 22.0, palette.ink) };
    let quiet = frame.style(Face::Text, 22.0, palette.muted);
    let room = frame.room() - mark.width;
    let address = view.address.as_deref().map(str::trim).filter(|it| !it.is_empty()).map(|it| format!("ssh {it}")).unwrap_or_default();
    let (address_style, address) = quiet.fit(&address, room - before_part, 0.7);
    let address_width = if address.is_empty() { 0.0 } else { before_part + address_style.width(&address) };
    let host_room = (room - address_width - before_part).clamp(0.0, room * 0.3);
    let (host_style, host) = quiet.fit(view.host.trim(), host_room, 0.8);
    let host_width = if host.is_empty() { 0.0 } else { before_part + host_style.width(&host) };
    let named = before_word + word.width("PERSONA") + host_width + address_width <= room;
    let parts = [
        (ElementKind::WordMark, word, if named { "PERSONA".to_owned() } else { String::new() }),
        (ElementKind::HostName, host_style, host),
        (ElementKind::Address, address_style, address),
    ];

    let mut end = mark.right();
    let mut ruled = false;
    for (kind, style, text) in parts.into_iter().filter(|(_, _, text)| !text.is_empty()) {
        let x = if end == mark.right() { end + before_word } else { end + before_part };
        if ruled {
            let rule = Area::new(x - units(16.0) - frame.px(1.0), middle - units(11.0), frame.px(2.0), units(22.0));
            scene.put(ElementKind::Rule, Item::Box { area: rule, radius: 0.0, color: palette.faint, opacity: 0.6 });
        }
        ruled = true;
        let line = Line::at(x, middle + CAPITAL / 2.0 * style.size, style, text);
        end = line.area().right();
        scene.text(kind, line);
    }
    end
}
