//! Reads the snapshot from sysfs and procfs.

use super::acs;
use super::framebuffer_owners::holders;
use super::host_use::{Duties, Tree};
use super::machine::{Function, Machine};
use super::needs::Needs;
use super::read::{first_line, idle_override, is_hung, link_name};
use super::vfio::Vfio;
use crate::config::Settings;
use crate::error::{Context, Result};
use crate::sys::file;
use crate::sys::kernel_parameters::{self, Parameter};
use crate::sys::paths::Paths;
use crate::sys::pci::{PciAddress, PciId};
use crate::sys::root;
use crate::sys::set::set_of;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

impl Machine {
    /// Takes a snapshot, with the settings that are in their place: they tell where the cartridges are.
    ///
    /// # Errors
    /// As [`Machine::read_with`].
    pub fn read(paths: &Paths) -> Result<Self> {
        Self::read_with(paths, Settings::load(paths).ok().as_ref())
    }

    /// Takes a snapshot, with these settings.
    ///
    /// # Errors
    /// When there is no PCI bus in sysfs. A function that vanishes during the scan is left out, with a line in the log.
    pub fn read_with(paths: &Paths, settings: Option<&Settings>) -> Result<Self> {
        let folder = paths.pci_devices();
        let acs_override = acs_override(paths);
        let tree = Tree::new(paths);
        let mut functions = BTreeMap::new();
        for entry in fs::read_dir(&folder).context(|| format!("listing the PCI devices in {}", folder.display()))? {
            let name = entry.context(|| format!("reading {}", folder.display()))?.file_name();
            // Domains of more than four digits are behind a VMD controller, which is what could be passed through.
            let Some(address) = name.to_str().and_then(|name| name.parse::<PciAddress>().ok()) else {
                log::debug!("leaving out the PCI device {}", name.display());
                continue;
            };
            match function(paths, &tree, address) {
                Ok(mut function) => {
                    if acs_override.is_some() {
                        function.isolates = acs::isolates(paths, address, function.id, function.upstream.is_empty());
                    }
                    _ = functions.insert(address, function);
                }
                Err(error) => log::warn!("leaving out a PCI device: {error}"),
            }
        }
        let duties = Duties::read(&tree, &functions, settings);
        for (address, duty) in duties.held {
            if let Some(function) = functions.get_mut(&address) {
                function.duties.push(duty);
            }
        }
        // Without its physical function a virtual one (SR-IOV) is gone.
        let virtual_ones = functions.values().filter(|function| function.is_virtual && !function.duties.is_empty());
        let needed: Vec<_> = virtual_ones
            .filter_map(|function| {
                let physical = link_name(&paths.pci_device(function.address).join("physfn"))?.parse::<PciAddress>().ok()?;
                Some((physical, function.duties.clone()))
            })
            .collect();
        for (physical, duties) in needed {
            if let Some(function) = functions.get_mut(&physical) {
                function.duties.extend(duties);
                function.duties.sort_unstable();
                function.duties.dedup();
            }
        }
        for (address, point) in duties.sticks {
            if let Some(function) = functions.get_mut(&address) {
                function.sticks.push(point);
            }
        }
        for function in functions.values_mut() {
            function.disks = duties.disks.get(&function.address).cloned().unwrap_or_default();
            function.interfaces = duties.interfaces.get(&function.address).cloned().unwrap_or_default();
        }
        for (address, holder) in holders(paths, &tree) {
            if let Some(function) = functions.get_mut(&address) {
                function.holders.push(holder);
            }
        }
        let (mut other_keyboards, mut bluetooth_keyboards) = (0, 0);
        for keyboard in keyboards(paths, &tree) {
            match keyboard {
                Keyboard::On(address) => match address.and_then(|address| functions.get_mut(&address)) {
                    Some(function) => function.keyboards += 1,
                    None => other_keyboards += 1,
                },
                Keyboard::Bluetooth => bluetooth_keyboards += 1,
            }
        }
        let mut machine = Self {
            functions,
            iommu: fs::read_dir(paths.iommu_groups()).is_ok_and(|mut groups| groups.next().is_some()),
            vfio: Vfio::read(paths),
            acs_override,
            storage_doubt: duties.storage_doubt,
            needs_are_known: true,
            route_is_known: duties.route_is_known,
            root_is_remote: duties.root_is_remote,
            other_keyboards,
            bluetooth_keyboards,
            bluetooth_adapters: if bluetooth_keyboards > 0 { bluetooth_adapters(paths, &tree) } else { BTreeSet::new() },
        };
        match Needs::read(paths) {
            Some(needs) => needs.apply_to(&mut machine),
            None => machine.needs_are_known = !root::is_initramfs(paths),
        }
        Ok(machine)
    }
}

fn function(paths: &Paths, tree: &Tree, address: PciAddress) -> Result<Function> {
    let folder = &paths.pci_device(address);
    let driver = link_name(&folder.join("driver"));
    let hung = is_hung(paths, address);
    let optional =
        |vendor: &str, device: &str| Some(PciId { vendor: hex(folder, vendor).ok()? as u16, device: hex(folder, device).ok()? as u16 });
    Ok(Function {
        address,
        // The kernel prints four digits for these.
        id: PciId { vendor: hex(folder, "vendor")? as u16, device: hex(folder, "device")? as u16 },
        class: hex(folder, "class")?,
        subsystem: optional("subsystem_vendor", "subsystem_device"),
        name: None,
        upstream: upstream(folder, tree, address),
        driver_override: if hung { None } else { idle_override(folder, driver.as_deref()) },
        driver,
        hung,
        iommu_group: link_name(&folder.join("iommu_group")).and_then(|name| name.parse().ok()),
        isolates: false,
        has_reserved_memory: has_reserved_memory(&folder.join("iommu_group")),
        is_virtual: folder.join("physfn").symlink_metadata().is_ok(),
        boot_vga: first_line(&folder.join("boot_vga")).as_deref() == Some("1"),
        duties: Vec::new(),
        disks: Vec::new(),
        interfaces: Vec::new(),
        sticks: Vec::new(),
        keyboards: 0,
        holders: Vec::new(),
    })
}

/// The functions in its folder's path except itself. The link in the bus's list has the whole path.
fn upstream(folder: &Path, tree: &Tree, address: PciAddress) -> Vec<PciAddress> {
    let mut above = fs::read_link(folder).map(|path| tree.functions_in(&path)).unwrap_or_default();
    above.retain(|bridge| *bridge != address);
    above
}

/// Whether one of the group's regions is mapped for the firmware (`direct`), and not only until a driver takes the device
/// (`direct-relaxable`). Documentation/ABI/testing/sysfs-kernel-iommu_groups.
fn has_reserved_memory(group: &Path) -> bool {
    let regions = file::read_text(group.join("reserved_regions")).unwrap_or_default();
    regions.lines().any(|line| line.split_whitespace().nth(2) == Some("direct"))
}

/// The parameter of a patch that many kernels carry (`pcie_acs_override=downstream,multifunction`).
fn acs_override(paths: &Paths) -> Option<String> {
    let parameters = kernel_parameters::read(paths).inspect_err(|error| log::warn!("reading the kernel command line: {error}")).ok()?;
    parameters.iter().find(|parameter| parameter.name == "pcie_acs_override").map(Parameter::text)
}

fn hex(folder: &Path, attribute: &str) -> Result<u32> {
    let path = folder.join(attribute);
    let text = file::read_text(&path).context(|| format!("reading {}", path.display()))?;
    let digits = text.trim().trim_start_matches("0x");
    u32::from_str_radix(digits, 16).context(|| format!("understanding `{}` in {}", text.trim(), path.display()))
}

/// Where a keyboard is.
enum Keyboard {
    /// Below this PCI function, or without one.
    On(Option<PciAddress>),
    /// On Bluetooth: the device of the kernel's own driver is below the adapter, that of bluetoothd is a virtual one.
    Bluetooth,
}

/// All keyboards. Virtual ones are left out.
fn keyboards(paths: &Paths, tree: &Tree) -> Vec<Keyboard> {
    let entries = fs::read_dir(paths.input_class()).into_iter().flatten().flatten();
    let inputs = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with("input")));
    let typeable = inputs.filter(|entry| first_line(&entry.path().join("capabilities/key")).is_some_and(|keys| has_letters(&keys)));
    let place = |path: PathBuf| match () {
        () if is_on_bluetooth(&path) => Some(Keyboard::Bluetooth),
        () if tree.is_virtual(&path) => None,
        () => Some(Keyboard::On(tree.functions_in(&path).last().copied())),
    };
    typeable.filter_map(|entry| tree.entry(&entry.path())).filter_map(place).collect()
}

/// Whether an input device belongs to a HID device on Bluetooth: `0005:046D:B35B.0005`, of which the first number is the bus
/// (linux/input.h, `BUS_BLUETOOTH`).
fn is_on_bluetooth(path: &Path) -> bool {
    path.components().filter_map(|part| part.as_os_str().to_str()).any(|name| name.starts_with("0005:") && name.contains('.'))
}

/// The nearest PCI function above each Bluetooth adapter.
fn bluetooth_adapters(paths: &Paths, tree: &Tree) -> BTreeSet<PciAddress> {
    let adapters = fs::read_dir(paths.bluetooth_class()).into_iter().flatten().flatten();
    set_of(adapters.filter_map(|adapter| tree.functions_in(&tree.entry(&adapter.path())?).last().copied()))
}

/// Whether an input device has all letter keys. `capabilities/key` is a bit map in hexadecimal words, the highest first;
/// linux/input-event-codes.h numbers the three rows of letters from 16, 30 and 44.
fn has_letters(bitmap: &str) -> bool {
    const LETTERS: u64 = (0x3ff << 16) | (0x1ff << 30) | (0x7f << 44);
    let lowest = bitmap.split_whitespace().next_back().and_then(|word| u64::from_str_radix(word, 16).ok());
    lowest.is_some_and(|bits| bits & LETTERS == LETTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyboard_has_letters_and_a_mouse_or_power_button_has_none() {
        assert!(has_letters("1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"));
        assert!(has_letters("402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe"));
        for other in ["1f0000 0 0 0 0", "10000000000000 0", "", "x", "3e000b00000000 0 0 0"] {
            assert!(!has_letters(other), "{other}");
        }
    }
}
