//! The IOMMU: whether it is on, or why not.

use super::host::Host;
use super::{Area, Case, Level};
use crate::error::Error;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::set::set_of;
use std::collections::BTreeSet;
use std::fs;

const SUBJECT: &str = "iommu";

pub(super) fn check(case: &Case<'_>, no_machine: Option<&Error>) -> Area {
    let mut area = Area::new("iommu");
    if let Some(error) = no_machine {
        area.error(Level::Broken, "pci-unreadable", "pci", error);
    }
    let Some(machine) = &case.machine else { return area };
    if machine.iommu {
        let groups: BTreeSet<u32> = set_of(machine.functions.values().filter_map(|function| function.iommu_group));
        let advice = match translates_all(case.paths) {
            true => "; iommu=pt on the kernel command line would avoid address translation for the host's own devices",
            false => "",
        };
        area.good("iommu-on", SUBJECT, format!("on, with {} groups{advice}", groups.len()));
    } else if case.settings.is_some() && !case.passes_devices() {
        area.good("iommu-not-needed", SUBJECT, "off, and no device is listed that would need it");
    } else {
        let firmware = Firmware::read(case.paths);
        let (code, why, hint) = missing(&firmware, case.host.cpu("vendor_id"), &case.host);
        area.broken(code, SUBJECT, format!("off: {why}"), hint);
    }
    area
}

/// Whether every group reports address translation for its devices, the host's included (the attribute `type`,
/// Documentation/ABI/testing/sysfs-kernel-iommu_groups).
fn translates_all(paths: &Paths) -> bool {
    let groups = fs::read_dir(paths.iommu_groups()).into_iter().flatten().flatten();
    let mut types = groups.map(|group| file::read_text(group.path().join("type")).unwrap_or_default()).peekable();
    types.peek().is_some() && types.all(|kind| kind.starts_with("DMA"))
}

/// What the firmware reports about an IOMMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Firmware {
    /// It has one, by this ACPI table: DMAR (Intel) or IVRS (AMD).
    Offers(&'static str),
    /// It has none.
    Nothing,
    /// The tables cannot be read.
    Unknown,
}

impl Firmware {
    fn read(paths: &Paths) -> Self {
        let tables = paths.acpi_tables();
        match ["DMAR", "IVRS"].into_iter().find(|table| tables.join(table).symlink_metadata().is_ok()) {
            Some(table) => Self::Offers(table),
            None if tables.is_dir() => Self::Nothing,
            None => Self::Unknown,
        }
    }
}

/// Why there are no IOMMU groups, and how to fix it.
fn missing(firmware: &Firmware, vendor: Option<&str>, host: &Host) -> (&'static str, String, String) {
    // Options come in lists: intel_iommu=on,sm_on.
    let switches = |name: &str, value: &str| host.values(name).any(|values| values.split(',').any(|one| one == value));
    if let Some(name) = ["iommu", "intel_iommu", "amd_iommu"].into_iter().find(|name| switches(name, "off")) {
        return (
            "iommu-switched-off",
            format!("the kernel command line contains {name}=off"),
            format!("remove {name}=off from the boot loader's entry, and reboot"),
        );
    }
    let is_intel = vendor == Some("GenuineIntel");
    let what = if is_intel { "VT-d" } else { "AMD-Vi (\"IOMMU\")" };
    let setup = match vendor {
        Some("GenuineIntel") => "turn on VT-d in the firmware setup".to_owned(),
        Some("AuthenticAMD" | "HygonGenuine") => "turn on \"IOMMU\" (AMD-Vi) in the firmware setup".to_owned(),
        _ => "turn on AMD-Vi or VT-d (\"IOMMU\") in the firmware setup".to_owned(),
    };
    match firmware {
        Firmware::Nothing => ("iommu-not-in-firmware", "the firmware offers none (no ACPI table DMAR or IVRS)".to_owned(), setup),
        Firmware::Offers("DMAR") if !switches("intel_iommu", "on") => (
            "iommu-not-used",
            "the firmware offers VT-d, but the kernel does not use it".to_owned(),
            "add intel_iommu=on to the kernel command line, and reboot".to_owned(),
        ),
        Firmware::Offers(_) => (
            "iommu-failed",
            format!("the firmware offers {what}, but the kernel failed to use it"),
            "see why: `dmesg | grep -e AMD-Vi -e DMAR -e IOMMU`".to_owned(),
        ),
        Firmware::Unknown => {
            let also = if is_intel && !switches("intel_iommu", "on") { ", and add intel_iommu=on to the kernel command line" } else { "" };
            ("iommu-no-groups", "the kernel has created no IOMMU groups".to_owned(), setup + also)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::kernel_parameters;

    #[test]
    fn each_cause_has_its_own_hint() {
        let intel = Some("GenuineIntel");
        let amd = Some("AuthenticAMD");
        // What the hint must name: the option to add or to remove, the firmware switch, or where to look.
        for (firmware, vendor, line, code, hint) in [
            (Firmware::Offers("DMAR"), intel, "quiet", "iommu-not-used", "intel_iommu=on"),
            (Firmware::Offers("DMAR"), intel, "intel_iommu=on,sm_on", "iommu-failed", "dmesg"),
            (Firmware::Offers("IVRS"), amd, "", "iommu-failed", "dmesg"),
            (Firmware::Offers("IVRS"), amd, "amd_iommu=off", "iommu-switched-off", "amd_iommu=off"),
            (Firmware::Offers("DMAR"), intel, "iommu=pt,off", "iommu-switched-off", "iommu=off"),
            (Firmware::Nothing, amd, "", "iommu-not-in-firmware", "AMD-Vi"),
            (Firmware::Nothing, intel, "", "iommu-not-in-firmware", "VT-d"),
            (Firmware::Unknown, intel, "", "iommu-no-groups", "intel_iommu=on"),
            (Firmware::Unknown, None, "", "iommu-no-groups", "AMD-Vi or VT-d"),
        ] {
            let host = Host { parameters: kernel_parameters::parse(line.as_bytes()), ..Host::default() };
            let found = missing(&firmware, vendor, &host);
            assert!(found.0 == code && found.2.contains(hint), "{found:?}");
        }
    }
}
