//! The keyboards, through evdev: all that are there and all that come, grabbed while the menu has them.

use super::state::Key;
use crate::paths::Paths;
use evdev::{Device, EventType, KeyCode};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

/// The open keyboards. Dropping it lets them go.
#[derive(Default)]
pub struct Keyboards {
    devices: BTreeMap<PathBuf, Device>,
}

impl Keyboards {
    /// Opens every keyboard that is not open yet, and forgets those whose node is gone. Called at the start and whenever
    /// the kernel reports a change of input devices.
    pub fn rescan(&mut self, paths: &Paths) {
        let folder = paths.input_nodes();
        let nodes: Vec<PathBuf> = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("event"))
            .map(|entry| entry.path())
            .collect();
        self.devices.retain(|node, _| nodes.contains(node));
        for node in nodes {
            if self.devices.contains_key(&node) {
                continue;
            }
            match open(&node) {
                Ok(Some(device)) => {
                    log::info!("keyboard: {} ({})", device.name().unwrap_or("nameless"), node.display());
                    self.devices.insert(node, device);
                }
                Ok(None) => {}
                // A device that is just being unplugged; the kernel will report that too.
                Err(error) => log::debug!("opening {}: {error}", node.display()),
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.devices.len()
    }

    /// What to wait for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.devices.values().map(Device::as_fd)
    }

    /// The keys that went down since the last call. Keys that were already down when a keyboard was opened, and
    /// the kernel's autorepeat, count for nothing.
    pub fn pressed(&mut self) -> Vec<Key> {
        let mut keys = Vec::new();
        self.devices.retain(|node, device| match device.fetch_events() {
            Ok(events) => {
                // 1 is "went down"; 0 is "came up" and 2 autorepeat (linux/Documentation/input/event-codes.rst).
                let down = events.filter(|event| event.event_type() == EventType::KEY && event.value() == 1);
                keys.extend(down.map(|event| meaning(KeyCode::new(event.code()))));
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => true,
            Err(error) => {
                log::info!("keyboard {} is gone: {error}", node.display());
                false
            }
        });
        keys
    }
}

fn open(node: &std::path::Path) -> std::io::Result<Option<Device>> {
    let mut device = Device::open(node)?;
    // Power buttons and lid switches have keys too, but no Enter.
    if !device.supported_keys().is_some_and(|keys| keys.contains(KeyCode::KEY_ENTER)) {
        return Ok(None);
    }
    device.set_nonblocking(true)?;
    if let Err(error) = device.grab() {
        // Somebody else has grabbed it: its keys go there, which is no reason to refuse the others.
        log::warn!("{} cannot be grabbed, keys typed on it may reach the console too: {error}", node.display());
    }
    Ok(Some(device))
}

/// What a key means to the menu.
fn meaning(code: KeyCode) -> Key {
    const DIGITS: [(KeyCode, KeyCode); 10] = [
        (KeyCode::KEY_0, KeyCode::KEY_KP0),
        (KeyCode::KEY_1, KeyCode::KEY_KP1),
        (KeyCode::KEY_2, KeyCode::KEY_KP2),
        (KeyCode::KEY_3, KeyCode::KEY_KP3),
        (KeyCode::KEY_4, KeyCode::KEY_KP4),
        (KeyCode::KEY_5, KeyCode::KEY_KP5),
        (KeyCode::KEY_6, KeyCode::KEY_KP6),
        (KeyCode::KEY_7, KeyCode::KEY_KP7),
        (KeyCode::KEY_8, KeyCode::KEY_KP8),
        (KeyCode::KEY_9, KeyCode::KEY_KP9),
    ];
    match code {
        KeyCode::KEY_LEFT | KeyCode::KEY_UP => Key::Previous,
        KeyCode::KEY_RIGHT | KeyCode::KEY_DOWN => Key::Next,
        KeyCode::KEY_ENTER | KeyCode::KEY_KPENTER | KeyCode::KEY_SPACE => Key::Confirm,
        KeyCode::KEY_ESC => Key::Back,
        KeyCode::KEY_BACKSPACE => Key::Erase,
        KeyCode::KEY_F1 => Key::Help,
        _ => DIGITS.iter().position(|(row, pad)| code == *row || code == *pad).map_or(Key::Other, |digit| Key::Digit(digit as u8)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_enter_and_space_confirm() {
        let confirming: Vec<u16> = (0..0x300).filter(|&code| meaning(KeyCode::new(code)) == Key::Confirm).collect();
        assert_eq!(confirming, [KeyCode::KEY_ENTER.code(), KeyCode::KEY_SPACE.code(), KeyCode::KEY_KPENTER.code()]);
    }

    #[test]
    fn digits_are_themselves_on_both_pads() {
        assert_eq!(meaning(KeyCode::KEY_1), Key::Digit(1));
        assert_eq!(meaning(KeyCode::KEY_KP9), Key::Digit(9));
        assert_eq!(meaning(KeyCode::KEY_0), Key::Digit(0));
    }
}
