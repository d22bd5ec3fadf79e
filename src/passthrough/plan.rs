//! The planned changes to the machine, decided from settings and snapshot alone.

use super::VFIO_PCI;
use super::closure::{Closure, Member, closures};
use super::machine::{FramebufferOwner, Function, Machine};
use super::refusal::{Refusal, refusals};
use super::stage::PlanStage;
use super::step::Step;
use super::warning::Warning;
use crate::config::{BindTime, Display, Settings};
use crate::state::{BoundDevice, BoundDevices};
use crate::sys::pci::PciAddress;
use crate::sys::set::set_of;
use std::collections::BTreeSet;

/// What to do, or why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The moment that it is for.
    pub stage: PlanStage,
    /// The devices for legion, in the order of the settings.
    pub closures: Vec<Closure>,
    /// What is reserved before coldplug, in order; at [`PlanStage::Launch`] what the next boot should reserve. Empty if anything is refused
    /// that a reboot does not fix.
    pub reserve: Vec<PciAddress>,
    /// What is bound to vfio-pci when legion starts, in order, and when it is taken from the host. Empty if anything is refused.
    pub bind: Vec<(PciAddress, BindTime)>,
    /// Why legion stays off; empty if it may start.
    pub refused: Vec<Refusal>,
    /// Deviations from the owner's settings that are not refused.
    pub notes: Vec<Warning>,
    /// The card that draws the menu, if there is one.
    pub display: Option<PciAddress>,
    /// The cards that could draw the menu, the best first: [`Plan::display`], and the fallbacks while that has no driver or no monitor.
    /// None of them goes to legion, unless the settings name it explicitly.
    pub displays: Vec<PciAddress>,
    /// The actions of this stage, in order. Empty if anything is refused.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Decides. The host uses in `machine` count at every stage; at [`PlanStage::Boot`] there are few yet, which is why storage and network
    /// controllers are never in [`Plan::reserve`].
    pub fn new(settings: &Settings, machine: &Machine, stage: PlanStage) -> Self {
        let (closures, mut notes) = closures(&settings.passthrough, machine);
        let displays = displays(settings.menu.display, machine, &closures);
        let display = displays.first().copied();
        notes.extend(no_menu_card(machine, &closures, display));
        notes.extend(acs_override(machine, &closures));
        let refused = refusals(settings, machine, &closures, display, stage);
        let members = || closures.iter().flat_map(|closure| &closure.members);
        // A later boot can reserve what is too late only for this one.
        let reserve = if refused.iter().all(|refusal| stage == PlanStage::Launch && refusal.reboot_helps) {
            members().filter(|member| member.at == BindTime::Boot).map(|member| member.address).collect()
        } else {
            Vec::new()
        };
        let bind = if refused.is_empty() { members().map(|member| (member.address, member.at)).collect() } else { Vec::new() };
        notes.extend(held(machine, &closures, &refused, stage));
        notes.extend(sticks(machine, &closures));
        notes.extend(bluetooth(machine, &closures));
        let steps = match stage {
            PlanStage::Boot => {
                let bound = |member: &&Member| member.driver.as_deref().is_some_and(|driver| driver != VFIO_PCI);
                notes.extend(members().filter(|member| reserve.contains(&member.address)).filter(bound).map(|member| {
                    let driver = member.driver.as_deref().unwrap_or_default();
                    Warning {
                        code: "reserved-too-late",
                        address: Some(member.address),
                        what: format!("{} already has the driver {driver}: it was reserved too late", member.address),
                        hint: Some("`persona reserve` must run before udev in the initramfs (HOOKS)".into()),
                    }
                }));
                overrides(&reserve, machine).collect()
            }
            PlanStage::Launch => launch_steps(&bind, machine),
        };
        Self { stage, reserve, bind, refused, notes, display, displays, steps, closures }
    }

    /// All reasons why legion stays off with their hints, as text; `None` if it may start.
    pub fn refusal_text(&self) -> Option<String> {
        let lines: Vec<String> = self.refused.iter().map(ToString::to_string).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The devices for legion, in the order of the settings, refused or not.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.closures.iter().flat_map(|closure| &closure.members)
    }

    /// What binding changes, for [`super::release`]: recorded before it begins, so that no device that was taken is forgotten. Empty if
    /// anything is refused.
    pub fn bound_devices(&self) -> BoundDevices {
        let bound = self.members().filter(|_| self.refused.is_empty()).map(|member| BoundDevice {
            address: member.address,
            id: member.id.to_string(),
            driver_before: member.driver.clone().unwrap_or_default(),
            give_back: member.at == BindTime::Launch,
        });
        BoundDevices { devices: bound.collect() }
    }

    /// The IOMMU groups of all bound functions, ascending.
    pub fn groups(&self) -> BTreeSet<u32> {
        let bound = |member: &&Member| self.bind.iter().any(|(address, _)| *address == member.address);
        set_of(self.members().filter(bound).filter_map(|member| member.group))
    }
}

/// A machine may give its only card away on purpose: without a menu the default starts, and SSH works.
fn no_menu_card(machine: &Machine, closures: &[Closure], display: Option<PciAddress>) -> Option<Warning> {
    let mut members = closures.iter().flat_map(|closure| &closure.members).filter_map(|member| machine.function(member.address));
    let card = members.find(|function| function.has_outputs() && display.is_none())?;
    Some(Warning {
        code: "menu-card-given-away",
        address: Some(card.address),
        what: format!("{card} is the only graphics card: there is no menu, and the default starts after its timeout"),
        hint: None,
    })
}

/// Removable media that the host does not need, but that somebody has mounted.
fn sticks(machine: &Machine, closures: &[Closure]) -> Vec<Warning> {
    let functions = closures.iter().flat_map(|closure| &closure.members).filter_map(|member| machine.function(member.address));
    let told = |function: &Function| Warning {
        code: "stick-goes-along",
        address: Some(function.address),
        what: format!(
            "{function} has a removable medium, mounted at {}: legion takes it, and what is not written yet is lost",
            function.sticks.join(" and ")
        ),
        hint: Some("unmount it before legion starts, or plug it in elsewhere".into()),
    };
    functions.filter(|function| !function.sticks.is_empty()).map(told).collect()
}

/// A Bluetooth keyboard that is legion's only one, or that legion does not get.
fn bluetooth(machine: &Machine, closures: &[Closure]) -> Option<Warning> {
    let members = || closures.iter().flat_map(|closure| &closure.members).filter_map(|member| machine.function(member.address));
    if machine.bluetooth_keyboards == 0 || closures.is_empty() || members().any(|function| function.keyboards > 0) {
        return None;
    }
    let along = members().find(|function| machine.bluetooth_adapters.contains(&function.address));
    Some(Warning {
        code: "bluetooth-keyboard",
        address: along.map(|function| function.address),
        what: machine.bluetooth_in_words(along.is_some()),
        hint: Some("plug a keyboard with a cable or a receiver of its own into legion's USB controller".to_owned()),
    })
}

/// vfio-pci removes the firmware's framebuffer by itself, but only from a VGA controller.
fn held(machine: &Machine, closures: &[Closure], refused: &[Refusal], stage: PlanStage) -> Vec<Warning> {
    if stage == PlanStage::Boot || !refused.is_empty() {
        return Vec::new();
    }
    let functions = closures.iter().flat_map(|closure| &closure.members).filter_map(|member| machine.function(member.address));
    let primary = "make the other card primary in the firmware setup";
    let told = |function: &Function, holder: &FramebufferOwner| {
        let (code, what, hint) = match holder {
            FramebufferOwner::TextConsole(_) => (
                "console-on-device",
                format!("{function} shows the text console, which goes dark when legion takes it"),
                primary.to_owned(),
            ),
            FramebufferOwner::FirmwareFramebuffer(_) if function.subclass() == 0x0300 => return None,
            FramebufferOwner::FirmwareFramebuffer(_) => (
                "framebuffer-stays-on-device",
                format!("{holder} uses the memory of {function}, and vfio-pci does not remove it"),
                format!("{primary}, or add initcall_blacklist=sysfb_init to the kernel command line"),
            ),
        };
        Some(Warning { code, address: Some(function.address), what, hint: Some(hint) })
    };
    functions.flat_map(|function| function.holders.iter().filter_map(|holder| told(function, holder)).collect::<Vec<_>>()).collect()
}

/// Isolation relies on the groups, and these were split by a kernel parameter.
fn acs_override(machine: &Machine, closures: &[Closure]) -> Option<Warning> {
    let word = machine.acs_override.as_ref().filter(|_| !closures.is_empty())?;
    Some(Warning {
        code: "acs-override",
        address: None,
        what: format!(
            "the kernel parameter {word} splits IOMMU groups that the hardware does not isolate: legion's devices may reach the memory of others behind the same port"
        ),
        hint: Some("put legion's devices into PCI slots with their own IOMMU groups, and remove that parameter".into()),
    })
}

/// The cards to draw on when there are no settings that say which is legion's, the best first: nothing is taken from the host then.
pub fn menu_cards(machine: &Machine) -> Vec<PciAddress> {
    displays(Display::Auto, machine, &[])
}

/// The cards that could draw the menu, the best first. With "auto": those that are not legion's, the one the firmware used first, then by
/// address; cards without outputs only if there are no others.
fn displays(wish: Display, machine: &Machine, closures: &[Closure]) -> Vec<PciAddress> {
    let taken = |address| closures.iter().flat_map(|closure| &closure.members).any(|member| member.address == address);
    match wish {
        Display::At(address) => vec![address],
        Display::Auto => {
            let free = machine.functions.values().filter(|function| function.is_display() && !taken(function.address));
            let mut free: Vec<&Function> = free.collect();
            if free.iter().any(|function| function.has_outputs()) {
                free.retain(|function| function.has_outputs());
            }
            free.sort_unstable_by_key(|function| (!function.boot_vga, function.address));
            free.into_iter().map(|function| function.address).collect()
        }
    }
}

/// Overrides that are not set yet.
fn overrides(addresses: &[PciAddress], machine: &Machine) -> impl Iterator<Item = Step> {
    let is_set = |address| machine.function(address).is_some_and(|function| function.driver_override.as_deref() == Some(VFIO_PCI));
    addresses.iter().copied().filter(move |address| !is_set(*address)).map(Step::Override)
}

fn launch_steps(bind: &[(PciAddress, BindTime)], machine: &Machine) -> Vec<Step> {
    if bind.is_empty() {
        return Vec::new();
    }
    let addresses: Vec<PciAddress> = bind.iter().map(|(address, _)| *address).collect();
    let functions = || addresses.iter().filter_map(|address| machine.function(*address));
    let disks = functions().flat_map(|function| function.disks.iter().map(|disk| Step::CheckDisk(function.address, disk.clone())));
    let mut steps: Vec<Step> = disks.chain(overrides(&addresses, machine)).collect();
    if !machine.vfio.is_ready() {
        steps.push(Step::LoadVfio);
    }
    for function in functions() {
        match function.driver.as_deref() {
            Some(VFIO_PCI) => {}
            Some(driver) => steps.extend([Step::Unbind(function.address, driver.to_owned()), Step::Probe(function.address)]),
            None => steps.push(Step::Probe(function.address)),
        }
        steps.push(Step::Verify(function.address));
    }
    let groups: BTreeSet<u32> = set_of(functions().filter_map(|function| function.iommu_group));
    steps.extend(groups.into_iter().map(Step::VerifyGroup));
    steps
}
