//! `persona export`: exports the VM definition. Changes nothing.

use super::{named_or_default, print};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::legion::{Cartridge, VirtualMachine, launch_plan, libvirt};
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::io::Write;

/// Prints a persona's libvirt domain, the default's if none is named: the machine of QEMU's command line, with the devices that a launch
/// would bind now.
///
/// # Errors
/// When settings, machine or cartridge cannot be read, the persona does not start legion, or legion would stay off.
pub fn libvirt(paths: &Paths, name: Option<&str>, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = named_or_default(paths, &settings, name)?;
    let legion = persona.legion().ok_or_else(|| Error::usage(format!("{} does not start legion", persona.name)))?;
    let plan = launch_plan(paths, &settings)?;
    if let Some(refusal) = plan.refusal_text() {
        return Err(Error::new(refusal));
    }
    let devices: Vec<PciAddress> = plan.bind.iter().map(|(address, _)| *address).collect();
    let cartridge = Cartridge::inspect(paths, &legion.cartridges, &legion.cartridge)?;
    let machine = VirtualMachine::find(paths, legion, &cartridge, &devices, &settings.passthrough)?;
    print(out, &libvirt::domain_xml(paths, &machine)?)
}
