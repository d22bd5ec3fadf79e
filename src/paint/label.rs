//! What is written on a cartridge, and the badges on it.

use super::cartridge::{LABEL, Look, MARGIN, placed};
use super::geometry::Area;
use super::signs::{self, Sign};
use super::target::Target;
use super::text::{CAPITAL, Face, Glyphs, Line, Style};
use super::theme::{AMBER, BLACK, INK, NIGHT, WHITE, mix, vivid};

/// Title, number and marker.
pub(super) fn lettering(canvas: &mut Target, look: &Look, glyphs: &mut Glyphs) {
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
        glyphs.draw(canvas, &Line::centered(at(132.0), at(266.0) + CAPITAL / 2.0 * style.size, style, text));
    } else {
        let style = Style { size: title.size * 0.72, ..title };
        let lines = style.wrap(&look.card.title, room, 2);
        let apart = 11.5 * look.text;
        for (line, middle) in lines.into_iter().zip([266.0 - apart, 266.0 + apart]) {
            glyphs.draw(canvas, &Line::centered(at(132.0), at(middle) + CAPITAL / 2.0 * style.size, style, line));
        }
    }
    if let Some(number) = look.number {
        let badge = Area::new(at(20.0), at(13.0), 27.0 * scale, 27.0 * scale);
        canvas.fill_round(badge, 8.0 * scale, BLACK, 0.45);
        canvas.stroke_round(badge, 8.0 * scale, if look.plain { 2.0 } else { 1.2 } * scale, WHITE, if look.plain { 1.0 } else { 0.14 });
        let style = Style::new(Face::Title, 18.0 * scale, dimmed(0.3));
        let (x, y) = badge.center();
        glyphs.draw(canvas, &Line::centered(x, y + CAPITAL / 2.0 * style.size, style, number.to_string()));
    }
    if look.card.is_default {
        marker(canvas, look, glyphs);
    }
}

/// The tab of the one that starts by default.
fn marker(canvas: &mut Target, look: &Look, glyphs: &mut Glyphs) {
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
    canvas.fill_round(tab, 11.0 * scale, surface, 1.0);
    let (x, y) = tab.center();
    glyphs.draw(canvas, &Line::centered(x, y + CAPITAL / 2.0 * style.size, style, "DEFAULT"));
}

/// The signs of one that cannot be picked, and of one that asks for a PIN, in the label's upper corners.
pub(super) fn badges(canvas: &mut Target, look: &Look) {
    let accent = mix(vivid(look.card.accent), WHITE, 0.35);
    if look.card.is_locked {
        badge(canvas, look, 217.0, Sign::Padlock, if look.card.refused.is_some() { mix(INK, NIGHT, 0.3) } else { accent });
    }
    if look.card.refused.is_some() {
        badge(canvas, look, 47.0, Sign::Barred, AMBER);
    }
}

/// A sign on a dark disc around the unit `x`.
fn badge(canvas: &mut Target, look: &Look, x: f32, sign: Sign, color: super::color::Color) {
    let scale = look.scale;
    let disc = placed(Area::around(x, 80.0, 20.0), scale);
    let color = if look.plain { WHITE } else { color };
    canvas.fill_round(disc, 20.0 * scale, if look.plain { BLACK } else { NIGHT }, if look.plain { 1.0 } else { 0.78 });
    canvas.stroke_round(disc, 20.0 * scale, if look.plain { 2.0 } else { 1.5 } * scale, color, if look.plain { 1.0 } else { 0.5 });
    signs::draw(canvas, sign, disc.outset(-8.5 * scale), color, 1.0);
}
