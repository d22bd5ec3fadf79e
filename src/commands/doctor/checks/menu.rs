//! What the menu needs: a card with a driver, and keyboards.

use super::{Area, Case};
use crate::display::card_node;
use crate::passthrough::{Function, Machine, VFIO_PCI};
use crate::sys::file;
use crate::sys::pci::PciAddress;
use std::fs;

pub(super) fn check(case: &Case<'_>) -> Area {
    let mut area = Area::new("menu");
    let Some(machine) = &case.machine else { return area };
    let card = case.plan.as_ref().and_then(|plan| plan.display);
    // The plan reports a missing card, or one other than the settings name.
    if let Some(function) = card.and_then(|address| machine.function(address)).filter(|function| function.is_display()) {
        display(case, function, &mut area);
    }
    keyboards(case, machine, &mut area);
    area
}

fn display(case: &Case<'_>, card: &Function, area: &mut Area) {
    let subject = card.address.to_string();
    match card.driver.as_deref() {
        Some(VFIO_PCI) => area.broken(
            "menu-card-on-vfio",
            &subject,
            format!("the menu's card {card} is on vfio-pci: there is no menu and no console"),
            "keep vfio-pci off it: see the area vfio, and look for scripts that write driver_override",
        ),
        Some(driver) => {
            let monitors = monitors(case, card.address);
            let monitors = if monitors.is_empty() { "no monitor is connected now".to_owned() } else { monitors.join(", ") };
            area.good("menu-card-ready", &subject, format!("{card} ({driver}) draws the menu: {monitors}"));
        }
        None => area.warning(
            "menu-card-without-driver",
            &subject,
            format!("the menu's card {card} has no driver: there is no menu, and the default starts after its timeout"),
            "load its driver (amdgpu, i915, nouveau): is it blacklisted (`modprobe -c | grep blacklist`)?",
        ),
    }
}

/// The connectors with a monitor, such as `HDMI-A-1`.
fn monitors(case: &Case<'_>, card: PciAddress) -> Vec<String> {
    let Some(node) = card_node(case.paths, card) else { return Vec::new() };
    let prefix = format!("{}-", node.path.file_name().unwrap_or_default().to_string_lossy());
    let connectors = fs::read_dir(case.paths.drm_class()).into_iter().flatten().flatten();
    let mut connected: Vec<String> = connectors
        .filter(|entry| file::read_text(entry.path().join("status")).is_ok_and(|status| status.trim() == "connected"))
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_prefix(&prefix)?.to_owned()))
        .collect();
    connected.sort_unstable();
    connected
}

fn keyboards(case: &Case<'_>, machine: &Machine, area: &mut Area) {
    let is_legions =
        |function: &Function| case.plan.iter().flat_map(|plan| plan.members()).any(|member| member.address == function.address);
    let mut places: Vec<String> = machine
        .functions
        .values()
        .filter(|function| function.keyboards > 0)
        .map(|function| {
            format!("{} on {function}{}", function.keyboards, if is_legions(function) { ", passed to legion after the choice" } else { "" })
        })
        .collect();
    if machine.other_keyboards > 0 {
        places.push(format!("{} on no PCI device", machine.other_keyboards));
    }
    match places.as_slice() {
        [] => area.good("keyboard-not-found", "keyboards", "no keyboard is connected now: the menu counts down to the default"),
        _ => area.good("keyboard-found", "keyboards", format!("keyboards: {}", places.join("; "))),
    }
}
