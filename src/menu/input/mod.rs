//! Keyboards, gamepads and mice, through evdev: all that are present and all that are plugged in later, grabbed while the menu uses them.
//!
//! What an event means is decided in the [`decoder`]; here devices are found, opened and read.

pub mod decoder;
mod keyboards;
mod mice;
mod pads;
mod stick;

use crate::menu::model::Key;
use crate::sys::paths::Paths;
use decoder::{Decoder, InputKind, KeysAndAxes};
use evdev::raw_stream::RawDevice;
use nix::libc::O_NONBLOCK;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The open input devices. Dropping it releases them.
#[derive(Default)]
pub struct Inputs {
    devices: BTreeMap<PathBuf, Input>,
}

/// An open input device. The kernel drops the grab when it is closed.
struct Input {
    // Not `evdev::Device`: that synthesizes presses for lost events, and reports an error when an unplugged device cannot be released.
    device: RawDevice,
    kind: InputKind,
    decoder: Decoder,
}

impl Inputs {
    /// Opens every usable device that is not open yet, and closes those that are gone. Called at the start and whenever the kernel reports
    /// a change of input devices.
    pub fn rescan(&mut self, paths: &Paths) {
        // An open file stays with its device: if that was unplugged, another one may have its number and node by now.
        self.devices.retain(|_, input| input.is_there());
        let nodes = std::fs::read_dir(paths.input_nodes()).into_iter().flatten().flatten();
        for node in nodes.filter(|entry| entry.file_name().to_string_lossy().starts_with("event")).map(|entry| entry.path()) {
            if self.devices.contains_key(&node) {
                continue;
            }
            match Input::open(&node) {
                Ok(Some(input)) => {
                    log::info!("{}: {} ({})", input.kind.word(), input.name(), node.display());
                    self.devices.insert(node, input);
                }
                Ok(None) => {}
                // A device that is just being unplugged; the kernel will report that too.
                Err(error) => log::debug!("opening {}: {error}", node.display()),
            }
        }
    }

    /// How many there are that a person can choose with: keyboards and gamepads.
    pub fn count(&self) -> usize {
        self.devices.values().filter(|input| input.kind != InputKind::Mouse).count()
    }

    /// All of them by kind and name, such as `keyboard Logitech K400`.
    pub fn names(&self) -> Vec<String> {
        self.devices.values().map(|input| format!("{} {}", input.kind.word(), input.name())).collect()
    }

    /// What to wait for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.devices.values().map(|input| input.device.as_fd())
    }

    /// The keys and buttons that went down and the steps that were made since the last call. What was already down when its device was
    /// opened, and the kernel's autorepeat, are ignored.
    pub fn pressed(&mut self) -> Vec<Key> {
        let mut pressed = Vec::new();
        self.devices.retain(|node, input| match input.read(&mut pressed) {
            Ok(()) => true,
            Err(error) => {
                log::info!("{} {} ({}) is gone: {error}", input.kind.word(), input.name(), node.display());
                false
            }
        });
        pressed
    }
}

impl Input {
    /// Opens and grabs the device, if it is usable.
    fn open(node: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(node)?;
        let mut device = RawDevice::try_from(file)?;
        let keys = device.supported_keys();
        let kind = keys.and_then(|keys| InputKind::of(keys, device.supported_relative_axes(), device.supported_absolute_axes()));
        let Some(kind) = kind else { return Ok(None) };
        if let Err(error) = device.grab() {
            // Another process has grabbed it and gets its keys; the other devices still work.
            log::warn!("{} cannot be grabbed, keys typed on it may reach the console too: {error}", node.display());
        }
        let now = snapshot(&device)?;
        let decoder = device.supported_keys().map(|keys| Decoder::new(kind, keys, &now));
        Ok(decoder.map(|decoder| Self { device, kind, decoder }))
    }

    fn name(&self) -> &str {
        self.device.name().unwrap_or("nameless")
    }

    /// Whether its device is still plugged in.
    fn is_there(&self) -> bool {
        let mut fds = [PollFd::new(self.device.as_fd(), PollFlags::empty())];
        let hung_up = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0);
        !hung_up
    }

    fn read(&mut self, pressed: &mut Vec<Key>) -> io::Result<()> {
        loop {
            match self.device.fetch_events() {
                Ok(events) => pressed.extend(events.filter_map(|event| self.decoder.decode(event))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.decoder.has_lost_events() {
            log::debug!("events of {} were lost", self.name());
            self.decoder.resume(&snapshot(&self.device)?);
        }
        Ok(())
    }
}

/// What the device's keys and axes are now. The kernel drops key events that are still unread and led to that state.
fn snapshot(device: &RawDevice) -> io::Result<KeysAndAxes> {
    Ok(KeysAndAxes { down: device.get_key_state()?.iter().collect(), axes: device.get_absinfo()?.collect() })
}
