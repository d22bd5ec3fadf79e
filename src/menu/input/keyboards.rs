//! What makes an input device a keyboard, and what its keys mean.

use crate::menu::model::Key;
use evdev::{AttributeSetRef, KeyCode};

/// The row of digits and the number pad, by digit.
const DIGITS: [[KeyCode; 2]; 10] = [
    [KeyCode::KEY_0, KeyCode::KEY_KP0],
    [KeyCode::KEY_1, KeyCode::KEY_KP1],
    [KeyCode::KEY_2, KeyCode::KEY_KP2],
    [KeyCode::KEY_3, KeyCode::KEY_KP3],
    [KeyCode::KEY_4, KeyCode::KEY_KP4],
    [KeyCode::KEY_5, KeyCode::KEY_KP5],
    [KeyCode::KEY_6, KeyCode::KEY_KP6],
    [KeyCode::KEY_7, KeyCode::KEY_KP7],
    [KeyCode::KEY_8, KeyCode::KEY_KP8],
    [KeyCode::KEY_9, KeyCode::KEY_KP9],
];

const ARROWS: [KeyCode; 4] = [KeyCode::KEY_LEFT, KeyCode::KEY_RIGHT, KeyCode::KEY_UP, KeyCode::KEY_DOWN];

/// Whether a user can choose with these keys: it takes Enter, and arrows or digits. Power buttons, lid switches and the media keys of a
/// keyboard (nodes of their own) have no Enter: they stay with logind.
pub(super) fn are(keys: &AttributeSetRef<KeyCode>) -> bool {
    let enter = keys.contains(KeyCode::KEY_ENTER) || keys.contains(KeyCode::KEY_KPENTER);
    let digits = DIGITS.iter().all(|either| either.iter().any(|&key| keys.contains(key)));
    enter && (digits || ARROWS.iter().all(|&key| keys.contains(key)))
}

/// What a key means to the menu.
pub(super) fn key(code: KeyCode) -> Key {
    match code {
        KeyCode::KEY_LEFT | KeyCode::KEY_UP => Key::Previous,
        KeyCode::KEY_RIGHT | KeyCode::KEY_DOWN => Key::Next,
        KeyCode::KEY_ENTER | KeyCode::KEY_KPENTER | KeyCode::KEY_SPACE => Key::Confirm,
        KeyCode::KEY_ESC => Key::Back,
        KeyCode::KEY_BACKSPACE => Key::Erase,
        KeyCode::KEY_F1 => Key::Help,
        _ => DIGITS.iter().position(|either| either.contains(&code)).map_or(Key::Other, |digit| Key::Digit(digit as u8)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evdev::AttributeSet;

    fn set(keys: &[KeyCode]) -> AttributeSet<KeyCode> {
        keys.iter().copied().collect()
    }

    #[test]
    fn a_keyboard_can_choose_and_buttons_cannot() {
        let digits = |column: usize| DIGITS.map(|either| either[column]);
        assert!(are(&set(&[&[KeyCode::KEY_ENTER][..], &digits(0), &ARROWS].concat())), "a whole keyboard");
        assert!(are(&set(&[&[KeyCode::KEY_KPENTER][..], &digits(1)].concat())), "a number pad");
        assert!(are(&set(&[&[KeyCode::KEY_ENTER][..], &ARROWS].concat())), "a remote control");
        for other in [
            &[KeyCode::KEY_POWER][..],
            &[KeyCode::KEY_POWER, KeyCode::KEY_SLEEP, KeyCode::KEY_WAKEUP],
            &[&[KeyCode::KEY_VOLUMEUP, KeyCode::KEY_SELECT, KeyCode::KEY_ESC][..], &ARROWS].concat(),
            &[KeyCode::BTN_LEFT, KeyCode::BTN_RIGHT],
            &[KeyCode::KEY_ENTER],
            &[],
        ] {
            assert!(!are(&set(other)), "{other:?}");
        }
    }

    #[test]
    fn digits_are_themselves_on_both_pads() {
        assert_eq!(key(KeyCode::KEY_1), Key::Digit(1));
        assert_eq!(key(KeyCode::KEY_KP9), Key::Digit(9));
        assert_eq!(key(KeyCode::KEY_0), Key::Digit(0));
    }
}
