//! Which PCI functions the host needs: those below its file systems, its swap, its cartridges and its default route.
//!
//! All of it errs on the safe side: what cannot be traced makes every candidate count.

mod mounts;
mod tree;

use super::machine::{Function, HostUse};
use crate::config::{Legion, Settings};
use crate::error::Result;
use crate::sys::file;
use crate::sys::network::default_interfaces;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use crate::sys::set::set_of;
use mounts::Mount;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
pub(super) use tree::Tree;
use tree::entries;

/// What was found out about the host's needs.
#[derive(Default)]
pub(super) struct Duties {
    /// In address order; a function may have several.
    pub(super) held: BTreeSet<(PciAddress, HostUse)>,
    /// What could not be traced to its disks, as an object: `the file system at /`. Every disk may be needed for it.
    pub(super) storage_doubt: Option<String>,
    /// Whether the network cards of the default routes are known.
    pub(super) route_is_known: bool,
    /// Whether the file system at `/` is on another machine.
    pub(super) root_is_remote: bool,
    /// Where removable media are mounted, with the functions above them.
    pub(super) sticks: BTreeSet<(PciAddress, String)>,
    /// The names of the disks below each function.
    pub(super) disks: BTreeMap<PciAddress, Vec<String>>,
    /// The names of the network interfaces below each function.
    pub(super) interfaces: BTreeMap<PciAddress, Vec<String>>,
}

impl Duties {
    /// `known` are the machine's functions: a disk below a USB controller may be a stick.
    pub(super) fn read(tree: &Tree, known: &BTreeMap<PciAddress, Function>, settings: Option<&Settings>) -> Self {
        let mut found = Self::default();
        if let Err(error) = found.storage(tree, known, settings) {
            log::warn!("{error}");
            found.doubt("one of the host's file systems");
        }
        found.network(tree);
        // Which card leads to the machine that serves the root file system is not known, and it need not be that of the default route.
        found
    }

    fn storage(&mut self, tree: &Tree, known: &BTreeMap<PciAddress, Function>, settings: Option<&Settings>) -> Result<()> {
        // First of all: the disks below a device are known also if the mounts cannot be read.
        let mut disks = tree.disks();
        disks.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        for disk in &disks {
            for address in &disk.functions {
                self.disks.entry(*address).or_default().push(disk.name.clone());
            }
        }
        let mounts = mounts::read(tree.paths)?;
        let traced: Vec<(&Mount, tree::Traced)> = mounts.iter().map(|mount| (mount, tree.under_mount(mount, &mounts))).collect();
        self.root_is_remote = of_root(&mounts).is_some_and(|mount| mount.is_of_network() || tree.is_remote(&mount.number));
        let is_empty = |functions: &tree::Traced| functions.as_ref().is_none_or(BTreeSet::is_empty);
        if !self.root_is_remote && !traced.iter().any(|(mount, functions)| mount.point == "/" && !is_empty(functions)) {
            self.doubt("the file system at /");
        }
        let places = Places::read(tree, &mounts, settings);
        let joins_others = self.storage_doubt.is_some() || mounts.iter().any(Mount::may_join_others);
        // A file system is reported by its first mount point: the others are bind mounts, such as those of a unit's sandbox.
        let mut told = BTreeSet::new();
        for (mount, functions) in &traced {
            let Some(functions) = functions else {
                if self.root_is_remote && mount.point == "/" {
                    continue;
                }
                self.doubt(&format!("the file system at {}", mount.point));
                continue;
            };
            if functions.is_empty() || !told.insert(&mount.number) {
                continue;
            }
            if !joins_others && !places.are_on(mount) && is_stick(mount, functions, known) {
                self.sticks.extend(functions.iter().map(|address| (*address, mount.point.clone())));
            } else {
                self.held.extend(functions.iter().map(|address| (*address, HostUse::Mount(mount.point.clone()))));
            }
        }
        for source in mounts::swaps(tree.paths)? {
            match tree.under_swap(&source, &mounts) {
                Some(functions) => self.held.extend(functions.into_iter().map(|address| (address, HostUse::Swap))),
                None => self.doubt("the swap space"),
            }
        }
        for (source, point) in mounts::automounts(tree.paths, &mounts) {
            if !places.need(&point) {
                continue;
            }
            // What cannot be found now is on no device that could be taken.
            let functions = tree.under_swap(&source, &mounts).unwrap_or_default();
            self.held.extend(functions.into_iter().map(|address| (address, HostUse::Mount(point.clone()))));
        }
        if has_zfs_pool(tree.paths) {
            self.doubt("a ZFS pool");
        }
        for (address, reason) in places.functions(tree, &mounts) {
            if reason == HostUse::Cartridges || !self.is_held(address) {
                self.held.insert((address, reason));
            }
        }
        for disk in &disks {
            for address in &disk.functions {
                if let Some(holder) = disk.held_by.as_ref().filter(|_| !self.is_held(*address)) {
                    self.held.insert((*address, HostUse::Part(disk.name.clone(), holder.clone())));
                }
            }
        }
        Ok(())
    }

    fn network(&mut self, tree: &Tree) {
        for (interface, functions) in tree.interfaces() {
            for address in functions {
                self.interfaces.entry(address).or_default().push(interface.clone());
            }
        }
        let interfaces = default_interfaces(tree.paths).inspect_err(|error| log::warn!("{error}")).unwrap_or_default();
        self.route_is_known = !interfaces.is_empty();
        for interface in interfaces {
            match tree.under_interface(&interface) {
                Some(functions) => {
                    self.held.extend(functions.into_iter().map(|address| (address, HostUse::DefaultRoute(interface.clone()))));
                }
                None => self.route_is_known = false,
            }
        }
    }

    fn is_held(&self, address: PciAddress) -> bool {
        self.held.iter().any(|(held, _)| *held == address)
    }

    /// Only the first doubt is kept.
    fn doubt(&mut self, what: &str) {
        self.storage_doubt.get_or_insert_with(|| what.to_owned());
    }
}

/// What is mounted at `/`: the last one covers the others.
fn of_root(mounts: &[Mount]) -> Option<&Mount> {
    mounts.iter().rfind(|mount| mount.point == "/")
}

/// Files and folders that legion or the firmware needs, wherever they are mounted.
struct Places {
    /// Real paths of folders that cartridges and slots are in.
    folders: BTreeSet<PathBuf>,
    /// Block devices that are a cartridge's disk.
    disks: BTreeSet<String>,
    /// Block device of the partition that the firmware started from.
    boot: Option<String>,
}

impl Places {
    fn read<'a>(tree: &Tree, mounts: &[Mount], settings: Option<&'a Settings>) -> Self {
        let legions = settings.into_iter().flat_map(|settings| settings.personas.iter().filter_map(|persona| persona.legion()));
        let both = |legion: &'a Legion| [Some(legion.cartridges.as_path()), legion.slot.parent()];
        // Most personas have the same ones.
        let folders: BTreeSet<&Path> = set_of(legions.flat_map(both).flatten());
        let mut places = Self { folders: BTreeSet::new(), disks: BTreeSet::new(), boot: boot_partition(tree.paths) };
        for folder in folders {
            let at = tree.paths.at(folder);
            let real = tree.canonical(&at).map_or_else(|| folder.to_path_buf(), |real| tree.without_root(&real));
            places.folders.insert(real);
            for cartridge in entries(&at) {
                places.disk(tree, &cartridge, mounts);
            }
        }
        places
    }

    /// Takes note of where a cartridge's `disk` leads to.
    fn disk(&mut self, tree: &Tree, cartridge: &Path, mounts: &[Mount]) {
        for name in ["disk", "disk.qcow2", "disk.raw"] {
            let Ok(target) = fs::read_link(cartridge.join(name)) else { continue };
            if target.starts_with("/dev") {
                self.disks.extend(target.to_str().map(str::to_owned));
            } else if let Some(real) = tree.canonical(&cartridge.join(name))
                && mounts::of_file(mounts, &tree.without_root(&real)).is_some()
            {
                self.folders.insert(tree.without_root(&real));
            }
        }
    }

    /// Whether the host needs what is to be mounted there: a disk for data or for another system is not the host's.
    fn need(&self, point: &str) -> bool {
        const HOSTS: [&str; 8] = ["/boot", "/efi", "/usr", "/var", "/home", "/root", "/srv", "/opt"];
        HOSTS.iter().any(|host| Path::new(point).starts_with(host)) || self.folders.iter().any(|folder| folder.starts_with(point))
    }

    /// Whether one of them is on this mount.
    fn are_on(&self, mount: &Mount) -> bool {
        const HOSTS: [&str; 3] = ["/boot", "/efi", "/boot/efi"];
        HOSTS.contains(&mount.point.as_str()) || self.folders.iter().any(|folder| folder.starts_with(&mount.point) && mount.point != "/")
    }

    /// The functions that they depend on. A folder that cannot be traced is on a mount that cannot be traced, which is a doubt already.
    fn functions(&self, tree: &Tree, mounts: &[Mount]) -> BTreeSet<(PciAddress, HostUse)> {
        // On the disk of `/` they need no mention of their own.
        let root = mounts::of_file(mounts, Path::new("/")).map(|mount| mount.number.as_str());
        let is_apart = |folder: &&PathBuf| mounts::of_file(mounts, folder).is_some_and(|mount| Some(mount.number.as_str()) != root);
        let of_folder = |folder: &PathBuf| tree.of_file(folder, mounts).unwrap_or_default();
        let of_disk = |disk: &String| tree.under_swap(disk, mounts).unwrap_or_default();
        let cartridges = self.folders.iter().filter(is_apart).flat_map(of_folder).chain(self.disks.iter().flat_map(of_disk));
        let boot = self.boot.iter().flat_map(of_disk).map(|address| (address, HostUse::Boot));
        set_of(cartridges.map(|address| (address, HostUse::Cartridges)).chain(boot))
    }
}

/// The partition that the boot loader was started from, by what it has told (<https://systemd.io/BOOT_LOADER_INTERFACE/>).
fn boot_partition(paths: &Paths) -> Option<String> {
    let bytes = file::read(paths.boot_partition_variable(), 1024).ok()?;
    // Four bytes of attributes, then UTF-16.
    let letters: Vec<u16> =
        bytes.get(4..)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).take_while(|letter| *letter != 0).collect();
    let id = String::from_utf16(&letters).ok()?.to_ascii_lowercase();
    id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-').then(|| format!("/dev/disk/by-partuuid/{id}"))
}

/// Whether ZFS has a pool: sysfs does not tell which disks are its.
fn has_zfs_pool(paths: &Paths) -> bool {
    entries(&paths.zfs_pools()).iter().any(|pool| pool.is_dir())
}

/// Whether it is a removable medium mounted by a user, which the host does not need: all of it is below USB controllers, and the mount
/// point is below those that desktops mount removable media at.
fn is_stick(mount: &Mount, functions: &BTreeSet<PciAddress>, known: &BTreeMap<PciAddress, Function>) -> bool {
    let mut below = functions.iter().map(|address| known.get(address));
    ["/run/media/", "/media/"].iter().any(|guests| mount.point.starts_with(guests))
        && below.clone().flatten().any(Function::is_usb)
        && below.all(|function| function.is_some_and(|function| function.is_usb() || function.is_bridge()))
}
