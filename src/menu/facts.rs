//! What the menu shows besides the settings and its own state: facts about this machine, which may change while the
//! menu is up. Gathering them changes nothing.

use crate::config::{Persona, Settings};
use crate::error::Error;
use crate::legion::Cartridge;
use crate::passthrough::{Machine, Plan, Stage};
use crate::sys::network;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;

/// What is known of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its name; empty if it has none.
    pub host: String,
    /// Where SSH reaches it.
    pub address: Option<String>,
    /// One line of warning.
    pub notice: Option<String>,
    /// The notice of [`crate::menu::startup_policy`] for this boot, until a user picks something else.
    pub opening: Option<String>,
    /// The card whose screen legion draws on, as shown to the user.
    pub screen: Option<String>,
    /// Why a persona cannot start now, by name; a persona without an entry may start.
    pub refusals: Vec<Option<String>>,
}

impl Facts {
    /// Inspects the machine, and also returns the cards that can draw the menu, the best first. What cannot be determined blocks nothing:
    /// the launch checks again, and reports why it does not start.
    pub fn gather(paths: &Paths, settings: &Settings) -> (Self, Vec<PciAddress>) {
        let machine = Machine::read(paths).inspect_err(|error| log::warn!("{error}")).ok();
        let plan = machine.as_ref().map(|machine| Plan::new(settings, machine, Stage::Launch));
        let refusal = plan.as_ref().and_then(Plan::refusal_text);
        let facts = Self {
            notice: refusal.as_deref().and_then(|text| text.lines().next()).map(str::to_owned),
            screen: machine.as_ref().zip(plan.as_ref()).and_then(|(machine, plan)| screen(machine, plan)),
            refusals: settings.personas.iter().map(|persona| refused(paths, persona, refusal.as_deref())).collect(),
            ..Self::of_host(paths)
        };
        (facts, plan.map(|plan| plan.displays).unwrap_or_default())
    }

    /// Only what is known without settings.
    pub fn of_host(paths: &Paths) -> Self {
        let host = std::fs::read_to_string(paths.hostname()).map(|name| host_name(&name)).unwrap_or_default();
        Self { host, address: network::address(paths).map(|address| address.to_string()), ..Self::default() }
    }
}

/// The host's name; empty before anything has set it, as in the initramfs: the kernel says `(none)` then
/// (`CONFIG_DEFAULT_HOSTNAME`, init/Kconfig), and systemd `localhost`.
fn host_name(text: &str) -> String {
    match text.trim() {
        "(none)" | "localhost" => String::new(),
        name => name.to_owned(),
    }
}

/// Why a persona cannot start: its cartridge is not there, or the plan, which is the same for all of legion's, forbids it.
fn refused(paths: &Paths, persona: &Persona, plan: Option<&str>) -> Option<String> {
    let legion = persona.legion()?;
    let without_hint_mark = |error: Error| match error.hint() {
        Some(hint) => format!("{}\n{hint}", error.reason()),
        None => error.reason(),
    };
    let cartridge = || Cartridge::inspect(paths, &legion.cartridges, &legion.cartridge).err().map(without_hint_mark);
    plan.map(|text| text.replace("\n  hint: ", "\n")).or_else(cartridge)
}

/// The first graphics card that goes to legion, by the owner's name for it.
fn screen(machine: &Machine, plan: &Plan) -> Option<String> {
    let card = plan.members().find(|member| machine.function(member.address).is_some_and(|function| function.is_display()))?;
    card.label.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_name_not_set_yet_is_empty() {
        assert_eq!(host_name("(none)\n"), "");
        assert_eq!(host_name("localhost\n"), "");
        assert_eq!(host_name("moria\n"), "moria");
    }
}
