use super::*;
use evdev::AttributeSet;
use proptest::prelude::*;

fn keys(codes: &[KeyCode]) -> AttributeSet<KeyCode> {
    codes.iter().copied().collect()
}

fn decoder(kind: InputKind) -> Decoder {
    Decoder::new(kind, &keys(&[]), &pad_at_rest())
}

/// As hid-generic and xpad report a pad: triggers on Z, a hat.
fn pad_at_rest() -> KeysAndAxes {
    let stick = AbsInfo::new(0, -32768, 32767, 16, 128, 0);
    let hat = AbsInfo::new(0, -1, 1, 0, 0, 0);
    let axes = vec![
        (AbsoluteAxisCode::ABS_X, stick),
        (AbsoluteAxisCode::ABS_Y, stick),
        (AbsoluteAxisCode::ABS_Z, AbsInfo::new(0, 0, 255, 0, 0, 0)),
        (AbsoluteAxisCode::ABS_RX, stick),
        (AbsoluteAxisCode::ABS_HAT0X, hat),
        (AbsoluteAxisCode::ABS_HAT0Y, hat),
    ];
    KeysAndAxes { down: Vec::new(), axes }
}

fn key(code: KeyCode, value: i32) -> InputEvent {
    InputEvent::new(EventType::KEY.0, code.code(), value)
}

fn axis(code: AbsoluteAxisCode, value: i32) -> InputEvent {
    InputEvent::new(EventType::ABSOLUTE.0, code.0, value)
}

fn wheel(code: RelativeAxisCode, value: i32) -> InputEvent {
    InputEvent::new(EventType::RELATIVE.0, code.0, value)
}

fn synchronization(code: SynchronizationCode) -> InputEvent {
    InputEvent::new(EventType::SYNCHRONIZATION.0, code.0, 0)
}

/// What these events mean, each in a report of its own.
fn decoded(decoder: &mut Decoder, events: &[InputEvent]) -> Vec<Key> {
    let report = synchronization(SynchronizationCode::SYN_REPORT);
    events.iter().flat_map(|&event| [event, report]).filter_map(|event| decoder.decode(event)).collect()
}

#[test]
fn what_every_button_means() {
    for (code, meaning) in [
        (KeyCode::KEY_LEFT, Some(Key::Previous)),
        (KeyCode::KEY_UP, Some(Key::Previous)),
        (KeyCode::KEY_DOWN, Some(Key::Next)),
        (KeyCode::KEY_ESC, Some(Key::Back)),
        (KeyCode::KEY_F1, Some(Key::Help)),
        (KeyCode::KEY_BACKSPACE, Some(Key::Erase)),
        (KeyCode::KEY_LEFTSHIFT, Some(Key::Other)),
        (KeyCode::BTN_DPAD_UP, Some(Key::Previous)),
        (KeyCode::BTN_DPAD_LEFT, Some(Key::Previous)),
        (KeyCode::BTN_DPAD_DOWN, Some(Key::Next)),
        (KeyCode::BTN_DPAD_RIGHT, Some(Key::Next)),
        (KeyCode::BTN_EAST, Some(Key::Back)),
        (KeyCode::BTN_WEST, Some(Key::Erase)),
        (KeyCode::BTN_SELECT, Some(Key::Help)),
        (KeyCode::BTN_MODE, Some(Key::Other)),
        (KeyCode::BTN_THUMB, Some(Key::Back)),
        (KeyCode::BTN_RIGHT, Some(Key::Back)),
        (KeyCode::BTN_SIDE, Some(Key::Other)),
        (KeyCode::BTN_MIDDLE, None),
        (KeyCode::BTN_TL2, None),
        (KeyCode::BTN_TR2, None),
        (KeyCode::BTN_TRIGGER_HAPPY1, None),
        (KeyCode::BTN_TOUCH, None),
    ] {
        for kind in [InputKind::Keyboard, InputKind::Pad, InputKind::Mouse] {
            let meaning: Vec<Key> = meaning.into_iter().collect();
            assert_eq!(decoded(&mut decoder(kind), &[key(code, 1), key(code, 2), key(code, 0)]), meaning, "{code:?}");
        }
    }
}

#[test]
fn nothing_else_confirms() {
    let confirms = |code: &KeyCode| meaning(*code) == Some(Key::Confirm);
    let confirming: Vec<KeyCode> = (0..0x300).map(KeyCode).filter(confirms).collect();
    let meant = [
        KeyCode::KEY_ENTER,
        KeyCode::KEY_SPACE,
        KeyCode::KEY_KPENTER,
        KeyCode::BTN_LEFT,
        KeyCode::BTN_TRIGGER,
        KeyCode::BTN_SOUTH,
        KeyCode::BTN_START,
    ];
    assert_eq!(confirming, meant);
}

#[test]
fn stick_and_hat_step_and_triggers_do_nothing() {
    let mut pad = decoder(InputKind::Pad);
    let events = [
        axis(AbsoluteAxisCode::ABS_X, 32767),
        axis(AbsoluteAxisCode::ABS_X, 0),
        axis(AbsoluteAxisCode::ABS_HAT0Y, -1),
        axis(AbsoluteAxisCode::ABS_HAT0Y, 0),
        axis(AbsoluteAxisCode::ABS_Z, 255),
        axis(AbsoluteAxisCode::ABS_RX, 32767),
    ];
    assert_eq!(decoded(&mut pad, &events), [Key::Next, Key::Previous]);
}

#[test]
fn a_hat_beside_direction_buttons_is_something_else() {
    let mut pad = Decoder::new(InputKind::Pad, &keys(&[KeyCode::BTN_DPAD_UP]), &pad_at_rest());
    assert_eq!(decoded(&mut pad, &[axis(AbsoluteAxisCode::ABS_HAT0X, 1)]), []);
}

#[test]
fn only_a_pads_axes_are_a_stick() {
    for kind in [InputKind::Mouse, InputKind::Keyboard] {
        assert_eq!(decoded(&mut decoder(kind), &[axis(AbsoluteAxisCode::ABS_X, 32767)]), []);
    }
}

#[test]
fn wheels_step_and_movement_is_nothing() {
    let events = [
        wheel(RelativeAxisCode::REL_X, 100),
        wheel(RelativeAxisCode::REL_Y, -100),
        wheel(RelativeAxisCode::REL_WHEEL, 1),
        wheel(RelativeAxisCode::REL_WHEEL_HI_RES, 120),
        wheel(RelativeAxisCode::REL_WHEEL, -3),
        wheel(RelativeAxisCode::REL_HWHEEL, 1),
        wheel(RelativeAxisCode::REL_HWHEEL, -1),
        wheel(RelativeAxisCode::REL_WHEEL, 0),
    ];
    assert_eq!(decoded(&mut decoder(InputKind::Mouse), &events), [Key::Previous, Key::Next, Key::Next, Key::Previous]);
}

#[test]
fn what_is_held_at_first_counts_for_nothing_until_it_came_up() {
    let held = KeysAndAxes { down: vec![KeyCode::KEY_ENTER], axes: Vec::new() };
    let mut keyboard = Decoder::new(InputKind::Keyboard, &keys(&[]), &held);
    let enter = |value| key(KeyCode::KEY_ENTER, value);
    assert_eq!(decoded(&mut keyboard, &[enter(1), enter(2), enter(0)]), []);
    assert_eq!(decoded(&mut keyboard, &[enter(1)]), [Key::Confirm]);
}

#[test]
fn events_that_were_lost_are_no_presses() {
    let mut keyboard = decoder(InputKind::Keyboard);
    let enter = |value| key(KeyCode::KEY_ENTER, value);
    assert_eq!(decoded(&mut keyboard, &[synchronization(SynchronizationCode::SYN_DROPPED), enter(1)]), []);
    assert!(keyboard.has_lost_events());
    keyboard.resume(&KeysAndAxes { down: vec![KeyCode::KEY_ENTER], axes: Vec::new() });
    assert_eq!(decoded(&mut keyboard, &[enter(1), enter(0), key(KeyCode::KEY_1, 1)]), [Key::Digit(1)]);
}

#[test]
fn kinds_are_told_by_what_a_device_can_report() {
    let relative: AttributeSet<RelativeAxisCode> = [RelativeAxisCode::REL_X, RelativeAxisCode::REL_WHEEL].into_iter().collect();
    let kind = |codes: &[KeyCode]| InputKind::of(&keys(codes), Some(&relative), None);
    let arrows = [KeyCode::KEY_LEFT, KeyCode::KEY_RIGHT, KeyCode::KEY_UP, KeyCode::KEY_DOWN];
    assert_eq!(kind(&[&[KeyCode::KEY_ENTER, KeyCode::BTN_SOUTH][..], &arrows].concat()), Some(InputKind::Keyboard));
    assert_eq!(kind(&[KeyCode::BTN_SOUTH, KeyCode::BTN_LEFT]), Some(InputKind::Pad));
    assert_eq!(kind(&[KeyCode::BTN_LEFT]), Some(InputKind::Mouse));
    assert_eq!(kind(&[KeyCode::KEY_POWER]), None);
    assert_eq!(InputKind::of(&keys(&[KeyCode::BTN_LEFT, KeyCode::BTN_TOUCH]), None, None), None, "a touch pad");
}

proptest! {
    #[test]
    fn no_events_panic_and_only_presses_steps_and_turns_mean_anything(
        down in proptest::collection::vec(any::<u16>(), 0..4),
        events in proptest::collection::vec((0..6u16, any::<u16>(), -2..3i32), 0..60),
    ) {
        let now = KeysAndAxes { down: down.into_iter().map(KeyCode).collect(), axes: pad_at_rest().axes };
        for kind in [InputKind::Keyboard, InputKind::Pad, InputKind::Mouse] {
            let mut decoder = Decoder::new(kind, &keys(&[]), &now);
            for &(event_type, code, value) in &events {
                let meant = decoder.decode(InputEvent::new(event_type, code, value));
                let may_mean = match EventType(event_type) {
                    EventType::KEY => value == 1,
                    EventType::RELATIVE => value != 0,
                    EventType::SYNCHRONIZATION => kind == InputKind::Pad,
                    _ => false,
                };
                prop_assert!(meant.is_none() || may_mean);
                if decoder.has_lost_events() {
                    decoder.resume(&now);
                }
            }
        }
    }
}
