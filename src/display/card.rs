//! An open DRM device.

use crate::error::{Context, Result};
use drm::control::{Device as ControlDevice, Event, ResourceHandle, crtc, property};
use drm::{ClientCapability, Device};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// An open DRM device.
pub(super) struct Card {
    file: File,
    is_atomic: bool,
}

impl Card {
    /// Opens a node in non-blocking mode.
    pub(super) fn open(node: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open(node);
        let mut card = Self { file: file.context(|| format!("opening the graphics card {}", node.display()))?, is_atomic: false };
        // This makes the kernel list all planes, including primary ones.
        card.is_atomic = card.set_client_capability(ClientCapability::Atomic, true).is_ok();
        Ok(card)
    }

    /// Whether the driver takes atomic commits.
    pub(super) fn is_atomic(&self) -> bool {
        self.is_atomic
    }

    /// The CRTCs whose page flips are done, since the last call.
    pub(super) fn flipped(&self) -> Vec<crtc::Handle> {
        let mut flipped = Vec::new();
        while let Ok(events) = self.receive_events() {
            let before = flipped.len();
            flipped.extend(events.filter_map(|event| if let Event::PageFlip(flip) = event { Some(flip.crtc) } else { None }));
            if flipped.len() == before {
                break;
            }
        }
        flipped
    }

    /// The properties of an object.
    pub(super) fn properties<H: ResourceHandle + Copy>(&self, object: H) -> io::Result<Properties> {
        let mut all = Vec::new();
        for (property, value) in self.get_properties(object)? {
            all.push((self.get_property(property)?, value));
        }
        Ok(Properties { object: object.into(), all })
    }
}

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Device for Card {}
impl ControlDevice for Card {}

/// Whether an error says that the card is no longer ours: its driver has gone, or another program is its master.
pub(super) fn is_lost(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENODEV | libc::EACCES | libc::EPERM | libc::ENXIO))
}

/// The properties that an object had when they were read.
pub(super) struct Properties {
    object: drm::control::RawResourceHandle,
    all: Vec<(property::Info, u64)>,
}

impl Properties {
    /// The object they belong to.
    pub(super) fn object(&self) -> drm::control::RawResourceHandle {
        self.object
    }

    /// A property and its value.
    pub(super) fn find(&self, name: &str) -> Option<(&property::Info, u64)> {
        self.all.iter().find(|(info, _)| info.name().to_bytes() == name.as_bytes()).map(|(info, value)| (info, *value))
    }

    /// A property's value.
    pub(super) fn value(&self, name: &str) -> Option<u64> {
        self.find(name).map(|(_, value)| value)
    }

    /// The name of an enumerated property's value.
    pub(super) fn word(&self, name: &str) -> Option<&[u8]> {
        let (info, value) = self.find(name)?;
        let property::ValueType::Enum(values) = info.value_type() else { return None };
        values.values().1.iter().find(|word| word.value() == value).map(|word| word.name().to_bytes())
    }
}
