//! Wrapped text.

use super::element::ElementKind;
use super::scene::Scene;
use super::text::{Face, Line, Style};

/// Wrapped text: a smaller font for long text, cut if it still does not fit.
pub(super) struct Paragraph {
    pub(super) style: Style,
    pub(super) lines: Vec<String>,
}

impl Paragraph {
    /// From one baseline to the next, in em.
    pub(super) const LEADING: f32 = 1.42;

    /// Up to how many lines the widths are balanced.
    const FEW: usize = 4;

    /// `text` within a width and a height in pixels.
    pub(super) fn new(mut style: Style, text: &str, (width, height): (f32, f32)) -> Self {
        let fitting = |style: &Style| (height / (style.size * Self::LEADING)).floor().max(1.0) as usize;
        let mut lines = style.wrap(text, width, usize::MAX);
        for _ in 0..3 {
            if lines.len() <= fitting(&style) {
                break;
            }
            style.size *= 0.88;
            lines = style.wrap(text, width, usize::MAX);
        }
        if lines.len() > fitting(&style) {
            lines = style.wrap(text, width, fitting(&style));
        }
        if lines.len() <= Self::FEW && style.face != Face::Mono {
            lines = Self::evened(style, text, width, lines);
        }
        Self { style, lines }
    }

    /// The same number of lines, narrower if possible, to avoid a single word on the last line.
    fn evened(style: Style, text: &str, mut width: f32, mut lines: Vec<String>) -> Vec<String> {
        let whole = |lines: &[String]| lines.iter().all(|line| !line.ends_with('…'));
        if lines.len() < 2 || !whole(&lines) {
            return lines;
        }
        for _ in 0..12 {
            width *= 0.95;
            let narrower = style.wrap(text, width, lines.len() + 1);
            let words = |lines: &[String]| lines.iter().flat_map(|line| line.split_whitespace().map(str::to_owned)).collect::<Vec<_>>();
            if narrower.len() > lines.len() || words(&narrower) != words(&lines) {
                break;
            }
            lines = narrower;
        }
        lines
    }

    /// Its height in pixels.
    pub(super) fn height(&self) -> f32 {
        self.style.size * Self::LEADING * self.lines.len() as f32
    }

    /// Places it as a reason, with its top left at (`x`, `top`).
    pub(super) fn place(self, scene: &mut Scene, x: f32, top: f32) {
        for (index, line) in self.lines.into_iter().enumerate() {
            let baseline = top + self.style.size * (1.0 + Self::LEADING * index as f32);
            scene.text(ElementKind::Reason(index), Line::at(x, baseline, self.style, line));
        }
    }
}
