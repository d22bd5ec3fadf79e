//! All that a menu of personas is made of, read from this machine.

use crate::boot_log::Event;
use crate::config::Settings;
use crate::config::kernel_command_line::KernelCommandLine;
use crate::error::Result;
use crate::menu::facts::Facts;
use crate::menu::gallery;
use crate::menu::model::Menu;
use crate::menu::opening::Opening;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
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
        let opening = Opening::read(paths, &settings, &KernelCommandLine::read(paths));
        let menu = opening.menu(&settings);
        let facts = Facts { opening: opening.notice, ..facts };
        Ok(Self { menu, facts, displays, gallery: emblems(paths, &settings), settings })
    }

    /// The same, of a menu that starts nothing by itself, and says why.
    #[must_use]
    pub fn that_wait(self, why: &str) -> Self {
        log::warn!("{}", Event::Decision(why.to_owned()));
        Self { menu: self.menu.that_waits(), facts: Facts { opening: Some(why.to_owned()), ..self.facts }, ..self }
    }

    /// The same in the initramfs: by the copy of the settings there. Cartridges, override and all that is mounted later are not
    /// there yet.
    ///
    /// # Errors
    /// As [`Contents::read`].
    pub fn read_early(paths: &Paths) -> Result<Self> {
        let contents = Self::read(paths)?;
        let facts = Facts { opening: contents.facts.opening, ..Facts::of_host(paths) };
        Ok(Self { menu: contents.menu.before_the_host(), facts, ..contents })
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
