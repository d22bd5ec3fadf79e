//! The inputs ([`Event`], [`Key`]) and outputs ([`Effect`], [`Light`]) of the menu's state machine.

use crate::config::pin::Tries;
use crate::state::{Phase, Reason};

/// A key, or a pad's button, as the menu understands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Arrow left or up.
    Previous,
    /// Arrow right or down.
    Next,
    /// 0 to 9.
    Digit(u8),
    /// Enter or Space.
    Confirm,
    /// Escape.
    Back,
    /// Backspace.
    Erase,
    /// F1.
    Help,
    /// Any other.
    Other,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A complete frame is on a screen.
    Shown,
    /// There will be no screen, or none in time.
    NoScreen,
    /// A key went down.
    Key(Key),
    /// Which personas cannot start now, by index.
    Refused(Vec<bool>),
    /// The PIN that was tried is right, or wrong.
    PinChecked {
        /// Which.
        right: bool,
    },
    /// The wrong PINs that were entered before this menu began.
    EarlierTries(Tries),
    /// The last choice was recorded, or could not be.
    Recorded {
        /// Why not.
        failed: Option<String>,
    },
    /// legion, or a persona's own unit, has changed its phase; `persona` is an index, if it is one of the menu's.
    Legion {
        /// The new phase.
        phase: Phase,
        /// Which persona it is.
        persona: Option<usize>,
        /// Why it ended or failed.
        why: Option<String>,
    },
    /// A deadline may have passed.
    Tick,
}

/// A request to the menu over the control socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    /// Start this persona, by index.
    Choose(usize),
    /// Nothing is to start by itself.
    Hold,
    /// Highlight this persona, by index.
    MoveTo(usize),
    /// Move the highlight by so many personas.
    MoveBy(i32),
    /// Give screen and keyboards to the console.
    Console,
}

/// Why the menu refuses a request of the control socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteRefusal {
    /// The persona cannot start now.
    Refused,
    /// This one was chosen or runs already, by index, if it is one of the menu's.
    Busy(Option<usize>),
    /// No countdown is running.
    NoCountdown,
    /// The personas are not shown for picking.
    NoShelf,
    /// A person is entering a PIN for the highlighted persona.
    PinIsEntered,
}

/// Something the caller must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Record the choice, answer with [`Event::Recorded`], and start what the persona starts.
    Choose {
        /// Index of the persona.
        persona: usize,
        /// Why it was chosen.
        reason: Reason,
    },
    /// Check whether these digits are the persona's PIN, and answer with [`Event::PinChecked`].
    CheckPin {
        /// Index of the persona.
        persona: usize,
        /// What was entered.
        digits: String,
    },
    /// Check again what can start, and answer with [`Event::Refused`].
    LookAgain,
    /// Give screen and keyboards to the console.
    LeaveToConsole,
    /// Take screen and keyboards back.
    TakeScreen,
    /// Restart the machine.
    Restart,
    /// Switch the machine off.
    PowerOff,
}

/// How bright the screen is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// As designed.
    Bright,
    /// Dimmed, after a while without a key.
    Dim,
    /// None.
    Dark,
}

impl Light {
    /// The brightness of everything, as the painter wants it.
    pub fn brightness(self) -> f32 {
        match self {
            Self::Bright => 1.0,
            Self::Dim => 0.35,
            Self::Dark => 0.0,
        }
    }
}
