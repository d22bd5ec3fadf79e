//! The help: what the keys do, as a table for keyboard, gamepad and mouse.

use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::keys::Cap::{Button, Key};
use super::keys::{Cap, row, row_width};
use super::language::Words;
use super::panel::{PADDING, Panel};
use super::scene::Scene;
use super::text::{Face, Style};
use super::view::View;

/// The keys of the keyboard, buttons of a gamepad, and parts of a mouse that do the same.
type Row = [Vec<Cap<'static>>; 3];

/// In the order of [`Words::help_rows`].
fn rows(words: &Words) -> [Row; 6] {
    let ([pad, stick], [wheel, left, right]) = (words.pad, words.mouse);
    [
        [vec![Key("←"), Key("→")], vec![Button(pad), Button(stick)], vec![Button(wheel)]],
        [vec![Key("1–9")], vec![], vec![]],
        [vec![Key("Enter"), Key("Space")], vec![Button("A"), Button("Start")], vec![Button(left)]],
        [vec![Key("Esc")], vec![Button("B")], vec![Button(right)]],
        [vec![Key("Backspace")], vec![Button("X")], vec![]],
        [vec![Key("F1")], vec![Button("Select")], vec![]],
    ]
}

/// Between two columns, in units.
const GAP: f32 = 44.0;
/// The height of the title and of the columns' heads, and of a row.
const TOP: f32 = 150.0;
/// See [`TOP`].
const ROW: f32 = 66.0;

/// The table; without the mouse where that makes everything larger.
pub(super) fn place(scene: &mut Scene, frame: &Frame, view: &View) {
    let (palette, said) = (frame.palette, view.words());
    let (rows, names, titles) = (rows(said), said.help_rows, said.help_columns);
    let words = |unit: f32| Style::new(Face::Text, 27.0 * unit, palette.ink);
    let heads = |unit: f32| Style { tracking: 0.02, ..Style::new(Face::Text, 22.0 * unit, palette.muted) };
    let name_width = names.iter().map(|name| words(1.0).width(name)).fold(0.0, f32::max);
    let widths: [f32; 3] = std::array::from_fn(|column| {
        rows.iter().map(|caps| row_width(&caps[column], 1.0)).fold(heads(1.0).width(titles[column]), f32::max)
    });
    let size = |columns: usize| {
        let width = 2.0 * PADDING + name_width + widths[..columns].iter().map(|width| width + GAP).sum::<f32>();
        (width, TOP + ROW * rows.len() as f32 + 26.0)
    };
    let columns = if Panel::unit(frame, view, size(3)) < Panel::unit(frame, view, size(2)) { 2 } else { 3 };
    let panel = Panel::place(scene, frame, view, size(columns));
    let title = Style { tracking: -0.01, ..Style::new(Face::Title, panel.px(42.0), palette.ink) };
    scene.text(ElementKind::PanelTitle, panel.line(panel.left(), panel.down(66.0), title, said.help_title));
    let starts: Vec<f32> = (0..columns)
        .map(|column| panel.left() + panel.px(name_width + GAP + widths[..column].iter().map(|width| width + GAP).sum::<f32>()))
        .collect();
    for (index, (x, head)) in starts.iter().zip(titles).enumerate() {
        scene.text(ElementKind::HelpHead(index), panel.line(*x, panel.down(TOP - 34.0), heads(panel.unit), head));
    }
    for (index, (name, caps)) in names.iter().zip(&rows).enumerate() {
        let top = panel.down(TOP + ROW * index as f32);
        let middle = top + panel.px(ROW / 2.0);
        panel.rule(scene, frame, Area::new(panel.left(), top, panel.room(), panel.px(1.5)));
        scene.text(ElementKind::HelpRow(index), panel.line(panel.left(), middle, words(panel.unit), *name));
        for (x, caps) in starts.iter().zip(caps) {
            row(scene, palette, caps, (*x, middle - panel.px(1.0)), panel.unit);
        }
    }
}
