//! A desktop with Intel's Z690 chipset and an Alder Lake processor.

use crate::cards::{Board, rtx_3080};
use crate::function::{Bar, Function};
use crate::system::{Iommu, Maker, Vfio};
use crate::tree::Tree;

const ASUS: &str = "1043:8882";
const ROOT: &str = "pci0000:00/0000:00";

const SETTINGS: &str = r##"[menu]
timeout = "10s"

[legion]
memory = "16G"
cpus = 8

[[legion.passthrough]]
device = "0000:01:00.0"
id = "10de:2206"
label = "RTX 3080"

[[legion.passthrough]]
device = "0000:05:00.0"
id = "1b21:3242"
label = "rear USB-C"

[[persona]]
name = "gondor"
title = "Gondor"
"##;

/// The processor's own graphics for the host and an RTX 3080 for legion, on a kernel with vfio-pci built in, whose command line
/// claims the card by its identity, as guides advise. The root port is in the card's group.
pub fn vfio_built_in(tree: &Tree) {
    let internal = |at: &str, id, class| Function::new(format!("{ROOT}:{at}"), id, class).board(ASUS).revision(0x11).no_d3cold();
    let port = |at: &str, id| Function::new(format!("{ROOT}:{at}"), id, 0x06_0400).driver("pcieport");
    tree.add_group(1, [internal("00.0", "8086:4660", 0x06_0000)]);
    let card = rtx_3080(&format!("{ROOT}:01.0/0000:01:00"), Board("1043:87b2")).map(|function| function.driver("vfio-pci"));
    tree.add_group(2, [port("01.0", "8086:460d")].into_iter().chain(card));
    let graphics = internal("02.0", "8086:4680", 0x03_0000).revision(0x0c).boot_vga().driver("i915").reset("flr").lanes(0);
    tree.add_group(0, [graphics.bars(&[Bar::wide(0, 16 << 10), Bar::prefetchable(2, 256), Bar::io(4, 64)])]);
    tree.add_group(3, [port("06.0", "8086:464d")]);
    let disk = format!("{ROOT}:06.0/0000:02:00.0");
    tree.add_group(11, [Function::new(&disk, "144d:a80a", 0x01_0802).board("144d:a801").driver("nvme")]);
    tree.add_group(4, [internal("14.0", "8086:7ae0", 0x0c_0330).driver("xhci_hcd"), internal("14.2", "8086:7aa7", 0x05_0000)]);
    tree.add_group(5, [internal("17.0", "8086:7ae2", 0x01_0601).driver("ahci")]);
    tree.add_group(6, [port("1c.0", "8086:7ab8")]);
    let network = format!("{ROOT}:1c.0/0000:04:00.0");
    let card = Function::new(&network, "8086:15f3", 0x02_0000).board("1043:87d2").revision(3).driver("igc");
    tree.add_group(12, [card.bars(&[Bar::narrow(0, 1024), Bar::narrow(3, 16)])]);
    tree.add_group(7, [port("1d.0", "8086:7ab0")]);
    let usb = format!("{ROOT}:1d.0/0000:05:00.0");
    tree.add_group(
        13,
        [Function::new(&usb, "1b21:3242", 0x0c_0330).board("1043:8677").driver("xhci_hcd").bars(&[Bar::wide(0, 32)]).reset("bus")],
    );
    let chipset = [
        internal("1f.0", "8086:7a84", 0x06_0100),
        internal("1f.3", "8086:7ad0", 0x04_0300).driver("snd_hda_intel").bars(&[Bar::wide(0, 16), Bar::wide(4, 1024)]),
        internal("1f.4", "8086:7aa3", 0x0c_0500).driver("i801_smbus"),
        internal("1f.5", "8086:7aa4", 0x0c_8000).driver("intel-spi"),
    ];
    tree.add_group(8, chipset);

    tree.nvme(&disk, 0, 2);
    // Btrfs is mounted under a number that is no block device's.
    tree.mount("0:25", "/", "btrfs", "/dev/nvme0n1p2");
    tree.btrfs("6f0d9a5e-4a53-4a06-8d0f-1b6a5a0a3c11", &["nvme0n1p2"]);
    tree.mount("259:1", "/efi", "vfat", "/dev/nvme0n1p1");
    tree.interface("enp4s0", &network);
    tree.default_route("enp4s0");
    // One keyboard stays with the host.
    tree.keyboard_and_mouse(&usb, 3);
    tree.input(&format!("{ROOT}:14.0/usb1/1-7/1-7:1.0/0003:046D:C52B.0003/input/input7"), true);
    let graphics = format!("{ROOT}:02.0");
    tree.drm(&graphics, 0, &[("DP-1", false), ("HDMI-A-1", true), ("HDMI-A-2", false)]);
    tree.framebuffer_console(&graphics, "i915drmfb");
    tree.address_space(None);
    tree.iommu(Iommu::Intel);
    tree.computer(Maker::Intel, "12th Gen Intel(R) Core(TM) i7-12700K", 20, 32);
    tree.kernel("6.12.8-vfio", "root=/dev/nvme0n1p2 rw intel_iommu=on iommu=pt vfio-pci.ids=10de:2206,10de:1aef", Vfio::BuiltIn);
    tree.pci_ids();
    tree.installed(SETTINGS, &["gondor"]);
}
