//! What the menu shows at one instant: data for the painter, which knows nothing of time, devices or settings files.

use super::color::Color;
use super::emblem::BuiltInEmblem;
use super::language::{Language, Words};
use std::path::PathBuf;
use std::time::Duration;

/// Everything on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The personas, in menu order. Empty only in [`Stage::Broken`].
    pub cards: Vec<Card>,
    /// Index into `cards` of the highlighted one.
    pub highlighted: usize,
    /// What is going on.
    pub stage: Stage,
    /// The overlay, if there is one.
    pub overlay: Option<Overlay>,
    /// The machine's name.
    pub host: String,
    /// Where SSH reaches the host, once it does: an IP address.
    pub address: Option<String>,
    /// One quiet line of warning, if there is one.
    pub notice: Option<String>,
    /// The language of everything that is not from the settings.
    pub language: Language,
    /// The animated values.
    pub pose: Pose,
}

impl View {
    /// A view of these cards in which nothing moves, without status line or overlay.
    pub fn still(cards: Vec<Card>, highlighted: usize, stage: Stage) -> Self {
        let pose = Pose::at_rest(highlighted, &stage);
        let language = Language::default();
        Self { cards, highlighted, stage, overlay: None, host: String::new(), address: None, notice: None, language, pose }
    }

    /// The screen that stands in for the menu when there is none to show.
    pub fn broken(host: &str, why: String) -> Self {
        Self { host: host.to_owned(), ..Self::still(Vec::new(), 0, Stage::Broken { why }) }
    }

    /// The words of its language.
    pub fn words(&self) -> &'static Words {
        self.language.words()
    }
}

/// One persona as a cartridge on the shelf.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Its name on the label.
    pub title: String,
    /// A line of description; may be empty.
    pub tagline: String,
    /// Its colour.
    pub accent: Color,
    /// Its picture.
    pub emblem: Emblem,
    /// Whether it starts when no choice is made.
    pub is_default: bool,
    /// Whether it is legion, whose picture is on another screen.
    pub is_legion: bool,
    /// Whether it asks for a PIN.
    pub is_locked: bool,
    /// Why it cannot start now, if it cannot: one sentence, perhaps with a hint on a second line.
    pub refused: Option<String>,
}

/// A persona's picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Emblem {
    /// None given: the title's first letter stands in.
    Initial,
    /// One that Persona draws itself.
    BuiltIn(BuiltInEmblem),
    /// The owner's PNG, by its path: its name in the [`Gallery`](super::Gallery). The painter opens no file.
    Png(PathBuf),
}

/// What the menu is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The default starts when `remaining` reaches zero.
    Countdown {
        /// Time left.
        remaining: Duration,
        /// The whole countdown (for a ring or bar); never less than `remaining`.
        total: Duration,
    },
    /// Nothing starts until the user picks.
    Waiting,
    /// The highlighted persona was chosen and is on its way.
    Starting {
        /// What has to be done for it, in order.
        steps: Vec<LaunchStep>,
    },
    /// The highlighted persona runs; the picture is on the other screen if it is legion's.
    Running {
        /// The card whose screen to look at, for people ("RTX 2070 SUPER"), if that is known.
        screen: Option<String>,
    },
    /// The highlighted persona could not start, or died.
    Failed {
        /// One sentence, perhaps with a hint on a second line.
        why: String,
    },
    /// There is no menu to show (unreadable settings): the reason, as many lines.
    Broken {
        /// What is wrong and how to fix it.
        why: String,
    },
}

/// A step of a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchStep {
    /// A word or two: "devices".
    pub name: String,
    /// How far it is.
    pub progress: Progress,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Not begun.
    Pending,
    /// Being done.
    Busy,
    /// Done.
    Done,
}

/// An overlay of the menu, until it is answered or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// What the keys do.
    Help,
    /// What to do with the host itself; an index into [`PowerEntry::ALL`].
    Power {
        /// The highlighted entry.
        highlighted: usize,
    },
    /// The PIN of the highlighted persona.
    Pin {
        /// How many digits have been entered.
        entered: usize,
        /// The highlighted key of the pad on the screen, an index into [`PinKey::ALL`]; none while the keyboard is used.
        cursor: Option<usize>,
        /// The answer to the last try.
        answer: PinAnswer,
    },
}

/// An entry of the power menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerEntry {
    /// The host at its console.
    Host,
    /// Restart the machine.
    Restart,
    /// Switch it off.
    PowerOff,
}

impl PowerEntry {
    /// All of them, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Host, Self::Restart, Self::PowerOff];
}

/// A key of the number pad that is drawn for gamepads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinKey {
    /// 0 to 9.
    Digit(u8),
    /// Takes the last digit back.
    Erase,
    /// Tries the PIN.
    Enter,
}

impl PinKey {
    /// All of them, in one row from left to right.
    pub const ALL: [Self; 12] = [
        Self::Digit(1),
        Self::Digit(2),
        Self::Digit(3),
        Self::Digit(4),
        Self::Digit(5),
        Self::Digit(6),
        Self::Digit(7),
        Self::Digit(8),
        Self::Digit(9),
        Self::Digit(0),
        Self::Erase,
        Self::Enter,
    ];
}

/// The answer to the last try of a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinAnswer {
    /// There was none.
    None,
    /// It is being checked.
    Checking,
    /// It was wrong.
    Wrong,
    /// It was wrong, and the next one may be entered after so many whole seconds.
    Wait {
        /// At least 1.
        seconds: u64,
    },
}

/// The values of everything that is animated. At rest they follow from the rest of the view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Where the highlight is on the shelf, in cartridges: 1.5 is halfway between the second and the third.
    pub shelf: f32,
    /// How far the highlighted cartridge is in the slot: 0.0 on the shelf, 1.0 all the way down.
    pub insertion: f32,
    /// 1.0 as designed, 0.0 black.
    pub brightness: f32,
}

impl Pose {
    /// The pose in which nothing moves any more.
    pub fn at_rest(highlighted: usize, stage: &Stage) -> Self {
        let insertion = if matches!(stage, Stage::Starting { .. } | Stage::Running { .. }) { 1.0 } else { 0.0 };
        Self { shelf: highlighted as f32, insertion, brightness: 1.0 }
    }
}

/// How a picture is drawn, whatever it shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Appearance {
    /// Plain black and white with the accent as the only colour, and no faint text.
    pub high_contrast: bool,
    /// All text larger; the cartridges make room.
    pub large_text: bool,
    /// Text and keycaps this much larger than by the picture's height alone, 0.5 to 3.0; the cartridges make room.
    pub scale: f32,
}

impl Default for Appearance {
    fn default() -> Self {
        Self { high_contrast: false, large_text: false, scale: 1.0 }
    }
}
