//! Performing a plan: reserving and binding.

use super::VFIO_PCI;
use super::device::{Device, Kernel, verify_group};
use super::plan::Plan;
use super::read::link_name;
use super::step::Step;
use super::undo::Undo;
use crate::error::{Context, Error, Result};
use crate::state::BoundDevices;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use crate::sys::tree;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::process::Command;

/// Sets the override of every device in [`Plan::reserve`], all or none, and returns them. Nothing is unbound: a device that already has a
/// host driver keeps it.
///
/// # Errors
/// When an override cannot be set; those set before are cleared again.
pub fn reserve(paths: &Paths, plan: &Plan) -> Result<Vec<PciAddress>> {
    for refusal in &plan.refused {
        log::warn!("nothing is reserved: {refusal}");
    }
    for note in &plan.notes {
        log::warn!("{note}");
    }
    let mut done: Vec<(Device, String)> = Vec::new();
    for address in plan.reserve.iter().copied() {
        let device = Device { paths, address };
        let before = device.idle_override();
        // Recorded first: a write may take effect and still read back wrong.
        done.push((device, before));
        if let Err(error) = device.set_override_now(VFIO_PCI) {
            for (device, before) in done.iter().rev() {
                if let Err(error) = device.set_override_now(before) {
                    log::error!("not undone: {error}");
                }
            }
            return Err(Error::caused_by(format!("reserving {address} for legion"), error));
        }
        log::info!("reserved {address}");
    }
    Ok(plan.reserve.clone())
}

/// Performs the steps of a [`super::PlanStage::Launch`] plan, and returns what was bound, for [`super::release`].
///
/// # Errors
/// When the plan is refused, or a step fails; the steps before it are undone then. "reboot required" in the message means
/// that a driver hangs, or would.
pub fn bind(paths: &Paths, plan: &Plan, kernel: &Kernel) -> Result<BoundDevices> {
    if let Some(text) = plan.refusal_text() {
        let error = Error::new(format!("legion stays off: {text}"));
        return Err(match plan.refused.first() {
            Some(refusal) => error.with_code(refusal.code),
            None => error,
        });
    }
    let mut undo = Undo::default();
    for step in &plan.steps {
        log::info!("{step}");
        if let Err(error) = perform(step, paths, kernel, &mut undo) {
            log::error!("{error}");
            undo.run(paths, &kernel.writer);
            return Err(error);
        }
    }
    Ok(plan.bound_devices())
}

/// What has a disk or one of its partitions open exclusively: a mounted file system, a running array, pool or mapping, swap (`open(2)`,
/// `O_EXCL`). A disk without a node cannot be in use.
fn check_disk(paths: &Paths, address: PciAddress, disk: &str) -> Result<()> {
    let node = paths.at("/dev").join(disk);
    let flags = OFlag::O_EXCL.bits() | OFlag::O_NONBLOCK.bits();
    match OpenOptions::new().read(true).custom_flags(flags).open(&node) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound) && error.raw_os_error() != Some(Errno::ENOMEDIUM as i32) => {
            let doing = format!("taking {address}: opening its disk {} exclusively", node.display());
            let hint = format!("unmount it, or end what uses it (`lsblk {}`); or leave {address} to the host", node.display());
            Err(Error::caused_by(doing, error).with_code("disk-used-by-host").with_hint(hint))
        }
        _ => Ok(()),
    }
}

fn perform(step: &Step, paths: &Paths, kernel: &Kernel, undo: &mut Undo) -> Result<()> {
    let device = |address: &PciAddress| Device { paths, address: *address };
    // Each step is recorded before it is tried: a half-done step must be undone too.
    match step {
        Step::CheckDisk(address, disk) => check_disk(paths, *address, disk),
        Step::Override(address) => {
            undo.overridden(*address, device(address).idle_override());
            device(address).set_override(VFIO_PCI, &kernel.writer)
        }
        Step::LoadVfio => load_vfio(paths, kernel),
        Step::Unbind(address, _) => {
            undo.unbound(*address);
            device(address).leave_host(&kernel.writer)
        }
        Step::Probe(address) => {
            undo.bound(*address);
            device(address).bind_to_vfio(&kernel.writer)
        }
        Step::Verify(address) => {
            // Another process may have just bound a device that has vfio-pci already.
            if !undo.is_bound(*address) {
                device(address).finish_binding(&kernel.writer)?;
            }
            device(address).verify()
        }
        Step::VerifyGroup(group) => verify_group(paths, *group, kernel),
    }
}

/// A recorded machine has no modules to load.
fn load_vfio(paths: &Paths, kernel: &Kernel) -> Result<()> {
    if !paths.is_live() {
        return Ok(());
    }
    // modprobe succeeds for built-in names, and loads the module's dependencies.
    let doing = || format!("loading {VFIO_PCI} with {}", kernel.modprobe.display());
    let status = Command::new(&kernel.modprobe).args(["-a", "vfio_iommu_type1", VFIO_PCI]).status().context(doing)?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::new(format!("{}: {status}", doing())).with_hint("is the module there for this kernel? (`modinfo vfio-pci`)")),
    }
}

/// Lets a user open the groups' nodes: QEMU does not run as root.
///
/// # Errors
/// When a node is missing or its owner cannot be changed.
pub fn give_groups_to(paths: &Paths, groups: &BTreeSet<u32>, uid: u32, gid: u32) -> Result<()> {
    groups.iter().try_for_each(|group| {
        let node = paths.vfio_group(*group);
        chown(tree::followed(&node), Some(uid), Some(gid)).context(|| format!("giving {} to user {uid}", node.display()))
    })
}

/// Makes root the owner again of the nodes that stay because of reserved devices: without a running legion nothing else needs them.
///
/// # Errors
/// When the owner of a node cannot be changed back.
pub fn take_groups_back(paths: &Paths, bound: &BoundDevices) -> Result<()> {
    let group = |address| link_name(&paths.pci_device(address).join("iommu_group"))?.parse().ok();
    let groups = bound.devices.iter().filter_map(|device| group(device.address));
    give_groups_to(paths, &groups.filter(|group| paths.vfio_group(*group).exists()).collect(), 0, 0)
}
