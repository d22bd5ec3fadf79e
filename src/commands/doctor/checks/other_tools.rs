//! What other tools and guides for passthrough leave behind, and words for vfio-pci that mean nothing.

use super::{Area, Case};
use crate::passthrough::{ModprobeFile, VFIO_PCI};
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::fs;

pub(super) fn check(case: &Case<'_>, area: &mut Area) {
    for (address, driver) in overrides(case.paths) {
        overridden(case, address, &driver, area);
    }
    for file in ModprobeFile::all(case.paths) {
        for command in file.about_vfio("install") {
            area.warning(
                "vfio-install-line",
                &file.path,
                format!("modprobe runs `{command}` in place of loading vfio-pci, because of a line in {}", file.path),
                format!("remove the line `install vfio-pci ...` from {} and rebuild the initramfs", file.path),
            );
        }
    }
    for parameter in case.host.parameters.iter().filter(|parameter| is_mistyped(&parameter.name)) {
        area.warning(
            "vfio-parameter-unknown",
            &parameter.name,
            format!("`{}` on the kernel command line means nothing to the kernel: the parameter is called vfio-pci.ids", parameter.name),
            "remove it from the boot loader's entry: Persona reserves devices by address and needs no such parameter",
        );
    }
}

/// What driverctl sets at each boot, by its files `/etc/driverctl.d/0000:0a:00.0` and `/etc/driverctl.d/pci-0000:0a:00.0`.
fn overrides(paths: &Paths) -> Vec<(PciAddress, String)> {
    let files = fs::read_dir(paths.driverctl()).into_iter().flatten().flatten();
    let read = |file: fs::DirEntry| {
        let name = file.file_name().into_string().ok()?;
        let address = name.strip_prefix("pci-").unwrap_or(&name).parse().ok()?;
        Some((address, file::read_text(file.path()).ok()?.trim().to_owned()))
    };
    let mut found: Vec<(PciAddress, String)> = files.filter_map(read).collect();
    found.sort_unstable();
    found
}

fn overridden(case: &Case<'_>, address: PciAddress, driver: &str, area: &mut Area) {
    let Some(function) = case.machine.as_ref().and_then(|machine| machine.function(address)) else { return };
    let is_legions = case.plan.as_ref().is_some_and(|plan| plan.members().any(|member| member.address == address));
    let hint = format!("`driverctl unset-override {address}`: Persona reserves the devices in the settings by itself");
    match (driver == VFIO_PCI, is_legions) {
        (false, true) => area.warning(
            "driverctl-undoes-reservation",
            &address.to_string(),
            format!("driverctl gives {function}, which is legion's, the driver `{driver}` at each boot"),
            hint,
        ),
        (true, false) => area.warning(
            "driverctl-takes-host-device",
            &address.to_string(),
            format!("driverctl gives {function} to vfio-pci at each boot, and the settings do not list it"),
            hint,
        ),
        _ => {}
    }
}

/// Names that were meant as `vfio-pci.ids`.
fn is_mistyped(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_right = name.replace('-', "_") == "vfio_pci.ids";
    !is_right && ["vfiopciids", "vfiopciid", "vfioids", "pcivfioids"].contains(&letters.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_name_means_something() {
        for name in ["vfio-pci-ids", "vfio_pci_ids", "vfio.pci.ids", "vfio-pci.id", "vfio.ids", "VFIO-PCI.ids", "pci-vfio.ids"] {
            assert!(is_mistyped(name), "{name}");
        }
        for name in ["vfio-pci.ids", "vfio_pci.ids", "vfio-pci.disable_vga", "vfio_iommu_type1.allow_unsafe_interrupts", "ids"] {
            assert!(!is_mistyped(name), "{name}");
        }
    }
}
