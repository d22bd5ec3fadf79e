//! All that a menu of personas is made of, read from this machine.

use super::facts::Facts;
use super::gallery;
use super::state::Menu;
use crate::error::Result;
use crate::kernel_command_line::KernelCommandLine;
use crate::paths::Paths;
use crate::pci::PciAddress;
use crate::settings::Settings;
use crate::settings::value::Timeout;
use crate::state::{Choice, Last, Override, Reason, or_absent};
use persona_paint::Gallery;

/// What a menu of personas is made of.
#[derive(Debug)]
pub struct Contents {
    /// The settings.
    pub settings: Settings,
    /// The state machine, as these settings and what is remembered open it.
    pub menu: Menu,
    /// What is known of the machine.
    pub facts: Facts,
    /// The cards that can draw the menu, the best first.
    pub displays: Vec<PciAddress>,
    /// The owner's emblems.
    pub gallery: Gallery,
}

impl Contents {
    /// Reads everything.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn read(paths: &Paths) -> Result<Self> {
        let settings = Settings::load(paths)?;
        let (facts, displays) = Facts::gather(paths, &settings);
        Ok(Self {
            menu: opening(paths, &settings, &KernelCommandLine::read(paths)),
            facts,
            displays,
            gallery: emblems(paths, &settings),
            settings,
        })
    }

    /// The same in the initramfs: by the copy of the settings there. Cartridges, override and all that is mounted later are not
    /// there yet.
    ///
    /// # Errors
    /// As [`Contents::read`].
    pub fn read_early(paths: &Paths) -> Result<Self> {
        let contents = Self::read(paths)?;
        Ok(Self { menu: contents.menu.before_the_host(), facts: Facts::of_host(paths), ..contents })
    }
}

/// The owner's emblems; one that cannot be used is told, and replaced by the painter.
pub fn emblems(paths: &Paths, settings: &Settings) -> Gallery {
    let (gallery, errors) = gallery::load(paths, settings.personas.iter().map(|persona| &persona.emblem));
    for error in errors {
        log::warn!("{error}");
    }
    gallery
}

/// The menu as this boot begins: with an override from the kernel command line, else from the state, else the countdown.
/// A menu that was started again after a choice asks nobody twice.
fn opening(paths: &Paths, settings: &Settings, command_line: &KernelCommandLine) -> Menu {
    let last = or_absent(Last::read(paths)).map(|last| last.persona);
    let default = &settings.default_persona(last.as_deref()).name;
    if let Some(choice) = or_absent(Choice::read(paths)) {
        log::info!("{} was chosen in this boot already: the menu waits", choice.persona);
        return Menu::new(settings, default, None, Timeout::Never);
    }
    let wanted = command_line.persona.clone().or_else(|| or_absent(Override::read(paths)).map(|next| next.persona));
    let wanted = wanted.filter(|name| {
        let exists = settings.persona(name).is_some();
        if !exists {
            log::warn!("`{name}` was to start in this boot, but there is no such persona: the menu asks as usual");
        }
        exists
    });
    let timeout = command_line.timeout.unwrap_or(settings.menu.timeout);
    Menu::new(settings, default, wanted.as_deref().map(|name| (name, Reason::Override)), timeout)
}
