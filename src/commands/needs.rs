//! `persona needs`: what this host needs, for the initramfs. Changes nothing.

use super::print;
use crate::config::Settings;
use crate::display::card_module;
use crate::error::Result;
use crate::passthrough::{Machine, Needs, Plan, PlanStage};
use crate::sys::paths::Paths;
use std::io::Write;

/// Prints the functions with disks and routes, as the `needs.toml` that `reserve` reads in the initramfs, and the module of the display
/// card's driver, which the image must contain.
///
/// # Errors
/// When the machine cannot be read.
pub fn needs(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    let machine = Machine::read(paths)?;
    // Without settings it is unknown which card is not legion's.
    let settings = Settings::load(paths).inspect_err(|error| log::warn!("{error}")).ok();
    let cards = settings.map(|settings| Plan::new(&settings, &machine, PlanStage::Launch).displays).unwrap_or_default();
    let driver = cards.first().and_then(|card| card_module(paths, *card));
    print(out, &Needs::of(&machine, driver.into_iter().collect()).to_toml()?)
}
