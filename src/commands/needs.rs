//! `persona needs`: what this host needs, for the initramfs. Changes nothing.

use super::print;
use crate::config::{Emblem, Settings};
use crate::display::card_module;
use crate::error::Result;
use crate::menu::gallery;
use crate::passthrough::{Machine, Needs, Plan, PlanStage};
use crate::sys::paths::Paths;
use crate::sys::set::set_of;
use std::collections::BTreeSet;
use std::io::Write;

/// Prints the functions with disks and routes, as the `needs.toml` that `reserve` reads in the initramfs, and the module of the display
/// card's driver, which the image must contain.
///
/// # Errors
/// When the machine cannot be read.
pub fn needs(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    // Without settings it is unknown which card is not legion's.
    let settings = Settings::load(paths).inspect_err(|error| log::warn!("{error}")).ok();
    let machine = Machine::read_with(paths, settings.as_ref())?;
    let cards = settings.map(|settings| Plan::new(&settings, &machine, PlanStage::Launch).displays).unwrap_or_default();
    let driver = cards.first().and_then(|card| card_module(paths, *card));
    print(out, &Needs::of(&machine, driver.into_iter().collect()).to_toml()?)
}

/// Prints the paths of the owner's font and emblems, one a line: the menu of the initramfs needs these files. Files that cannot be used are
/// left out.
///
/// # Errors
/// When there are no settings that can be used.
pub fn files(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let font = settings.menu.font.iter().filter(|font| gallery::load_font(paths, font).inspect_err(|error| log::warn!("{error}")).is_ok());
    let emblems = settings.personas.iter().filter_map(|persona| match &persona.emblem {
        Emblem::Png(path) => Some(path),
        Emblem::Initial | Emblem::BuiltIn(_) => None,
    });
    let emblems = emblems.filter(|path| gallery::load(paths, [&Emblem::Png((*path).clone())]).1.is_empty());
    let listed: BTreeSet<String> = set_of(font.chain(emblems).map(|path| format!("{}\n", path.display())));
    print(out, &listed.into_iter().collect::<String>())
}
