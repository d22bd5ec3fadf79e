//! legion's devices: whether refused, what goes with them, and whether they were reserved.

use super::initramfs::Initramfs;
use super::reserved::{Standing, standing};
use super::{Area, Case, Level, health};
use crate::passthrough::{Along, Closure, Function, Machine, Refusal};
use crate::sys::pci::PciAddress;
use crate::sys::set::set_of;
use std::collections::BTreeSet;

pub(super) fn check(case: &Case<'_>, images: &Initramfs) -> Area {
    let mut area = Area::new("devices");
    let (Some(settings), Some(machine), Some(plan)) = (&case.settings, &case.machine, &case.plan) else { return area };
    if settings.passthrough.is_empty() {
        area.good("no-devices-listed", "passthrough", "no passthrough device is listed: legion has virtual devices only");
        return area;
    }
    // The areas for the IOMMU and vfio-pci report more details.
    for refusal in plan.refused.iter().filter(|refusal| refusal.address.is_some()) {
        area.add(Level::Broken, refusal.code, &subject(refusal.address), refusal.reason.clone(), refusal.hint.clone());
    }
    for note in &plan.notes {
        area.add(Level::Warning, note.code, &subject(note.address), note.what.clone(), note.hint.clone());
    }
    for closure in &plan.closures {
        let is_member = |address| closure.members.iter().any(|member| member.address == address);
        let is_about = |refusal: &&Refusal| refusal.address.is_none_or(is_member);
        let refusals = || plan.refused.iter().filter(is_about);
        match standing(case, closure, images) {
            Standing::Well(how) if refusals().next().is_none() => summary(closure, machine, &how, &mut area),
            Standing::Fault { function, code, what, hint } => area.warning(code, &function.to_string(), what, hint),
            Standing::Well(_) | Standing::Unasked => {}
        }
        companions(closure, machine, &mut area);
        if refusals().all(|refusal| refusal.reboot_helps) {
            health::check(case, closure, &mut area);
        }
    }
    area
}

fn subject(address: Option<PciAddress>) -> String {
    address.map_or_else(|| "plan".to_owned(), |address| address.to_string())
}

/// One line for each group of devices that goes to legion as a whole.
fn summary(closure: &Closure, machine: &Machine, how: &str, area: &mut Area) {
    let Some(first) = closure.members.iter().find(|member| member.is_listed()) else { return };
    let Some(function) = machine.function(first.address) else { return };
    let others: Vec<String> = closure
        .members
        .iter()
        .filter(|member| member.address != first.address)
        .filter_map(|member| machine.function(member.address))
        .map(|other| match other.address.same_slot(first.address) {
            true => format!(".{:x} {}", other.address.function, other.kind()),
            false => format!("{} {}", other.kind(), other.address),
        })
        .collect();
    let others = if others.is_empty() { String::new() } else { format!(" with {}", others.join(", ")) };
    let groups: BTreeSet<u32> = set_of(closure.members.iter().filter_map(|member| member.group));
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let groups = match groups.as_slice() {
        [] => String::new(),
        [one] => format!("IOMMU group {one}, "),
        several => format!("IOMMU groups {}, ", several.join(" ")),
    };
    area.good("devices-ready", &first.address.to_string(), format!("{function}{others}: {groups}{how}"));
}

/// Functions that go with a listed device only because of its IOMMU group. Listing them means that this is intended.
fn companions(closure: &Closure, machine: &Machine, area: &mut Area) {
    let strangers: Vec<(PciAddress, &Function)> = closure
        .members
        .iter()
        .filter(|member| matches!(member.along, Along::Group(_)))
        .filter_map(|member| Some((member.brought_by, machine.function(member.address)?)))
        .filter(|(_, function)| !does_nothing(function))
        .collect();
    let Some((brought_by, _)) = strangers.first() else { return };
    let names: Vec<String> = strangers.iter().map(|(_, function)| function.to_string()).collect();
    area.warning(
        "group-companions",
        &brought_by.to_string(),
        format!("in the same IOMMU group as {brought_by} and therefore passed to legion too: {}", names.join(", ")),
        "if that is intended, list each as a separate [[legion.passthrough]]; otherwise move one of them to another PCI slot",
    );
}

/// AMD's processors have functions without any effect (class 0x13, non-essential instrumentation).
fn does_nothing(function: &Function) -> bool {
    function.class >> 16 == 0x13
}
