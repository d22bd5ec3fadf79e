//! sysfs as a tree of devices: which PCI functions a block device or a network interface depends on.

use super::mounts::{self, Mount};
use crate::passthrough::read::first_line;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use crate::sys::set::set_of;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The functions below something; `None` if they cannot all be determined.
pub(super) type Traced = Option<BTreeSet<PciAddress>>;

/// sysfs as a tree of devices.
pub(in crate::passthrough) struct Tree<'a> {
    pub(super) paths: &'a Paths,
    root: PathBuf,
}

impl<'a> Tree<'a> {
    pub(in crate::passthrough) fn new(paths: &'a Paths) -> Self {
        let root = paths.at("/");
        Self { paths, root: fs::canonicalize(&root).unwrap_or(root) }
    }

    /// The real path of a link; `None` if it dangles or leads out of the root.
    pub(in crate::passthrough) fn canonical(&self, link: &Path) -> Option<PathBuf> {
        fs::canonicalize(link).ok().filter(|path| path.starts_with(&self.root))
    }

    /// The real path of a link whose folder is real: of an entry of a class, or of a part of a device. One link is read, where
    /// [`Self::canonical`] asks for each folder on the way.
    pub(in crate::passthrough) fn entry(&self, link: &Path) -> Option<PathBuf> {
        let one_link = || {
            let below = link.strip_prefix(&self.root).or_else(|_| link.strip_prefix(self.paths.at("/"))).ok()?;
            let folder = self.root.join(below.parent()?);
            let mut path = PathBuf::new();
            for component in folder.join(fs::read_link(link).ok()?).components() {
                match component {
                    Component::ParentDir => _ = path.pop(),
                    other => path.push(other),
                }
            }
            // Another link is followed the long way.
            path.symlink_metadata().ok().filter(|found| found.is_dir()).map(|_| path)
        };
        one_link().filter(|path| path.starts_with(&self.root)).or_else(|| self.canonical(link))
    }

    /// The machine's name for a real path.
    pub(super) fn without_root(&self, path: &Path) -> PathBuf {
        Path::new("/").join(path.strip_prefix(&self.root).unwrap_or(path))
    }

    /// Whether a real path belongs to a virtual device.
    pub(in crate::passthrough) fn is_virtual(&self, path: &Path) -> bool {
        path.starts_with(self.root.join("sys/devices/virtual"))
    }

    /// The PCI functions on a real path, the nearest to the device last.
    pub(in crate::passthrough) fn functions_in(&self, path: &Path) -> Vec<PciAddress> {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        let names = path.components().filter_map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        names.filter_map(|name| name.parse::<PciAddress>().ok().filter(|address| address.to_string() == name)).collect()
    }

    /// The functions below a block device, including those of the devices it is built on (dm, md, NVMe multipath) and of the file behind a
    /// loop device.
    fn under_block(&self, link: &Path, mounts: &[Mount], seen: &mut BTreeSet<PathBuf>) -> Traced {
        let path = self.entry(link)?;
        if !seen.insert(path.clone()) {
            return Some(BTreeSet::new());
        }
        let mut found: BTreeSet<PciAddress> = set_of(self.functions_in(&path));
        let parts: Vec<PathBuf> = entries(&path.join("slaves")).into_iter().filter(|part| part.is_symlink()).collect();
        for part in &parts {
            found.extend(self.under_block(part, mounts, seen)?);
        }
        let is_subsystem = |folder: &&Path| name_of(folder).starts_with("nvme-subsys") && folder.join("subsysnqn").exists();
        if let Some(subsystem) = path.ancestors().find(is_subsystem) {
            let controllers = entries(subsystem).into_iter().filter_map(|controller| self.canonical(&controller));
            found.extend(controllers.flat_map(|path| self.functions_in(&path)));
            return Some(found);
        }
        if !self.is_virtual(&path) || !parts.is_empty() {
            return Some(found);
        }
        // Partitions of a virtual disk are below it.
        let disk = if path.join("partition").exists() { path.parent().unwrap_or(&path) } else { &path };
        match numbered(name_of(disk)) {
            // What does not fit into memory may be written to a disk (Documentation/admin-guide/blockdev/zram.rst).
            "zram" => match first_line(&disk.join("backing_dev")).filter(|device| device != "none") {
                Some(device) => Some(self.under_source(&device, mounts, seen)?.into_iter().chain(found).collect()),
                None => Some(found),
            },
            // In memory, or on the network.
            "ram" | "nbd" | "rbd" => Some(found),
            "loop" => {
                let file = first_line(&disk.join("loop/backing_file"))?;
                Some(self.under_file(Path::new(&file), mounts, seen)?.into_iter().chain(found).collect())
            }
            // Such as a volume of ZFS, or a device of a driver that does not tell what is below it.
            _ if disk != path => self.under_block(disk, mounts, seen),
            _ => None,
        }
    }

    /// Whether a block device, or one that it is built on, is a disk of another machine: NBD, Ceph, iSCSI, or NVMe over a network.
    pub(super) fn is_remote(&self, number: &str) -> bool {
        self.is_remote_below(&self.paths.block_device(number), &mut BTreeSet::new())
    }

    fn is_remote_below(&self, link: &Path, seen: &mut BTreeSet<PathBuf>) -> bool {
        let Some(path) = self.entry(link).filter(|path| seen.insert(path.clone())) else { return false };
        let is_remote = |part: &str| ["nbd", "rbd", "session", "nvme-fabrics"].iter().any(|kind| numbered(part) == *kind);
        let parts = entries(&path.join("slaves")).into_iter().filter(|part| part.is_symlink());
        self.without_root(&path).iter().any(|part| part.to_str().is_some_and(is_remote))
            || parts.into_iter().any(|part| self.is_remote_below(&part, seen))
    }

    fn under_file(&self, file: &Path, mounts: &[Mount], seen: &mut BTreeSet<PathBuf>) -> Traced {
        self.under_new_mount(mounts::of_file(mounts, file)?, mounts, seen)
    }

    /// The functions below the file system that a file is on.
    pub(super) fn of_file(&self, file: &Path, mounts: &[Mount]) -> Traced {
        self.under_file(file, mounts, &mut BTreeSet::new())
    }

    /// The functions below a mounted file system.
    pub(super) fn under_mount(&self, mount: &Mount, mounts: &[Mount]) -> Traced {
        self.under_new_mount(mount, mounts, &mut BTreeSet::new())
    }

    fn under_new_mount(&self, mount: &Mount, mounts: &[Mount], seen: &mut BTreeSet<PathBuf>) -> Traced {
        let device = self.paths.block_device(&mount.number);
        if device.symlink_metadata().is_ok() {
            let mut found = self.under_device(&device, mounts, seen)?;
            if mount.source.contains(":/dev/") {
                found.extend(self.under_source(&mount.source, mounts, seen)?);
            }
            return Some(found);
        }
        // Btrfs, bcachefs and others use a number that is not a block device's.
        if mount.source.starts_with("/dev/") {
            return self.under_source(&mount.source, mounts, seen);
        }
        // The host runs from what is mounted at `/`, whatever it is.
        (mount.is_without_disk() && mount.point != "/").then(BTreeSet::new)
    }

    /// The functions below a device that swap is on, or the file system of a swap file.
    pub(super) fn under_swap(&self, source: &str, mounts: &[Mount]) -> Traced {
        let mut seen = BTreeSet::new();
        if source.starts_with("/dev/") {
            self.under_source(source, mounts, &mut seen)
        } else {
            self.under_file(Path::new(source), mounts, &mut seen)
        }
    }

    /// The functions below the source in a line of mountinfo or swaps: `/dev/sda2`, `/dev/mapper/root`, bcachefs' `/dev/sda:/dev/sdb`.
    fn under_source(&self, source: &str, mounts: &[Mount], seen: &mut BTreeSet<PathBuf>) -> Traced {
        let several: Vec<&str> = if self.device_of(source).is_some() { vec![source] } else { source.split(":/dev/").collect() };
        let mut found = BTreeSet::new();
        for (number, part) in several.into_iter().enumerate() {
            let device = self.device_of(&if number == 0 { part.to_owned() } else { format!("/dev/{part}") })?;
            found.extend(self.under_device(&device, mounts, seen)?);
        }
        Some(found)
    }

    /// The functions below a block device and the other devices of its file system: that is mounted by one of them, but uses all.
    fn under_device(&self, device: &Path, mounts: &[Mount], seen: &mut BTreeSet<PathBuf>) -> Traced {
        let members = [self.btrfs_members(device), self.bcachefs_members(device)].concat();
        let mut found = self.under_block(device, mounts, seen)?;
        for member in members {
            found.extend(self.under_block(&member, mounts, seen)?);
        }
        Some(found)
    }

    /// The block device that a name below `/dev` is for.
    fn device_of(&self, source: &str) -> Option<PathBuf> {
        let name = source.strip_prefix("/dev/")?;
        let class = self.paths.block_class();
        let node = self.canonical(&self.paths.at(source)).map(|node| name_of(&node).to_owned()).filter(|name| class.join(name).exists());
        let name = node.unwrap_or_else(|| name.rsplit('/').next().unwrap_or(name).to_owned());
        if class.join(&name).exists() {
            return Some(class.join(&name));
        }
        entries(&class).into_iter().find(|device| first_line(&device.join("dm/name")).as_deref() == Some(&name))
    }

    /// All devices of the Btrfs file system that a device belongs to.
    fn btrfs_members(&self, device: &Path) -> Vec<PathBuf> {
        let systems = entries(&self.paths.btrfs_file_systems()).into_iter().map(|system| entries(&system.join("devices")));
        let name = self.canonical(device).map(|path| name_of(&path).to_owned()).unwrap_or_default();
        systems.filter(|members| members.iter().any(|member| name_of(member) == name)).flatten().collect()
    }

    /// All devices of the bcachefs file system that a device belongs to: `UUID/dev-N/block` are links to them.
    fn bcachefs_members(&self, device: &Path) -> Vec<PathBuf> {
        let wanted = self.canonical(device);
        let systems = entries(&self.paths.bcachefs_file_systems()).into_iter().map(|system| {
            let members = entries(&system).into_iter().filter(|entry| name_of(entry).starts_with("dev-"));
            members.map(|member| member.join("block")).filter(|block| block.symlink_metadata().is_ok()).collect::<Vec<_>>()
        });
        systems.filter(|members| members.iter().any(|member| self.canonical(member) == wanted)).flatten().collect()
    }

    /// The functions below a network interface, including those of its ports and lower interfaces. `None` for one that is not hardware and
    /// is not built on others: a tunnel's packets leave through a card that cannot be determined here.
    pub(super) fn under_interface(&self, name: &str) -> Traced {
        let mut seen = BTreeSet::new();
        let found = self.below_interface(name, &mut seen);
        let is_hardware = self.paths.network_interfaces().join(name).join("device").exists();
        (is_hardware || !found.is_empty()).then_some(found)
    }

    fn below_interface(&self, name: &str, seen: &mut BTreeSet<String>) -> BTreeSet<PciAddress> {
        let folder = self.paths.network_interfaces().join(name);
        if !seen.insert(name.to_owned()) {
            return BTreeSet::new();
        }
        let device = self.canonical(&folder.join("device"));
        let mut found: BTreeSet<PciAddress> = set_of(device.iter().flat_map(|path| self.functions_in(path)));
        let lower = entries(&folder).into_iter().filter_map(|entry| name_of(&entry).strip_prefix("lower_").map(str::to_owned));
        let ports = entries(&folder.join("brif")).into_iter().map(|port| name_of(&port).to_owned());
        for below in lower.chain(ports) {
            found.extend(self.below_interface(&below, seen));
        }
        found
    }

    /// Every disk with the functions above it, the nearest last: its name, such as `sda`, and what is built on it or its partitions.
    pub(super) fn disks(&self) -> Vec<Disk> {
        let devices = entries(&self.paths.block_class()).into_iter().filter_map(|entry| self.entry(&entry));
        let class = self.paths.block_class();
        let is_block = |path: &Path| !name_of(path).is_empty() && class.join(name_of(path)).exists();
        let disks = devices.filter(|path| !self.is_virtual(path) && !path.parent().is_some_and(is_block));
        let disk = |path: PathBuf| Disk {
            name: name_of(&path).to_owned(),
            functions: self.functions_in(&path),
            held_by: held_by(&path).or_else(|| entries(&path).iter().filter(|part| is_block(part)).find_map(|part| held_by(part))),
        };
        disks.map(disk).collect()
    }

    /// Every network interface of hardware with the functions above it, the nearest last.
    pub(super) fn interfaces(&self) -> Vec<(String, Vec<PciAddress>)> {
        let interfaces = entries(&self.paths.network_interfaces());
        let device = |interface: &PathBuf| self.canonical(&interface.join("device")).map(|path| self.functions_in(&path));
        interfaces.iter().filter_map(|interface| Some((name_of(interface).to_owned(), device(interface)?))).collect()
    }
}

/// A disk of the machine.
pub(super) struct Disk {
    pub(super) name: String,
    pub(super) functions: Vec<PciAddress>,
    /// The array, mapping or cache that has it open.
    pub(super) held_by: Option<String>,
}

/// The first device that is built on a block device.
fn held_by(device: &Path) -> Option<String> {
    entries(&device.join("holders")).iter().map(|holder| name_of(holder).to_owned()).min()
}

/// A name without the number at its end.
fn numbered(name: &str) -> &str {
    name.trim_end_matches(|letter: char| letter.is_ascii_digit())
}

pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

pub(super) fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
