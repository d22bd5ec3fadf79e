//! A panel over the dimmed menu.

use super::countdown;
use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::scene::{Item, Scene};
use super::text::{CAPITAL, Line, Style};
use super::theme::{BLACK, WHITE, mix};
use super::view::{Stage, View};

/// How much of what is behind is seen, of 256.
const BEHIND: u16 = 84;

/// A panel in the middle of the picture. It has its own units: text as large as elsewhere, if there is room for it.
pub(super) struct Panel {
    pub(super) area: Area,
    /// Pixels of one unit.
    pub(super) unit: f32,
    /// The middle of the countdown's line, if there is a countdown.
    countdown: f32,
}

/// Units between the panel's edge and what is on it.
pub(super) const PADDING: f32 = 56.0;

impl Panel {
    /// The units of a panel that needs a `width` and a `height` of them, in pixels.
    pub(super) fn unit(frame: &Frame, view: &View, (width, height): (f32, f32)) -> f32 {
        let inside = frame.inside();
        frame.text.min(inside.width / width).min(inside.height / (height + Self::foot(view)))
    }

    /// Units that the countdown takes.
    fn foot(view: &View) -> f32 {
        if matches!(view.stage, Stage::Countdown { .. }) { 2.0 * countdown::HALF_SMALL + 40.0 } else { 0.0 }
    }

    pub(super) fn place(scene: &mut Scene, frame: &Frame, view: &View, size: (f32, f32)) -> Self {
        let palette = frame.palette;
        let unit = Self::unit(frame, view, size);
        let inside = frame.inside();
        let (width, height) = (size.0 * unit, (size.1 + Self::foot(view)) * unit);
        let area = Area::new(frame.middle() - width / 2.0, inside.y + (inside.height - height) / 2.0, width, height);
        let radius = 30.0 * unit;
        let shadow = Area { y: area.y + 10.0 * unit, ..area.outset(4.0 * unit) };
        if !palette.plain {
            scene.put(ElementKind::Veil, Item::Veil { keep: BEHIND });
            scene.put(ElementKind::PanelShadow, Item::Box { area: shadow, radius: radius + 4.0 * unit, color: BLACK, opacity: 0.4 });
        }
        let surface = if palette.plain { palette.panel } else { mix(palette.panel, frame.accent, 0.05) };
        scene.put(ElementKind::Panel, Item::Box { area, radius, color: surface, opacity: 1.0 });
        let edge = if palette.plain { WHITE } else { mix(frame.accent, WHITE, 0.3) };
        let (thick, strong) = if palette.plain { (3.0, 1.0) } else { (2.0, 0.35) };
        scene.put(ElementKind::Panel, Item::Frame { area, radius, width: thick * unit, color: edge, opacity: strong });
        let panel = Self { area, unit, countdown: area.bottom() - (countdown::HALF_SMALL + 26.0) * unit };
        if Self::foot(view) > 0.0 {
            let rule = Area::new(area.x + PADDING * unit, panel.countdown - 42.0 * unit, width - 2.0 * PADDING * unit, 1.5 * unit);
            panel.rule(scene, frame, rule);
            countdown::small(scene, frame, view, (frame.middle(), panel.countdown), rule.width, unit);
        }
        panel
    }

    /// A quiet line across.
    pub(super) fn rule(&self, scene: &mut Scene, frame: &Frame, area: Area) {
        let opacity = if frame.palette.plain { 1.0 } else { 0.12 };
        scene.put(ElementKind::Rule, Item::Box { area, radius: 0.0, color: WHITE, opacity });
    }

    /// `units` in pixels.
    pub(super) fn px(&self, units: f32) -> f32 {
        units * self.unit
    }

    /// Pixels from the top of the picture to `units` below that of the panel.
    pub(super) fn down(&self, units: f32) -> f32 {
        self.area.y + units * self.unit
    }

    /// The left edge of what is on it.
    pub(super) fn left(&self) -> f32 {
        self.area.x + self.px(PADDING)
    }

    /// The width of what is on it.
    pub(super) fn room(&self) -> f32 {
        self.area.width - 2.0 * self.px(PADDING)
    }

    /// A line that starts at `x` with its capitals around `y`.
    pub(super) fn line(&self, x: f32, y: f32, style: Style, text: impl Into<String>) -> Line {
        Line::at(x, y + CAPITAL / 2.0 * style.size, style, text)
    }

    /// A line around the middle of the panel with its capitals around `y`.
    pub(super) fn centered(&self, y: f32, style: Style, text: impl Into<String>) -> Line {
        Line::centered(self.area.center().0, y + CAPITAL / 2.0 * style.size, style, text)
    }
}
