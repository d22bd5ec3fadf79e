//! Writes a folder that looks like a machine's sysfs and procfs.

use persona::paths::Paths;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

pub(crate) struct Tree {
    root: PathBuf,
}

const ROUTE_HEADER: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
/// What a usual keyboard has in `capabilities/key`.
const KEYBOARD: &str = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe\n";
const MOUSE: &str = "1f0000 0 0 0 0\n";

impl Tree {
    pub(crate) fn new(root: &Path) -> Self {
        let tree = Self { root: root.to_owned() };
        tree.file("sys/bus/pci/drivers_probe", "");
        tree.file("proc/net/route", ROUTE_HEADER);
        tree.file("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
        tree.file("proc/self/mountinfo", "");
        tree
    }

    /// One that is there already.
    pub(crate) fn at_folder(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn paths(&self) -> Paths {
        Paths::new(&self.root, None)
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(crate) fn file(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn append(&self, path: &str, line: &str) {
        let text = fs::read_to_string(self.at(path)).unwrap();
        self.file(path, &format!("{text}{line}\n"));
    }

    /// A link as sysfs has them: relative, so that the tree can lie anywhere.
    pub(crate) fn link(&self, path: &str, target: &str) {
        let place = self.at(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::create_dir_all(self.at(target)).unwrap();
        symlink(format!("{}{target}", "../".repeat(path.matches('/').count())), place).unwrap();
    }

    /// A PCI function; `path` is its folder below `sys/devices`, so it names the bridges above.
    pub(crate) fn pci(&self, path: &str, id: &str, class: u32, group: Option<u32>, driver: &str) {
        let address = path.rsplit('/').next().unwrap();
        let folder = format!("sys/devices/{path}");
        let (vendor, device) = id.split_once(':').unwrap();
        self.file(&format!("{folder}/vendor"), &format!("0x{vendor}\n"));
        self.file(&format!("{folder}/device"), &format!("0x{device}\n"));
        self.file(&format!("{folder}/class"), &format!("{class:#08x}\n"));
        self.file(&format!("{folder}/driver_override"), "(null)\n");
        let word = |digits: &str| u16::from_str_radix(digits, 16).unwrap().to_le_bytes();
        fs::write(self.at(&format!("{folder}/config")), [word(vendor), word(device)].concat()).unwrap();
        self.link(&format!("sys/bus/pci/devices/{address}"), &folder);
        if let Some(group) = group {
            self.link(&format!("sys/kernel/iommu_groups/{group}/devices/{address}"), &folder);
            self.link(&format!("{folder}/iommu_group"), &format!("sys/kernel/iommu_groups/{group}"));
        }
        if !driver.is_empty() {
            self.file(&format!("sys/bus/pci/drivers/{driver}/unbind"), "");
            self.link(&format!("{folder}/driver"), &format!("sys/bus/pci/drivers/{driver}"));
        }
    }

    /// A block device; `path` is its folder below `sys/devices`.
    pub(crate) fn block(&self, path: &str, number: &str) {
        let folder = format!("sys/devices/{path}");
        self.file(&format!("{folder}/dev"), &format!("{number}\n"));
        self.link(&format!("sys/dev/block/{number}"), &folder);
        self.link(&format!("sys/class/block/{}", path.rsplit('/').next().unwrap()), &folder);
    }

    pub(crate) fn mount(&self, number: &str, point: &str, kind: &str, source: &str) {
        self.append("proc/self/mountinfo", &format!("30 1 {number} / {point} rw,relatime shared:1 - {kind} {source} rw"));
    }

    pub(crate) fn swap(&self, source: &str) {
        self.append("proc/swaps", &format!("{source}                          partition\t8388604\t0\t-2"));
    }

    /// A network interface; `path` is its device's folder below `sys/devices`, empty for a virtual one.
    pub(crate) fn interface(&self, name: &str, path: &str) {
        match path {
            "" => self.link(&format!("sys/class/net/{name}"), &format!("sys/devices/virtual/net/{name}")),
            path => {
                let folder = format!("sys/devices/{path}/net/{name}");
                self.link(&format!("{folder}/device"), &format!("sys/devices/{path}"));
                self.link(&format!("sys/class/net/{name}"), &folder);
            }
        }
    }

    pub(crate) fn default_route(&self, interface: &str) {
        self.append("proc/net/route", &format!("{interface}\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0"));
    }

    pub(crate) fn input(&self, path: &str, is_keyboard: bool) {
        let folder = format!("sys/devices/{path}");
        self.file(&format!("{folder}/capabilities/key"), if is_keyboard { KEYBOARD } else { MOUSE });
        self.link(&format!("sys/class/input/{}", path.rsplit('/').next().unwrap()), &folder);
    }

    /// Every file with its text and every link with its target.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                let kind = entry.file_type().unwrap();
                let name = path.strip_prefix(&self.root).unwrap().to_owned();
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_symlink() {
                    found.insert(name, format!("-> {}", fs::read_link(path).unwrap().display()));
                } else {
                    found.insert(name, String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
                }
            }
        }
        found
    }
}
