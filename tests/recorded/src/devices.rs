//! What hangs on PCI functions: disks, network interfaces, keyboards, screens.

use crate::tree::{Tree, done, name_of};
use std::fs;

/// What a usual keyboard has in `capabilities/key`.
const KEYBOARD: &str = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe\n";
const MOUSE: &str = "1f0000 0 0 0 0\n";

impl Tree {
    /// A block device; `path` is its folder below `sys/devices`.
    pub fn block(&self, path: &str, number: &str) {
        let folder = format!("sys/devices/{path}");
        self.file(&format!("{folder}/dev"), format!("{number}\n"));
        self.link(&format!("sys/dev/block/{number}"), &folder);
        self.link(&format!("sys/class/block/{}", name_of(path)), &folder);
    }

    /// An NVMe disk of the controller at `path` with so many partitions: `nvme0n1` is 259:0, its partitions follow.
    pub fn nvme(&self, path: &str, number: u32, partitions: u32) {
        let disk = format!("{path}/nvme/nvme{number}/nvme{number}n1");
        self.block(&disk, &format!("259:{}", number * 8));
        for partition in 1..=partitions {
            self.block(&format!("{disk}/nvme{number}n1p{partition}"), &format!("259:{}", number * 8 + partition));
        }
    }

    /// A device-mapper device `dm-NUMBER` (LUKS, LVM) made of other block devices, named as in `sys/class/block`.
    pub fn mapped(&self, number: u32, name: &str, parts: &[&str]) {
        self.virtual_block(&format!("dm-{number}"), &format!("254:{number}"), parts);
        self.file(&format!("sys/devices/virtual/block/dm-{number}/dm/name"), format!("{name}\n"));
    }

    /// A software RAID array `mdNUMBER` made of other block devices, named as in `sys/class/block`.
    pub fn raid(&self, number: u32, parts: &[&str]) {
        self.virtual_block(&format!("md{number}"), &format!("9:{number}"), parts);
    }

    /// A mounted Btrfs file system on block devices, named as in `sys/class/block`.
    pub fn btrfs(&self, uuid: &str, members: &[&str]) {
        for member in members {
            self.link(&format!("sys/fs/btrfs/{uuid}/devices/{member}"), &self.real(&format!("sys/class/block/{member}")));
        }
    }

    fn virtual_block(&self, name: &str, number: &str, parts: &[&str]) {
        self.block(&format!("virtual/block/{name}"), number);
        for part in parts {
            self.link(&format!("sys/devices/virtual/block/{name}/slaves/{part}"), &self.real(&format!("sys/class/block/{part}")));
        }
    }

    /// A line of mountinfo.
    pub fn mount(&self, number: &str, point: &str, kind: &str, source: &str) {
        self.append("proc/self/mountinfo", &format!("30 1 {number} / {point} rw,relatime shared:1 - {kind} {source} rw"));
    }

    /// A line of swaps.
    pub fn swap(&self, source: &str) {
        self.append("proc/swaps", &format!("{source}                          partition\t8388604\t0\t-2"));
    }

    /// A network interface; `path` is its device's folder below `sys/devices`, empty for a virtual one.
    pub fn interface(&self, name: &str, path: &str) {
        match path {
            "" => self.link(&format!("sys/class/net/{name}"), &format!("sys/devices/virtual/net/{name}")),
            path => {
                let folder = format!("sys/devices/{path}/net/{name}");
                self.link(&format!("{folder}/device"), &format!("sys/devices/{path}"));
                self.link(&format!("sys/class/net/{name}"), &folder);
            }
        }
    }

    /// A virtual interface above others that are there: a VLAN, a bond.
    pub fn interface_above(&self, name: &str, below: &[&str]) {
        self.interface(name, "");
        for below in below {
            self.link(&format!("sys/devices/virtual/net/{name}/lower_{below}"), &self.real(&format!("sys/class/net/{below}")));
        }
    }

    /// A bridge with these interfaces, which are there, as ports.
    pub fn bridge(&self, name: &str, ports: &[&str]) {
        self.interface_above(name, ports);
        for port in ports {
            let folder = format!("{}/brport", self.real(&format!("sys/class/net/{port}")));
            self.file(&format!("{folder}/state"), "3\n");
            self.link(&format!("sys/devices/virtual/net/{name}/brif/{port}"), &folder);
        }
    }

    /// Where a link of this tree leads.
    fn real(&self, link: &str) -> String {
        let place = self.at(link);
        done(fs::read_link(&place), &place).display().to_string().trim_start_matches("../").to_owned()
    }

    /// An IPv4 default route.
    pub fn default_route(&self, interface: &str) {
        self.append("proc/net/route", &format!("{interface}\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0"));
    }

    /// An IPv6 default route.
    pub fn default_route_v6(&self, interface: &str) {
        let zero = "0".repeat(32);
        let route = format!("{zero} 00 {zero} 00 fe80000000000000000000000000fffe 00000400 00000001 00000000 00450003 {interface:>8}");
        self.file("proc/net/ipv6_route", format!("{route}\n"));
    }

    /// An input device; `path` is its folder below `sys/devices`.
    pub fn input(&self, path: &str, is_keyboard: bool) {
        let folder = format!("sys/devices/{path}");
        self.file(&format!("{folder}/capabilities/key"), if is_keyboard { KEYBOARD } else { MOUSE });
        self.link(&format!("sys/class/input/{}", name_of(path)), &folder);
    }

    /// A keyboard and a mouse on the USB controller at `path`, which has that USB bus.
    pub fn keyboard_and_mouse(&self, path: &str, bus: u32) {
        let hub = format!("{path}/usb{bus}");
        self.input(&format!("{hub}/{bus}-1/{bus}-1:1.0/0003:046D:C31C.0001/input/input3"), true);
        self.input(&format!("{hub}/{bus}-2/{bus}-2:1.0/0003:046D:C077.0002/input/input4"), false);
    }

    /// A DRM device `cardNUMBER` of the device at `path`, with its connectors and whether a monitor is on them.
    pub fn drm(&self, path: &str, number: u32, connectors: &[(&str, bool)]) {
        let folder = format!("sys/devices/{path}/drm/card{number}");
        self.link(&format!("{folder}/device"), &format!("sys/devices/{path}"));
        self.link(&format!("sys/class/drm/card{number}"), &folder);
        for (connector, connected) in connectors {
            let name = format!("card{number}-{connector}");
            let status = if *connected { "connected\n" } else { "disconnected\n" };
            self.file(&format!("{folder}/{name}/status"), status);
            self.link(&format!("sys/class/drm/{name}"), &format!("{folder}/{name}"));
        }
    }

    /// The framebuffer console on `fb0`, which the device at `path` has under that name (`amdgpudrmfb`).
    pub fn framebuffer_console(&self, path: &str, name: &str) {
        let folder = format!("sys/devices/{path}/graphics/fb0");
        self.file(&format!("{folder}/name"), format!("{name}\n"));
        self.link(&format!("{folder}/device"), &format!("sys/devices/{path}"));
        self.link("sys/class/graphics/fb0", &folder);
        for (console, name, bind) in [("vtcon0", "(S) dummy device", 0), ("vtcon1", "(M) frame buffer device", 1)] {
            let folder = format!("sys/devices/virtual/vtconsole/{console}");
            self.file(&format!("{folder}/name"), format!("{name}\n"));
            self.file(&format!("{folder}/bind"), format!("{bind}\n"));
            self.link(&format!("sys/class/vtconsole/{console}"), &folder);
        }
    }
}
