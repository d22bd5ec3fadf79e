//! A laptop of Intel's Tiger Lake generation.

use crate::function::{Bar, Function};
use crate::system::{Iommu, Maker, Vfio};
use crate::tree::Tree;

const LENOVO: &str = "17aa:22d5";
const ROOT: &str = "pci0000:00/0000:00";
/// Devices behind a Volume Management Device have a domain of their own, beyond the 16 bits of an ordinary one.
const VMD: &str = "pci0000:00/0000:00:0e.0/pci10000:e0";

const SETTINGS: &str = r##"# The MX450 has no outputs: legion computes with it, and is reached over the network.
[menu]
timeout = "5s"

[legion]
memory = "8G"
cpus = 4

[[legion.passthrough]]
device = "0000:01:00.0"
id = "10de:1f97"
label = "MX450"

[[persona]]
name = "oracle"
title = "Oracle"

[[persona]]
name = "host"
title = "The laptop itself"
starts = "host"
"##;

/// The processor's own graphics drives the panel, an MX450 without outputs sleeps behind a root port of its own, the disk is
/// behind VMD, the root file system is encrypted, the wireless card carries the default routes, and the keyboard is no USB
/// device. The settings are written and nothing has been rebooted since: nouveau has the MX450.
pub fn laptop(tree: &Tree) {
    let internal = |at: &str, id, class| Function::new(format!("{ROOT}:{at}"), id, class).board(LENOVO).revision(1).no_d3cold();
    tree.add(&internal("00.0", "8086:9a14", 0x06_0000).group(1));
    let graphics = internal("02.0", "8086:9a49", 0x03_0000).boot_vga().driver("i915").reset("flr").lanes(0);
    tree.add(&graphics.bars(&[Bar::wide(0, 16 << 10), Bar::prefetchable(2, 256), Bar::io(4, 64)]).group(0));
    tree.add_group(2, [Function::new(format!("{ROOT}:06.0"), "8086:9a09", 0x06_0400).driver("pcieport")]);
    let vmd = internal("0e.0", "8086:9a0b", 0x01_0400).driver("vmd").bars(&[
        Bar::prefetchable(0, 32),
        Bar::narrow(2, 32 << 10),
        Bar::prefetchable(4, 1),
    ]);
    let disk = format!("{VMD}/10000:e0:06.0/10000:e1:00.0");
    tree.add_group(3, [vmd, Function::new(format!("{VMD}/10000:e0:06.0"), "8086:9a09", 0x06_0400).driver("pcieport")]);
    tree.add_group(3, [Function::new(&disk, "144d:a80a", 0x01_0802).board("144d:a801").driver("nvme")]);
    tree.add_group(4, [internal("14.0", "8086:a0ed", 0x0c_0330).driver("xhci_hcd"), internal("14.2", "8086:a0ef", 0x05_0000)]);
    tree.add_group(5, [internal("14.3", "8086:a0f0", 0x02_8000).board("8086:0074").driver("iwlwifi")]);
    let port = format!("{ROOT}:1c.0");
    tree.add_group(6, [Function::new(&port, "8086:a0b0", 0x06_0400).driver("pcieport").power("D3cold")]);
    let card = Function::new(format!("{port}/0000:01:00.0"), "10de:1f97", 0x03_0200).board(LENOVO).revision(0xa1).driver("nouveau");
    let bars = [Bar::narrow(0, 16 << 10), Bar::prefetchable(1, 256).resizable(0x1c0), Bar::prefetchable(3, 32), Bar::io(5, 128)];
    tree.add_group(9, [card.bars(&bars).power("D3cold").reset("bus")]);
    let chipset = [
        internal("1f.0", "8086:a082", 0x06_0100),
        internal("1f.3", "8086:a0c8", 0x04_0100).driver("sof-audio-pci-intel-tgl").bars(&[Bar::wide(0, 16), Bar::wide(4, 1024)]),
        internal("1f.4", "8086:a0a3", 0x0c_0500).driver("i801_smbus"),
        internal("1f.5", "8086:a0a4", 0x0c_8000).driver("intel-spi"),
    ];
    tree.add_group(8, chipset);

    tree.nvme(&disk, 0, 2);
    tree.mapped(0, "cryptroot", &["nvme0n1p2"]);
    tree.mount("254:0", "/", "ext4", "/dev/mapper/cryptroot");
    tree.mount("259:1", "/boot", "vfat", "/dev/nvme0n1p1");
    tree.interface("wlp0s20f3", &format!("{ROOT}:14.3"));
    tree.default_route("wlp0s20f3");
    tree.default_route_v6("wlp0s20f3");
    tree.input("platform/i8042/serio0/input/input2", true);
    // The touch screen, which types no letters.
    tree.input(&format!("{ROOT}:14.0/usb3/3-8/3-8:1.0/input/input12"), false);
    let panel = format!("{ROOT}:02.0");
    tree.drm(&panel, 1, &[("eDP-1", true), ("DP-1", false), ("HDMI-A-1", false)]);
    tree.drm(&format!("{port}/0000:01:00.0"), 0, &[]);
    tree.framebuffer_console(&panel, "i915drmfb");
    tree.address_space(None);
    tree.iommu(Iommu::Intel);
    tree.computer(Maker::Intel, "11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", 8, 16);
    tree.kernel("6.12.10-arch1-1", "cryptdevice=/dev/nvme0n1p2:cryptroot root=/dev/mapper/cryptroot rw intel_iommu=on", Vfio::Modules);
    tree.pci_ids();
    tree.installed(SETTINGS, &["oracle"]);
}
