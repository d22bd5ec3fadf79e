//! Which PCI functions the host needs: those below its file systems, its swap and its default route.
//!
//! All of it errs on the safe side: what cannot be traced makes every candidate count.

use super::machine::{Function, HostUse};
use super::read::first_line;
use crate::sys::network::default_interfaces;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// sysfs as a tree of devices.
pub(super) struct Tree<'a> {
    paths: &'a Paths,
    root: PathBuf,
}

impl<'a> Tree<'a> {
    pub(super) fn new(paths: &'a Paths) -> Self {
        let root = paths.at("/");
        Self { paths, root: fs::canonicalize(&root).unwrap_or(root) }
    }

    /// The real path of a link; `None` if it dangles or leads out of the root.
    pub(super) fn canonical(&self, link: &Path) -> Option<PathBuf> {
        fs::canonicalize(link).ok().filter(|path| path.starts_with(&self.root))
    }

    /// Whether a real path belongs to a virtual device.
    pub(super) fn is_virtual(&self, path: &Path) -> bool {
        path.starts_with(self.root.join("sys/devices/virtual"))
    }

    /// The PCI functions on a real path, the nearest to the device last.
    pub(super) fn functions_in(&self, path: &Path) -> Vec<PciAddress> {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        let names = path.components().filter_map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        names.filter_map(|name| name.parse::<PciAddress>().ok().filter(|address| address.to_string() == name)).collect()
    }

    /// The functions below a block device, including those of the devices it is built on (dm, md, NVMe multipath).
    fn under_block(&self, link: &Path, seen: &mut BTreeSet<PathBuf>) -> BTreeSet<PciAddress> {
        let Some(path) = self.canonical(link).filter(|path| seen.insert(path.clone())) else { return BTreeSet::new() };
        let mut found: BTreeSet<PciAddress> = self.functions_in(&path).into_iter().collect();
        for part in entries(&path.join("slaves")) {
            found.extend(self.under_block(&part, seen));
        }
        let is_subsystem = |folder: &&Path| name_of(folder).starts_with("nvme-subsys") && folder.join("subsysnqn").exists();
        if let Some(subsystem) = path.ancestors().find(is_subsystem) {
            let controllers = entries(subsystem).into_iter().filter_map(|controller| self.canonical(&controller));
            found.extend(controllers.flat_map(|path| self.functions_in(&path)));
        }
        found
    }

    /// The functions below a network interface, including those of its ports and lower interfaces.
    fn under_interface(&self, name: &str, seen: &mut BTreeSet<String>) -> BTreeSet<PciAddress> {
        let folder = self.paths.network_interfaces().join(name);
        if !seen.insert(name.to_owned()) {
            return BTreeSet::new();
        }
        let device = self.canonical(&folder.join("device"));
        let mut found: BTreeSet<PciAddress> = device.iter().flat_map(|path| self.functions_in(path)).collect();
        let lower = entries(&folder).into_iter().filter_map(|entry| name_of(&entry).strip_prefix("lower_").map(str::to_owned));
        let ports = entries(&folder.join("brif")).into_iter().map(|port| name_of(&port).to_owned());
        for below in lower.chain(ports) {
            found.extend(self.under_interface(&below, seen));
        }
        found
    }

    /// The functions below the source in a line of mountinfo or swaps: `/dev/sda2`, `/dev/mapper/root`.
    fn under_source(&self, source: &str) -> BTreeSet<PciAddress> {
        let Some(name) = source.strip_prefix("/dev/") else { return BTreeSet::new() };
        let class = self.paths.block_class();
        let node = self.canonical(&self.paths.at(source)).map(|node| name_of(&node).to_owned()).filter(|name| class.join(name).exists());
        let name = node.unwrap_or_else(|| name.rsplit('/').next().unwrap_or(name).to_owned());
        let mapped = || entries(&class).into_iter().find(|device| first_line(&device.join("dm/name")).as_deref() == Some(&name));
        let device = if class.join(&name).exists() { Some(class.join(&name)) } else { mapped() };
        let Some(device) = device else { return BTreeSet::new() };
        let mut seen = BTreeSet::new();
        let mut found = self.under_block(&device, &mut seen);
        // A Btrfs file system is mounted by one of its devices, but uses all of them.
        for file_system in entries(&self.paths.btrfs_file_systems()) {
            let members = entries(&file_system.join("devices"));
            if members.iter().any(|member| name_of(member) == name_of(&device)) {
                found.extend(members.iter().flat_map(|member| self.under_block(member, &mut seen)));
            }
        }
        found
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// What was found out about the host's needs.
pub(super) struct Duties {
    /// In address order; a function may have several.
    pub(super) held: BTreeSet<(PciAddress, HostUse)>,
    pub(super) root_is_known: bool,
    pub(super) route_is_known: bool,
}

impl Duties {
    /// `known` are the machine's functions: a disk below a USB controller may be a stick.
    pub(super) fn read(tree: &Tree, known: &BTreeMap<PciAddress, Function>) -> Self {
        let mounts = mounts(&fs::read_to_string(tree.paths.mount_info()).unwrap_or_default());
        let traced: Vec<(&Mount, BTreeSet<PciAddress>)> = mounts.iter().map(|mount| (mount, under_mount(tree, mount))).collect();
        let root_is_known = traced.iter().any(|(mount, functions)| mount.point == "/" && !functions.is_empty());
        let mut held = BTreeSet::new();
        // A file system is reported by its first mount point: the others are bind mounts, such as those of a unit's sandbox.
        let mut told = BTreeSet::new();
        for (mount, functions) in &traced {
            if (!root_is_known || !is_stick(mount, functions, known)) && (functions.is_empty() || told.insert(&mount.number)) {
                held.extend(functions.iter().map(|address| (*address, HostUse::Mount(mount.point.clone()))));
            }
        }
        for source in
            fs::read_to_string(tree.paths.swaps()).unwrap_or_default().lines().skip(1).filter_map(|line| line.split_whitespace().next())
        {
            let source = unescape(source);
            let mut functions = tree.under_source(&source);
            if functions.is_empty() {
                // A swap file is on the file system with the longest mount point that is a prefix of its path.
                let below = traced.iter().filter(|(mount, _)| Path::new(&source).starts_with(&mount.point));
                functions = below.max_by_key(|(mount, _)| mount.point.len()).map(|(_, functions)| functions.clone()).unwrap_or_default();
            }
            held.extend(functions.into_iter().map(|address| (address, HostUse::Swap)));
        }
        let interfaces = default_interfaces(tree.paths);
        let mut route_is_known = !interfaces.is_empty();
        for interface in interfaces {
            let functions = tree.under_interface(&interface, &mut BTreeSet::new());
            let is_hardware = tree.paths.network_interfaces().join(&interface).join("device").exists();
            // A tunnel's packets leave through a card that cannot be determined here.
            route_is_known &= is_hardware || !functions.is_empty();
            held.extend(functions.into_iter().map(|address| (address, HostUse::DefaultRoute(interface.clone()))));
        }
        Self { held, root_is_known, route_is_known }
    }
}

struct Mount {
    number: String,
    point: String,
    source: String,
}

/// Whether it is a removable medium mounted by a user, which the host does not need: all of it is below USB controllers, and the mount
/// point is below those for removable media.
fn is_stick(mount: &Mount, functions: &BTreeSet<PciAddress>, known: &BTreeMap<PciAddress, Function>) -> bool {
    let mut below = functions.iter().map(|address| known.get(address));
    ["/run/media/", "/media/", "/mnt/"].iter().any(|guests| mount.point.starts_with(guests))
        && below.clone().flatten().any(Function::is_usb)
        && below.all(|function| function.is_some_and(|function| function.is_usb() || function.is_bridge()))
}

fn under_mount(tree: &Tree, mount: &Mount) -> BTreeSet<PciAddress> {
    let by_number = tree.under_block(&tree.paths.block_device(&mount.number), &mut BTreeSet::new());
    // Btrfs and others use a device number that is not a block device's.
    if by_number.is_empty() { tree.under_source(&mount.source) } else { by_number }
}

/// `proc_pid_mountinfo(5)`: id, parent, number, root, mount point, options, optional fields, `-`, type, source, options.
fn mounts(text: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(2);
        let number = left.next()?.to_owned();
        let point = unescape(left.nth(1)?);
        Some(Mount { number, point, source: unescape(right.split(' ').nth(1)?) })
    };
    text.lines().filter_map(mount).collect()
}

/// Decodes the kernel's octal escapes (`\040` is a space).
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = (*first == b'\\').then(|| tail.get(..3)).flatten();
        match octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_with_optional_fields_and_escapes() {
        let text = "26 1 0:24 /@ / rw,relatime shared:1 master:2 - btrfs /dev/mapper/a\\040b rw,subvol=/@\nnonsense\n";
        let mounts = mounts(text);
        assert_eq!(mounts.len(), 1);
        assert_eq!((mounts[0].number.as_str(), mounts[0].point.as_str(), mounts[0].source.as_str()), ("0:24", "/", "/dev/mapper/a b"));
        assert_eq!(unescape("\\04"), "\\04");
        assert_eq!(unescape("\\999x"), "\\999x");
    }
}
