//! The menu's inputs: events of its state machine, of input devices and of a terminal.

use super::take;
use evdev::{AbsInfo, AbsoluteAxisCode, AttributeSet, InputEvent, KeyCode};
use persona::config::Settings;
use persona::config::value::Timeout;
use persona::menu::facts::Facts;
use persona::menu::input::decoder::{Decoder, InputKind, KeysAndAxes};
use persona::menu::model::view::{appearance, view};
use persona::menu::model::{Effect, Event, Key, Menu, Remote};
use persona::menu::text::keys::TerminalDecoder;
use persona::menu::text::{ansi, lines};
use persona::state::{Phase, Reason};
use std::sync::OnceLock;
use std::time::Duration;

const SETTINGS: &str = r#"
[menu]
default = "b"
[[persona]]
name = "a"
[[persona]]
name = "b"
on_poweroff = "host"
[[persona]]
name = "locked"
pin = "PIN"
[[persona]]
name = "lab"
starts = "lab.service"
[[persona]]
name = "host"
starts = "host"
"#;

fn settings() -> &'static Settings {
    static SETTINGS_READ: OnceLock<Settings> = OnceLock::new();
    SETTINGS_READ.get_or_init(|| {
        let pin = persona::config::pin::Pin::hash("1234", &[7; 16]).expect("it is a PIN");
        Settings::parse(&SETTINGS.replace("PIN", &pin.to_string()), "test").expect("they are settings")
    })
}

/// A menu: three bytes choose its default, preset and timeout.
fn new_menu(data: &mut &[u8]) -> Menu {
    let [default, preset, timeout] = take::<3>(data);
    let name = |number: u8| settings().personas[usize::from(number) % settings().personas.len()].name.as_str();
    let timeout = match timeout {
        0 => Timeout::Never,
        // At most a day, as the settings.
        seconds => Timeout::After(Duration::from_secs((u64::from(seconds) - 1).pow(2) % 86_401)),
    };
    let menu = Menu::new(settings(), name(default), (preset >= 128).then(|| (name(preset), Reason::Override)), timeout);
    if preset % 2 == 0 { menu } else { menu.provisional() }
}

/// The state machine: each event is an opcode with operands; time goes on by up to 65 s with each.
pub(super) fn menu(mut data: &[u8]) {
    let mut menu = new_menu(&mut data);
    let mut now = Duration::ZERO;
    let facts = Facts::default();
    let mut before = Vec::new();
    // What a hundred events do not reach, more will not.
    for _ in 0..100 {
        if data.is_empty() {
            break;
        }
        let [code, operand, high, low] = take(&mut data);
        now += Duration::from_millis(u64::from(u16::from_be_bytes([high, low])));
        let effects = match code % 16 {
            0..=4 => menu.handle(Event::Key(key(operand)), now),
            5 => menu.handle(if operand % 2 == 0 { Event::Shown } else { Event::NoScreen }, now),
            6 => menu.handle(Event::Refused((0..operand % 8).map(|bit| operand >> bit & 1 == 1).collect()), now),
            7 => menu.handle(Event::PinChecked { right: operand % 2 == 0 }, now),
            8 => menu.handle(Event::Recorded { failed: (operand % 2 == 0).then(|| "the disk is full".to_owned()) }, now),
            9 | 10 => {
                let persona = Some(usize::from(operand >> 4)).filter(|persona| *persona < 8);
                let why = (operand % 16 > 8).then(|| "it\nhas its reason".to_owned());
                menu.handle(Event::Legion { phase: phase(operand), persona, why }, now)
            }
            11 => menu.remote(remote(operand), now).unwrap_or_default(),
            12 => {
                let opening = new_menu(&mut data);
                let places: Vec<Option<usize>> =
                    (0..5).map(|place| Some((place + usize::from(operand)) % 6).filter(|place| *place < 5)).collect();
                menu.adopt_host_config(opening, &places, now)
            }
            _ => menu.handle(Event::Tick, now),
        };
        for effect in effects {
            if let Effect::Choose { persona, .. } | Effect::CheckPin { persona, .. } = effect {
                assert!(persona < settings().personas.len());
            }
        }
        assert!(menu.highlighted() < settings().personas.len());
        // What ought to happen later does.
        let _ = (menu.deadline(), menu.next_change(now), menu.light(now), menu.countdown(now), menu.stage_word(), menu.over_word());
        if let Some(view) = view(settings(), &menu, &facts, now) {
            let columns = 20 + usize::from(operand) % 70;
            let after = lines(&view, columns, usize::from(low) % 50);
            ansi(&before, &after, columns);
            before = after;
            // It takes a hundred times as long as the rest.
            if code >= 240 {
                persona_paint::layout(&view, appearance(&settings().menu), 64 + u32::from(high) * 16, 64 + u32::from(low) * 9);
            }
        }
    }
}

fn key(operand: u8) -> Key {
    match operand % 20 {
        0 => Key::Previous,
        1 => Key::Next,
        2..=5 => Key::Confirm,
        6 => Key::Back,
        7 => Key::Erase,
        8 => Key::Help,
        9 => Key::Other,
        digit => Key::Digit(digit - 10),
    }
}

fn phase(operand: u8) -> Phase {
    const PHASES: [Phase; 7] =
        [Phase::Preparing, Phase::Inserting, Phase::Starting, Phase::Running, Phase::Stopping, Phase::Ended, Phase::Failed];
    PHASES[usize::from(operand) % PHASES.len()]
}

fn remote(operand: u8) -> Remote {
    let persona = usize::from(operand >> 4) % settings().personas.len();
    match operand % 6 {
        0 => Remote::Choose(persona),
        1 => Remote::Hold,
        2 => Remote::MoveTo(persona),
        3 => Remote::MoveBy(i32::from(operand) - 128),
        4 => Remote::MoveBy(if operand < 128 { i32::MAX } else { i32::MIN }),
        _ => Remote::Console,
    }
}

/// The events of an input device of any kind, whose axes say any range.
pub(super) fn input_events(mut data: &[u8]) {
    const AXES: [AbsoluteAxisCode; 4] =
        [AbsoluteAxisCode::ABS_X, AbsoluteAxisCode::ABS_Y, AbsoluteAxisCode::ABS_HAT0X, AbsoluteAxisCode::ABS_HAT0Y];
    let [kind, keys] = take(&mut data);
    let kind = [InputKind::Keyboard, InputKind::Pad, InputKind::Pad, InputKind::Mouse][usize::from(kind) % 4];
    let keys: AttributeSet<KeyCode> = if keys % 2 == 0 { [KeyCode::BTN_DPAD_UP].into_iter().collect() } else { AttributeSet::default() };
    let state = |data: &mut &[u8]| {
        let mut number = || i32::from_le_bytes(take(data));
        let axes = AXES.map(|axis| (axis, AbsInfo::new(number(), number(), number(), 0, number(), 0)));
        KeysAndAxes { down: vec![KeyCode(number() as u16)], axes: axes.to_vec() }
    };
    let mut decoder = Decoder::new(kind, &keys, &state(&mut data));
    while !data.is_empty() {
        let [event, code, high] = take(&mut data);
        let event = InputEvent::new(u16::from(event % 8), u16::from_le_bytes([code, high]), i32::from_le_bytes(take(&mut data)));
        decoder.decode(event);
        if decoder.has_lost_events() {
            decoder.resume(&state(&mut data));
        }
    }
}

/// The bytes of a terminal, in pieces: each has its length and the time before it in front.
pub(super) fn terminal_keys(mut data: &[u8]) {
    let mut decoder = TerminalDecoder::default();
    let mut now = Duration::ZERO;
    while !data.is_empty() {
        let [length, later] = take(&mut data);
        now += Duration::from_millis(later.into());
        let (piece, rest) = data.split_at(usize::from(length).min(data.len()));
        let keys = decoder.feed(piece, now);
        assert!(keys.len() <= piece.len() + 1);
        data = rest;
    }
    decoder.timed_out(now + Duration::from_secs(1));
    assert_eq!(decoder.deadline(), None);
}
