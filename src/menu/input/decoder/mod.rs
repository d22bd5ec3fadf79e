//! From the kernel's input events to the menu's keys: the pure half of an input device.

use super::stick::Stick;
use super::{keyboards, mice, pads};
use crate::menu::model::Key;
use evdev::{AbsInfo, AbsoluteAxisCode, AttributeSetRef, EventType, InputEvent, KeyCode, RelativeAxisCode, SynchronizationCode};
use std::collections::BTreeSet;

/// What an input device is to the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// A device with keys to choose with.
    Keyboard,
    /// A gamepad or a joystick.
    Pad,
    /// A mouse or a trackball.
    Mouse,
}

impl InputKind {
    /// The kind of a device that can report these events; none for a device that the menu does not use, such as a power button.
    pub fn of(
        keys: &AttributeSetRef<KeyCode>,
        relative: Option<&AttributeSetRef<RelativeAxisCode>>,
        absolute: Option<&AttributeSetRef<AbsoluteAxisCode>>,
    ) -> Option<Self> {
        // A keyboard with a wheel or a joystick in it is a keyboard; its buttons mean what they mean everywhere.
        if keyboards::are(keys) {
            Some(Self::Keyboard)
        } else if pads::is(keys, absolute) {
            Some(Self::Pad)
        } else {
            mice::is(keys, relative).then_some(Self::Mouse)
        }
    }

    /// Its name for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keyboard => "keyboard",
            Self::Pad => "gamepad",
            Self::Mouse => "mouse",
        }
    }
}

/// What a device's keys and axes are at one instant.
#[derive(Debug, Clone, Default)]
pub struct KeysAndAxes {
    /// The keys and buttons that are down.
    pub down: Vec<KeyCode>,
    /// The absolute axes, with their ranges.
    pub axes: Vec<(AbsoluteAxisCode, AbsInfo)>,
}

/// Decodes the events of one device.
#[derive(Debug)]
pub struct Decoder {
    kind: InputKind,
    hat_counts: bool,
    /// Already down when the device was opened: ignored until they are released.
    held: BTreeSet<u16>,
    stick: Option<Stick>,
    hat: Option<Stick>,
    lost_events: bool,
}

impl Decoder {
    /// For a device of that kind with these keys, as it is now.
    pub fn new(kind: InputKind, keys: &AttributeSetRef<KeyCode>, now: &KeysAndAxes) -> Self {
        let hat_counts = !pads::has_direction_buttons(keys);
        let mut decoder = Self { kind, hat_counts, held: BTreeSet::new(), stick: None, hat: None, lost_events: false };
        decoder.resume(now);
        decoder
    }

    /// Whether the kernel has dropped events. No event is decoded then until [`Decoder::resume`].
    pub fn has_lost_events(&self) -> bool {
        self.lost_events
    }

    /// Continues from the state of the device now. A key that is down or a stick that is deflected now is not a new press.
    pub fn resume(&mut self, now: &KeysAndAxes) {
        let info = |wanted| now.axes.iter().find(|(axis, _)| *axis == wanted).map(|(_, info)| info);
        let stick = |x, y| Some(Stick::new(info(x)?, info(y)?));
        self.held = now.down.iter().map(|key| key.code()).collect();
        if self.kind == InputKind::Pad {
            self.stick = stick(AbsoluteAxisCode::ABS_X, AbsoluteAxisCode::ABS_Y);
            self.hat = stick(AbsoluteAxisCode::ABS_HAT0X, AbsoluteAxisCode::ABS_HAT0Y).filter(|_| self.hat_counts);
        }
        self.lost_events = false;
    }

    /// The menu key of an event, if it has one.
    pub fn decode(&mut self, event: InputEvent) -> Option<Key> {
        if self.lost_events {
            return None;
        }
        match event.event_type() {
            EventType::KEY => self.key(KeyCode(event.code()), event.value()),
            EventType::RELATIVE => mice::turned(RelativeAxisCode(event.code()), event.value()),
            EventType::ABSOLUTE => {
                self.moved(AbsoluteAxisCode(event.code()), event.value());
                None
            }
            EventType::SYNCHRONIZATION => self.report(SynchronizationCode(event.code())),
            _ => None,
        }
    }

    fn key(&mut self, code: KeyCode, value: i32) -> Option<Key> {
        // linux/Documentation/input/event-codes.rst: 0 is "came up", 1 "went down", 2 autorepeat.
        match value {
            0 => {
                self.held.remove(&code.code());
                None
            }
            1 if !self.held.contains(&code.code()) => meaning(code),
            _ => None,
        }
    }

    fn moved(&mut self, axis: AbsoluteAxisCode, value: i32) {
        match (axis, &mut self.stick, &mut self.hat) {
            (AbsoluteAxisCode::ABS_X, Some(stick), _) => stick.moved_x(value),
            (AbsoluteAxisCode::ABS_Y, Some(stick), _) => stick.moved_y(value),
            (AbsoluteAxisCode::ABS_HAT0X, _, Some(hat)) => hat.moved_x(value),
            (AbsoluteAxisCode::ABS_HAT0Y, _, Some(hat)) => hat.moved_y(value),
            _ => {}
        }
    }

    fn report(&mut self, code: SynchronizationCode) -> Option<Key> {
        match code {
            SynchronizationCode::SYN_REPORT => {
                let steps = [&mut self.hat, &mut self.stick].map(|stick| stick.as_mut().and_then(Stick::settle));
                steps.into_iter().flatten().next()
            }
            SynchronizationCode::SYN_DROPPED => {
                self.lost_events = true;
                None
            }
            _ => None,
        }
    }
}

/// What a key or a button means to the menu, whatever device it is on: the kernel's numbers of keys and of each kind of
/// button do not overlap (linux/input-event-codes.h).
fn meaning(code: KeyCode) -> Option<Key> {
    const MOUSE: std::ops::RangeInclusive<u16> = 0x110..=0x117;
    match code.code() {
        0x001..=0x0ff | 0x160..=0x21f | 0x230..=0x2bf => Some(keyboards::key(code)),
        button if MOUSE.contains(&button) => mice::key(code),
        _ => pads::key(code),
    }
}

#[cfg(test)]
mod tests;
