//! What lies between a file system and its disks, and between a route and its cards, at random.

use super::Tree;
use super::random_tree::Kind;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Where cartridges are, if they have a file system of their own.
pub(crate) const SHELF: &str = "/media/games/cartridges";

/// What lies on a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Root,
    Swap,
    Cartridges,
}

/// What lies on disks, from below.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    /// Picks of disk controllers.
    pub(crate) on: Vec<usize>,
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
pub(crate) struct Route {
    /// Picks of network cards.
    pub(crate) on: Vec<usize>,
    bond: bool,
    vlan: bool,
    bridge: bool,
    v6: bool,
}

pub(crate) fn stack() -> impl Strategy<Value = Stack> {
    let layers = vec(prop::sample::select(vec![Layer::Luks, Layer::Lvm, Layer::Raid]), 0..3);
    (vec(any::<usize>(), 1..3), any::<bool>(), layers, any::<bool>()).prop_map(|(on, partitioned, layers, is_btrfs)| Stack {
        on,
        partitioned,
        layers,
        is_btrfs,
    })
}

pub(crate) fn route() -> impl Strategy<Value = Route> {
    (vec(any::<usize>(), 1..3), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(on, bond, vlan, bridge, v6)| Route {
        on,
        bond,
        vlan,
        bridge,
        v6,
    })
}

/// Makes block devices.
pub(crate) struct Volumes<'a> {
    tree: &'a Tree,
    disks: u32,
    mapped: u32,
    raids: u32,
}

impl<'a> Volumes<'a> {
    pub(crate) fn new(tree: &'a Tree) -> Self {
        Self { tree, disks: 0, mapped: 0, raids: 0 }
    }

    /// Puts one of the host's uses on disks of these controllers.
    pub(crate) fn put(&mut self, stack: &Stack, on: &BTreeSet<&(Kind, String)>, what: Use) {
        let mut names: Vec<String> = on.iter().map(|(kind, path)| self.disk(*kind, path, stack.partitioned)).collect();
        let mut layers = stack.layers.clone();
        let is_btrfs = what != Use::Swap && stack.is_btrfs;
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
            Some(number) if what != Use::Swap => format!("/dev/mapper/volume{number}"),
            _ => format!("/dev/{name}"),
        };
        let (point, uuid, number) = match what {
            Use::Root => ("/", "8c1f", "0:40"),
            Use::Cartridges => ("/media/games", "77aa", "0:41"),
            Use::Swap => return self.tree.swap(&source),
        };
        if is_btrfs {
            self.tree.btrfs(uuid, &names.iter().map(String::as_str).collect::<Vec<_>>());
            self.tree.mount(number, point, "btrfs", &source);
        } else {
            self.tree.mount(&format!("254:{}", name.trim_start_matches("dm-")), point, "ext4", &source);
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
    pub(crate) fn put(&self, tree: &Tree, on: &BTreeSet<&String>) {
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
