//! The views that the tests look at.

use persona::config::Settings;
use persona_paint::{Appearance, BuiltInEmblem, Card, Emblem, LaunchStep, Layout, Overlay, PinAnswer, Pose, Progress, Stage, View, layout};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const FULL_HD: (u32, u32) = (1920, 1080);
pub(crate) const STANDARD: Appearance = Appearance { high_contrast: false, large_text: false, scale: 1.0 };
pub(crate) const LARGE: Appearance = Appearance { large_text: true, ..STANDARD };
pub(crate) const CONTRAST: Appearance = Appearance { high_contrast: true, ..STANDARD };
/// What the test says of a persona that cannot start: a reason and a hint.
pub(crate) const WHY: &str = "0000:0a:00.0 is 10de:1f02 now, not 10de:1e84: another card is in the slot.\n\
                              Put the old card back, or change `id` in /etc/persona/persona.toml.";

/// A view on a picture of some size.
pub(crate) struct Picture {
    pub(crate) name: &'static str,
    pub(crate) size: (u32, u32),
    pub(crate) view: View,
    pub(crate) appearance: Appearance,
}

impl Picture {
    fn new(name: &'static str, size: (u32, u32), view: View, appearance: Appearance) -> Self {
        Self { name, size, view, appearance }
    }

    pub(crate) fn layout(&self) -> Layout {
        layout(&self.view, self.appearance, self.size.0, self.size.1)
    }

    /// Pixels of one unit of the composition, which is made for 1200 by 1080 of them.
    pub(crate) fn unit(&self) -> f32 {
        (self.size.0 as f32 / 1200.0).min(self.size.1 as f32 / 1080.0)
    }
}

/// One picture of each kind that a person can get to see.
pub(crate) fn pictures() -> Vec<Picture> {
    let standard = |name, size, view| Picture::new(name, size, view, STANDARD);
    let full_hd = |name, view| Picture::new(name, FULL_HD, view, STANDARD);
    let seven_inches = Appearance { scale: Appearance::scale_for(600, Some(86)), ..STANDARD };
    let notice = Some("the settings in the initramfs are older than these: run mkinitcpio -P".into());
    let counting = || guarded(0, countdown(43_000, 60));
    let pin = |entered, cursor, answer| Overlay::Pin { entered, cursor, answer };
    let failed = || view(4, 2, Stage::Failed { why: WHY.into() });
    let broken = Settings::parse("[menu]\ntimout = \"10s\"\n", "/etc/persona/persona.toml").unwrap_err().to_string();
    vec![
        full_hd("countdown-1920x1080", view(4, 0, countdown(6400, 10))),
        standard("countdown-3840x2160", (3840, 2160), view(4, 1, countdown(9400, 10))),
        standard("countdown-2560x1080", (2560, 1080), view(7, 5, countdown(125_000, 150))),
        standard("countdown-1080x1920", (1080, 1920), view(4, 2, countdown(2000, 10))),
        standard("countdown-1024x768", (1024, 768), view(4, 3, countdown(300, 10))),
        standard("countdown-3440x1440", (3440, 1440), view(4, 2, countdown(3000, 10))),
        Picture::new("countdown-1024x600", (1024, 600), view(4, 1, countdown(4000, 10)), seven_inches),
        standard("countdown-640x480", (640, 480), view(4, 1, countdown(10_000, 10))),
        full_hd("waiting", View { notice, ..guarded(1, Stage::Waiting) }),
        full_hd("starting", view(4, 1, starting(1))),
        full_hd("running", view(4, 1, running())),
        full_hd("failed", failed()),
        full_hd("broken", View { cards: Vec::new(), ..view(0, 0, Stage::Broken { why: broken }) }),
        full_hd("refused", guarded(2, Stage::Waiting)),
        standard("refused-countdown-1280x1024", (1280, 1024), guarded(2, countdown(43_000, 60))),
        full_hd("help", overlaid(Overlay::Help, counting())),
        standard("help-1080x1920", (1080, 1920), overlaid(Overlay::Help, guarded(0, Stage::Waiting))),
        full_hd("power", overlaid(Overlay::Power { highlighted: 1 }, counting())),
        full_hd("pin", overlaid(pin(3, Some(4), PinAnswer::None), guarded(1, Stage::Waiting))),
        standard(
            "pin-wrong-640x480",
            (640, 480),
            overlaid(pin(0, None, PinAnswer::Wait { seconds: 8 }), guarded(1, countdown(43_000, 60))),
        ),
        full_hd("personas-1", view(1, 0, Stage::Waiting)),
        full_hd("personas-2", view(2, 1, Stage::Waiting)),
        full_hd("personas-3", view(3, 1, Stage::Waiting)),
        full_hd("personas-7", view(7, 6, Stage::Waiting)),
        full_hd("personas-12", view(12, 10, Stage::Waiting)),
        full_hd("gliding-first", gliding(4, 1, 0.3, countdown(6400, 10))),
        full_hd("gliding-scrolling", gliding(12, 5, 4.6, Stage::Waiting)),
        full_hd("inserting-lifted", inserting(0.3)),
        full_hd("inserting-falling", inserting(0.75)),
        Picture::new("large", FULL_HD, guarded(0, countdown(6400, 10)), LARGE),
        Picture::new("large-help", FULL_HD, overlaid(Overlay::Help, counting()), LARGE),
        Picture::new("large-failed-1280x720", (1280, 720), failed(), Appearance { high_contrast: true, ..LARGE }),
        Picture::new("large-starting-1024x768", (1024, 768), guarded(1, starting(2)), LARGE),
        Picture::new("contrast", FULL_HD, guarded(0, countdown(6400, 10)), CONTRAST),
        Picture::new("contrast-refused", FULL_HD, guarded(2, countdown(6400, 10)), CONTRAST),
        Picture::new("contrast-starting", FULL_HD, guarded(1, starting(1)), CONTRAST),
        Picture::new("contrast-power", FULL_HD, overlaid(Overlay::Power { highlighted: 0 }, guarded(0, Stage::Waiting)), CONTRAST),
        Picture::new(
            "contrast-large-pin",
            FULL_HD,
            overlaid(pin(2, Some(1), PinAnswer::Wrong), guarded(1, Stage::Waiting)),
            Appearance { large_text: true, ..CONTRAST },
        ),
    ]
}

/// The picture of this name.
pub(crate) fn picture(name: &str) -> Picture {
    pictures().into_iter().find(|picture| picture.name == name).unwrap()
}

/// The example's four personas, then others, up to `count`.
fn cards(count: usize) -> Vec<Card> {
    let settings = Settings::parse(include_str!("../../config/persona.toml"), "persona.toml").unwrap();
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

pub(crate) fn view(count: usize, highlighted: usize, stage: Stage) -> View {
    View { host: "moria".into(), ..View::still(cards(count), highlighted, stage) }
}

/// A launch in which so many steps are done.
pub(crate) fn starting(done: usize) -> Stage {
    let progress = |index: usize| match index.cmp(&done) {
        std::cmp::Ordering::Less => Progress::Done,
        std::cmp::Ordering::Equal => Progress::Busy,
        std::cmp::Ordering::Greater => Progress::Pending,
    };
    let names = ["devices", "cartridge", "power"];
    Stage::Starting {
        steps: names.iter().enumerate().map(|(index, name)| LaunchStep { name: (*name).into(), progress: progress(index) }).collect(),
    }
}

pub(crate) fn running() -> Stage {
    Stage::Running { screen: Some("RTX 2070 SUPER".into()) }
}

/// Gondor locked, Mordor refused.
pub(crate) fn guarded(highlighted: usize, stage: Stage) -> View {
    let mut view = View { address: Some("192.168.1.20".into()), ..view(4, highlighted, stage) };
    view.cards[1].is_locked = true;
    view.cards[2].refused = Some(
        "The disk of cartridge `mordor` is not there: /dev/disk/by-id/nvme-Samsung_SSD_980.\n\
         Plug it in, or point /var/lib/legion/cartridges/mordor/disk to another."
            .into(),
    );
    view
}

pub(crate) fn overlaid(overlay: Overlay, view: View) -> View {
    View { overlay: Some(overlay), ..view }
}

pub(crate) fn countdown(remaining: u64, total: u64) -> Stage {
    Stage::Countdown { remaining: Duration::from_millis(remaining), total: Duration::from_secs(total) }
}

/// The highlight on its way along the shelf.
pub(crate) fn gliding(count: usize, highlighted: usize, shelf: f32, stage: Stage) -> View {
    let still = view(count, highlighted, stage);
    View { pose: Pose { shelf, ..still.pose }, ..still }
}

/// The first cartridge on its way into the slot.
pub(crate) fn inserting(insertion: f32) -> View {
    let starting = view(4, 0, Stage::Starting { steps: Vec::new() });
    View { pose: Pose { insertion, ..starting.pose }, ..starting }
}
