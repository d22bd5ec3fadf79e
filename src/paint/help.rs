//! The help: what the keys do, as a table for keyboard, gamepad and mouse.

use super::frame::Frame;
use super::geometry::Area;
use super::keys::Cap::{Button, Key};
use super::keys::{Cap, row, row_width};
use super::layout::ElementKind;
use super::overlays::{PADDING, Panel};
use super::scene::Scene;
use super::text::{Face, Style};
use super::view::View;

/// What is done, and by which keys of the keyboard, buttons of a gamepad, and parts of a mouse.
type Row = (&'static str, [&'static [Cap<'static>]; 3]);

const ROWS: [Row; 6] = [
    ("Choose", [&[Key("←"), Key("→")], &[Button("D-pad"), Button("Stick")], &[Button("Wheel")]]),
    ("Jump to one", [&[Key("1–9")], &[], &[]]),
    ("Start it", [&[Key("Enter"), Key("Space")], &[Button("A"), Button("Start")], &[Button("Left")]]),
    ("Host and power, back", [&[Key("Esc")], &[Button("B")], &[Button("Right")]]),
    ("Take a digit back", [&[Key("Backspace")], &[Button("X")], &[]]),
    ("This help", [&[Key("F1")], &[Button("Select")], &[]]),
];
const HEADS: [&str; 3] = ["Keyboard", "Gamepad", "Mouse"];

/// Between two columns, in units.
const GAP: f32 = 44.0;
/// The height of the title and of the columns' heads, and of a row.
const TOP: f32 = 150.0;
/// See [`TOP`].
const ROW: f32 = 66.0;

/// The table; without the mouse where that makes everything larger.
pub(super) fn place(scene: &mut Scene, frame: &Frame, view: &View) {
    let palette = frame.palette;
    let words = |unit: f32| Style::new(Face::Text, 27.0 * unit, palette.ink);
    let heads = |unit: f32| Style { tracking: 0.02, ..Style::new(Face::Text, 22.0 * unit, palette.muted) };
    let name_width = ROWS.iter().map(|(name, _)| words(1.0).width(name)).fold(0.0, f32::max);
    let widths: [f32; 3] = std::array::from_fn(|column| {
        ROWS.iter().map(|(_, caps)| row_width(caps[column], 1.0)).fold(heads(1.0).width(HEADS[column]), f32::max)
    });
    let size = |columns: usize| {
        let width = 2.0 * PADDING + name_width + widths[..columns].iter().map(|width| width + GAP).sum::<f32>();
        (width, TOP + ROW * ROWS.len() as f32 + 26.0)
    };
    let columns = if Panel::unit(frame, view, size(3)) < Panel::unit(frame, view, size(2)) { 2 } else { 3 };
    let panel = Panel::place(scene, frame, view, size(columns));
    let title = Style { tracking: -0.01, ..Style::new(Face::Title, panel.px(42.0), palette.ink) };
    scene.text(ElementKind::PanelTitle, panel.line(panel.left(), panel.down(66.0), title, "Help"));
    let starts: Vec<f32> = (0..columns)
        .map(|column| panel.left() + panel.px(name_width + GAP + widths[..column].iter().map(|width| width + GAP).sum::<f32>()))
        .collect();
    for (index, (x, head)) in starts.iter().zip(HEADS).enumerate() {
        scene.text(ElementKind::HelpHead(index), panel.line(*x, panel.down(TOP - 34.0), heads(panel.unit), head));
    }
    for (index, (name, caps)) in ROWS.iter().enumerate() {
        let top = panel.down(TOP + ROW * index as f32);
        let middle = top + panel.px(ROW / 2.0);
        panel.rule(scene, frame, Area::new(panel.left(), top, panel.room(), panel.px(1.5)));
        scene.text(ElementKind::HelpRow(index), panel.line(panel.left(), middle, words(panel.unit), *name));
        for (x, caps) in starts.iter().zip(caps) {
            row(scene, palette, caps, (*x, middle - panel.px(1.0)), panel.unit);
        }
    }
}
