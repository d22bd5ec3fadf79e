//! Whether the boot-time devices were reserved before a host driver could bind to them; if not, why.

use super::Case;
use super::initramfs::{Initramfs, NextBoot};
use crate::config::BindTime;
use crate::config::kernel_command_line::KernelCommandLine;
use crate::passthrough::{Closure, Function, VFIO_PCI};
use crate::sys::pci::PciAddress;

/// The state of devices that go to legion together.
pub(super) enum Standing {
    /// As planned, with the details.
    Well(String),
    /// A function was not reserved.
    Fault { function: PciAddress, code: &'static str, what: String, hint: String },
    /// Nothing is reserved because something is refused, which is reported elsewhere.
    Unasked,
}

pub(super) fn standing(case: &Case<'_>, closure: &Closure, images: &Initramfs) -> Standing {
    let (Some(machine), Some(plan)) = (&case.machine, &case.plan) else { return Standing::Unasked };
    let functions = closure.members.iter().filter_map(|member| Some((member.at, machine.function(member.address)?)));
    let states: Vec<(BindTime, &Function, State)> =
        functions.map(|(at, function)| (at, function, State::of(function, is_built_in(case, function)))).collect();
    if states.iter().all(|(_, _, state)| *state == State::Bound) {
        return Standing::Well("on vfio-pci".into());
    }
    let early = || states.iter().filter(|(at, _, _)| *at == BindTime::Boot);
    if early().next().is_none() {
        return Standing::Well("used by the host until the choice".into());
    }
    let mut late = early().filter_map(|(_, function, state)| Some((function, state.fault()?)));
    if let Some((function, fault)) = late.next() {
        if plan.refused.iter().any(|refusal| !refusal.reboot_helps) {
            return Standing::Unasked;
        }
        let more = match late.count() {
            0 => String::new(),
            count => format!(" (and {count} more of its functions)"),
        };
        let (code, why, hint) = why_not(case, images);
        return Standing::Fault { function: function.address, code, what: format!("{function} {fault}{more}: {why}"), hint };
    }
    let built_in: Vec<String> = early()
        .filter_map(|(_, function, state)| match state {
            State::BuiltIn(driver) => Some(format!(".{:x} with the driver {driver}", function.address.function)),
            _ => None,
        })
        .collect();
    Standing::Well(match built_in.as_slice() {
        [] => "reserved in this boot".into(),
        _ => {
            format!("reserved in this boot, except {}, which is bound at launch: its driver is built into the kernel", built_in.join(", "))
        }
    })
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// On vfio-pci.
    Bound,
    /// Without a driver, and only vfio-pci may bind to it.
    Reserved,
    /// Without a driver, and any may bind to it.
    Open,
    /// A host driver has it.
    Taken(String),
    /// A host driver has it that was loaded before any initramfs.
    BuiltIn(String),
}

impl State {
    fn of(function: &Function, is_built_in: bool) -> Self {
        match function.driver.as_deref() {
            Some(VFIO_PCI) => Self::Bound,
            Some(driver) if is_built_in => Self::BuiltIn(driver.to_owned()),
            Some(driver) => Self::Taken(driver.to_owned()),
            None if function.driver_override.as_deref() == Some(VFIO_PCI) => Self::Reserved,
            None => Self::Open,
        }
    }

    fn fault(&self) -> Option<String> {
        match self {
            Self::Bound | Self::Reserved | Self::BuiltIn(_) => None,
            Self::Open => Some("was not reserved in this boot".to_owned()),
            Self::Taken(driver) => Some(format!("was not reserved before the driver {driver} bound it")),
        }
    }
}

/// Only loaded modules have an initialisation state (Documentation/ABI/stable/sysfs-module); a driver without a link to its module is not
/// assumed to be built in.
fn is_built_in(case: &Case<'_>, function: &Function) -> bool {
    let Some(driver) = &function.driver else { return false };
    let module = case.paths.pci_driver(driver).join("module");
    module.exists() && !module.join("initstate").exists()
}

fn why_not(case: &Case<'_>, images: &Initramfs) -> (&'static str, String, String) {
    let reboot = |hint: &str| format!("{hint}, and reboot");
    if let Some(why) = KernelCommandLine::of(&case.host.parameters).off {
        return ("not-reserved-persona-off", why.to_string(), "boot without that word".into());
    }
    match images.next_boot(case.settings.as_ref()) {
        NextBoot::NotThere => ("not-reserved-initramfs-missing", "no initramfs image contains Persona".into(), reboot(images.how_to_add())),
        NextBoot::Stale => ("not-reserved-initramfs-stale", "the initramfs has older settings".into(), reboot(images.how_to_rebuild())),
        NextBoot::Reserves => (
            "not-reserved-until-reboot",
            "the current initramfs would reserve it".into(),
            "reboot; if it happens again, the kernel log says why: `dmesg | grep persona`".into(),
        ),
        NextBoot::Unknown => (
            "not-reserved-cause-unknown",
            "no initramfs image could be read to find out why".into(),
            "fix what the area initramfs reports; the kernel log may say why too: `dmesg | grep persona`".into(),
        ),
    }
}
