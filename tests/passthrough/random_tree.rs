//! Machines at random, of which it is known what carries what.

use super::{Tree, at};
use persona::pci::PciAddress;
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
enum Kind {
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

/// What lies on disks, from below.
#[derive(Debug, Clone)]
struct Stack {
    /// Picks of disk controllers.
    on: Vec<usize>,
    partitioned: bool,
    layers: Vec<Layer>,
    /// Btrfs needs no volume manager to lie on several.
    is_btrfs: bool,
}

#[derive(Debug, Clone, Copy)]
enum Layer {
    Luks,
    Lvm,
    Raid,
}

#[derive(Debug, Clone)]
struct Route {
    /// Picks of network cards.
    on: Vec<usize>,
    bond: bool,
    vlan: bool,
    bridge: bool,
    v6: bool,
}

/// What the machine's parts carry, whatever anybody finds out by reading it.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Under `/` or swap, or on the way of the default route.
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
    let stack = || {
        let layers = vec(prop::sample::select(vec![Layer::Luks, Layer::Lvm, Layer::Raid]), 0..3);
        (vec(any::<usize>(), 1..3), any::<bool>(), layers, any::<bool>()).prop_map(|(on, partitioned, layers, is_btrfs)| Stack {
            on,
            partitioned,
            layers,
            is_btrfs,
        })
    };
    let route = (vec(any::<usize>(), 1..3), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(on, bond, vlan, bridge, v6)| Route { on, bond, vlan, bridge, v6 });
    let keyboards = vec(option::weighted(0.8, any::<usize>()), 0..3);
    (vec(slot, 2..6), stack(), option::of(stack()), route, keyboards).prop_map(|(mut slots, root, swap, route, keyboards)| {
        // There is something to hold the system and to reach it by.
        slots[0].kind = Kind::Nvme;
        slots[1].kind = Kind::Network;
        Spec { slots, root, swap, route, keyboards }
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
        let mut volumes = Volumes { tree, disks: 0, mapped: 0, raids: 0 };
        for (stack, is_root) in [(Some(&self.root), true), (self.swap.as_ref(), false)] {
            let Some(stack) = stack else { continue };
            let on: BTreeSet<&(Kind, String)> = stack.on.iter().map(|pick| &disks[pick % disks.len()]).collect();
            for (kind, path) in &on {
                truth.needed.insert(address(path));
                if *kind == Kind::Usb {
                    truth.by_usb.insert(address(path));
                }
            }
            volumes.put(stack, &on, is_root);
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

/// Makes block devices.
struct Volumes<'a> {
    tree: &'a Tree,
    disks: u32,
    mapped: u32,
    raids: u32,
}

impl Volumes<'_> {
    /// Puts the root file system or swap on disks of these controllers.
    fn put(&mut self, stack: &Stack, on: &BTreeSet<&(Kind, String)>, is_root: bool) {
        let mut names: Vec<String> = on.iter().map(|(kind, path)| self.disk(*kind, path, stack.partitioned)).collect();
        let mut layers = stack.layers.clone();
        let is_btrfs = is_root && stack.is_btrfs;
        if !is_btrfs {
            layers.push(Layer::Lvm);
        }
        for layer in layers {
            names = match layer {
                Layer::Luks => names.iter().map(|name| self.map(&[name])).collect(),
                Layer::Lvm => vec![self.map(&names.iter().map(String::as_str).collect::<Vec<_>>())],
                Layer::Raid => {
                    self.raids += 1;
                    self.tree.raid(self.raids, &names.iter().map(String::as_str).collect::<Vec<_>>());
                    vec![format!("md{}", self.raids)]
                }
            };
        }
        let name = &names[0];
        let source = match name.strip_prefix("dm-") {
            Some(number) if is_root => format!("/dev/mapper/volume{number}"),
            _ => format!("/dev/{name}"),
        };
        match (is_root, is_btrfs) {
            (true, true) => {
                self.tree.btrfs("8c1f", &names.iter().map(String::as_str).collect::<Vec<_>>());
                self.tree.mount("0:40", "/", "btrfs", &source);
            }
            (true, false) => self.tree.mount(&format!("254:{}", name.trim_start_matches("dm-")), "/", "ext4", &source),
            (false, _) => self.tree.swap(&source),
        }
    }

    /// A disk of its own for each use, so that a controller has several.
    fn disk(&mut self, kind: Kind, controller: &str, partitioned: bool) -> String {
        let number = self.disks;
        self.disks += 1;
        let letter = char::from(b'a' + number as u8);
        let (folder, name, part) = match kind {
            Kind::Nvme => (format!("nvme/nvme{number}"), format!("nvme{number}n1"), "p1"),
            Kind::Usb => (format!("usb2/2-{number}/2-{number}:1.0/host9/target9:0:0/9:0:0:0/block"), format!("sd{letter}"), "1"),
            _ => (format!("ata{number}/host{number}/target{number}:0:0/{number}:0:0:0/block"), format!("sd{letter}"), "1"),
        };
        let path = format!("{controller}/{folder}/{name}");
        self.tree.block(&path, &format!("8:{}", number * 16));
        if !partitioned {
            return name;
        }
        self.tree.block(&format!("{path}/{name}{part}"), &format!("8:{}", number * 16 + 1));
        format!("{name}{part}")
    }

    fn map(&mut self, parts: &[&str]) -> String {
        let number = self.mapped;
        self.mapped += 1;
        self.tree.mapped(number, &format!("volume{number}"), parts);
        format!("dm-{number}")
    }
}

impl Route {
    /// Lets the default route leave by these cards.
    fn put(&self, tree: &Tree, on: &BTreeSet<&String>) {
        let mut names: Vec<String> = (0..on.len()).map(|number| format!("eth{number}")).collect();
        on.iter().zip(&names).for_each(|(path, name)| tree.interface(name, path));
        let all = |names: &[String]| names.join(" ");
        if self.bond || on.len() > 1 && !self.bridge {
            tree.interface_above("bond0", &all(&names).split(' ').collect::<Vec<_>>());
            names = vec!["bond0".into()];
        }
        if self.vlan && names.len() == 1 {
            let vlan = format!("{}.7", names[0]);
            tree.interface_above(&vlan, &[&names[0]]);
            names = vec![vlan];
        }
        if self.bridge {
            tree.bridge("br0", &all(&names).split(' ').collect::<Vec<_>>());
            names = vec!["br0".into()];
        }
        if self.v6 { tree.default_route_v6(&names[0]) } else { tree.default_route(&names[0]) }
    }
}

fn address(path: &str) -> PciAddress {
    at(path.rsplit('/').next().unwrap())
}
