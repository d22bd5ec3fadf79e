//! What makes an input device a mouse, and what its buttons and wheels mean. The menu has no pointer and ignores a mouse's movement.

use crate::menu::model::Key;
use evdev::{AttributeSetRef, KeyCode, RelativeAxisCode};

/// Whether a device with these keys and axes is a mouse or a trackball. Touch pads and tablets, which report positions, are not.
pub(super) fn is(keys: &AttributeSetRef<KeyCode>, axes: Option<&AttributeSetRef<RelativeAxisCode>>) -> bool {
    keys.contains(KeyCode::BTN_LEFT) && axes.is_some_and(|axes| axes.contains(RelativeAxisCode::REL_X))
}

/// What a button means to the menu.
pub(super) fn key(code: KeyCode) -> Option<Key> {
    match code {
        KeyCode::BTN_LEFT => Some(Key::Confirm),
        KeyCode::BTN_RIGHT => Some(Key::Back),
        // The wheel is a button too, and easily pressed by accident while turning it.
        KeyCode::BTN_MIDDLE => None,
        KeyCode(0x110..=0x117) => Some(Key::Other),
        _ => None,
    }
}

/// What the turn of a wheel means: a step, however far it turned at once. The same turn in finer units, which new
/// kernels also report, is ignored.
pub(super) fn turned(axis: RelativeAxisCode, clicks: i32) -> Option<Key> {
    let towards_next = match axis {
        // Away from the hand is positive and scrolls up.
        RelativeAxisCode::REL_WHEEL => clicks < 0,
        RelativeAxisCode::REL_HWHEEL => clicks > 0,
        _ => return None,
    };
    (clicks != 0).then_some(if towards_next { Key::Next } else { Key::Previous })
}
