//! A machine as large as is wanted, to measure how planning grows with it.

use crate::cards::{Board, rtx_2070_super, rx_560};
use crate::function::Function;
use crate::machines::SHIPPED;
use crate::system::{Iommu, Maker, Vfio};
use crate::tree::Tree;
use std::collections::BTreeMap;

/// What the slots beyond the known ones hold, in turn: identity, class, driver.
const MIXED: [(&str, u32, &str); 6] = [
    ("8086:1539", 0x02_0000, "igb"),
    ("144d:a808", 0x01_0802, "nvme"),
    ("1022:7901", 0x01_0601, "ahci"),
    ("1022:1487", 0x04_0300, "snd_hda_intel"),
    ("10de:1e84", 0x03_0000, ""),
    ("1022:149c", 0x0c_0330, "xhci_hcd"),
];
/// So many domains of 256 buses are enough for anyone.
const FIRST_SLOTS: u32 = 5;

/// Writes a machine of `devices` PCI functions, bridges included, in `groups` IOMMU groups, on which the shipped settings can be
/// planned: legion's card at 0000:0a:00.0 and USB controller at 0000:0c:00.3, the host's card, disk and network card. Each group
/// is that of a root port: the port itself and what is behind it.
///
/// # Panics
/// When that cannot be: less than 5 groups, less than 14 devices, less than 2 or more than 9 devices for a group, more than 200
/// groups.
pub fn synthetic(tree: &Tree, devices: u32, groups: u32) {
    assert!((FIRST_SLOTS..=200).contains(&groups) && devices >= 14, "too few or too many");
    let known: u32 = 5 + 2 + 4 + 1 + 1 + 1;
    let (slots, functions) = (groups - FIRST_SLOTS, (devices - known).saturating_sub(groups - FIRST_SLOTS));
    assert!(slots <= functions && functions <= 8 * slots, "{devices} devices do not fit in {groups} groups");
    let buses: BTreeMap<u32, Slot> = known_slots();
    let free = (1..=255).filter(|bus| !buses.contains_key(bus)).take(slots as usize);
    let more: Vec<(u32, Slot)> =
        free.zip(0..).map(|(bus, slot)| (bus, mixed(bus, slot, functions / slots + u32::from(slot < functions % slots)))).collect();
    for (group, (bus, slot)) in (0..).zip(buses.into_iter().chain(more)) {
        tree.add_group(group, [Function::new(port(bus), "1022:1483", 0x06_0400).driver("pcieport")]);
        tree.add_group(group, slot);
    }
    tree.nvme(&format!("{}/0000:01:00.0", port(1)), 0, 3);
    tree.mount("259:2", "/", "ext4", "/dev/nvme0n1p2");
    tree.swap("/dev/nvme0n1p3");
    tree.interface("enp5s0", &format!("{}/0000:05:00.0", port(5)));
    tree.default_route("enp5s0");
    tree.keyboard_and_mouse(&format!("{}/0000:0c:00.3", port(12)), 3);
    tree.iommu(Iommu::Intel);
    tree.computer(Maker::Amd, "synthetic", 24, 64);
    tree.address_space(None);
    tree.kernel("6.12.10", "root=/dev/nvme0n1p2 rw iommu=pt", Vfio::Modules);
    tree.installed(SHIPPED, &["rivendale", "gondor", "mordor"]);
}

type Slot = Vec<Function>;

/// The folder of a bus's root port: 32 devices of 8 functions, in device order.
fn port(bus: u32) -> String {
    format!("pci0000:00/0000:00:{:02x}.{:x}", bus / 8, bus % 8)
}

fn slot(bus: u32) -> String {
    format!("{}/0000:{bus:02x}:00", port(bus))
}

fn known_slots() -> BTreeMap<u32, Slot> {
    let one = |bus, function, (id, class, driver): (&str, u32, &'static str)| {
        vec![Function::new(format!("{}.{function}", slot(bus)), id, class).driver(driver)]
    };
    let board = Board("1462:7c37");
    BTreeMap::from([
        (1, one(1, 0, MIXED[1])),
        (5, one(5, 0, MIXED[0])),
        (9, rx_560(&slot(9), board).to_vec()),
        (10, rtx_2070_super(&slot(10), board).map(|function| function.driver("")).to_vec()),
        (12, one(12, 3, MIXED[5])),
    ])
}

/// A slot of so many functions of all kinds.
fn mixed(bus: u32, number: u32, functions: u32) -> Slot {
    let function = |function| {
        let (id, class, driver) = MIXED[(number + function) as usize % MIXED.len()];
        Function::new(format!("{}.{function}", slot(bus)), id, class).driver(driver)
    };
    (0..functions).map(function).collect()
}
