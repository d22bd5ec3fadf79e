//! What is where: a view laid out on a picture of some size, as a list of things to draw. Pure, and cheap enough to be
//! made anew for every frame; the painter compares it with the last one.
//!
//! Distances are in units: the composition is made for at least 1200 by 1080 of them, and larger pictures only add space.

use super::background::{Background, Light};
use super::cartridge::Look;
use super::color::Color;
use super::geometry::Area;
use super::insertion;
use super::shelf;
use super::stages;
use super::text::{CAPITAL, Face, Line, Style};
use super::theme::{AMBER, FAINT, INK, MUTED, NIGHT, PLASTIC, WHITE, mix, vivid};
use super::view::{Stage, View};

/// A thing to draw.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// A line of text.
    Text(Line),
    /// A cartridge; its body covers `body`. `look` is how it looks without the highlight.
    Cartridge {
        look: Box<Look>,
        body: Area,
        /// How much of the highlight it has: 0.0 none, 1.0 all.
        light: f32,
        /// 0.0 to 1.0.
        opacity: f32,
    },
    /// Only the emblem of a persona.
    Emblem { look: Box<Look>, place: Area, opacity: f32 },
    /// A rounded rectangle.
    Box { area: Area, radius: f32, color: Color, opacity: f32 },
    /// Its edge.
    Frame { area: Area, radius: f32, width: f32, color: Color, opacity: f32 },
    /// A triangle that points up.
    Pointer { area: Area, color: Color },
}

/// The countdown: the only part that changes by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Countdown {
    /// The square the ring fills.
    pub(super) ring: Area,
    /// What is left of the ring, in steps of a 720th.
    pub(super) left: u16,
    /// Colour of what is left.
    pub(super) color: Color,
    /// The number in the ring and the words beside it.
    pub(super) lines: Vec<Line>,
    /// Everything the countdown may ever cover.
    pub(super) area: Area,
}

/// A view laid out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    pub(super) background: Background,
    /// From back to front.
    pub(super) items: Vec<Item>,
    pub(super) countdown: Option<Countdown>,
    /// How wide the fade at the left and the right edge is for cartridges, in pixels.
    pub(super) edges: (f32, f32),
}

/// The picture a scene is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) width: f32,
    pub(super) height: f32,
    /// Pixels of one unit.
    pub(super) unit: f32,
    /// Pixels between the top of the picture and the top of the middle block.
    pub(super) top: f32,
}

impl Frame {
    fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as f32, height as f32);
        let unit = (width / 1200.0).min(height / 1080.0);
        Self { width, height, unit, top: (height - 1080.0 * unit) * 0.42 }
    }

    /// `units` in pixels.
    pub(super) fn px(&self, units: f32) -> f32 {
        units * self.unit
    }

    /// Pixels from the top to `units` below the top of the middle block.
    pub(super) fn down(&self, units: f32) -> f32 {
        self.top + units * self.unit
    }

    /// The horizontal middle.
    pub(super) fn middle(&self) -> f32 {
        self.width / 2.0
    }

    /// The width between the margins: a television may hide the outermost part.
    pub(super) fn room(&self) -> f32 {
        self.width - 2.0 * self.margin()
    }

    /// Pixels kept free left and right.
    pub(super) fn margin(&self) -> f32 {
        self.px(72.0)
    }

    /// A style of `size` units.
    pub(super) fn style(&self, face: Face, size: f32, color: Color) -> Style {
        Style::new(face, self.px(size), color)
    }
}

impl Scene {
    /// Lays out `view` on a picture of `width` by `height` pixels.
    pub(super) fn compose(view: &View, width: u32, height: u32) -> Self {
        let frame = Frame::new(width, height);
        let mut scene = Self { background: backdrop(&frame, accent(view), view), items: Vec::new(), countdown: None, edges: (0.0, 0.0) };
        if !matches!(view.stage, Stage::Running { .. }) {
            header(&mut scene, &frame, view);
        }
        match &view.stage {
            Stage::Broken { why } => stages::broken(&mut scene, &frame, why),
            _ if view.cards.is_empty() => stages::broken(&mut scene, &frame, "There are no personas to choose from."),
            Stage::Countdown { remaining, total } => {
                stages::shelf(&mut scene, &frame, view);
                stages::names(&mut scene, &frame, view);
                stages::countdown(&mut scene, &frame, view, *remaining, *total);
                stages::hints(&mut scene, &frame, &[(&["←", "→"], "choose"), (&["Enter"], "start"), (&["any key"], "more time")]);
            }
            Stage::Waiting => {
                stages::shelf(&mut scene, &frame, view);
                stages::names(&mut scene, &frame, view);
                stages::hints(&mut scene, &frame, &[(&["←", "→"], "choose"), (&["Enter"], "start"), (&["Esc"], "console")]);
            }
            Stage::Starting { .. } => stages::starting(&mut scene, &frame, view),
            Stage::Running { .. } => stages::running(&mut scene, &frame, view),
            Stage::Failed { why } => {
                stages::shelf(&mut scene, &frame, view);
                stages::failed(&mut scene, &frame, view, why);
                stages::hints(&mut scene, &frame, &[(&["any key"], "menu"), (&["Esc"], "console")]);
            }
        }
        scene
    }

    /// Every line of text that is not part of a cartridge.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        let placed = self.items.iter().filter_map(|item| match item {
            Item::Text(line) => Some(line),
            _ => None,
        });
        placed.chain(self.countdown.iter().flat_map(|countdown| &countdown.lines))
    }

    pub(super) fn text(&mut self, line: Line) {
        if !line.text.is_empty() {
            self.items.push(Item::Text(line));
        }
    }

    /// A keycap that ends at the returned x; its middle is `y`.
    pub(super) fn keycap(&mut self, frame: &Frame, x: f32, y: f32, label: &str) -> f32 {
        let area = keycap_area(frame, x, y, label);
        let radius = frame.px(10.0);
        let lip = Area { y: area.y + frame.px(4.0), ..area };
        self.items.push(Item::Box { area: lip, radius, color: NIGHT, opacity: 0.9 });
        self.items.push(Item::Box { area, radius, color: mix(PLASTIC, WHITE, 0.05), opacity: 1.0 });
        self.items.push(Item::Frame { area, radius, width: frame.px(1.5), color: WHITE, opacity: 0.16 });
        let style = keycap_style(frame);
        self.text(Line::centered(area.center().0, y + CAPITAL / 2.0 * style.size, style, label));
        area.right()
    }
}

fn keycap_style(frame: &Frame) -> Style {
    frame.style(Face::Text, 23.0, INK)
}

/// Where a keycap stands that starts at `x`, with its middle at `y`.
pub(super) fn keycap_area(frame: &Frame, x: f32, y: f32, label: &str) -> Area {
    let height = frame.px(46.0);
    let width = (keycap_style(frame).width(label) + frame.px(30.0)).max(height);
    Area::new(x, y - height / 2.0, width, height)
}

/// Where the highlight is on the shelf, in cartridges.
pub(super) fn position(view: &View) -> f32 {
    let last = view.cards.len().saturating_sub(1) as f32;
    // A comparison with what is no number is false.
    if view.pose.shelf >= 0.0 { view.pose.shelf.min(last) } else { 0.0 }
}

/// The accent where the highlight is, light enough to stand out.
pub(super) fn accent(view: &View) -> Color {
    let (from, to, share) = shelf::neighbours(position(view));
    let [from, to] = [from, to].map(|index| vivid(view.cards.get(index).map_or(MUTED, |card| card.accent)));
    mix(from, to, share)
}

/// The lights behind everything, by what is going on.
fn backdrop(frame: &Frame, color: Color, view: &View) -> Background {
    let (strength, brightness) = match &view.stage {
        Stage::Countdown { .. } | Stage::Waiting => (0.30, 1.0),
        Stage::Starting { .. } => (0.30 + 0.08 * insertion::share(view), 1.0),
        Stage::Failed { .. } => (0.20, 0.9),
        Stage::Running { .. } => (0.07, 0.45),
        Stage::Broken { .. } => (0.05, 0.9),
    };
    let wide =
        Light { center: (frame.middle(), frame.down(400.0)), spread: (frame.px(520.0), frame.px(300.0)), color, strength: strength * 0.8 };
    let pool =
        Light { center: (frame.middle(), frame.down(640.0)), spread: (frame.px(760.0), frame.px(90.0)), color, strength: strength * 0.35 };
    Background { lights: [wide, pool], brightness }
}

/// The word-mark and the machine's name at the top left, the notice at the top right or, where that is too narrow, below.
fn header(scene: &mut Scene, frame: &Frame, view: &View) {
    let middle = frame.px(66.0);
    let mark = Area::new(frame.margin(), middle - frame.px(14.0), frame.px(22.0), frame.px(24.0));
    let accent = accent(view);
    let connector = Area::new(mark.x + frame.px(4.0), mark.y + frame.px(20.0), frame.px(14.0), frame.px(8.0));
    scene.items.push(Item::Box { area: connector, radius: frame.px(1.5), color: mix(accent, NIGHT, 0.35), opacity: 1.0 });
    scene.items.push(Item::Box { area: mark, radius: frame.px(5.0), color: accent, opacity: 1.0 });
    let label = Area::new(mark.x + frame.px(5.0), mark.y + frame.px(6.0), frame.px(12.0), frame.px(12.0));
    scene.items.push(Item::Box { area: label, radius: frame.px(2.5), color: NIGHT, opacity: 0.75 });

    let word = Style { tracking: 0.16, ..frame.style(Face::Title, 22.0, INK) };
    let stand = |size: f32| middle + CAPITAL / 2.0 * size;
    let line = Line::at(mark.right() + frame.px(14.0), stand(word.size), word, "PERSONA");
    let mut end = line.area().right();
    scene.text(line);
    if !view.host.trim().is_empty() {
        let rule = Area::new(end + frame.px(12.0), middle - frame.px(11.0), frame.px(2.0), frame.px(22.0));
        scene.items.push(Item::Box { area: rule, radius: 0.0, color: FAINT, opacity: 0.6 });
        let (style, host) = frame.style(Face::Text, 22.0, MUTED).fit(view.host.trim(), frame.room() * 0.3, 0.8);
        let line = Line::at(rule.right() + frame.px(16.0), stand(style.size), style, host);
        end = line.area().right();
        scene.text(line);
    }
    let Some(notice) = view.notice.as_deref().map(str::trim).filter(|notice| !notice.is_empty()) else { return };
    let style = frame.style(Face::Text, 22.0, mix(AMBER, MUTED, 0.35));
    let dot = frame.px(24.0);
    let beside = frame.width - frame.margin() - end - frame.px(60.0) - dot;
    let width = style.width(notice);
    let (style, text, x, middle) = if width <= beside {
        (style, notice.to_owned(), frame.width - frame.margin() - width, middle)
    } else {
        let (style, text) = style.fit(notice, frame.room() - dot, 0.85);
        (style, text, frame.margin() + dot, middle + frame.px(44.0))
    };
    scene.items.push(Item::Box {
        area: Area::around(x - frame.px(18.0), middle, frame.px(6.0)),
        radius: frame.px(6.0),
        color: AMBER,
        opacity: 1.0,
    });
    scene.text(Line::at(x, middle + CAPITAL / 2.0 * style.size, style, text));
}
