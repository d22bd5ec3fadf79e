//! The overlays of the menu: help, the power menu, the PIN of a locked persona. Pure.

use crate::config::pin;
use crate::menu::model::event::Key;
use persona_paint::{Overlay, PinAnswer, PinKey, PowerEntry};
use std::time::Duration;

/// An overlay with what has been entered into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Over {
    Help,
    Power { highlighted: usize },
    Pin(PinPad),
}

/// The PIN of a persona, as far as it is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PinPad {
    /// Index of the persona.
    pub(super) persona: usize,
    /// Unique for each pad, also for pads of the same persona.
    pub(super) number: u32,
    entered: String,
    cursor: Option<usize>,
    /// The last try was wrong.
    wrong: bool,
}

/// Why a PIN cannot be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Another one is being checked.
    Checking,
    /// Too many were wrong: the time that has to pass.
    Wait(Duration),
}

/// What a key did to an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is still there.
    Stay,
    /// It was closed.
    Leave,
    /// An entry of the power menu was taken.
    Take(PowerEntry),
    /// Check these digits.
    Try(String),
}

impl Over {
    /// Asks for the PIN of a persona.
    pub(super) fn pin(persona: usize, number: u32) -> Self {
        Self::Pin(PinPad { persona, number, entered: String::new(), cursor: None, wrong: false })
    }

    /// Handles a key. While there is a `hold` no PIN is accepted.
    pub(super) fn key(&mut self, key: Key, hold: Option<Hold>) -> Answer {
        match (self, key) {
            (_, Key::Back) | (Self::Help, _) => Answer::Leave,
            (Self::Power { highlighted }, key) => power_key(highlighted, key),
            (Self::Pin(_), _) if hold.is_some() => Answer::Stay,
            (Self::Pin(pad), key) => pad.key(key),
        }
    }

    /// Its view, for the painter.
    pub(super) fn view(&self, hold: Option<Hold>) -> Overlay {
        match self {
            Self::Help => Overlay::Help,
            Self::Power { highlighted } => Overlay::Power { highlighted: *highlighted },
            Self::Pin(pad) => Overlay::Pin {
                entered: pad.entered.len(),
                cursor: pad.cursor,
                answer: match hold {
                    Some(Hold::Checking) => PinAnswer::Checking,
                    Some(Hold::Wait(time)) => PinAnswer::Wait { seconds: time.as_millis().div_ceil(1000).max(1) as u64 },
                    None if pad.wrong => PinAnswer::Wrong,
                    None => PinAnswer::None,
                },
            },
        }
    }
}

fn power_key(highlighted: &mut usize, key: Key) -> Answer {
    match key {
        Key::Previous => *highlighted = highlighted.saturating_sub(1),
        Key::Next => *highlighted = (*highlighted + 1).min(PowerEntry::ALL.len() - 1),
        Key::Digit(digit) if (1..=PowerEntry::ALL.len()).contains(&digit.into()) => *highlighted = usize::from(digit) - 1,
        Key::Confirm => return PowerEntry::ALL.get(*highlighted).map_or(Answer::Stay, |entry| Answer::Take(*entry)),
        _ => {}
    }
    Answer::Stay
}

impl PinPad {
    /// The last try was wrong.
    pub(super) fn was_wrong(&mut self) {
        self.wrong = true;
    }

    fn key(&mut self, key: Key) -> Answer {
        let last = PinKey::ALL.len() - 1;
        match key {
            Key::Digit(digit) => {
                self.cursor = None;
                self.press(PinKey::Digit(digit))
            }
            Key::Erase => self.press(PinKey::Erase),
            Key::Previous => self.move_to(self.cursor.map_or(last, |cursor| if cursor == 0 { last } else { cursor - 1 })),
            Key::Next => self.move_to(self.cursor.map_or(0, |cursor| if cursor == last { 0 } else { cursor + 1 })),
            Key::Confirm => match self.cursor {
                Some(cursor) => self.press(PinKey::ALL[cursor.min(last)]),
                // Enter with no digits: the user has no number keys.
                None if self.entered.is_empty() => self.move_to(0),
                None => self.press(PinKey::Enter),
            },
            Key::Back | Key::Help | Key::Other => Answer::Stay,
        }
    }

    fn move_to(&mut self, cursor: usize) -> Answer {
        self.cursor = Some(cursor);
        Answer::Stay
    }

    fn press(&mut self, key: PinKey) -> Answer {
        match key {
            PinKey::Digit(digit) if self.entered.len() < *pin::LENGTH.end() => {
                self.entered.push(char::from(b'0' + digit.min(9)));
                self.wrong = false;
            }
            PinKey::Erase => drop(self.entered.pop()),
            PinKey::Enter if !self.entered.is_empty() => return Answer::Try(std::mem::take(&mut self.entered)),
            PinKey::Digit(_) | PinKey::Enter => {}
        }
        Answer::Stay
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    fn press(over: &mut Over, keys: &[Key]) -> Answer {
        keys.iter().fold(Answer::Stay, |_, key| over.key(*key, None))
    }

    #[test]
    fn digits_are_entered_taken_back_and_tried() {
        let mut pad = Over::pin(0, 0);
        let keys = [Key::Digit(1), Key::Digit(9), Key::Erase, Key::Digit(0), Key::Confirm];
        assert_eq!(press(&mut pad, &keys), Answer::Try("10".into()));
        assert_eq!(pad.key(Key::Digit(1), Some(Hold::Checking)), Answer::Stay, "one try at a time");
        assert_eq!(pad.view(Some(Hold::Checking)), Overlay::Pin { entered: 0, cursor: None, answer: PinAnswer::Checking });
    }

    #[test]
    fn a_pad_walks_the_row_and_presses_what_is_lit() {
        let mut pad = Over::pin(0, 0);
        // Confirm lights the 1, two steps right is the 3, and left of the 1 is Enter.
        let keys = [Key::Confirm, Key::Next, Key::Next, Key::Confirm, Key::Previous, Key::Previous, Key::Previous];
        assert_eq!(press(&mut pad, &keys), Answer::Stay);
        assert_eq!(pad.view(None), Overlay::Pin { entered: 1, cursor: Some(11), answer: PinAnswer::None });
        assert_eq!(press(&mut pad, &[Key::Confirm]), Answer::Try("3".into()));
    }

    #[test]
    fn while_one_must_wait_no_digit_is_taken_and_the_seconds_are_rounded_up() {
        let mut pad = Over::pin(0, 0);
        let wait = Some(Hold::Wait(Duration::from_millis(1200)));
        assert_eq!(pad.key(Key::Digit(1), wait), Answer::Stay);
        assert_eq!(pad.view(wait), Overlay::Pin { entered: 0, cursor: None, answer: PinAnswer::Wait { seconds: 2 } });
        assert_eq!(pad.key(Key::Back, wait), Answer::Leave, "leaving is always possible");
    }

    #[test]
    fn the_power_menu_takes_what_is_highlighted() {
        let mut power = Over::Power { highlighted: 0 };
        assert_eq!(press(&mut power, &[Key::Next, Key::Next, Key::Next, Key::Confirm]), Answer::Take(PowerEntry::PowerOff));
        assert_eq!(press(&mut power, &[Key::Digit(1), Key::Previous, Key::Confirm]), Answer::Take(PowerEntry::Host));
        assert_eq!(press(&mut power, &[Key::Help]), Answer::Stay);
    }
}
