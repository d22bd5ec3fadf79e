//! `persona run`: legion under supervision, as the user legion, until it ends.

use super::find_persona;
use super::prepare::failed;
use crate::error::{Context, Error, Result};
use crate::legion::supervise::{self, Launch};
use crate::legion::{self, Cartridge, Ending, Firmware, Ladder, LegionLock, Machine, slot};
use crate::paths::Paths;
use crate::pci::PciAddress;
use crate::settings::Settings;
use crate::settings::value::Cpus;
use crate::state::{BoundDevices, Choice};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Runs what `prepare` has prepared.
///
/// # Errors
/// When legion did not run or came to a bad end; the reason is in `persona status` too.
pub fn run(paths: &Paths) -> Result<()> {
    let choice = Choice::read(paths)?
        .ok_or_else(|| Error::new("nothing was chosen in this boot").mend("start legion.service, which prepares first"))?;
    let ending = run_chosen(paths, &choice).inspect_err(|error| failed(paths, &choice, error))?;
    if ending.is_good() { Ok(()) } else { Err(Error::new(format!("{} ended badly: {ending}", choice.persona))) }
}

fn run_chosen(paths: &Paths, choice: &Choice) -> Result<Ending> {
    let settings = Settings::load(paths)?;
    let persona = find_persona(&settings, &choice.persona)?;
    let legion = persona.legion().ok_or_else(|| Error::new(format!("{} does not start legion", persona.title)))?;
    let lock = LegionLock::take(paths)?;
    let cartridge = Cartridge::inspect(paths, &legion.cartridges, &legion.cartridge)?;
    slot::expect(&lock, paths, &legion.slot, &cartridge)?;
    let firmware = cartridge.nvram.map(|size| Firmware::find(paths, size)).transpose()?;
    let bound = BoundDevices::read(paths)?.unwrap_or_default();
    let devices: Vec<PciAddress> = bound.devices.iter().map(|device| device.address).collect();
    let machine = Machine { legion, cartridge: &cartridge, firmware: firmware.as_ref(), devices: &devices };
    if let Cpus::Pinned(host) = &legion.cpus {
        keep_to(host)?;
    }
    let launch = Launch { paths, persona: &persona.name, cartridge: &cartridge, lock: &lock, ladder: Ladder::default() };
    supervise::run(&launch, |supervisor| legion::argv(paths, &machine, Some(supervisor)))
}

/// Keeps this process, and QEMU which inherits it, to these host CPUs.
fn keep_to(host: &[u16]) -> Result<()> {
    let keep = || {
        let mut set = CpuSet::new();
        host.iter().try_for_each(|cpu| set.set(usize::from(*cpu)))?;
        sched_setaffinity(Pid::from_raw(0), &set)
    };
    let error = |error: Error| error.mend("`lscpu` lists the host's CPUs; change `cpus` in the settings");
    keep().doing(|| format!("keeping legion to the host CPUs {host:?}")).map_err(error)
}
