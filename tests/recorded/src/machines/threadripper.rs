//! A workstation with AMD's Threadripper 3960X on a TRX40 board: four root complexes and a group for nearly every function.

use crate::cards::{Board, quadro_p400, rtx_3090};
use crate::function::{Bar, Function};
use crate::system::{Iommu, Maker, Vfio};
use crate::tree::Tree;

const GIGABYTE: &str = "1458:5007";

const SETTINGS: &str = r##"# Two RTX 3090 for legion, the Quadro for the host.
[menu]
timeout = "never"
display = "0000:61:00.0"

[legion]
memory = "96G"
cpus = "12-23"
network = "bridge:br0"

[[legion.passthrough]]
device = "0000:01:00.0"
id = "10de:2204"
label = "first RTX 3090"

[[legion.passthrough]]
device = "0000:21:00.0"
id = "10de:2204"
label = "second RTX 3090"

[[legion.passthrough]]
device = "0000:23:00.3"
id = "1022:148c"
label = "rear USB"
bind = "launch"

[[persona]]
name = "foundry"
title = "Foundry"

[[persona]]
name = "host"
title = "Bare host"
starts = "host"
"##;

/// Two RTX 3090 for legion and a Quadro P400 for the host, two network cards bonded under the bridge that carries the default
/// route, three NVMe disks, of which two make a mirror with LUKS and LVM upon it. Legion runs: its devices are on vfio-pci.
pub fn threadripper(tree: &Tree) {
    let mut groups = 0..;
    let mut together = |functions: &[Function]| tree.add_group(groups.next(), functions.iter().cloned());
    let maker = Board("1043:87d9");
    let legions = |function: Function| function.reserved().driver("vfio-pci");

    let disk = |path: String| Function::new(path, "144d:a80a", 0x01_0802).board("144d:a801").driver("nvme");
    for (root, iommu, port, slot) in
        [("00", "00.2", "01.1", "01"), ("20", "00.2", "01.1", "21"), ("40", "00.2", "01.1", "41"), ("60", "00.2", "03.1", "61")]
    {
        let at = |rest: &str| format!("pci0000:{root}/0000:{root}:{rest}");
        // The root complexes and the IOMMUs are in no group.
        tree.add(&Function::new(at("00.0"), "1022:1480", 0x06_0000));
        tree.add(&Function::new(at(iommu), "1022:1481", 0x08_0600).bars(&[]));
        together(&[Function::new(at(port), "1022:1483", 0x06_0400).driver("pcieport")]);
        let behind = |function: &str| at(&format!("{port}/0000:{slot}:{function}"));
        match root {
            "00" | "20" => together(&rtx_3090(&behind("00"), maker).map(legions)),
            "40" => together(&[disk(behind("00.0"))]),
            _ => {
                let [graphics, audio] = quadro_p400(&behind("00"));
                together(&[graphics.boot_vga(), audio]);
            }
        }
    }
    let port = |path: &str| Function::new(path, "1022:1483", 0x06_0400).driver("pcieport");
    for (bridge, bus) in [("pci0000:40/0000:40:01.3", "42"), ("pci0000:60/0000:60:01.1", "62")] {
        together(&[port(bridge)]);
        together(&[disk(format!("{bridge}/0000:{bus}:00.0"))]);
    }
    let network = "pci0000:40/0000:40:03.1";
    together(&[port(network)]);
    for function in 0..2 {
        let card = Function::new(format!("{network}/0000:43:00.{function}"), "8086:1563", 0x02_0000).driver("ixgbe").revision(1);
        together(&[card.bars(&[Bar::prefetchable(0, 4), Bar::wide(4, 16)]).reset("flr")]);
    }
    let usb = |path: String| Function::new(path, "1022:148c", 0x0c_0330).board(GIGABYTE).driver("xhci_hcd").bars(&[Bar::wide(0, 1024)]);
    let rear = "pci0000:20/0000:20:08.1";
    together(&[port(rear)]);
    together(&[legions(Function::new(format!("{rear}/0000:23:00.0"), "1022:1485", 0x13_0000).bars(&[]))]);
    together(&[legions(usb(format!("{rear}/0000:23:00.3")))]);
    let front = "pci0000:60/0000:60:08.1";
    together(&[port(front)]);
    together(&[usb(format!("{front}/0000:63:00.3"))]);

    for (path, number, partitions) in [
        ("pci0000:40/0000:40:01.1/0000:41:00.0", 0, 2),
        ("pci0000:40/0000:40:01.3/0000:42:00.0", 1, 2),
        ("pci0000:60/0000:60:01.1/0000:62:00.0", 2, 1),
    ] {
        tree.nvme(path, number, partitions);
    }
    tree.raid(127, &["nvme0n1p2", "nvme1n1p2"]);
    tree.mapped(0, "cryptlvm", &["md127"]);
    tree.mapped(1, "vg-root", &["dm-0"]);
    tree.mapped(2, "vg-swap", &["dm-0"]);
    tree.mount("254:1", "/", "xfs", "/dev/mapper/vg-root");
    tree.mount("259:1", "/boot", "vfat", "/dev/nvme0n1p1");
    tree.swap("/dev/dm-2");
    for function in 0..2 {
        tree.interface(&format!("enp67s0f{function}"), &format!("{network}/0000:43:00.{function}"));
    }
    tree.interface_above("bond0", &["enp67s0f0", "enp67s0f1"]);
    tree.interface_above("bond0.20", &["bond0"]);
    tree.bridge("br0", &["bond0.20"]);
    tree.default_route("br0");
    tree.keyboard_and_mouse(&format!("{front}/0000:63:00.3"), 5);
    let quadro = "pci0000:60/0000:60:03.1/0000:61:00.0";
    tree.drm(quadro, 0, &[("DP-1", true), ("DP-2", false), ("DP-3", false)]);
    tree.framebuffer_console(quadro, "nouveaudrmfb");
    tree.address_space(None);
    tree.iommu(Iommu::Amd("pci0000:00/0000:00:00.2"));
    tree.computer(Maker::Amd, "AMD Ryzen Threadripper 3960X 24-Core Processor", 48, 128);
    tree.kernel("6.6.69-1-lts", "root=/dev/mapper/vg-root rw rd.luks.name=5b1e=cryptlvm iommu=pt", Vfio::Loaded);
    tree.pci_ids();
    tree.installed(SETTINGS, &["foundry"]);
}
