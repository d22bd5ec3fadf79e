//! A board with AMD's B550 chipset and a Ryzen 5700G, whose own graphics is the host's. Nothing isolates what is behind the
//! chipset: all of it is one IOMMU group.

use crate::cards::{Board, gtx_1050_ti};
use crate::function::{Bar, Function};
use crate::system::{Iommu, Maker, Vfio};
use crate::tree::Tree;

const ROOT: &str = "pci0000:00/0000:00";
const CHIPSET: &str = "pci0000:00/0000:00:02.1/0000:02:00.2";
const BOARD: &str = "1849:43c8";

const SETTINGS: &str = r##"[menu]
timeout = "10s"

[legion]
memory = "16G"
cpus = 8

[[legion.passthrough]]
device = "0000:04:00.0"
id = "10de:1c82"
label = "GTX 1050 Ti"

[[persona]]
name = "gondor"
title = "Gondor"
"##;

/// The group behind the chipset holds the card for legion and the NVMe disk under `/`; the way to the network is a card of its
/// own in the slot at the processor.
pub fn nvme_in_group(tree: &Tree) {
    let network = board(tree, true);
    tree.nvme(&format!("{CHIPSET}/0000:03:08.0/0000:05:00.0"), 0, 3);
    tree.interface("enp1s0", &network);
    tree.interface("enp6s0", &format!("{CHIPSET}/0000:03:09.0/0000:06:00.0"));
    tree.default_route("enp1s0");
    finish(tree);
}

/// The group behind the chipset holds the card for legion and the network card with the default route; the disk under `/` is at
/// the processor.
pub fn nic_in_group(tree: &Tree) {
    let disk = board(tree, false);
    tree.nvme(&disk, 0, 3);
    tree.interface("enp6s0", &format!("{CHIPSET}/0000:03:09.0/0000:06:00.0"));
    tree.default_route("enp6s0");
    finish(tree);
}

/// What both have, and the path of what is at the processor: a network card if the disk is behind the chipset, else the disk.
fn board(tree: &Tree, disk_behind_chipset: bool) -> String {
    let port = |path: String, id| Function::new(path, id, 0x06_0400).driver("pcieport");
    let disk = |path: &str| Function::new(path, "144d:a808", 0x01_0802).board("144d:a801").driver("nvme");
    tree.add(&Function::new(format!("{ROOT}:00.0"), "1022:1630", 0x06_0000));
    tree.add(&Function::new(format!("{ROOT}:00.2"), "1022:1631", 0x08_0600).bars(&[]));
    // The processor's root ports share a group with the dummy bridge of their device.
    let dummy = Function::new(format!("{ROOT}:01.0"), "1022:1632", 0x06_0000);
    let slot = format!("{ROOT}:01.1/0000:01:00.0");
    let at_processor = if disk_behind_chipset {
        Function::new(&slot, "1d6a:07b1", 0x02_0000).board("1043:8741").revision(2).driver("atlantic").bars(&[
            Bar::wide(0, 64),
            Bar::wide(2, 4),
            Bar::wide(4, 4096),
        ])
    } else {
        disk(&slot)
    };
    tree.add_group(0, [dummy, port(format!("{ROOT}:01.1"), "1022:1633"), at_processor]);

    let dummy = Function::new(format!("{ROOT}:02.0"), "1022:1632", 0x06_0000);
    let mut group = vec![
        dummy,
        port(format!("{ROOT}:02.1"), "1022:1634"),
        Function::new(format!("{ROOT}:02.1/0000:02:00.0"), "1022:43ee", 0x0c_0330)
            .board("1b21:1142")
            .driver("xhci_hcd")
            .bars(&[Bar::wide(0, 32)]),
        Function::new(format!("{ROOT}:02.1/0000:02:00.1"), "1022:43eb", 0x01_0601).board("1b21:1062").driver("ahci").reset(""),
        port(CHIPSET.into(), "1022:43e9"),
        port(format!("{CHIPSET}/0000:03:00.0"), "1022:43ea"),
    ];
    group.extend(gtx_1050_ti(&format!("{CHIPSET}/0000:03:00.0/0000:04:00"), Board("1043:8613")));
    if disk_behind_chipset {
        group.push(port(format!("{CHIPSET}/0000:03:08.0"), "1022:43ea"));
        group.push(disk(&format!("{CHIPSET}/0000:03:08.0/0000:05:00.0")));
    }
    group.push(port(format!("{CHIPSET}/0000:03:09.0"), "1022:43ea"));
    let network = Function::new(format!("{CHIPSET}/0000:03:09.0/0000:06:00.0"), "10ec:8125", 0x02_0000).board("1849:8125").revision(4);
    group.push(network.driver("r8169").bars(&[Bar::io(0, 256), Bar::wide(2, 64), Bar::wide(4, 16)]));
    tree.add_group(1, group);

    let internal = format!("{ROOT}:08.1");
    let mut group = vec![Function::new(format!("{ROOT}:08.0"), "1022:1632", 0x06_0000), port(internal.clone(), "1022:1635")];
    let at = |function: &str, id, class| Function::new(format!("{internal}/0000:07:00.{function}"), id, class).board(BOARD);
    let bars = [Bar::prefetchable(0, 256), Bar::prefetchable(2, 2), Bar::io(4, 256), Bar::narrow(5, 512)];
    group.push(at("0", "1002:1638", 0x03_0000).revision(0xc8).boot_vga().driver("amdgpu").bars(&bars));
    group.push(at("1", "1002:1637", 0x04_0300).driver("snd_hda_intel"));
    group.push(at("2", "1022:15df", 0x10_8000).driver("ccp").bars(&[Bar::narrow(2, 1024), Bar::narrow(5, 8)]));
    for usb in ["3", "4"] {
        group.push(at(usb, "1022:1639", 0x0c_0330).driver("xhci_hcd").bars(&[Bar::wide(0, 1024)]));
    }
    group.push(at("6", "1022:15e3", 0x04_0300).driver("snd_hda_intel"));
    tree.add_group(2, group);
    slot
}

fn finish(tree: &Tree) {
    tree.mount("259:2", "/", "ext4", "/dev/nvme0n1p2");
    tree.mount("259:1", "/boot", "vfat", "/dev/nvme0n1p1");
    tree.swap("/dev/nvme0n1p3");
    tree.keyboard_and_mouse(&format!("{ROOT}:08.1/0000:07:00.3"), 1);
    let host = format!("{ROOT}:08.1/0000:07:00.0");
    tree.drm(&host, 0, &[("DP-1", false), ("HDMI-A-1", true)]);
    tree.drm(&format!("{CHIPSET}/0000:03:00.0/0000:04:00.0"), 1, &[("DP-2", false), ("HDMI-A-2", true), ("DVI-D-1", false)]);
    tree.framebuffer_console(&host, "amdgpudrmfb");
    tree.address_space(None);
    tree.iommu(Iommu::Amd("pci0000:00/0000:00:00.2"));
    tree.computer(Maker::Amd, "AMD Ryzen 7 5700G with Radeon Graphics", 16, 32);
    tree.kernel("6.12.10-arch1-1", "root=/dev/nvme0n1p2 rw iommu=pt", Vfio::Modules);
    tree.pci_ids();
    tree.installed(SETTINGS, &["gondor"]);
}
