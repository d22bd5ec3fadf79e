//! Everything a menu needs, read from this machine.

use crate::boot_log::LogEvent;
use crate::config::Settings;
use crate::config::kernel_command_line::KernelCommandLine;
use crate::error::Result;
use crate::menu::facts::Facts;
use crate::menu::gallery;
use crate::menu::model::Menu;
use crate::menu::startup_policy::StartupPolicy;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use persona_paint::Gallery;

/// The data of a menu.
#[derive(Debug)]
pub struct MenuData {
    /// The settings.
    pub settings: Settings,
    /// The state machine, opened from these settings and the persisted state.
    pub menu: Menu,
    /// What is known of the machine.
    pub facts: Facts,
    /// The cards that can draw the menu, the best first.
    pub displays: Vec<PciAddress>,
    /// The owner's emblems.
    pub gallery: Gallery,
}

impl MenuData {
    /// Reads everything.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn read(paths: &Paths) -> Result<Self> {
        let settings = Settings::load(paths)?;
        let (facts, displays) = Facts::gather(paths, &settings);
        let opening = StartupPolicy::read(paths, &settings, &KernelCommandLine::read(paths));
        let menu = opening.menu(&settings);
        let facts = Facts { opening: opening.notice, ..facts };
        Ok(Self { menu, facts, displays, gallery: emblems(paths, &settings), settings })
    }

    /// The same, for a menu that starts nothing by itself, with the reason.
    #[must_use]
    pub fn without_autostart(self, why: &str) -> Self {
        LogEvent::Decision(why.to_owned()).log(log::Level::Warn);
        Self { menu: self.menu.without_autostart(), facts: Facts { opening: Some(why.to_owned()), ..self.facts }, ..self }
    }

    /// The same in the initramfs, from the copy of the settings there. Cartridges, override and everything that is mounted later are not
    /// available yet.
    ///
    /// # Errors
    /// As [`MenuData::read`].
    pub fn read_early(paths: &Paths) -> Result<Self> {
        let contents = Self::read(paths)?;
        let facts = Facts { opening: contents.facts.opening, ..Facts::of_host(paths) };
        Ok(Self { menu: contents.menu.provisional(), facts, ..contents })
    }
}

/// The owner's emblems and font; what cannot be used is logged, and the painter replaces it.
pub fn emblems(paths: &Paths, settings: &Settings) -> Gallery {
    let (gallery, errors) = gallery::load(paths, settings.personas.iter().map(|persona| &persona.emblem));
    let font = settings.menu.font.as_ref().map(|font| gallery::load_font(paths, font));
    for error in errors.into_iter().chain(font.and_then(Result::err)) {
        log::warn!("{error}");
    }
    gallery
}
