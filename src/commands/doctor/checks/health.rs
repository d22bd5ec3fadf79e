//! Whether a device can be used for many starts of legion: whether it answers, can be reset, does not stay in a deep sleep state, and what
//! draws on it.

use super::{Area, Case};
use crate::passthrough::{Closure, Details, FramebufferOwner, Function, VFIO_PCI, not_resettable};
use crate::sys::pci::PciAddress;
use std::fs::File;
use std::io::Read;

pub(super) fn check(case: &Case<'_>, closure: &Closure, area: &mut Area) {
    let (Some(machine), Some(plan)) = (&case.machine, &case.plan) else { return };
    let legions: Vec<PciAddress> = plan.members().map(|member| member.address).collect();
    let stuck = not_resettable(case.paths, &legions);
    let mut not_reset: Vec<&Function> = Vec::new();
    for function in closure.members.iter().filter_map(|member| machine.function(member.address)).filter(|function| !function.hung) {
        let details = Details::read(case.paths, function.address);
        let subject = function.address.to_string();
        if !answers(case, function) {
            area.broken(
                "device-not-answering",
                &subject,
                format!("{function} does not answer: its configuration space reads ff"),
                "power the machine off and on; a reboot may not be enough",
            );
            continue;
        }
        power(function, &details, area);
        if is_vendor_reset_unused(case, function, &details) {
            area.warning(
                "vendor-reset-not-used",
                &subject,
                format!("the module vendor-reset is loaded, and the kernel resets {function} in another way first"),
                format!("at each boot: `echo device_specific > /sys/bus/pci/devices/{}/reset_method`", function.address),
            );
        }
        if stuck.contains(&function.address) {
            not_reset.push(function);
        }
        for holder in &function.holders {
            if let FramebufferOwner::FirmwareFramebuffer(_) = holder
                && function.subclass() == 0x0300
            {
                area.good(
                    "framebuffer-on-device",
                    &subject,
                    format!("{holder} uses the memory of {}: vfio-pci removes it", function.address),
                );
            }
        }
        for bar in details.resizable_bars.iter().filter(|bar| function.is_display() && bar.size < bar.largest) {
            let what = format!("{}: BAR {} is {}, resizable to {}", function.address, bar.number, size(bar.size), size(bar.largest));
            area.good("bar-not-largest", &subject, what);
        }
    }
    if let [first, more @ ..] = not_reset.as_slice() {
        let more: String = more.iter().map(|function| format!(", {}", function.address)).collect();
        area.warning(
            "device-not-resettable",
            &first.address.to_string(),
            format!("{first}{more} cannot be reset, neither alone nor with the bus: legion may start with it only once in a boot"),
            "try newer firmware or a newer kernel; for some AMD cards there is the module vendor-reset",
        );
    }
}

/// A card that fell off the bus, or cannot wake up, reads all ones. An unreadable device is not assumed to be gone.
fn answers(case: &Case<'_>, function: &Function) -> bool {
    let mut identity = [0; 4];
    let config = case.paths.pci_device(function.address).join("config");
    let read = File::open(config).and_then(|mut file| file.read_exact(&mut identity));
    read.is_err() || identity != [0xff; 4]
}

/// A host driver may suspend its device. The kernel reports the state of a function without a driver as unknown.
fn power(function: &Function, details: &Details, area: &mut Area) {
    let state = match details.power_state.as_deref() {
        Some("D3cold") if function.driver.as_deref().is_none_or(|driver| driver == VFIO_PCI) => "D3cold",
        Some("unknown") if function.driver.as_deref() == Some(VFIO_PCI) => "an unknown state",
        _ => return,
    };
    area.warning(
        "device-in-deep-sleep",
        &function.address.to_string(),
        format!("{function} is in {state}: it may be stuck there when legion starts"),
        format!(
            "disable D3cold: `echo 0 > /sys/bus/pci/devices/{}/d3cold_allowed`, and permanently \
             `options vfio-pci disable_idle_d3=1` in /etc/modprobe.d/vfio.conf",
            function.address
        ),
    );
}

/// Since Linux 5.15 the module's reset is used only once it was written to `reset_method`.
fn is_vendor_reset_unused(case: &Case<'_>, function: &Function, details: &Details) -> bool {
    const AMD: u16 = 0x1002;
    let first = details.reset_methods.iter().flatten().next();
    let is_for_it = function.id.vendor == AMD && function.is_display() && case.paths.kernel_module("vendor_reset").exists();
    is_for_it && first.is_some_and(|first| first != "device_specific")
}

fn size(bytes: u64) -> String {
    match bytes >> 20 {
        mebibytes if mebibytes >= 1024 => format!("{} GiB", mebibytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}
