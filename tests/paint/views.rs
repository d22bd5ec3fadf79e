//! Views that are worth a picture.

use persona::settings::Settings;
use persona_paint::{BuiltInEmblem, Card, Emblem, Overlay, Progress, Stage, Step, View};
use std::path::PathBuf;
use std::time::Duration;

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
        steps: names.iter().enumerate().map(|(index, name)| Step { name: (*name).into(), progress: progress(index) }).collect(),
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
