//! The menu's pictures, against the ones that were looked at and found good: `PERSONA_BLESS=1 cargo test --test paint`
//! makes them anew. And what must hold for every view and size.

#![allow(clippy::unwrap_used, clippy::panic)]

use persona::settings::Settings;
use persona_paint::{
    Appearance, Art, BuiltInEmblem, Card, Color, Emblem, Gallery, Overlay, Painter, PinAnswer, PinKey, Pose, PowerEntry, Progress, Rect,
    Stage, Step, View, splash, text_areas, write_png,
};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The example's four personas, then others, up to `count`.
fn cards(count: usize) -> Vec<Card> {
    let settings = Settings::parse(include_str!("../config/persona.toml"), "persona.toml").unwrap();
    let example = settings.personas.iter().map(|persona| Card {
        title: persona.title.clone(),
        tagline: persona.tagline.clone(),
        accent: persona.accent,
        emblem: persona.emblem.clone(),
        is_default: persona.name == "rivendale",
        is_legion: persona.legion().is_some(),
        is_locked: false,
        refused: None,
    });
    let more = [
        ("Númenor", "Ships and the sea", "#3fb8af", Emblem::BuiltIn(BuiltInEmblem::Ship)),
        ("Barad-dûr", "It never sleeps", "#d64550", Emblem::BuiltIn(BuiltInEmblem::Eye)),
        ("Anor", "Old consoles and arcades", "#f2b134", Emblem::BuiltIn(BuiltInEmblem::Flame)),
        ("Elendil", "A laboratory", "#b48ce8", Emblem::BuiltIn(BuiltInEmblem::Star)),
        ("The Prancing Pony at Bree", "Guests", "#c98f5a", Emblem::Initial),
        ("Owner", "With a picture of its own", "#202020", Emblem::Png(PathBuf::from("/owner.png"))),
        ("A title of exactly sixty letters, which no label has room for", "", "#ffffff", Emblem::Initial),
        ("漢字", "Letters no face has", "#0000ff", Emblem::Initial),
    ];
    let more = more.map(|(title, tagline, accent, emblem)| Card {
        title: title.into(),
        tagline: tagline.into(),
        accent: accent.parse().unwrap(),
        emblem,
        is_default: false,
        is_legion: true,
        is_locked: false,
        refused: None,
    });
    example.chain(more).take(count).collect()
}

fn view(count: usize, highlighted: usize, stage: Stage) -> View {
    View { host: "moria".into(), ..View::still(cards(count), highlighted, stage) }
}

/// A launch in which so many steps are done.
fn starting(done: usize) -> Stage {
    let progress = |index: usize| match index.cmp(&done) {
        std::cmp::Ordering::Less => Progress::Done,
        std::cmp::Ordering::Equal => Progress::Busy,
        std::cmp::Ordering::Greater => Progress::Pending,
    };
    let names = ["devices", "cartridge", "power"];
    Stage::Starting {
        steps: names.iter().enumerate().map(|(index, name)| Step { name: (*name).into(), progress: progress(index) }).collect(),
    }
}

fn running() -> Stage {
    Stage::Running { screen: Some("RTX 2070 SUPER".into()) }
}

/// Gondor locked, Mordor refused.
fn guarded(highlighted: usize, stage: Stage) -> View {
    let mut view = View { address: Some("192.168.1.20".into()), ..view(4, highlighted, stage) };
    view.cards[1].is_locked = true;
    view.cards[2].refused = Some(
        "The disk of cartridge `mordor` is not there: /dev/disk/by-id/nvme-Samsung_SSD_980.\n\
         Plug it in, or point /var/lib/legion/cartridges/mordor/disk to another."
            .into(),
    );
    view
}

fn overlaid(overlay: Overlay, view: View) -> View {
    View { overlay: Some(overlay), ..view }
}

fn countdown(remaining: u64, total: u64) -> Stage {
    Stage::Countdown { remaining: Duration::from_millis(remaining), total: Duration::from_secs(total) }
}

/// A picture made smaller by a whole factor: the dither averages out, and the repository stays small.
struct Small {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Small {
    fn of(painter: &Painter) -> Self {
        let (width, height) = painter.size();
        let factor = width.max(height).div_ceil(640);
        let (small_width, small_height) = (width / factor, height / factor);
        let mut rgb = Vec::new();
        for y in 0..small_height {
            for x in 0..small_width {
                for channel in [2, 1, 0] {
                    let at = |i: u32| ((y * factor + i / factor) * width + x * factor + i % factor) as usize * 4 + channel;
                    let sum: u32 = (0..factor * factor).map(|i| u32::from(painter.pixels()[at(i)])).sum();
                    rgb.push((sum / (factor * factor)) as u8);
                }
            }
        }
        Self { width: small_width, height: small_height, rgb }
    }

    fn save(&self, path: &Path) {
        let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        encoder.write_header().unwrap().write_image_data(&self.rgb).unwrap();
    }

    fn load(path: &Path) -> Self {
        let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        Self { width: info.width, height: info.height, rgb }
    }
}

fn golden(name: &str, size: (u32, u32), view: &View) {
    golden_as(name, size, view, Appearance::default());
}

fn golden_as(name: &str, (width, height): (u32, u32), view: &View, appearance: Appearance) {
    let (red, clear) = ([0xe0, 0x40, 0x30, 0xff], [0, 0, 0, 0]);
    let gallery = Gallery::of([(PathBuf::from("/owner.png"), Art::decode(&checkered(300, red, clear)).unwrap())]);
    let mut painter = Painter::with(width, height, gallery, appearance);
    painter.paint(view);
    let seen = Small::of(&painter);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/menu");
    let path = folder.join(format!("{name}.png"));
    if std::env::var_os("PERSONA_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        return seen.save(&path);
    }
    let wanted = Small::load(&path);
    assert_eq!((seen.width, seen.height), (wanted.width, wanted.height), "{name}");
    // Another processor may round differently; a pixel that is plainly different is another picture.
    let differences = || seen.rgb.iter().zip(&wanted.rgb).map(|(a, b)| a.abs_diff(*b));
    let plain = differences().filter(|difference| *difference > 10).count();
    let mean = differences().map(f64::from).sum::<f64>() / seen.rgb.len() as f64;
    if plain > seen.rgb.len() / 5000 || mean > 0.3 {
        let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        write_png(&painter, std::fs::File::create(&actual).unwrap()).unwrap();
        panic!("{name}: {plain} parts of {} differ plainly, {mean:.2} in the mean; see {}", seen.rgb.len(), actual.display());
    }
}

/// A PNG of four squares in two colours.
fn checkered(size: u32, one: [u8; 4], other: [u8; 4]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size, size);
    encoder.set_color(png::ColorType::Rgba);
    let pixel = |i: u32| if (i % size < size / 2) == (i / size < size / 2) { one } else { other };
    let data: Vec<u8> = (0..size * size).flat_map(pixel).collect();
    encoder.write_header().unwrap().write_image_data(&data).unwrap();
    file
}

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

/// Any text a person may write, and some that none would.
fn text(longest: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec("[A-Za-z0-9 .,'-]", 1..=longest).prop_map(|letters| letters.concat()),
        prop::collection::vec(any::<char>(), 0..=longest).prop_map(String::from_iter),
        (1..=longest).prop_map(|length| "W".repeat(length)),
    ]
}

fn any_card() -> impl Strategy<Value = Card> {
    let emblem = prop_oneof![
        Just(Emblem::Initial),
        Just(Emblem::Png("/owner.png".into())),
        (0..8_usize).prop_map(|index| Emblem::BuiltIn(BuiltInEmblem::ALL[index].1)),
    ];
    let refused = prop::option::weighted(0.3, (text(160), text(160)).prop_map(|(reason, mend)| format!("{reason}\n{mend}")));
    (text(60), text(200), any::<[u8; 3]>(), emblem, any::<[bool; 3]>(), refused).prop_map(
        |(title, tagline, [red, green, blue], emblem, [is_default, is_legion, is_locked], refused)| {
            let accent = Color::rgb(red, green, blue);
            Card { title, tagline, accent, emblem, is_default, is_legion, is_locked, refused }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let progress = prop_oneof![Just(Progress::Pending), Just(Progress::Busy), Just(Progress::Done)];
    (text(20), progress).prop_map(|(name, progress)| Step { name, progress })
}

fn any_overlay() -> impl Strategy<Value = Overlay> {
    let answer = prop_oneof![
        Just(PinAnswer::None),
        Just(PinAnswer::Checking),
        Just(PinAnswer::Wrong),
        any::<u64>().prop_map(|seconds| PinAnswer::Wait { seconds }),
    ];
    prop_oneof![
        Just(Overlay::Help),
        (0..=PowerEntry::ALL.len()).prop_map(|highlighted| Overlay::Power { highlighted }),
        (0..80_usize, prop::option::of(0..=PinKey::ALL.len()), answer).prop_map(|(entered, cursor, answer)| Overlay::Pin {
            entered,
            cursor,
            answer
        }),
    ]
}

fn any_appearance() -> impl Strategy<Value = Appearance> {
    let scale = prop_oneof![Just(1.0_f32), 0.5..=3.0_f32, any::<f32>()];
    (any::<bool>(), any::<bool>(), scale).prop_map(|(high_contrast, large_text, scale)| Appearance { high_contrast, large_text, scale })
}

fn any_stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        (0..=20_000_000_u64, 0..=20_000_u64).prop_map(|(remaining, total)| countdown(remaining, total)),
        Just(Stage::Waiting),
        prop::collection::vec(any_step(), 0..9).prop_map(|steps| Stage::Starting { steps }),
        prop::option::of(text(60)).prop_map(|screen| Stage::Running { screen }),
        text(2000).prop_map(|why| Stage::Failed { why }),
        text(4000).prop_map(|why| Stage::Broken { why }),
    ]
}

/// Poses that happen, and some that never should.
fn any_pose() -> impl Strategy<Value = Pose> {
    let share = || prop_oneof![Just(0.0_f32), Just(1.0_f32), 0.0..1.0_f32];
    let usual = (0.0..14.0_f32, share(), share());
    let any = (any::<f32>(), any::<f32>(), any::<f32>());
    prop_oneof![9 => usual, 1 => any].prop_map(|(shelf, insertion, brightness)| Pose { shelf, insertion, brightness })
}

fn any_view() -> impl Strategy<Value = View> {
    let cards = prop::collection::vec(any_card(), 0..14);
    let header = (text(64), prop::option::of(text(40)), prop::option::of(text(200)));
    let over = (prop::option::weighted(0.4, any_overlay()), prop::option::of(any_pose()));
    (cards, 0..15_usize, any_stage(), header, over).prop_map(|(cards, highlighted, stage, (host, address, notice), (overlay, pose))| {
        let still = View::still(cards, highlighted, stage);
        View { host, address, notice, overlay, pose: pose.unwrap_or(still.pose), ..still }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn texts_stay_on_the_screen_and_apart(view in any_view(), appearance in any_appearance(), width in 320..=7680_u32, height in 200..=4320_u32) {
        let areas = text_areas(&view, appearance, width, height);
        for (index, (text, area)) in areas.iter().enumerate() {
            prop_assert!(area.x >= 0.0 && area.y >= 0.0, "{text} {area:?}");
            prop_assert!(area.right() <= width as f32 && area.bottom() <= height as f32, "{text} {area:?}");
            for (other, other_area) in &areas[index + 1..] {
                prop_assert!(!area.overlaps(other_area), "{text} {area:?} and {other} {other_area:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn no_size_and_no_view_panics(view in any_view(), appearance in any_appearance(), width in 0..=420_u32, height in 0..=420_u32) {
        let mut painter = Painter::with(width, height, Gallery::default(), appearance);
        painter.paint(&view);
        prop_assert_eq!(painter.pixels().len(), (width.max(1) * height.max(1) * 4) as usize);
    }

    #[test]
    fn painting_on_equals_painting_anew(start in any_view(), appearance in any_appearance(), changes in prop::collection::vec((0..7_usize, any_stage(), 0..14_usize, any_pose()), 1..6)) {
        let mut view = start;
        let painter = || Painter::with(400, 300, Gallery::default(), appearance);
        let (new, mut painter) = (painter, painter());
        painter.paint(&view);
        for (what, stage, highlighted, pose) in changes {
            match (what, &mut view.stage) {
                (0, _) => view.stage = stage,
                (1, _) => view.highlighted = highlighted,
                (2, _) => view.pose = pose,
                (3, _) => view.pose.shelf += 0.2,
                (4, _) => view.overlay = if view.overlay.is_some() { None } else { Some(Overlay::Power { highlighted: highlighted % 3 }) },
                (_, Stage::Countdown { remaining, .. }) => *remaining = *remaining * 2 / 3,
                _ => view.notice = Some("changed".into()),
            }
            let before = painter.pixels().to_vec();
            let damage = painter.paint(&view);
            let mut anew = new();
            anew.paint(&view);
            prop_assert!(painter.pixels() == anew.pixels(), "the picture depends on what was there before");
            let damaged = |x: u32, y: u32| damage.iter().any(|it| (it.x..it.x + it.width).contains(&x) && (it.y..it.y + it.height).contains(&y));
            for (index, (now, before)) in painter.pixels().chunks_exact(4).zip(before.chunks_exact(4)).enumerate() {
                let (x, y) = (index as u32 % 400, index as u32 / 400);
                prop_assert!(now == before || damaged(x, y), "{x}, {y} changed outside {damage:?}");
            }
        }
    }
}
