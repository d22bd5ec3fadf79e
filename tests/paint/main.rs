//! The menu's pictures: a few against the ones that were looked at and found good ([`golden`]; `PERSONA_BLESS=1 cargo test
//! --test paint` makes them anew), the layout of all of them ([`layouts`]), and what must hold for every view and size
//! ([`any_view`]).

#![allow(clippy::unwrap_used, clippy::panic)]

mod any_view;
mod golden;
mod layouts;
mod views;

use persona_paint::{Appearance, Art, Color, Gallery, Overlay, Painter, PinAnswer, Pose, Rect, Stage, View, layout, splash};
use views::{FULL_HD, countdown, guarded, overlaid, running, starting, view};

/// WCAG's relative luminance of a pixel.
fn luminance(pixel: &[u8]) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.0722 * linear(pixel[0]) + 0.7152 * linear(pixel[1]) + 0.2126 * linear(pixel[2])
}

#[test]
fn high_contrast_is_seven_to_one_everywhere() {
    let appearance = Appearance { high_contrast: true, ..Appearance::default() };
    let views = [
        View { notice: Some("A notice".into()), ..guarded(0, countdown(6400, 10)) },
        guarded(2, countdown(6400, 10)),
        guarded(1, starting(1)),
        guarded(1, running()),
        guarded(1, Stage::Failed { why: "The reason.\nThe hint.".into() }),
        overlaid(Overlay::Help, guarded(0, countdown(6400, 10))),
        overlaid(Overlay::Power { highlighted: 1 }, guarded(0, Stage::Waiting)),
        overlaid(Overlay::Pin { entered: 2, cursor: Some(3), answer: PinAnswer::Wait { seconds: 8 } }, guarded(1, Stage::Waiting)),
    ];
    let (width, height) = FULL_HD;
    for view in views {
        let mut painter = Painter::with(width, height, Gallery::default(), appearance);
        painter.paint(&view);
        for (element, text) in layout(&view, appearance, width, height).lines() {
            let area = element.area;
            let columns = area.x.max(0.0) as usize..area.right() as usize;
            let rows = area.y.max(0.0) as usize..area.bottom() as usize;
            let pixels =
                rows.flat_map(|y| painter.pixels()[y * width as usize * 4..].chunks_exact(4).take(columns.end).skip(columns.start));
            let (dark, bright) = pixels.map(luminance).fold((1.0_f64, 0.0_f64), |(dark, bright), it| (dark.min(it), bright.max(it)));
            assert!((bright + 0.05) / (dark + 0.05) >= 7.0, "{text}: {dark} on {bright}");
        }
    }
}

#[test]
fn dimmed_is_darker_and_black_is_black() {
    let dimmed = |brightness| View { pose: Pose { brightness, ..Pose::at_rest(1, &Stage::Waiting) }, ..view(4, 1, Stage::Waiting) };
    let mut painter = Painter::new(640, 480);
    let whole = [Rect { x: 0, y: 0, width: 640, height: 480 }];
    painter.paint(&dimmed(1.0));
    let bright = painter.pixels().to_vec();
    assert_eq!(painter.paint(&dimmed(0.5)), whole);
    assert!(painter.pixels().iter().zip(&bright).all(|(dim, bright)| *dim == bright / 2));
    assert_eq!(painter.paint(&dimmed(0.5)), []);
    painter.paint(&dimmed(0.0));
    assert!(painter.pixels().iter().all(|byte| *byte == 0));
    assert_eq!(painter.paint(&dimmed(1.0)), whole);
    assert_eq!(painter.pixels(), bright);
}

#[test]
fn what_is_prepared_changes_nothing() {
    let mut painter = Painter::new(640, 480);
    painter.paint(&view(4, 1, Stage::Waiting));
    let before = painter.pixels().to_vec();
    // Each of the four needs its other light once.
    assert_eq!((0..9).take_while(|_| painter.prepare()).count(), 4);
    assert_eq!(painter.pixels(), before);
    assert_eq!(painter.paint(&view(4, 1, Stage::Waiting)), []);
}

#[test]
fn the_splash_is_its_accent() {
    let accent = Color::rgb(0x6b, 0xa4, 0xe8);
    let pixels = splash(800, 600, "Gondor", "Ubuntu, Steam and Proton", accent);
    let is_accent = |pixel: &[u8]| pixel[..3] == [0xe8, 0xa4, 0x6b];
    let field = pixels.chunks_exact(4).filter(|pixel| is_accent(pixel)).count();
    assert!(field > 800 * 600 * 8 / 10 && field < 800 * 600 * 99 / 100, "{field}");
    for corner in [0, 799, 599 * 800, 600 * 800 - 1] {
        assert!(is_accent(&pixels[corner * 4..]));
    }
    assert_eq!(splash(0, 0, "", "", accent).len(), 4);
}

#[test]
fn a_picture_that_is_no_png_is_an_error() {
    assert!(Art::decode(b"no picture").is_err());
}

#[test]
fn a_tick_changes_only_the_countdown() {
    let mut painter = Painter::new(1920, 1080);
    assert_eq!(painter.paint(&view(4, 0, countdown(8000, 10))), [Rect { x: 0, y: 0, width: 1920, height: 1080 }]);
    assert_eq!(painter.paint(&view(4, 0, countdown(8000, 10))), []);
    let damage = painter.paint(&view(4, 0, countdown(7000, 10)));
    assert_eq!(damage.len(), 1);
    assert!(damage[0].width * damage[0].height < 1920 * 1080 / 20, "{damage:?}");
}
