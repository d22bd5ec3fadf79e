//! Machines at random, of which it is known what carries what.

use super::random_layers::{Route, SHELF, Stack, Use, Volumes, route, stack};
use super::{Tree, at};
use persona::sys::pci::PciAddress;
use persona_recorded::Function;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A machine to be written.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    slots: Vec<Slot>,
    root: Stack,
    swap: Option<Stack>,
    /// What cartridges are on, where people mount removable disks.
    cartridges: Option<Stack>,
    route: Route,
    /// By picks of USB functions; `None` is a keyboard that is no USB device.
    keyboards: Vec<Option<usize>>,
}

#[derive(Debug, Clone)]
struct Slot {
    kind: Kind,
    functions: u8,
    /// Shared with whatever slot has the same.
    group: u32,
    /// Each function has a group of its own.
    is_isolated: bool,
    below_switch: bool,
    had: Had,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Nvme,
    Sata,
    Usb,
    Network,
    Card,
}

/// Who had a card before us. Everything else has its usual driver.
#[derive(Debug, Clone, Copy)]
enum Had {
    Host,
    Nobody,
    Reserved,
    Vfio,
}

/// What the machine's parts carry, whatever anybody finds out by reading it.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Under `/`, swap or cartridges, or on the way of the default route.
    pub(crate) needed: BTreeSet<PciAddress>,
    /// Those of them that hang on a USB controller: invisible before it has a driver.
    pub(crate) by_usb: BTreeSet<PciAddress>,
    /// The USB controller of each keyboard, `None` for one that is no USB device.
    pub(crate) keyboards: Vec<Option<PciAddress>>,
    pub(crate) functions: Vec<PciAddress>,
}

pub(crate) fn spec() -> impl Strategy<Value = Spec> {
    let kinds = prop::sample::select(vec![Kind::Nvme, Kind::Sata, Kind::Usb, Kind::Network, Kind::Card, Kind::Card, Kind::Card]);
    let had = prop::sample::select(vec![Had::Host, Had::Nobody, Had::Reserved, Had::Vfio]);
    let slot = (kinds, 1..4u8, 0..16u32, any::<bool>(), proptest::bool::weighted(0.3), had).prop_map(
        |(kind, functions, group, is_isolated, below_switch, had)| Slot { kind, functions, group, is_isolated, below_switch, had },
    );
    let keyboards = vec(option::weighted(0.8, any::<usize>()), 0..3);
    let volumes = (stack(), option::of(stack()), option::of(stack()));
    (vec(slot, 2..6), volumes, route(), keyboards).prop_map(|(mut slots, (root, swap, cartridges), route, keyboards)| {
        // There is something to hold the system and to reach it by.
        slots[0].kind = Kind::Nvme;
        slots[1].kind = Kind::Network;
        Spec { slots, root, swap, cartridges, route, keyboards }
    })
}

impl Spec {
    /// Writes the hardware, as it is before any file system is mounted. The nodes of all groups are there.
    pub(crate) fn hardware(&self, tree: &Tree) {
        for (number, slot) in (0..).zip(&self.slots) {
            let bridge = |path: String| tree.pci(&path, "8086:1901", 0x06_0400, Some(slot.group), "pcieport");
            let folders: Vec<String> = slot.folder(number).split('/').map(str::to_owned).collect();
            (2..folders.len()).for_each(|length| bridge(folders[..length].join("/")));
            for function in 0..slot.functions {
                let group = slot.group + if slot.is_isolated { 20 * u32::from(function) + 20 * number } else { 0 };
                tree.add(&slot.function(number, function).group(group));
                tree.file(&format!("dev/vfio/{group}"), "");
            }
        }
    }

    /// Writes what the running system has on the hardware.
    pub(crate) fn system(&self, tree: &Tree) -> Truth {
        let mut truth = Truth::default();
        let of = |wanted: &dyn Fn(Kind) -> bool| self.paths(wanted);
        truth.functions = of(&|_| true).iter().map(|(_, path)| address(path)).collect();
        let disks = of(&|kind| matches!(kind, Kind::Nvme | Kind::Sata | Kind::Usb));
        let mut volumes = Volumes::new(tree);
        let uses = [(Some(&self.root), Use::Root), (self.swap.as_ref(), Use::Swap), (self.cartridges.as_ref(), Use::Cartridges)];
        for (stack, what) in uses {
            let Some(stack) = stack else { continue };
            let on: BTreeSet<&(Kind, String)> = stack.on.iter().map(|pick| &disks[pick % disks.len()]).collect();
            for (kind, path) in &on {
                truth.needed.insert(address(path));
                if *kind == Kind::Usb {
                    truth.by_usb.insert(address(path));
                }
            }
            volumes.put(stack, &on, what);
        }
        if self.cartridges.is_some() {
            tree.file("etc/persona/persona.toml", format!("[legion]\ncartridges = \"{SHELF}\"\n[[persona]]\nname = \"a\"\n"));
        }
        let cards = of(&|kind| kind == Kind::Network);
        let on: BTreeSet<&String> = self.route.on.iter().map(|pick| &cards[pick % cards.len()].1).collect();
        truth.needed.extend(on.iter().map(|path| address(path)));
        self.route.put(tree, &on);
        let controllers = of(&|kind| kind == Kind::Usb);
        for (number, pick) in self.keyboards.iter().enumerate() {
            let controller = pick.filter(|_| !controllers.is_empty()).map(|pick| &controllers[pick % controllers.len()].1);
            let parent = controller.map_or("platform/i8042/serio0".into(), |path| format!("{path}/usb1/1-{number}/1-{number}:1.0"));
            tree.input(&format!("{parent}/input/input{number}"), true);
            truth.keyboards.push(controller.map(|path| address(path)));
        }
        truth
    }

    /// Functions of some kinds, with their folders.
    fn paths(&self, wanted: &dyn Fn(Kind) -> bool) -> Vec<(Kind, String)> {
        let slots = (0..).zip(&self.slots).filter(|(_, slot)| wanted(slot.kind));
        slots.flat_map(|(number, slot)| (0..slot.functions).map(move |function| (slot.kind, slot.path(number, function)))).collect()
    }
}

impl Slot {
    /// Bridges and all, without a function's number.
    fn folder(&self, number: u32) -> String {
        let bus = 0x10 * (number + 1);
        let port = format!("pci0000:00/0000:00:{:02x}.0", number + 1);
        match self.below_switch {
            true => format!("{port}/0000:{bus:02x}:00.0/0000:{:02x}:01.0/0000:{:02x}:00", bus + 1, bus + 2),
            false => format!("{port}/0000:{bus:02x}:00"),
        }
    }

    fn path(&self, number: u32, function: u8) -> String {
        format!("{}.{function}", self.folder(number))
    }

    fn function(&self, number: u32, function: u8) -> Function {
        let (id, class, driver) = match (self.kind, function) {
            (Kind::Nvme, _) => ("144d:a808", 0x01_0802, "nvme"),
            (Kind::Sata, _) => ("1022:7901", 0x01_0601, "ahci"),
            (Kind::Usb, _) => ("1022:149c", 0x0c_0330, "xhci_hcd"),
            (Kind::Network, _) => ("8086:1539", 0x02_0000, "igb"),
            (Kind::Card, 0) => ("1002:67ef", 0x03_0000, "amdgpu"),
            (Kind::Card, _) => ("1002:aae0", 0x04_0300, "snd_hda_intel"),
        };
        let new = Function::new(self.path(number, function), id, class);
        match (self.kind, self.had) {
            (Kind::Card, Had::Nobody) => new,
            (Kind::Card, Had::Reserved) => new.reserved(),
            (Kind::Card, Had::Vfio) => new.reserved().driver("vfio-pci"),
            _ => new.driver(driver),
        }
    }
}

fn address(path: &str) -> PciAddress {
    at(path.rsplit('/').next().unwrap())
}
