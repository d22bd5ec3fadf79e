//! vfio-pci itself, and options of it from other setups.

use super::{Area, Case, other_tools};
use crate::passthrough::{Function, ModprobeFile, VFIO_PCI, Vfio};
use crate::sys::pci::PciId;

pub(super) fn check(case: &Case<'_>) -> Area {
    let mut area = Area::new("vfio");
    if let Some(machine) = &case.machine {
        driver(machine.vfio, case.passes_devices(), &mut area);
    }
    for (place, list) in leftovers(case) {
        ids(case, &place, &list, &mut area);
    }
    other_tools::check(case, &mut area);
    area
}

fn driver(vfio: Vfio, is_needed: bool, area: &mut Area) {
    match vfio {
        Vfio::BuiltIn => area.good("vfio-built-in", VFIO_PCI, "vfio-pci is built into the kernel"),
        Vfio::Loaded => area.good("vfio-loaded", VFIO_PCI, "the module vfio-pci is loaded"),
        Vfio::Loadable => area.good("vfio-loadable", VFIO_PCI, "the module vfio-pci can be loaded"),
        Vfio::Absent | Vfio::Replaced | Vfio::Blocked | Vfio::WithoutGroups | Vfio::Unknown if !is_needed => {}
        Vfio::Blocked => area.broken(
            "vfio-blocked",
            VFIO_PCI,
            "vfio-pci cannot be loaded: a line `install vfio-pci ...` in modprobe's settings runs a command that does nothing",
            "remove that line (`grep -r vfio /etc/modprobe.d /usr/lib/modprobe.d`), and rebuild the initramfs",
        ),
        Vfio::WithoutGroups => area.broken(
            "vfio-without-groups",
            VFIO_PCI,
            "this kernel's VFIO has no /dev/vfio/vfio and no nodes of IOMMU groups, which QEMU needs",
            "boot a kernel that was built with CONFIG_VFIO_GROUP, such as Arch's linux or linux-lts",
        ),
        Vfio::Absent => area.broken(
            "vfio-absent",
            VFIO_PCI,
            "this kernel has no vfio-pci, neither built in nor as a module",
            "boot a kernel that was built with CONFIG_VFIO_PCI, such as Arch's linux or linux-lts",
        ),
        Vfio::Replaced => area.broken(
            "vfio-modules-replaced",
            VFIO_PCI,
            "vfio-pci cannot be loaded: the modules of the running kernel were removed, probably by a kernel upgrade",
            "reboot the machine into the new kernel",
        ),
        Vfio::Unknown => area.warning(
            "vfio-unknown",
            VFIO_PCI,
            "cannot tell whether this kernel has vfio-pci: it is not loaded, and there is no list of its modules",
            "try it: `modprobe vfio-pci`",
        ),
    }
}

/// Where options make vfio-pci take devices by their IDs, and which IDs.
fn leftovers(case: &Case<'_>) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> =
        case.host.values("vfio-pci.ids").map(|list| ("the kernel command line".to_owned(), list.to_owned())).collect();
    for file in ModprobeFile::all(case.paths) {
        let lists = file.about_vfio("options").flat_map(str::split_whitespace).filter_map(|word| word.strip_prefix("ids="));
        let lists = lists.map(|list| list.replace('"', "")).filter(|list| !list.is_empty());
        found.extend(lists.map(|list| (file.path.clone(), list)));
    }
    found
}

/// `10de:1e84,10de:10f8:1462:c726`: vendor and device, and optionally a subsystem.
fn parse_ids(list: &str) -> Vec<PciId> {
    let id = |entry: &str| entry.split(':').take(2).map(|digits| format!("{digits:0>4}")).collect::<Vec<_>>().join(":").parse().ok();
    list.split(',').filter_map(id).collect()
}

fn ids(case: &Case<'_>, place: &str, list: &str, area: &mut Area) {
    let subject = if place.starts_with('/') { place } else { "vfio-pci.ids" };
    let ids = parse_ids(list);
    let hint = format!("remove the IDs from {place} and rebuild the initramfs: Persona reserves devices by address");
    let is_legions = |address| case.plan.as_ref().is_none_or(|plan| plan.members().any(|member| member.address == address));
    let functions = case.machine.iter().flat_map(|machine| machine.functions.values());
    let strangers: Vec<&Function> = functions.filter(|function| ids.contains(&function.id) && !is_legions(function.address)).collect();
    let names: Vec<String> = strangers.iter().map(ToString::to_string).collect();
    if strangers.iter().any(|function| function.driver.as_deref() == Some(VFIO_PCI)) {
        area.broken(
            "vfio-ids-took-host-device",
            subject,
            format!("vfio-pci binds the host's {} by its ID, because of an option in {place}", names.join(" and ")),
            hint,
        );
    } else if strangers.is_empty() {
        area.warning(
            "vfio-ids-set",
            subject,
            format!("vfio-pci binds every device with the IDs {list}, at any address, because of an option in {place}"),
            hint,
        );
    } else {
        area.warning(
            "vfio-ids-may-take-host-device",
            subject,
            format!("vfio-pci may bind the host's {} by its ID, because of an option in {place}", names.join(" and ")),
            hint,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_and_without_a_subsystem() {
        let ids: Vec<String> = parse_ids("10de:1e84,10DE:10f8:1462:c726,8086,junk").iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["10de:1e84", "10de:10f8"]);
    }
}
