//! The node of a graphics card, found by PCI address: numbers are never trusted, they change from boot to boot.

use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::ffi::OsStr;
use std::fs::read_dir;
use std::path::{Path, PathBuf};

/// An existing DRM device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its node, such as `/dev/dri/card1`.
    pub path: PathBuf,
    /// Whether a monitor was connected when the driver last looked.
    pub connected: bool,
}

/// The node of the graphics card at a PCI address, if a driver has made one. Until the card's own driver is loaded,
/// this is the node of simpledrm, which draws on the firmware's framebuffer.
pub fn card_node(paths: &Paths, address: PciAddress) -> Option<Node> {
    let nodes: Vec<(PathBuf, Node)> = nodes(paths).collect();
    let found = |is: &dyn Fn(&Path) -> bool| nodes.iter().find(|(device, _)| is(device)).map(|(_, node)| node.clone());
    // The card may hang below the PCI function itself (virtio-gpu: PCI function, virtio device, card); of nested PCI
    // functions only the last one is the card's.
    let below = |device: &Path| device.iter().filter_map(|part| part.to_str()?.parse().ok()).next_back() == Some(address);
    let is_boot_card = || file::read_text(paths.pci_device(address).join("boot_vga")).is_ok_and(|text| text.trim() == "1");
    found(&|device| below(device) && !is_firmware(device))
        .or_else(|| found(&|device| below(device)))
        // Older kernels do not report which device has the firmware's framebuffer; it is the card that the firmware used.
        .or_else(|| found(&|device| is_firmware(device) && device.iter().any(|part| part == "platform")).filter(|_| is_boot_card()))
}

/// The kernel module of the driver that draws on the graphics card at a PCI address; none without a driver of its own, or with one
/// that is built in.
pub fn card_module(paths: &Paths, address: PciAddress) -> Option<String> {
    let node = card_node(paths, address)?;
    let module = paths.drm_class().join(node.path.file_name()?).join("device/driver/module");
    Some(module.read_link().ok()?.file_name()?.to_str()?.to_owned())
}

/// The firmware's framebuffer is a device of its own: `simple-framebuffer.0` (drivers/firmware/sysfb_simplefb.c), since
/// Linux 6.15 also `efi-framebuffer.0` and `vesa-framebuffer.0`.
fn is_firmware(device: &Path) -> bool {
    device.iter().filter_map(OsStr::to_str).any(|part| part.contains("-framebuffer."))
}

/// Every card with its place in the tree of devices.
fn nodes(paths: &Paths) -> impl Iterator<Item = (PathBuf, Node)> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    };
    let class = paths.drm_class();
    // Connectors (card0-HDMI-A-1) are in the same folder; card nodes have no dash.
    let is_card =
        |name: &String| name.strip_prefix("card").is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    names(&class).into_iter().filter(is_card).filter_map(move |name| {
        let device = class.join(&name).canonicalize().ok()?;
        let status =
            |connector: &String| file::read_text(device.join(connector).join("status")).is_ok_and(|text| text.trim() == "connected");
        let connected = names(&device).iter().filter(|entry| entry.starts_with(&name)).any(status);
        Some((device, Node { path: paths.drm_node(&name), connected }))
    })
}

/// Picks the card to draw on, from the nodes, the best first, and the one that is drawn on now, if any, with whether it has monitors. The
/// best one with monitors is picked, even if its driver loaded later than another's; if none has monitors, the present one stays.
pub fn pick(nodes: &[Node], current: Option<(&Path, bool)>) -> Option<PathBuf> {
    // For the present card the given state is newer than what its driver saw last.
    let is_connected = |node: &&Node| match current {
        Some((path, has_monitors)) if path == node.path => has_monitors,
        _ => node.connected,
    };
    let is_current = |node: &&Node| current.is_some_and(|(path, _)| path == node.path);
    let picked = nodes.iter().find(is_connected).or_else(|| nodes.iter().find(is_current)).or(nodes.first());
    picked.map(|node| node.path.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::{create_dir_all, write};
    use std::os::unix::fs::symlink;

    const GPU: &str = "pci0000:00/0000:00:01.0";
    const FIRMWARE: &str = "platform/simple-framebuffer.0";

    /// A machine with these cards on these devices, each with one output in this state.
    fn machine(cards: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let class = root.path().join("sys/class/drm");
        create_dir_all(&class).unwrap();
        for (card, device, status) in cards {
            let connector = root.path().join("sys/devices").join(device).join("drm").join(card).join(format!("{card}-DP-1"));
            create_dir_all(&connector).unwrap();
            write(connector.join("status"), format!("{status}\n")).unwrap();
            symlink(format!("../../devices/{device}/drm/{card}"), class.join(card)).unwrap();
            symlink(format!("../../devices/{device}/drm/{card}/{card}-DP-1"), class.join(format!("{card}-DP-1"))).unwrap();
        }
        let gpu = root.path().join("sys/bus/pci/devices/0000:00:01.0");
        create_dir_all(&gpu).unwrap();
        write(gpu.join("boot_vga"), "1\n").unwrap();
        root
    }

    fn found(root: &tempfile::TempDir, address: &str) -> Option<(String, bool)> {
        let node = card_node(&Paths::new(root.path(), None), address.parse().unwrap())?;
        Some((node.path.strip_prefix(root.path()).unwrap().display().to_string(), node.connected))
    }

    #[test]
    fn a_card_is_found_by_its_pci_function_not_by_its_number() {
        let other = "pci0000:00/0000:00:1c.0/0000:0a:00.0/virtio0";
        let root = machine(&[("card1", GPU, "connected"), ("card0", other, "disconnected")]);
        assert_eq!(found(&root, "0000:00:01.0"), Some(("dev/dri/card1".into(), true)));
        assert_eq!(found(&root, "0000:0a:00.0"), Some(("dev/dri/card0".into(), false)));
        assert_eq!(found(&root, "0000:00:1c.0"), None, "a bridge above the card is not the card");
    }

    #[test]
    fn the_firmwares_framebuffer_stands_in_for_the_card_that_the_firmware_used() {
        let root = machine(&[("card0", FIRMWARE, "unknown")]);
        assert_eq!(found(&root, "0000:00:01.0"), Some(("dev/dri/card0".into(), false)));
        assert_eq!(found(&root, "0000:0a:00.0"), None, "the firmware used another card");
        let root = machine(&[("card0", FIRMWARE, "unknown"), ("card1", GPU, "connected")]);
        assert_eq!(found(&root, "0000:00:01.0"), Some(("dev/dri/card1".into(), true)), "the card's own driver has come");
    }

    #[test]
    fn newer_kernels_put_the_firmwares_framebuffer_below_its_card() {
        let below = format!("{GPU}/simple-framebuffer.0");
        let root = machine(&[("card0", &below, "connected")]);
        assert_eq!(found(&root, "0000:00:01.0"), Some(("dev/dri/card0".into(), true)));
        let root = machine(&[("card0", &below, "connected"), ("card1", GPU, "disconnected")]);
        assert_eq!(found(&root, "0000:00:01.0"), Some(("dev/dri/card1".into(), false)));
        // Not the stand-in of a card that it lies below of, although the firmware used that.
        let root = machine(&[("card0", "pci0000:00/0000:00:02.0/simple-framebuffer.0", "connected")]);
        assert_eq!(found(&root, "0000:00:01.0"), None);
    }

    #[test]
    fn what_is_drawn_on_stays_while_it_has_monitors() {
        let node = |path: &str, connected| Node { path: path.into(), connected };
        let (best, next) = (Path::new("best"), Path::new("next"));
        let both = [node("best", true), node("next", true)];
        assert_eq!(pick(&both, None).as_deref(), Some(best));
        assert_eq!(pick(&both, Some((next, true))).as_deref(), Some(best), "a better one is back");
        assert_eq!(pick(&both, Some((best, true))).as_deref(), Some(best));
        assert_eq!(pick(&both, Some((best, false))).as_deref(), Some(next), "what the driver saw last may be over");
        assert_eq!(pick(&[node("best", false), node("next", true)], Some((best, true))).as_deref(), Some(best));
        assert_eq!(pick(&both[1..], Some((best, true))).as_deref(), Some(next), "the one in use is gone");
        let dark = [node("best", false), node("next", false)];
        assert_eq!(pick(&dark, None).as_deref(), Some(best));
        assert_eq!(pick(&dark, Some((next, false))).as_deref(), Some(next));
        assert_eq!(pick(&[node("best", false), node("next", true)], None).as_deref(), Some(next));
        assert_eq!(pick(&[], Some((best, true))), None);
    }
}
