//! The menu's pictures, against the ones that were looked at and found good: `PERSONA_BLESS=1 cargo test --test paint`
//! makes them anew. And what must hold for every view and size ([`any_view`]).

#![allow(clippy::unwrap_used, clippy::panic)]

mod any_view;
mod golden;
mod views;

use golden::{golden, golden_as};
use persona::settings::Settings;
use persona_paint::{Appearance, Art, Color, Gallery, Overlay, Painter, PinAnswer, Pose, Rect, Stage, View, splash, text_areas};
use views::{countdown, guarded, overlaid, running, starting, view};

const FULL_HD: (u32, u32) = (1920, 1080);

#[test]
fn countdown_on_every_kind_of_screen() {
    golden("countdown-1920x1080", FULL_HD, &view(4, 0, countdown(6400, 10)));
    golden("countdown-3840x2160", (3840, 2160), &view(4, 1, countdown(9400, 10)));
    golden("countdown-2560x1080", (2560, 1080), &view(7, 5, countdown(125_000, 150)));
    golden("countdown-1080x1920", (1080, 1920), &view(4, 2, countdown(2000, 10)));
    golden("countdown-1024x768", (1024, 768), &view(4, 3, countdown(300, 10)));
    golden("countdown-3440x1440", (3440, 1440), &view(4, 2, countdown(3000, 10)));
    let small = Appearance { scale: Appearance::scale_for(600, Some(86)), ..Appearance::default() };
    golden_as("countdown-1024x600", (1024, 600), &view(4, 1, countdown(4000, 10)), small);
    golden("countdown-640x480", (640, 480), &view(4, 1, countdown(10_000, 10)));
}

#[test]
fn every_stage() {
    let notice = Some("the settings in the initramfs are older than these: run mkinitcpio -P".into());
    golden("waiting", FULL_HD, &View { notice, ..guarded(1, Stage::Waiting) });
    golden("starting", FULL_HD, &view(4, 1, starting(1)));
    golden("running", FULL_HD, &view(4, 1, running()));
    let why = "0000:0a:00.0 is 10de:1f02 now, not 10de:1e84: another card is in the slot.\n\
               Put the old card back, or change `id` in /etc/persona/persona.toml.";
    golden("failed", FULL_HD, &view(4, 2, Stage::Failed { why: why.into() }));
    let why = Settings::parse("[menu]\ntimout = \"10s\"\n", "/etc/persona/persona.toml").unwrap_err().to_string();
    golden("broken", FULL_HD, &View { cards: Vec::new(), ..view(0, 0, Stage::Broken { why }) });
}

#[test]
fn refused_personas() {
    golden("refused", FULL_HD, &guarded(2, Stage::Waiting));
    golden("refused-countdown-1280x1024", (1280, 1024), &guarded(2, countdown(43_000, 60)));
}

#[test]
fn every_overlay() {
    golden("help", FULL_HD, &overlaid(Overlay::Help, guarded(0, countdown(43_000, 60))));
    golden("power", FULL_HD, &overlaid(Overlay::Power { highlighted: 1 }, guarded(0, countdown(43_000, 60))));
    let pin = |entered, cursor, answer| Overlay::Pin { entered, cursor, answer };
    golden("pin", FULL_HD, &overlaid(pin(3, Some(4), PinAnswer::None), guarded(1, Stage::Waiting)));
    golden("pin-wrong-640x480", (640, 480), &overlaid(pin(0, None, PinAnswer::Wait { seconds: 8 }), guarded(1, countdown(43_000, 60))));
    golden("help-1080x1920", (1080, 1920), &overlaid(Overlay::Help, guarded(0, Stage::Waiting)));
}

#[test]
fn every_appearance() {
    let large = Appearance { large_text: true, ..Appearance::default() };
    golden_as("large", FULL_HD, &guarded(0, countdown(6400, 10)), large);
    golden_as("large-help", FULL_HD, &overlaid(Overlay::Help, guarded(0, countdown(43_000, 60))), large);
    let why = "0000:0a:00.0 is 10de:1f02 now, not 10de:1e84: another card is in the slot.\n\
               Put the old card back, or change `id` in /etc/persona/persona.toml.";
    golden_as(
        "large-failed-1280x720",
        (1280, 720),
        &view(4, 2, Stage::Failed { why: why.into() }),
        Appearance { high_contrast: true, ..large },
    );
    golden_as("large-starting-1024x768", (1024, 768), &guarded(1, starting(2)), large);
    let contrast = Appearance { high_contrast: true, ..Appearance::default() };
    golden_as("contrast", FULL_HD, &guarded(0, countdown(6400, 10)), contrast);
    golden_as("contrast-refused", FULL_HD, &guarded(2, countdown(6400, 10)), contrast);
    golden_as("contrast-starting", FULL_HD, &guarded(1, starting(1)), contrast);
    golden_as("contrast-power", FULL_HD, &overlaid(Overlay::Power { highlighted: 0 }, guarded(0, Stage::Waiting)), contrast);
    let pin = Overlay::Pin { entered: 2, cursor: Some(1), answer: PinAnswer::Wrong };
    golden_as("contrast-large-pin", FULL_HD, &overlaid(pin, guarded(1, Stage::Waiting)), Appearance { large_text: true, ..contrast });
}

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
        guarded(1, Stage::Failed { why: "The reason.\nThe mend.".into() }),
        overlaid(Overlay::Help, guarded(0, countdown(6400, 10))),
        overlaid(Overlay::Power { highlighted: 1 }, guarded(0, Stage::Waiting)),
        overlaid(Overlay::Pin { entered: 2, cursor: Some(3), answer: PinAnswer::Wait { seconds: 8 } }, guarded(1, Stage::Waiting)),
    ];
    let (width, height) = FULL_HD;
    for view in views {
        let mut painter = Painter::with(width, height, Gallery::default(), appearance);
        painter.paint(&view);
        for (text, area) in text_areas(&view, appearance, width, height) {
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
fn one_to_twelve_personas() {
    for (count, highlighted) in [(1, 0), (2, 1), (3, 1), (7, 6), (12, 10)] {
        golden(&format!("personas-{count}-{highlighted}"), FULL_HD, &view(count, highlighted, Stage::Waiting));
    }
}

#[test]
fn the_highlight_glides() {
    let gliding = |count, highlighted, shelf, stage| View {
        pose: Pose { shelf, ..view(0, 0, Stage::Waiting).pose },
        ..view(count, highlighted, stage)
    };
    golden("gliding-first", FULL_HD, &gliding(4, 1, 0.3, countdown(6400, 10)));
    golden("gliding-scrolling", FULL_HD, &gliding(12, 5, 4.6, Stage::Waiting));
}

#[test]
fn the_chosen_one_goes_into_the_slot() {
    let inserting = |insertion| {
        let starting = view(4, 0, Stage::Starting { steps: Vec::new() });
        View { pose: Pose { insertion, ..starting.pose }, ..starting }
    };
    golden("inserting-lifted", FULL_HD, &inserting(0.3));
    golden("inserting-falling", FULL_HD, &inserting(0.75));
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
