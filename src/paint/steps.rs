//! The steps of a launch, ticking off from left to right.

use super::element::ElementKind;
use super::frame::Frame;
use super::geometry::Area;
use super::scene::{Item, Scene};
use super::signs::Sign;
use super::text::{CAPITAL, Face, Line};
use super::theme::{BLACK, NIGHT, WHITE, mix};
use super::view::{LaunchStep, Progress};

/// The steps around `middle`, joined by lines: hollow, dotted, ticked. If there are too many, those around the busy one are shown.
pub(super) fn place(scene: &mut Scene, frame: &Frame, steps: &[LaunchStep], y: f32) {
    let palette = frame.palette;
    let units = |units: f32| units * frame.text;
    let (side, gap, join) = (units(38.0), units(13.0), units(64.0));
    let space = units(18.0);
    let style = frame.style(Face::Text, 30.0, palette.ink);
    let least = units(60.0);
    let width = |step: &LaunchStep| side + gap + style.width(&step.name);
    let joined = |count: usize| (join + 2.0 * space) * count.saturating_sub(1) as f32;
    let mut shown = steps;
    while shown.len() > 1 && shown.iter().map(width).sum::<f32>() + joined(shown.len()) > frame.room() {
        shown = if shown[0].progress == Progress::Done { &shown[1..] } else { &shown[..shown.len() - 1] };
    }
    let each = ((frame.room() - joined(shown.len())) / shown.len().max(1) as f32 - side - gap).max(least);
    let named: Vec<(&LaunchStep, String)> =
        shown.iter().map(|step| (step, if shown.len() > 1 { step.name.clone() } else { style.cut(&step.name, each) })).collect();
    let total = named.iter().map(|(_, name)| side + gap + style.width(name)).sum::<f32>() + joined(named.len());
    let mut x = frame.middle() - total / 2.0;
    for (index, (step, name)) in named.into_iter().enumerate() {
        if index > 0 {
            let reached = step.progress != Progress::Pending;
            let line = Area::new(x + space, y - units(1.5), join, units(3.0));
            let (color, opacity) = if reached { (frame.accent, 0.9) } else { (palette.faint, if palette.plain { 1.0 } else { 0.55 }) };
            scene.put(ElementKind::StepLine(index), Item::Box { area: line, radius: units(1.5), color, opacity });
            x = line.right() + space;
        }
        let area = Area::new(x, y - side / 2.0, side, side);
        let mut sign = |sign, area, color| scene.put(ElementKind::Step(index), Item::Sign { sign, area, color, opacity: 1.0 });
        let color = match step.progress {
            Progress::Pending => {
                sign(Sign::Ring, area, palette.faint);
                palette.muted
            }
            Progress::Busy => {
                sign(Sign::RingWithDot, area, mix(frame.accent, WHITE, 0.2));
                palette.ink
            }
            Progress::Done => {
                sign(Sign::Disc, area, frame.accent);
                sign(Sign::Check, area.outset(side * -0.1), if palette.plain { BLACK } else { NIGHT });
                palette.ink
            }
        };
        let style = super::text::Style { color, ..style };
        let line = Line::at(area.right() + gap, y + CAPITAL / 2.0 * style.size, style, name);
        x = line.area().right();
        scene.text(ElementKind::Step(index), line);
    }
}
