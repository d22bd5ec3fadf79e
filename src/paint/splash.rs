//! A whole screen in one colour with a title: what a guest shows to say which one it is.

use super::MAX_SIDE;
use super::canvas::{Canvas, PIXEL};
use super::color::Color;
use super::text::{Face, Glyphs, Line, Style};
use super::theme::{NIGHT, WHITE, brightness};

/// A picture of `width` by `height` pixels (1 to 16384), all `accent` but for the words in its middle. B,G,R,X bytes,
/// rows of exactly 4 · width.
pub fn splash(width: u32, height: u32, title: &str, subtitle: &str, accent: Color) -> Vec<u8> {
    let mut canvas = Canvas::new(width.clamp(1, MAX_SIDE), height.clamp(1, MAX_SIDE));
    for pixel in canvas.data.chunks_exact_mut(PIXEL) {
        pixel.copy_from_slice(&[accent.blue, accent.green, accent.red, 255]);
    }
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let ink = if brightness(accent) > 0.45 { NIGHT } else { WHITE };
    let unit = (width / 1200.0).min(height / 1080.0);
    let mut glyphs = Glyphs::default();
    let mut target = canvas.target();
    let (style, text) = Style { tracking: -0.015, ..Style::new(Face::Title, 150.0 * unit, ink) }.fit(title, width * 0.9, 0.4);
    glyphs.draw(&mut target, &Line::centered(width / 2.0, height / 2.0, style, text));
    let (style, text) = Style { opacity: 0.75, ..Style::new(Face::Text, 40.0 * unit, ink) }.fit(subtitle, width * 0.9, 0.5);
    glyphs.draw(&mut target, &Line::centered(width / 2.0, height / 2.0 + 84.0 * unit, style, text));
    canvas.data
}
