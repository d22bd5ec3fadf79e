//! Two cards of one kind.

use super::x570::{KERNEL, X570};
use crate::address_space::Framebuffer;
use crate::cards::{Board, rtx_3060};
use crate::system::Vfio;
use crate::tree::Tree;

/// The upper slot's card is the host's: it says so, because the firmware draws on it too.
const SETTINGS: &str = r##"# Both cards are 10de:2504. The lower one is legion's.
[menu]
display = "0000:09:00.0"

[legion]
memory = "16G"
cpus = "6-11"

[[legion.passthrough]]
device = "0000:0a:00.0"
id = "10de:2504"
label = "lower RTX 3060"

[[persona]]
name = "rivendale"
title = "Rivendale"
"##;

/// Two RTX 3060 of the same identity, by two makers, on an X570 board. The settings are written and nothing has been rebooted
/// since: nouveau has both cards, and the kernel, an older one, has the firmware's framebuffer as a platform device.
pub fn two_identical(tree: &Tree) {
    let board = X570 { tree, iommu: true, second_disk: false };
    let [graphics, audio] = rtx_3060(&board.upper_slot(), Board("1462:397d"));
    board.build([graphics.boot_vga(), audio], rtx_3060(&board.lower_slot(), Board("1458:4074")));
    let host = format!("{}.0", board.upper_slot());
    tree.drm("platform/simple-framebuffer.0", 0, &[("Unknown-1", true)]);
    tree.drm(&host, 1, &[("DP-1", true), ("DP-2", false), ("DP-3", false), ("HDMI-A-1", false)]);
    tree.drm(&format!("{}.0", board.lower_slot()), 2, &[("DP-4", false), ("DP-5", false), ("DP-6", false), ("HDMI-A-2", true)]);
    tree.framebuffer_console("platform/simple-framebuffer.0", "simpledrmdrmfb");
    tree.address_space(Some(Framebuffer { card: &host, holder: "simpledrm" }));
    tree.kernel(KERNEL, "root=/dev/nvme0n1p2 rw iommu=pt", Vfio::Modules);
    tree.installed(SETTINGS, &["rivendale"]);
}
