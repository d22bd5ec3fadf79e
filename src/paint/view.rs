//! What the menu shows at one instant: data for the painter, which knows nothing of time, devices or settings files.

use super::color::Color;
use super::emblem::BuiltInEmblem;
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
    /// The machine's name.
    pub host: String,
    /// One quiet line of warning, if there is one.
    pub notice: Option<String>,
}

impl View {
    /// The screen that stands in for the menu when there is none to show.
    pub fn broken(host: &str, why: String) -> Self {
        Self { cards: Vec::new(), highlighted: 0, stage: Stage::Broken { why }, host: host.to_owned(), notice: None }
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
    /// Whether it is what starts when nobody picks.
    pub is_default: bool,
    /// Whether it is legion, whose picture is on another screen.
    pub is_legion: bool,
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
    /// Nothing starts until a person picks.
    Waiting,
    /// The highlighted persona was chosen and is on its way.
    Starting,
    /// The highlighted persona runs; the picture is on the other screen if it is legion's.
    Running,
    /// The highlighted persona could not start, or died.
    Failed {
        /// One sentence, perhaps with a mend on a second line.
        why: String,
    },
    /// There is no menu to show (unreadable settings): the reason, as many lines.
    Broken {
        /// What is wrong and how to mend it.
        why: String,
    },
}
