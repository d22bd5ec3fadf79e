//! What is written on a cartridge, and the badges on it: what is drawn, in pixels of the sprite.

use super::color::Color;
use super::element::ElementKind;
use super::geometry::Area;
use super::look::{LABEL, Look, MARGIN, placed};
use super::scene::{Item, Placed};
use super::signs::Sign;
use super::text::{CAPITAL, Face, Line, Style};
use super::theme::{AMBER, BLACK, INK, NIGHT, WHITE, mix, vivid};

/// Title, number and marker of the cartridge `index`.
pub(super) fn lettering(look: &Look, index: usize) -> Vec<Placed> {
    let mut parts = Vec::new();
    let mut put = |kind: ElementKind, item: Item| parts.push(Placed { kind, item });
    let scale = look.scale;
    let at = |units: f32| (units + MARGIN) * scale;
    let dimmed = |share: f32| {
        if look.plain {
            WHITE
        } else if look.lit {
            INK
        } else {
            mix(INK, NIGHT, share)
        }
    };
    let title = Style::new(Face::Title, 27.0 * look.text * scale, dimmed(0.16));
    let room = (LABEL.width - 24.0) * scale;
    if title.width(&look.card.title) * 0.8 <= room {
        let (style, text) = title.fit(&look.card.title, room, 0.8);
        put(ElementKind::CartridgeTitle(index), Item::Text(Line::centered(at(132.0), at(266.0) + CAPITAL / 2.0 * style.size, style, text)));
    } else {
        let style = Style { size: title.size * 0.72, ..title };
        let lines = style.wrap(&look.card.title, room, 2);
        let apart = 11.5 * look.text;
        for (line, middle) in lines.into_iter().zip([266.0 - apart, 266.0 + apart]) {
            let line = Line::centered(at(132.0), at(middle) + CAPITAL / 2.0 * style.size, style, line);
            put(ElementKind::CartridgeTitle(index), Item::Text(line));
        }
    }
    if let Some(number) = look.number {
        let badge = Area::new(at(20.0), at(13.0), 27.0 * scale, 27.0 * scale);
        let (width, opacity) = if look.plain { (2.0, 1.0) } else { (1.2, 0.14) };
        let (kind, radius) = (ElementKind::CartridgeNumber(index), 8.0 * scale);
        put(kind, Item::Box { area: badge, radius, color: BLACK, opacity: 0.45 });
        put(kind, Item::Frame { area: badge, radius, width: width * scale, color: WHITE, opacity });
        let style = Style::new(Face::Title, 18.0 * scale, dimmed(0.3));
        let (x, y) = badge.center();
        put(kind, Item::Text(Line::centered(x, y + CAPITAL / 2.0 * style.size, style, number.to_string())));
    }
    if look.card.is_default {
        marker(look).into_iter().for_each(|item| put(ElementKind::DefaultMark(index), item));
    }
    parts
}

/// The tab of the one that starts by default.
fn marker(look: &Look) -> [Item; 2] {
    let scale = look.scale;
    let at = |units: f32| (units + MARGIN) * scale;
    let style = Style { tracking: 0.04, ..Style::new(Face::Title, 12.5 * scale, if look.plain { BLACK } else { NIGHT }) };
    let tab = Area::new(at(177.0), at(15.0), 68.0 * scale, 22.0 * scale);
    let accent = vivid(look.card.accent);
    let surface = if look.plain {
        WHITE
    } else if look.lit {
        mix(accent, WHITE, 0.2)
    } else {
        mix(accent, NIGHT, 0.12)
    };
    let (x, y) = tab.center();
    let (style, text) = style.fit(look.language.words().default_tab, 58.0 * scale, 0.7);
    [
        Item::Box { area: tab, radius: 11.0 * scale, color: surface, opacity: 1.0 },
        Item::Text(Line::centered(x, y + CAPITAL / 2.0 * style.size, style, text)),
    ]
}

/// The signs of one that cannot be picked, and of one that asks for a PIN, in the label's upper corners.
pub(super) fn badges(look: &Look, index: usize) -> Vec<Placed> {
    let accent = mix(vivid(look.card.accent), WHITE, 0.35);
    let mut parts = Vec::new();
    let mut put = |kind, items: [Item; 3]| parts.extend(items.map(|item| Placed { kind, item }));
    if look.card.is_locked {
        let color = if look.card.refused.is_some() { mix(INK, NIGHT, 0.3) } else { accent };
        put(ElementKind::LockedBadge(index), badge(look, 217.0, Sign::Padlock, color));
    }
    if look.card.refused.is_some() {
        put(ElementKind::RefusedBadge(index), badge(look, 47.0, Sign::Barred, AMBER));
    }
    parts
}

/// A sign on a dark disc around the unit `x`.
fn badge(look: &Look, x: f32, sign: Sign, color: Color) -> [Item; 3] {
    let scale = look.scale;
    let disc = placed(Area::around(x, 80.0, 20.0), scale);
    let color = if look.plain { WHITE } else { color };
    let radius = 20.0 * scale;
    let (ground, ground_opacity, width, edge_opacity) = if look.plain { (BLACK, 1.0, 2.0, 1.0) } else { (NIGHT, 0.78, 1.5, 0.5) };
    [
        Item::Box { area: disc, radius, color: ground, opacity: ground_opacity },
        Item::Frame { area: disc, radius, width: width * scale, color, opacity: edge_opacity },
        Item::Sign { sign, area: disc.outset(-8.5 * scale), color, opacity: 1.0 },
    ]
}
