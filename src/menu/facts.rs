//! What the menu shows besides the settings and its own state: facts about this machine, which may change while the
//! menu is up. Gathering them changes nothing.

use super::reasons;
use crate::config::Settings;
use crate::legion::{Preflight, launch_plan};
use crate::passthrough::{Plan, Refusal};
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use crate::sys::{locale, network};
use persona_paint::Language;

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
    /// The language of the menu.
    pub language: Language,
    /// Why each persona cannot start now, in the order of the settings; empty for one that can.
    pub refusals: Vec<Vec<Refusal>>,
}

impl Facts {
    /// Inspects the machine, and also returns the cards that can draw the menu, the best first.
    pub fn gather(paths: &Paths, settings: &Settings) -> (Self, Vec<PciAddress>) {
        let plan = launch_plan(paths, settings).inspect_err(|error| log::warn!("{error}"));
        let (notice, displays) = match &plan {
            Ok(plan) => (plan.refused.first().cloned(), plan.displays.clone()),
            Err(_) => (None, Vec::new()),
        };
        let screen = plan.as_ref().ok().and_then(screen);
        let preflight = Preflight::of(paths, settings, plan);
        let refusals = settings.personas.iter().map(|persona| preflight.refusals(persona)).collect();
        let host = Self::of_host(paths);
        let language = Self::language(paths, settings);
        let notice = notice.map(|refusal| reasons::summary(&refusal, language.words()));
        (Self { notice, screen, refusals, language, ..host }, displays)
    }

    /// The language of a menu with these settings.
    pub fn language(paths: &Paths, settings: &Settings) -> Language {
        settings.menu.language.unwrap_or_else(|| host_language(paths))
    }

    /// Whether each persona is refused, in the order of the settings.
    pub fn refused(&self) -> Vec<bool> {
        self.refusals.iter().map(|refusals| !refusals.is_empty()).collect()
    }

    /// Why a persona cannot start now, if it cannot: the reason that a person should fix first.
    pub fn refusal(&self, persona: usize) -> Option<&Refusal> {
        self.refusals.get(persona)?.first()
    }

    /// Only what is known without settings.
    pub fn of_host(paths: &Paths) -> Self {
        let host = file::read_text(paths.hostname()).map(|name| host_name(&name)).unwrap_or_default();
        let language = host_language(paths);
        Self { host, language, address: network::address(paths).map(|address| address.to_string()), ..Self::default() }
    }
}

fn host_language(paths: &Paths) -> Language {
    Language::of_locale(&locale::of_messages(paths))
}

/// The host's name; empty before anything has set it, as in the initramfs: the kernel says `(none)` then
/// (`CONFIG_DEFAULT_HOSTNAME`, init/Kconfig), and systemd `localhost`.
fn host_name(text: &str) -> String {
    match text.trim() {
        "(none)" | "localhost" => String::new(),
        name => name.to_owned(),
    }
}

/// The first graphics card that goes to legion, by the owner's name for it.
fn screen(plan: &Plan) -> Option<String> {
    plan.members().find(|member| member.is_display)?.label.clone()
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
