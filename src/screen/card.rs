//! A DRM device node, found by PCI address.

use crate::error::{Context, Result};
use crate::paths::Paths;
use crate::pci::PciAddress;
use std::fs::{File, OpenOptions, read_dir};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// An open DRM device.
pub(super) struct Card(File);

impl Card {
    pub(super) fn open(node: &Path) -> Result<Self> {
        OpenOptions::new().read(true).write(true).open(node).map(Self).doing(|| format!("opening the display card {}", node.display()))
    }
}

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}
impl drm::control::Device for Card {}

/// The `/dev/dri/cardN` of the graphics card at a PCI address, if a driver has made one. Numbers are never trusted: they
/// change from boot to boot.
pub fn card_node(paths: &Paths, address: PciAddress) -> Option<PathBuf> {
    let address = address.to_string();
    // Connectors (card0-HDMI-A-1) are in the same folder; card nodes have no dash.
    let is_card =
        |name: &str| name.strip_prefix("card").is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    read_dir(paths.drm_class()).ok()?.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok().filter(|name| is_card(name))?;
        let device = entry.path().canonicalize().ok()?;
        // The card may hang below the PCI function itself (virtio-gpu: PCI function, virtio device, card); of nested PCI
        // functions only the last one is the card's.
        let function = device.iter().filter_map(|part| part.to_str()).rfind(|part| part.parse::<PciAddress>().is_ok())?;
        (function == address).then(|| paths.drm_node(&name))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::create_dir_all;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_card_is_found_by_its_pci_function_not_by_its_number() {
        let root = tempfile::tempdir().unwrap();
        let class = root.path().join("sys/class/drm");
        create_dir_all(&class).unwrap();
        for (card, device) in [("card1", "pci0000:00/0000:00:01.0"), ("card0", "pci0000:00/0000:00:1c.0/0000:0a:00.0/virtio0")] {
            create_dir_all(root.path().join("sys/devices").join(device).join("drm").join(card).join(format!("{card}-DP-1"))).unwrap();
            symlink(format!("../../devices/{device}/drm/{card}"), class.join(card)).unwrap();
            symlink(format!("../../devices/{device}/drm/{card}/{card}-DP-1"), class.join(format!("{card}-DP-1"))).unwrap();
        }
        let paths = Paths::new(root.path(), None);
        let node = |address: &str| card_node(&paths, address.parse().unwrap());
        assert_eq!(node("0000:00:01.0"), Some(root.path().join("dev/dri/card1")));
        assert_eq!(node("0000:0a:00.0"), Some(root.path().join("dev/dri/card0")));
        assert_eq!(node("0000:00:1c.0"), None, "a bridge above the card is not the card");
    }
}
