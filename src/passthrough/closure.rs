//! Closures: which other functions go with a listed device, and when they are taken from the host.

use super::machine::{Function, Machine};
use super::warning::Warning;
use crate::config::{BindTime, Passthrough};
use crate::sys::pci::{PciAddress, PciId};
use crate::sys::set::set_of;
use std::collections::BTreeSet;

/// Listed devices and all functions that go with them: the members of their IOMMU groups, and for a graphics card the other functions of
/// its slot by the same vendor; never a bridge. Listed devices with overlapping closures share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// In the order of the settings, each entry's by address; no function is in two closures.
    pub members: Vec<Member>,
}

/// A function that goes to legion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its address.
    pub address: PciAddress,
    /// Its vendor and device IDs.
    pub id: PciId,
    /// The listed function whose closure it is in; itself, if it is listed.
    pub brought_by: PciAddress,
    /// What brings it along.
    pub along: Along,
    /// The owner's name for that listed function.
    pub label: Option<String>,
    /// The driver it has now.
    pub driver: Option<String>,
    /// Whether it is a display controller of any kind.
    pub is_display: bool,
    /// Its IOMMU group.
    pub group: Option<u32>,
    /// When it is taken from the host.
    pub at: BindTime,
}

/// Why a function goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// The settings name it.
    Listed,
    /// It is part of the same graphics card.
    Card,
    /// It is in this IOMMU group, with the listed device or a part of its card.
    Group(u32),
}

impl Member {
    /// Whether the settings name it.
    pub fn is_listed(&self) -> bool {
        self.brought_by == self.address
    }
}

/// The closures of all listed devices that exist, and notes on bind times that differ from the owner's setting.
pub(super) fn closures(listed: &[Passthrough], machine: &Machine) -> (Vec<Closure>, Vec<Warning>) {
    let mut notes = Vec::new();
    let closures = merged(listed, machine)
        .into_iter()
        .map(|(entries, addresses)| {
            let (closure, note) = closure(&entries, &addresses, machine);
            notes.extend(note);
            closure
        })
        .collect();
    (closures, notes)
}

/// Every existing entry with its own closure, overlapping ones merged.
fn merged<'a>(listed: &'a [Passthrough], machine: &Machine) -> Vec<(Vec<&'a Passthrough>, BTreeSet<PciAddress>)> {
    let mut all: Vec<(Vec<&Passthrough>, BTreeSet<PciAddress>)> = Vec::new();
    for entry in listed.iter().filter(|entry| machine.function(entry.device).is_some()) {
        let own = reach(entry.device, machine);
        let (mut entries, mut addresses) = (Vec::new(), own.clone());
        let mut place = all.len();
        let mut kept = Vec::new();
        for (at, (theirs, reached)) in all.into_iter().enumerate() {
            if reached.is_disjoint(&own) {
                kept.push((theirs, reached));
            } else {
                place = place.min(at);
                entries.extend(theirs);
                addresses.extend(reached);
            }
        }
        entries.push(entry);
        kept.insert(place.min(kept.len()), (entries, addresses));
        all = kept;
    }
    all
}

/// All functions that go with one, itself included. vfio needs the whole IOMMU group of each; and no part of a graphics card (its sound, its
/// USB and USB-C controllers) stays with the host. Other devices of one slot are separate: a Ryzen's USB controllers share theirs with its
/// security processor, and its graphics (another vendor ID) with both.
fn reach(listed: PciAddress, machine: &Machine) -> BTreeSet<PciAddress> {
    let mut reached = set_of([listed]);
    let mut open = vec![listed];
    while let Some(function) = open.pop().and_then(|address| machine.function(address)) {
        let goes_along = |other: &&Function| !other.is_bridge() && (is_in_group(function, other) || other.is_part_of_card(function));
        let new = machine.functions.values().filter(goes_along).map(|other| other.address);
        open.extend(new.filter(|address| reached.insert(*address)));
    }
    reached
}

fn is_in_group(function: &Function, other: &Function) -> bool {
    function.iommu_group.is_some() && function.iommu_group == other.iommu_group
}

fn closure(entries: &[&Passthrough], addresses: &BTreeSet<PciAddress>, machine: &Machine) -> (Closure, Option<Warning>) {
    let functions = || addresses.iter().filter_map(|address| machine.function(*address));
    // Before coldplug nothing is mounted and no route is set, so it is unknown which of these the host needs.
    let is_on_a_card = |function: &Function| functions().any(|card| card.is_display() && card.address.same_slot(function.address));
    let may_carry = |function: &Function| !machine.needs_are_known && function.is_usb() && !is_on_a_card(function);
    let doubtful = functions().find(|function| function.is_storage() || function.is_network());
    let wished = |slot: PciAddress| slot_time(entries, slot, machine);
    let anywhere = entries.iter().filter_map(|entry| wished(entry.device)).max().unwrap_or(BindTime::Launch);
    let mut members: Vec<Member> = Vec::new();
    for entry in entries {
        for address in reach(entry.device, machine) {
            let Some(function) = machine.function(address).filter(|_| members.iter().all(|member| member.address != address)) else {
                continue;
            };
            let by = entries.iter().find(|other| other.device == address).or_else(|| entries.iter().find(|o| o.device.same_slot(address)));
            let by = by.unwrap_or(entry);
            let card = entries.iter().find(|entry| machine.function(entry.device).is_some_and(|card| function.is_part_of_card(card)));
            let along = match function.iommu_group {
                _ if by.device == address => Along::Listed,
                _ if card.is_some() => Along::Card,
                Some(group) => Along::Group(group),
                None => Along::Card,
            };
            members.push(Member {
                address,
                id: function.id,
                brought_by: by.device,
                along,
                label: by.label.clone(),
                driver: function.driver.clone(),
                is_display: function.is_display(),
                group: function.iommu_group,
                at: if doubtful.is_some() || may_carry(function) { BindTime::Launch } else { wished(address).unwrap_or(anywhere) },
            });
        }
    }
    let early = entries.iter().find(|entry| wished(entry.device) == Some(BindTime::Boot));
    let note = doubtful
        .or_else(|| functions().find(|function| may_carry(function) && wished(function.address) == Some(BindTime::Boot)))
        .zip(early)
        .map(|(doubtful, entry)| {
            let why = "in the initramfs it is not known yet whether the host needs it";
            let what = if doubtful.address == entry.device {
                format!("{doubtful} is bound at launch, not at boot: {why} for its root file system or network")
            } else {
                format!("{} is bound at launch, not at boot: {doubtful} goes with it, and {why}", entry.device)
            };
            Warning { code: "bound-at-launch", address: Some(entry.device), what, hint: None }
        });
    (Closure { members }, note)
}

/// When the functions of a slot with listed functions are taken. All at the same time: a card must not be on a host driver and on vfio-pci
/// at once. The owner's setting wins, the later one if there are two; otherwise individually listed USB controllers are taken at launch,
/// because the menu needs the keyboard.
fn slot_time(entries: &[&Passthrough], slot: PciAddress, machine: &Machine) -> Option<BindTime> {
    let listed = || entries.iter().filter(|entry| entry.device.same_slot(slot));
    let is_usb = |entry: &&Passthrough| machine.function(entry.device).is_some_and(Function::is_usb);
    listed().next()?;
    Some(listed().filter_map(|entry| entry.bind).max().unwrap_or_else(
        || {
            if listed().all(is_usb) { BindTime::Launch } else { BindTime::Boot }
        },
    ))
}
