//! The host's hardware in the guest.

use super::{Line, at, value};
use crate::legion::virtual_machine::VirtualMachine;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;

/// Each slot of the host becomes one multifunction device behind its own root port, as on a mainboard. Functions are renumbered from 0,
/// without which the guest would not probe the others.
pub(super) fn slots(line: &mut Line, paths: &Paths, machine: &VirtualMachine<'_>) {
    let mut functions = machine.devices.to_vec();
    functions.sort_unstable();
    functions.dedup();
    for (port, slot) in functions.chunk_by(|a, b| a.same_slot(*b)).enumerate() {
        let (number, addr) = (port + 1, format!("{:#x}.{:#x}", at::ROOT_PORTS + port / 8, port % 8));
        let multifunction = if port % 8 == 0 { ",multifunction=on" } else { "" };
        line.add("-device", format!("pcie-root-port,id=port{number},chassis={number},slot={number},addr={addr}{multifunction}"));
        for (function, host) in slot.iter().enumerate() {
            let multifunction = if function == 0 && slot.len() > 1 { ",multifunction=on" } else { "" };
            let rom = option_rom(paths, machine, *host);
            line.add("-device", format!("vfio-pci,host={host},bus=port{number},addr=0x0.{function:#x}{multifunction}{rom}"));
        }
    }
}

/// The owner's setting for the function's option ROM.
fn option_rom(paths: &Paths, machine: &VirtualMachine<'_>, function: PciAddress) -> String {
    let Some(entry) = machine.passthrough.iter().find(|entry| entry.device == function) else { return String::new() };
    let mut rom = entry.rombar.map_or_else(String::new, |shown| format!(",rombar={}", u8::from(shown)));
    if let Some(file) = &entry.romfile {
        rom += &format!(",romfile={}", value(paths.at(file)));
    }
    rom
}
