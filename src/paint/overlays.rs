//! The overlays: the power menu and the PIN. The menu behind them is dimmed; a countdown continues as a line of text.

use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::help;
use super::keys::{Cap, hints};
use super::language::fill;
use super::messages::exclamation;
use super::panel::{PADDING, Panel};
use super::scene::{Item, Scene};
use super::signs::Sign;
use super::text::{Face, Style};
use super::theme::{BLACK, NIGHT, WHITE, mix};
use super::view::{Card, Overlay, PinAnswer, PinKey, PowerEntry, View};

/// Places what lies over the menu, and hints for it.
pub(super) fn place(scene: &mut Scene, frame: &Frame, view: &View, overlay: &Overlay) {
    let words = view.words();
    match overlay {
        Overlay::Help => {
            help::place(scene, frame, view);
            hints(scene, frame, &[(&["Esc"], words.back)]);
        }
        Overlay::Power { highlighted } => {
            power(scene, frame, view, *highlighted);
            hints(scene, frame, &[(&["↑", "↓"], words.choose), (&["Enter"], words.confirm), (&["Esc"], words.back)]);
        }
        Overlay::Pin { entered, cursor, answer } => {
            let Some(card) = view.cards.get(view.highlighted) else { return };
            pin(scene, frame, view, card, (*entered, *cursor), answer);
            let all: [(&[&str], &str); 4] =
                [(&["0–9"], words.digits), (&["Enter"], words.start), (&["Esc"], words.back), (&["Backspace"], words.erase)];
            hints(scene, frame, &all);
        }
    }
}

fn sign(entry: PowerEntry) -> Sign {
    match entry {
        PowerEntry::Host => Sign::Console,
        PowerEntry::Restart => Sign::Restart,
        PowerEntry::PowerOff => Sign::Power,
    }
}

fn power(scene: &mut Scene, frame: &Frame, view: &View, highlighted: usize) {
    const ROW: f32 = 104.0;
    const TITLE: f32 = 112.0;
    let palette = frame.palette;
    let count = PowerEntry::ALL.len() as f32;
    let panel = Panel::place(scene, frame, view, (840.0, TITLE + ROW * count + 34.0));
    let title = Style { tracking: -0.01, ..Style::new(Face::Title, panel.px(42.0), palette.ink) };
    let name = if view.host.trim().is_empty() { view.words().this_machine } else { view.host.trim() };
    let (title, name) = title.fit(name, panel.room(), 0.7);
    scene.text(ElementKind::PanelTitle, panel.line(panel.left(), panel.down(64.0), title, name));
    for (index, (which, (called, what))) in PowerEntry::ALL.into_iter().zip(view.words().power_menu).enumerate() {
        let lit = index == highlighted;
        let top = TITLE + ROW * index as f32;
        let row = Area::new(panel.area.x + panel.px(26.0), panel.down(top + 4.0), panel.area.width - panel.px(52.0), panel.px(ROW - 8.0));
        let (mut ink, mut quiet) = (mix(palette.ink, palette.muted, 0.25), palette.muted);
        if lit {
            let surface = if palette.plain { WHITE } else { mix(palette.panel, frame.accent, 0.26) };
            scene.put(ElementKind::PowerHighlight, Item::Box { area: row, radius: panel.px(18.0), color: surface, opacity: 1.0 });
            let edge = Item::Frame { area: row, radius: panel.px(18.0), width: panel.px(2.5), color: frame.accent, opacity: 1.0 };
            scene.put(ElementKind::PowerHighlight, edge);
            (ink, quiet) = if palette.plain { (BLACK, BLACK) } else { (palette.ink, mix(palette.muted, palette.ink, 0.5)) };
        }
        let middle = row.center().1;
        let mark = if !lit {
            palette.muted
        } else if palette.plain {
            BLACK
        } else {
            mix(frame.accent, WHITE, 0.3)
        };
        if lit {
            let area = Area::around(row.right() - panel.px(44.0), middle, panel.px(16.0));
            scene.put(ElementKind::PowerHighlight, Item::Sign { sign: Sign::Marker, area, color: mark, opacity: 1.0 });
        }
        let area = Area::around(panel.left() + panel.px(23.0), middle, panel.px(23.0));
        scene.put(ElementKind::PowerEntry(index), Item::Sign { sign: sign(which), area, color: mark, opacity: 1.0 });
        let x = panel.left() + panel.px(76.0);
        let words = Style::new(Face::Title, panel.px(31.0), ink);
        scene.text(ElementKind::PowerEntry(index), panel.line(x, middle - panel.px(18.0), words, called));
        scene.text(
            ElementKind::PowerEntryDetail(index),
            panel.line(x, middle + panel.px(21.0), Style::new(Face::Text, panel.px(23.0), quiet), what),
        );
    }
}

fn pin(scene: &mut Scene, frame: &Frame, view: &View, card: &Card, (entered, cursor): (usize, Option<usize>), answer: &PinAnswer) {
    const KEY: f32 = 66.0;
    const GAP: f32 = 10.0;
    let palette = frame.palette;
    let keys = PinKey::ALL.len() as f32;
    let panel = Panel::place(scene, frame, view, (keys * KEY + (keys - 1.0) * GAP + 2.0 * PADDING, 444.0));
    let middle = panel.area.center().0;

    let padlock = Area::around(middle, panel.down(80.0), panel.px(32.0));
    scene.put(ElementKind::TitleSign, Item::Sign { sign: Sign::Padlock, area: padlock, color: frame.accent, opacity: 1.0 });
    let title = Style { tracking: -0.01, ..Style::new(Face::Title, panel.px(42.0), palette.ink) };
    let said = view.words();
    let name = title.cut(&card.title, panel.room() - title.width(&fill(said.locked, "persona", "")));
    scene.text(ElementKind::PanelTitle, panel.centered(panel.down(154.0), title, fill(said.locked, "persona", &name)));

    // As many places as most PINs have; more as digits are entered, as many as the panel has room for.
    let places = entered.clamp(4, 16);
    let pitch = panel.px(44.0);
    let first = middle - pitch * (places - 1) as f32 / 2.0;
    for place in 0..places {
        let (x, y) = (first + pitch * place as f32, panel.down(224.0));
        let (area, radius) = (Area::around(x, y, panel.px(13.0)), panel.px(13.0));
        if place < entered {
            scene.put(ElementKind::PinPlace(place), Item::Box { area, radius, color: mix(frame.accent, WHITE, 0.35), opacity: 1.0 });
        } else {
            scene.put(ElementKind::PinPlace(place), Item::Frame { area, radius, width: panel.px(2.5), color: palette.faint, opacity: 1.0 });
        }
    }

    let (wrong, words) = match answer {
        PinAnswer::None => (false, said.enter_pin.to_owned()),
        PinAnswer::Checking => (false, format!("{}…", said.checking)),
        PinAnswer::Wrong => (true, said.wrong_pin.to_owned()),
        PinAnswer::Wait { seconds } => (true, fill(said.wrong_pin_wait, "seconds", &seconds.to_string())),
    };
    let style = Style::new(Face::Text, panel.px(27.0), if wrong { palette.ink } else { palette.muted });
    let before = if wrong { panel.px(44.0) } else { 0.0 };
    let (style, words) = style.fit(&words, panel.room() - before, 0.7);
    let mut line = panel.centered(panel.down(282.0), style, words);
    line.x += before / 2.0;
    if wrong {
        exclamation(scene, frame, Area::around(line.x - before + panel.px(15.0), panel.down(282.0), panel.px(15.0)));
    }
    scene.text(ElementKind::PinAnswer, line);

    for (index, key) in PinKey::ALL.into_iter().enumerate() {
        let x = panel.left() + panel.px((KEY + GAP) * index as f32);
        let digit;
        let cap = match key {
            PinKey::Digit(number) => {
                digit = number.to_string();
                Cap::Key(&digit)
            }
            PinKey::Erase => Cap::Sign(Sign::Erase),
            PinKey::Enter => Cap::Sign(Sign::Enter),
        };
        let area = Area::new(x, panel.down(328.0), panel.px(KEY), panel.px(KEY));
        if cursor != Some(index) {
            cap.draw_in(scene, palette, ElementKind::PinKey(index), area, panel.unit * 1.25, None);
            continue;
        }
        let light = if palette.plain { WHITE } else { mix(frame.accent, WHITE, 0.25) };
        let around = area.outset(panel.px(6.0));
        let ground = if palette.plain { BLACK } else { NIGHT };
        scene.put(ElementKind::PinCursor, Item::Box { area: around, radius: panel.px(17.0), color: ground, opacity: 1.0 });
        scene.put(
            ElementKind::PinCursor,
            Item::Frame { area: around, radius: panel.px(17.0), width: panel.px(3.0), color: frame.accent, opacity: 1.0 },
        );
        cap.draw_in(scene, palette, ElementKind::PinKey(index), area, panel.unit * 1.25, Some(light));
    }
}
