//! `persona prepare`: root's part before legion starts. Binds and verifies the devices, inserts the cartridge.

use super::{find_persona, or_absent};
use crate::config::{Backend, Legion, Settings};
use crate::error::{Error, Result};
use crate::legion::cartridge::slot;
use crate::legion::qemu::tpm;
use crate::legion::{
    Cartridge, Launch, LegionLock, VirtualMachine, announce, cartridge, folder, kvm, launch_plan, libvirt, memory, network,
};
use crate::passthrough::{self, Kernel};
use crate::state::{Choice, LegionState, Override, Phase, StartCounts};
use crate::sys::account::Account;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;

/// Whether the choice starts legion, as an exit code for the unit's `ExecCondition=`.
///
/// # Errors
/// When the choice starts something else. Unreadable settings are no reason to skip: `prepare` reports what is wrong with them.
pub fn is_wanted(paths: &Paths) -> Result<()> {
    let (Ok(settings), Some(choice)) = (Settings::load(paths), or_absent(Choice::read(paths))) else { return Ok(()) };
    match settings.persona(&choice.persona) {
        Some(persona) if persona.legion().is_none() => Err(Error::new(format!("{} does not start legion", choice.persona))),
        _ => Ok(()),
    }
}

/// Prepares everything for the chosen persona, or leaves everything unchanged and reports why.
///
/// # Errors
/// When legion has to stay off; the reason is in `persona status` too, unless that shows a legion that is on.
pub fn prepare(paths: &Paths) -> Result<()> {
    // First of all: without the lock, the record and the choice may belong to another legion.
    let lock = LegionLock::take_for_service(paths).inspect_err(|error| refused(paths, error))?;
    let choice = Choice::read(paths)?.ok_or_else(|| {
        Error::new("nothing was chosen in this boot").with_hint("pick a persona in the menu; legion.path then starts legion.service")
    })?;
    announce(paths, &LegionState::new(Phase::Preparing, &choice.persona))?;
    prepare_chosen(paths, &choice, &lock).inspect_err(|error| failed(paths, &choice.persona, error))
}

/// Records why legion stays off, if nothing else is recorded. A running legion's record stays: it is still valid. Nothing was done yet, so
/// there is nothing for `release` to undo.
fn refused(paths: &Paths, error: &Error) {
    if let Some(state) = or_absent(LegionState::read(paths)).filter(LegionState::is_on) {
        return log::warn!("nothing is prepared: legion already runs as {} ({}) and continues", state.persona, state.phase);
    }
    let Some(choice) = or_absent(Choice::read(paths)) else { return };
    if let Err(error) = announce(paths, &LegionState::failure(Phase::Failed, &choice.persona, error)) {
        log::error!("{error}");
    }
}

fn prepare_chosen(paths: &Paths, choice: &Choice, lock: &LegionLock) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = find_persona(&settings, &choice.persona)?;
    let legion = persona.legion().ok_or_else(|| Error::new(format!("{} does not start legion", persona.title)))?;
    choice.ensure_pin_was_asked(persona)?;
    let account = Account::of_legion(paths)?;
    // Before anything that could fail or crash the machine.
    StartCounts::count(paths, choice)?;
    // Checks without side effects come first.
    let cartridge = Cartridge::inspect(paths, &legion.cartridges, &legion.cartridge)?;
    let _hold = cartridge.ensure_free(paths)?;
    kvm::ensure(paths)?;
    let plan = launch_plan(paths, &settings)?;
    let devices: Vec<PciAddress> = plan.bind.iter().map(|(address, _)| *address).collect();
    let launch = match legion.backend {
        Backend::Qemu => {
            Launch::new(paths, &persona.name, &VirtualMachine::find(paths, legion, &cartridge, &devices, &settings.passthrough)?)?
        }
        Backend::Libvirt => Launch::of_domain(&persona.name, legion, &cartridge, &libvirt::look(&legion.domain, &devices, &legion.slot)?),
    };
    launch.notes.iter().for_each(|note| log::warn!("{note}"));
    // Recorded first: `release` returns what was taken even if this process is killed.
    plan.bound_devices().write(paths)?;
    passthrough::bind(paths, &plan, &Kernel::default())?;
    passthrough::give_groups_to(paths, &plan.groups(), account.uid, account.gid)?;
    announce(paths, &LegionState::new(Phase::Inserting, &choice.persona))?;
    // Again for `release`.
    launch.write(paths)?;
    if legion.backend == Backend::Qemu {
        network::attach(paths, &legion.network, &cartridge.name, account.uid)?;
        if legion.tpm {
            tpm::provide(paths, &cartridge, account.uid, account.gid)?;
        }
    }
    cartridge::ownership::give_to(paths, &cartridge, account.uid, account.gid)?;
    insert(lock, paths, legion, &cartridge)?;
    Override::use_up(paths, choice)?;
    folder::provide(paths, account.uid, account.gid)?;
    memory::confine((legion.backend == Backend::Qemu).then_some(legion.memory));
    // From here on the supervisor, which is not root, reports legion's state.
    announce(paths, &LegionState::new(Phase::Starting, &choice.persona))
}

fn insert(lock: &LegionLock, paths: &Paths, legion: &Legion, cartridge: &Cartridge) -> Result<()> {
    slot::insert(lock, paths, &legion.slot, cartridge)?;
    log::info!("inserted the cartridge {}", cartridge.name);
    Ok(())
}

/// Leaves the reason for `release`, which publishes it once everything is undone.
fn failed(paths: &Paths, persona: &str, error: &Error) {
    if let Err(error) = announce(paths, &LegionState::failure(Phase::Stopping, persona, error)) {
        log::error!("{error}");
    }
}
