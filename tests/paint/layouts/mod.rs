//! Where things are on the pictures that no person reviews: rectangles, order, highlight and whole texts.
//!
//! None of this depends on what the product says: where a text is looked for, it is the test's own.

mod overlays;
mod shelf;
mod whole;
mod words;

use crate::views::{
    CONTRAST, FULL_HD, LARGE, Picture, STANDARD, WHY, countdown, gliding, guarded, inserting, overlaid, picture, pictures, view,
};
use ElementKind::{
    Address, BottomLine, Cartridge, CartridgeNumber, CartridgeTitle, CountdownNumber, CountdownRing, CountdownText, DefaultMark, HelpHead,
    HelpRow, HostName, KeyHint, Keycap, LockedBadge, Notice, Panel, PanelShadow, PanelTitle, PinAnswer, PinCursor, PinKey, PinPlace,
    Pointer, PowerEntry, PowerEntryDetail, PowerHighlight, Reason, ReasonHint, RefusedBadge, RunningEmblem, Slot, SlotLamp, Step, StepLine,
    Tagline, Title, TitleSign, Veil, WordMark,
};
use persona_paint::{Appearance, Area, Card, Element, ElementKind, Gallery, Layout, Overlay, Painter, Shape, Stage, layout};

/// Fractions of a pixel that do not count.
const CLOSE: f32 = 0.6;
/// Units that are kept free at the left and the right, at the top, and at the bottom.
const MARGINS: (f32, f32, f32) = (72.0, 42.0, 51.0);
/// The size of a cartridge that is not highlighted, in units, and how much larger the highlighted one is.
const CARTRIDGE: (f32, f32) = (264.0, 352.0);
const HIGHLIGHTED: f32 = 1.22;

fn close(a: f32, b: f32) -> bool {
    (a - b).abs() < CLOSE
}

fn center(area: &Area) -> (f32, f32) {
    (area.x + area.width / 2.0, area.y + area.height / 2.0)
}

fn holds(outer: &Area, inner: &Area) -> bool {
    inner.x >= outer.x - CLOSE
        && inner.y >= outer.y - CLOSE
        && inner.right() <= outer.right() + CLOSE
        && inner.bottom() <= outer.bottom() + CLOSE
}

/// The first area of a kind, which must be there.
fn area(layout: &Layout, kind: ElementKind) -> Area {
    layout.find(kind).unwrap_or_else(|| panic!("there is no {kind:?}")).area
}

/// The areas of a kind that is numbered: the first one of each, in their order.
fn numbered(layout: &Layout, kind: fn(usize) -> ElementKind) -> Vec<Area> {
    (0..99).map_while(|index| Some(layout.find(kind(index))?.area)).collect()
}

/// The text line of a kind.
fn line(layout: &Layout, kind: ElementKind) -> &Element {
    layout.all(kind).find(|element| element.text().is_some()).unwrap_or_else(|| panic!("there is no text of {kind:?}"))
}

/// The text of a kind, its lines joined.
fn text(layout: &Layout, kind: ElementKind) -> String {
    layout.all(kind).filter_map(Element::text).collect::<Vec<_>>().join(" ")
}

/// All lines of a paragraph, joined.
fn paragraph(layout: &Layout, kind: fn(usize) -> ElementKind) -> String {
    (0..99).map_while(|index| layout.find(kind(index))?.text()).collect::<Vec<_>>().join(" ")
}

fn size(element: &Element) -> f32 {
    match element.shape {
        Shape::Text { size, .. } => size,
        _ => panic!("{element:?} is no text"),
    }
}

fn sign(layout: &Layout, kind: ElementKind) -> Option<&'static str> {
    layout.all(kind).find_map(|element| match element.shape {
        Shape::Sign(name) => Some(name),
        _ => None,
    })
}

/// The light of a cartridge on the picture.
fn light(layout: &Layout, index: usize) -> Option<f32> {
    match layout.find(Cartridge(index))?.shape {
        Shape::Cartridge { light } => Some(light),
        _ => None,
    }
}

/// What is on a cartridge.
fn on_cartridge(index: usize) -> [ElementKind; 5] {
    [CartridgeTitle(index), CartridgeNumber(index), DefaultMark(index), LockedBadge(index), RefusedBadge(index)]
}

/// Whether it belongs to a shelf, of which the ends may lie outside of the picture.
fn scrolls(kind: ElementKind) -> bool {
    matches!(kind, Cartridge(_)) || kind.is_on_a_cartridge()
}

/// `check` for all pictures, with a name for what is said of a failure.
fn everywhere(mut check: impl FnMut(&Picture, &Layout, &str)) {
    for picture in pictures() {
        check(&picture, &picture.layout(), picture.name);
    }
}

/// Whether a text was drawn in full.
fn is_whole(drawn: &str, text: &str) -> bool {
    drawn.split_whitespace().eq(text.split_whitespace())
}

/// Whether a text was drawn as far as it goes, with an ellipsis at the end.
fn is_cut(drawn: &str, text: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().concat();
    drawn.strip_suffix('…').is_some_and(|drawn| words(text).starts_with(&words(drawn)))
}
