//! What makes an input device a gamepad or joystick, and what its buttons mean: by the kernel's codes, which say where a
//! button is and not what is printed on it (linux/Documentation/input/gamepad.rst).

use crate::menu::model::Key;
use evdev::{AbsoluteAxisCode, AttributeSetRef, KeyCode};

/// Whether a device with these keys and axes is a gamepad (it has a south button, which is also the A of pads older than
/// that name) or a joystick (a trigger, and a stick to it).
pub(super) fn is(keys: &AttributeSetRef<KeyCode>, axes: Option<&AttributeSetRef<AbsoluteAxisCode>>) -> bool {
    let stick = || axes.is_some_and(|axes| axes.contains(AbsoluteAxisCode::ABS_X) && axes.contains(AbsoluteAxisCode::ABS_Y));
    keys.contains(KeyCode::BTN_SOUTH) || keys.contains(KeyCode::BTN_TRIGGER) && stick()
}

/// Whether the direction pad of such a pad reports buttons. Then its hat axes, if it has any, are something else, such as
/// a touch pad.
pub(super) fn has_direction_buttons(keys: &AttributeSetRef<KeyCode>) -> bool {
    keys.contains(KeyCode::BTN_DPAD_UP)
}

/// What a button means to the menu; none for buttons that a resting finger presses, and for those that duplicate another control.
pub(super) fn key(code: KeyCode) -> Option<Key> {
    match code {
        KeyCode::BTN_DPAD_UP | KeyCode::BTN_DPAD_LEFT => Some(Key::Previous),
        KeyCode::BTN_DPAD_DOWN | KeyCode::BTN_DPAD_RIGHT => Some(Key::Next),
        KeyCode::BTN_SOUTH | KeyCode::BTN_START | KeyCode::BTN_TRIGGER => Some(Key::Confirm),
        KeyCode::BTN_EAST | KeyCode::BTN_THUMB => Some(Key::Back),
        // Drivers do not agree which of the two is which.
        KeyCode::BTN_NORTH | KeyCode::BTN_WEST => Some(Key::Erase),
        KeyCode::BTN_SELECT => Some(Key::Help),
        KeyCode::BTN_TL2 | KeyCode::BTN_TR2 => None,
        // The rest of the joystick's block and of the gamepad's.
        KeyCode(0x120..=0x13f) => Some(Key::Other),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evdev::AttributeSet;

    #[test]
    fn a_pad_has_a_south_button_and_a_joystick_a_trigger_and_a_stick() {
        let keys = |codes: &[u16]| -> AttributeSet<KeyCode> { codes.iter().map(|&code| KeyCode(code)).collect() };
        let stick: AttributeSet<_> = [AbsoluteAxisCode::ABS_X, AbsoluteAxisCode::ABS_Y].into_iter().collect();
        assert!(is(&keys(&[0x130]), None), "BTN_A, BTN_GAMEPAD and BTN_SOUTH are one code");
        assert!(is(&keys(&[0x120]), Some(&stick)));
        for other in [&[0x120][..], &[0x110, 0x111], &[0x140, 0x14a], &[0x1c], &[]] {
            assert!(!is(&keys(other), None), "{other:x?}");
        }
        assert!(!is(&keys(&[0x14a, 0x110]), Some(&stick)), "a touch pad");
    }
}
