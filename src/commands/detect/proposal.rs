//! Proposes settings for this machine.
//!
//! [`Proposal::new`] decides from snapshots alone. Every device it names was checked with the same [`Plan`] that a launch uses: a device
//! that a launch would refuse is left to the host, with the reason as a comment.

use super::facts::{CardFacts, DetectedFacts};
use crate::config::value::Timeout;
use crate::config::{DefaultPersona, Display, MenuSettings, Passthrough, Settings};
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
}

impl Proposal {
    /// Decides. Every named device passes [`Plan::new`] at [`PlanStage::Launch`], if necessary after a reboot.
    pub fn new(machine: &Machine, facts: &DetectedFacts) -> Self {
        let mut left = Vec::new();
        let (card, display) = match cards(machine, facts, &mut left) {
            Some((card, display)) => (Some(card), Some(display)),
            None => (
                None,
                ranked_displays(machine, facts)
                    .first()
                    .map(|card| Proposed { address: card.address, why: "it stays with the host".into() }),
            ),
        };
        let usb = usb(machine, display.as_ref(), card.as_ref(), &mut left);
        Self { display, card, usb, left }
    }
}

/// The card for legion and the card for the menu.
fn cards(machine: &Machine, facts: &DetectedFacts, left: &mut Vec<String>) -> Option<(Proposed, Proposed)> {
    let all: Vec<&Function> = ranked_displays(machine, facts);
    let [only] = all[..] else {
        // In reverse: the menu's best card is the last one to give to legion.
        return all.iter().rev().filter(|card| !is_integrated(card, machine)).find_map(|card| {
            let display = all.iter().copied().find(|other| !other.address.same_slot(card.address))?;
            let refused = match refusals(machine, display.address, &[card.address]) {
                Ok(()) => return Some((wanted(card, &all, machine, facts), kept(display, facts))),
                Err(refused) => refused,
            };
            left.extend(refused);
            None
        });
    };
    left.push(format!("{only} is the only graphics card: the menu needs it. You can still list it for legion; then there is no menu"));
    None
}

/// All graphics cards, the best for the menu first, the best for legion last.
fn ranked_displays<'a>(machine: &'a Machine, facts: &DetectedFacts) -> Vec<&'a Function> {
    let mut cards: Vec<&Function> = machine.functions.values().filter(|function| function.is_display()).collect();
    cards.sort_by_key(|card| {
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
    Proposed { address: card.address, why }
}

fn kept(card: &Function, facts: &DetectedFacts) -> Proposed {
    let why = match fact(card, facts).monitors {
        Some(1) => "a monitor is connected to it".to_owned(),
        Some(2..) => "monitors are connected to it".to_owned(),
        Some(0) => "no monitor is connected to it yet: plug one in, or the menu is not visible".to_owned(),
        None => "plug a monitor into it".to_owned(),
    };
    Proposed { address: card.address, why }
}

/// A USB controller for the player's keyboard: one with a keyboard, otherwise one without other devices in its group.
fn usb(machine: &Machine, display: Option<&Proposed>, card: Option<&Proposed>, left: &mut Vec<String>) -> Option<Proposed> {
    let (display, card) = (display?, card?);
    let taken = |function: &&Function| function.address.same_slot(card.address);
    let mut controllers: Vec<&Function> = machine.functions.values().filter(|function| function.is_usb() && !taken(function)).collect();
    let members = |controller: &Function| plan(machine, display.address, &[card.address, controller.address]).members().count();
    // A USB controller on another graphics card is not suitable for a keyboard.
    let beside_display =
        |controller: &Function| machine.functions.values().any(|other| other.is_display() && other.address.same_slot(controller.address));
    controllers.sort_by_key(|controller| (beside_display(controller), controller.keyboards == 0, members(controller), controller.address));
    controllers.into_iter().find_map(|controller| {
        if let Err(refused) = refusals(machine, display.address, &[card.address, controller.address]) {
            left.extend(refused);
            return None;
        }
        let why = match controller.keyboards {
            0 => "no keyboard is on it now: plug legion's keyboard and mouse in there",
            _ => "a keyboard is on it: the menu has it until the choice, legion after",
        };
        Some(Proposed { address: controller.address, why: why.to_owned() })
    })
}

/// Why the devices cannot be legion's, now or after a reboot.
fn refusals(machine: &Machine, display: PciAddress, devices: &[PciAddress]) -> Result<(), Vec<String>> {
    let refused: Vec<Refusal> = plan(machine, display, devices).refused.into_iter().filter(|refusal| !refusal.reboot_helps).collect();
    let told = |refusal: &Refusal| match refusal.address {
        // Leaving it to the host, as this proposal does, is the hint.
        Some(_) => refusal.reason.clone(),
        None => refusal.to_string(),
    };
    if refused.is_empty() { Ok(()) } else { Err(refused.iter().map(told).collect()) }
}

pub(super) fn plan(machine: &Machine, display: PciAddress, devices: &[PciAddress]) -> Plan {
    let entry = |device: &PciAddress| Passthrough {
        device: *device,
        id: None,
        subsystem: None,
        label: None,
        bind: None,
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
