//! Runs in the test machine: a gamepad that the kernel's uinput makes. `pad FIFO` plugs it in and then does what is written
//! to the FIFO, word by word: `south`, `right` (the d-pad), `stick-right`, `noise`. Every word is a whole movement: the
//! button comes up again, the stick goes back to its middle.

use evdev::uinput::VirtualDevice;
use evdev::{AbsInfo, AbsoluteAxisCode, AttributeSet, EventType, InputEvent, KeyCode, UinputAbsSetup};
use persona_machine::wire::PAD_NAME;
use std::error::Error;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::process::ExitCode;

const BUTTONS: [(&str, KeyCode); 4] =
    [("south", KeyCode::BTN_SOUTH), ("east", KeyCode::BTN_EAST), ("start", KeyCode::BTN_START), ("select", KeyCode::BTN_SELECT)];

/// A stick's way from its middle to its end.
const STICK: i32 = 32_767;
/// What a worn stick does when nobody touches it: a tenth of its way.
const NOISE: i32 = STICK / 10;

const MOVEMENTS: [(&str, AbsoluteAxisCode, i32); 10] = [
    ("left", AbsoluteAxisCode::ABS_HAT0X, -1),
    ("right", AbsoluteAxisCode::ABS_HAT0X, 1),
    ("up", AbsoluteAxisCode::ABS_HAT0Y, -1),
    ("down", AbsoluteAxisCode::ABS_HAT0Y, 1),
    ("stick-left", AbsoluteAxisCode::ABS_X, -STICK),
    ("stick-right", AbsoluteAxisCode::ABS_X, STICK),
    ("stick-up", AbsoluteAxisCode::ABS_Y, -STICK),
    ("stick-down", AbsoluteAxisCode::ABS_Y, STICK),
    ("noise", AbsoluteAxisCode::ABS_X, NOISE),
    ("other-noise", AbsoluteAxisCode::ABS_X, -NOISE),
];

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1) {
        Some(fifo) => play(&fifo),
        None => Err("usage: pad FIFO".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "pad: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(fifo: &str) -> Result<(), Box<dyn Error>> {
    let mut pad = plug_in()?;
    // For writing too: the FIFO then has no end when one writer is done.
    let orders = OpenOptions::new().read(true).write(true).open(fifo)?;
    for line in BufReader::new(orders).lines() {
        for word in line?.split_whitespace() {
            let (event, rest) = movement(word).ok_or_else(|| format!("there is no movement {word:?}"))?;
            // `emit` ends each with a SYN_REPORT.
            pad.emit(&[event])?;
            pad.emit(&[rest])?;
        }
    }
    Ok(())
}

/// What a word does, and what ends it.
fn movement(word: &str) -> Option<(InputEvent, InputEvent)> {
    let button = BUTTONS.iter().find(|(name, _)| *name == word).map(|(_, key)| (EventType::KEY, key.code(), 1));
    let axis = MOVEMENTS.iter().find(|(name, ..)| *name == word).map(|(_, axis, value)| (EventType::ABSOLUTE, axis.0, *value));
    let (kind, code, value) = button.or(axis)?;
    Some((InputEvent::new(kind.0, code, value), InputEvent::new(kind.0, code, 0)))
}

fn plug_in() -> std::io::Result<VirtualDevice> {
    let keys: AttributeSet<KeyCode> = BUTTONS.iter().map(|(_, key)| *key).collect();
    // Value, minimum, maximum, fuzz, flat, resolution.
    let stick = AbsInfo::new(0, -STICK - 1, STICK, 16, 128, 0);
    let hat = AbsInfo::new(0, -1, 1, 0, 0, 0);
    let mut builder = VirtualDevice::builder()?.name(PAD_NAME).with_keys(&keys)?;
    for axis in [AbsoluteAxisCode::ABS_X, AbsoluteAxisCode::ABS_Y] {
        builder = builder.with_absolute_axis(&UinputAbsSetup::new(axis, stick))?;
    }
    for axis in [AbsoluteAxisCode::ABS_HAT0X, AbsoluteAxisCode::ABS_HAT0Y] {
        builder = builder.with_absolute_axis(&UinputAbsSetup::new(axis, hat))?;
    }
    builder.build()
}
