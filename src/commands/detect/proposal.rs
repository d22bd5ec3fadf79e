//! Proposes settings for this machine.
//!
//! [`Proposal::new`] decides from snapshots alone. Every device it names was checked with the same [`Plan`] that a launch uses: a device
//! that a launch would refuse is left to the host, with the reason as a comment.

use super::facts::{CardFacts, DetectedFacts};
use crate::config::value::Timeout;
use crate::config::{BindTime, DefaultPersona, Display, MenuSettings, Passthrough, Settings};
use crate::passthrough::{Function, Machine, Plan, PlanStage, Refusal, VFIO_PCI};
use crate::sys::pci::PciAddress;
use std::cmp::Reverse;

/// Where cartridges are unless the settings say otherwise.
pub(super) const CARTRIDGES: &str = "/var/lib/legion/cartridges";

/// The proposal, with reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The card that draws the menu.
    pub display: Option<Proposed>,
    /// The card for legion.
    pub card: Option<Proposed>,
    /// The USB controller for legion.
    pub usb: Option<Proposed>,
    /// What was considered and left to the host, with the reason.
    pub left: Vec<String>,
}

/// A device, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Its address.
    pub address: PciAddress,
    /// The reason, as a part of a sentence.
    pub why: String,
    /// When it must be taken, if not at the usual time.
    pub bind: Option<BindTime>,
}

impl Proposed {
    fn new(address: PciAddress, why: impl Into<String>) -> Self {
        Self { address, why: why.into(), bind: None }
    }
}

impl Proposal {
    /// Decides. Every named device passes [`Plan::new`] at [`PlanStage::Launch`], if necessary after a reboot.
    pub fn new(machine: &Machine, facts: &DetectedFacts) -> Self {
        let mut left = Vec::new();
        let (card, display) = match cards(machine, facts, &mut left) {
            Some((card, display)) => (Some(card), Some(display)),
            None => (None, ranked_displays(machine, facts).first().map(|card| Proposed::new(card.address, "it stays with the host"))),
        };
        let usb = usb(machine, display.as_ref(), card.as_ref(), &mut left);
        if machine.bluetooth_keyboards > 0 && !usb.iter().any(|usb| machine.bluetooth_adapters.contains(&usb.address)) {
            left.push(machine.bluetooth_in_words(false));
        }
        Self { display, card, usb, left }
    }
}

/// The card for legion and the card for the menu.
fn cards(machine: &Machine, facts: &DetectedFacts, left: &mut Vec<String>) -> Option<(Proposed, Proposed)> {
    let all: Vec<&Function> = ranked_displays(machine, facts);
    if let [only] = all[..] {
        left.push(format!(
            "{only} is the only graphics card, and the menu needs it. Add a second card, or turn on the processor's graphics in the firmware \
             setup. You can still list this one for legion; then there is no menu, and the default starts by itself"
        ));
        return None;
    }
    let (candidates, integrated): (Vec<&Function>, Vec<&Function>) = all.iter().rev().partition(|card| !is_integrated(card, machine));
    if candidates.is_empty() && !integrated.is_empty() {
        left.push("no graphics card can be legion's: all of them are part of the processor".to_owned());
    }
    // In reverse: the menu's best card is the last one to give to legion. Cards with outputs come first: games need a monitor.
    let (with_outputs, without): (Vec<&Function>, Vec<&Function>) = candidates.into_iter().partition(|card| card.has_outputs());
    with_outputs.into_iter().chain(without).find_map(|card| {
        let mut others = all.iter().copied().filter(|other| !other.address.same_slot(card.address));
        let display = others.clone().find(|other| other.has_outputs()).or_else(|| others.next().filter(|_| card.has_outputs()))?;
        let members = plan(machine, display.address, &[Proposed::new(card.address, "")]);
        if members.members().any(|member| member.address == display.address) {
            left.push(in_one_group(card, display));
            return None;
        }
        let mut proposed = wanted(card, &all, machine, facts);
        match check(machine, display.address, &[], &mut proposed) {
            Ok(()) => Some((proposed, kept(display, facts))),
            Err(refused) => {
                left.extend(refused);
                None
            }
        }
    })
}

/// Two cards that cannot be separated. The sentence is the same for both of them.
fn in_one_group(card: &Function, display: &Function) -> String {
    let (one, other) = if card.address < display.address { (card, display) } else { (display, card) };
    let group = card.iommu_group.map_or_else(|| "one IOMMU group".to_owned(), |group| format!("IOMMU group {group}"));
    format!(
        "the graphics cards {} and {} are both in {group}, so neither can be legion's while the other draws the menu: put one of them into \
         another PCI slot",
        one.address, other.address
    )
}

/// Whether a device could be legion's beside `others`, now or after a reboot. Taken at the launch instead, if the menu needs its keyboard
/// before.
fn check(machine: &Machine, display: PciAddress, others: &[&Proposed], proposed: &mut Proposed) -> Result<(), Vec<String>> {
    let refused = |proposed: &Proposed| {
        let devices: Vec<Proposed> = others.iter().copied().chain([proposed]).cloned().collect();
        let plan = plan(machine, display, &devices);
        refusals(machine, proposed.address, &plan)
    };
    let Err(usual) = refused(proposed) else { return Ok(()) };
    let later = Proposed { bind: Some(BindTime::Launch), ..proposed.clone() };
    if usual.iter().all(|(code, _)| ["last-keyboard", "last-usb-controller"].contains(code)) {
        if refused(&later).is_ok() {
            *proposed = later;
            return Ok(());
        }
        let hint = ": plug a keyboard in elsewhere, and run `persona detect` again";
        return Err(usual.into_iter().map(|(_, reason)| reason + hint).collect());
    }
    Err(usual.into_iter().map(|(_, reason)| reason).collect())
}

/// All graphics cards, the best for the menu first, the best for legion last.
fn ranked_displays<'a>(machine: &'a Machine, facts: &DetectedFacts) -> Vec<&'a Function> {
    let mut cards: Vec<&Function> = machine.functions.values().filter(|function| function.is_display()).collect();
    cards.sort_unstable_by_key(|card| {
        let fact = fact(card, facts);
        (
            !card.has_outputs(),
            !is_integrated(card, machine),
            fact.link_width,
            fact.memory_window,
            // Of two equal cards, the one with an active monitor and the firmware's first.
            Reverse(fact.monitors),
            card.driver.as_deref().is_none_or(|driver| driver == VFIO_PCI),
            !card.boot_vga,
            card.address,
        )
    });
    cards
}

/// Whether it is part of the processor: on the root bus, or in the same slot as the processor's other devices.
fn is_integrated(card: &Function, machine: &Machine) -> bool {
    const AMD: u16 = 0x1022;
    let siblings = machine.functions.values().filter(|function| function.address.same_slot(card.address));
    card.upstream.is_empty() || siblings.into_iter().any(|sibling| sibling.id.vendor == AMD && sibling.address != card.address)
}

fn fact(card: &Function, facts: &DetectedFacts) -> CardFacts {
    facts.cards.get(&card.address).copied().unwrap_or_default()
}

fn wanted(card: &Function, all: &[&Function], machine: &Machine, facts: &DetectedFacts) -> Proposed {
    let CardFacts { link_width, memory_window, .. } = fact(card, facts);
    let others = || all.iter().filter(|other| other.address != card.address);
    let why = if !card.has_outputs() {
        "it drives no monitor itself".to_owned()
    } else if others().all(|other| is_integrated(other, machine)) {
        "the card that is not part of the processor".to_owned()
    } else if others().all(|other| is_integrated(other, machine) || fact(other, facts).link_width < link_width) {
        format!("the card with more PCI Express lanes: {link_width}")
    } else if others().all(|other| is_integrated(other, machine) || fact(other, facts).memory_window < memory_window) {
        "the card with the larger memory BAR".to_owned()
    } else {
        "chosen among equal cards".to_owned()
    };
    Proposed::new(card.address, why)
}

fn kept(card: &Function, facts: &DetectedFacts) -> Proposed {
    let why = match fact(card, facts).monitors {
        Some(1) => "a monitor is connected to it".to_owned(),
        Some(2..) => "monitors are connected to it".to_owned(),
        Some(0) => "no monitor is connected to it yet: plug one in, or the menu is not visible".to_owned(),
        None => "plug a monitor into it".to_owned(),
    };
    Proposed::new(card.address, why)
}

/// A USB controller for the player's keyboard: one with a keyboard, otherwise one without other devices in its group.
fn usb(machine: &Machine, display: Option<&Proposed>, card: Option<&Proposed>, left: &mut Vec<String>) -> Option<Proposed> {
    let (display, card) = (display?, card?);
    let taken = |function: &&Function| function.address.same_slot(card.address);
    let mut controllers: Vec<&Function> = machine.functions.values().filter(|function| function.is_usb() && !taken(function)).collect();
    let members =
        |controller: &Function| plan(machine, display.address, &[card.clone(), Proposed::new(controller.address, "")]).members().count();
    // A USB controller on another graphics card is not suitable for a keyboard.
    let beside_display = |controller: &Function| machine.functions.values().any(|other| controller.is_part_of_card(other));
    controllers.sort_unstable_by_key(|controller| {
        let has_disks = !controller.disks.is_empty();
        (beside_display(controller), has_disks, controller.keyboards == 0, members(controller), controller.address)
    });
    controllers.into_iter().find_map(|controller| {
        let why = match controller.keyboards {
            0 => "no keyboard is on it now: plug legion's keyboard and mouse in there",
            _ => "a keyboard is on it: the menu has it until the choice, legion after",
        };
        let disks = match &controller.disks[..] {
            [] => String::new(),
            disks => format!("; the disk {} on it goes to legion too, unless you unplug it", disks.join(" and ")),
        };
        let mut proposed = Proposed::new(controller.address, format!("{why}{disks}"));
        match check(machine, display.address, &[card], &mut proposed) {
            Ok(()) => Some(proposed),
            Err(refused) => {
                left.extend(refused);
                None
            }
        }
    })
}

/// Why a plan cannot be, now or after a reboot: code and reason. What takes the host's disks along is left too, mounted or not: a guest
/// would have all that is on them.
fn refusals(machine: &Machine, asked: PciAddress, plan: &Plan) -> Result<(), Vec<(&'static str, String)>> {
    let meant = machine.function(asked).map(|function| format!("{function}: ")).unwrap_or_default();
    let told = |refusal: &Refusal| match refusal.address {
        // Leaving it to the host, as this proposal does, is the hint.
        Some(address) if address == asked => (refusal.code, refusal.reason.clone()),
        Some(_) => (refusal.code, format!("{meant}{}", refusal.reason)),
        None => (refusal.code, refusal.to_string()),
    };
    let mut all: Vec<_> = plan.refused.iter().filter(|refusal| !refusal.reboot_helps).map(told).collect();
    if all.is_empty() {
        let along = plan.members().filter(|member| !member.is_listed() && member.brought_by == asked);
        let with_disks = along.filter_map(|member| machine.function(member.address)).filter(|function| !function.disks.is_empty());
        all.extend(
            with_disks
                .map(|function| ("disk-along", format!("{meant}{function} goes along, with the disk {}", function.disks.join(" and ")))),
        );
    }
    if all.is_empty() { Ok(()) } else { Err(all) }
}

pub(super) fn plan(machine: &Machine, display: PciAddress, devices: &[Proposed]) -> Plan {
    let entry = |proposed: &Proposed| Passthrough {
        device: proposed.address,
        id: None,
        subsystem: None,
        label: None,
        bind: proposed.bind,
        rombar: None,
        romfile: None,
    };
    let settings = Settings {
        menu: MenuSettings {
            timeout: Timeout::Never,
            default: DefaultPersona::Last,
            display: Display::At(display),
            ..MenuSettings::default()
        },
        passthrough: devices.iter().map(entry).collect(),
        personas: Vec::new(),
    };
    Plan::new(&settings, machine, PlanStage::Launch)
}
