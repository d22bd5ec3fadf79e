//! Whether a persona can start now: one answer for the menu, `list`, `status`, `plan`, `start`, `switch` and `doctor`. Changes nothing.
//!
//! The launch checks all of it again, and also what only a launch can find out: whether another program has the disk open, whether the
//! module of KVM loads, and whether libvirt's domain takes legion's devices only.

use super::kvm;
use super::{Cartridge, VirtualMachine};
use crate::config::{Backend, Legion, Persona, Settings};
use crate::error::{Error, Result};
use crate::passthrough::{self, Plan, PlanStage, Refusal};
use crate::sys::account::Account;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use nix::libc::EACCES;

/// The plan for launching now. The functions get names only if there is something to report about them: `pci.ids` is long.
///
/// # Errors
/// When the PCI devices cannot be read.
pub fn launch_plan(paths: &Paths, settings: &Settings) -> Result<Plan> {
    let mut machine = passthrough::Machine::read_with(paths, Some(settings))?;
    let plan = Plan::new(settings, &machine, PlanStage::Launch);
    if plan.refused.is_empty() && plan.notes.is_empty() {
        return Ok(plan);
    }
    machine.name_functions(paths);
    Ok(Plan::new(settings, &machine, PlanStage::Launch))
}

/// The machine and the settings at one moment.
#[derive(Debug)]
pub struct Preflight<'a> {
    paths: &'a Paths,
    settings: &'a Settings,
    /// The plan, which is the same for every persona; or why there is none.
    plan: std::result::Result<Plan, Refusal>,
}

impl<'a> Preflight<'a> {
    /// Reads the machine.
    pub fn read(paths: &'a Paths, settings: &'a Settings) -> Self {
        Self::of(paths, settings, launch_plan(paths, settings))
    }

    /// The same with a plan for launching that was made before.
    pub fn of(paths: &'a Paths, settings: &'a Settings, plan: Result<Plan>) -> Self {
        Self { paths, settings, plan: plan.map_err(|error| Refusal::of_error(&error, "machine-unreadable")) }
    }

    /// Why the persona cannot start now, in the order a person should fix it; empty if it can. What this user may not read is no reason.
    pub fn refusals(&self, persona: &Persona) -> Vec<Refusal> {
        let Some(legion) = persona.legion() else { return Vec::new() };
        let mut refusals = match &self.plan {
            Ok(plan) => plan.refused.clone(),
            Err(refusal) => vec![refusal.clone()],
        };
        let checks = [(self.host(), "host-not-ready"), (self.machine(legion), "cartridge-unusable")];
        let failed = checks.into_iter().filter_map(|(check, code)| Some((check.err()?, code)));
        refusals.extend(failed.filter(|(error, _)| error.errno() != Some(EACCES)).map(|(error, code)| Refusal::of_error(&error, code)));
        refusals
    }

    /// Whether the persona can start now.
    ///
    /// # Errors
    /// When it cannot; with the first reason.
    pub fn ensure(&self, persona: &Persona) -> Result<()> {
        let Some(first) = self.refusals(persona).into_iter().next() else { return Ok(()) };
        let error = Error::caused_by(format!("{} cannot start", persona.name), first.reason).with_code(first.code);
        Err(error.with_hint(first.hint.unwrap_or_else(|| format!("`persona plan {}` tells more", persona.name))))
    }

    /// What every launch needs of the host.
    fn host(&self) -> Result<()> {
        // On another machine's tree accounts are those of this one.
        if self.paths.is_live() {
            Account::of_legion(self.paths)?;
        }
        kvm::ensure_supported(self.paths)
    }

    /// The cartridge, and what QEMU's command line needs.
    fn machine(&self, legion: &Legion) -> Result<()> {
        let cartridge = Cartridge::inspect(self.paths, &legion.cartridges, &legion.cartridge)?;
        // libvirt's domain has its own firmware and processors.
        if legion.backend == Backend::Qemu {
            let bind = self.plan.iter().flat_map(|plan| &plan.bind);
            let devices: Vec<PciAddress> = bind.map(|(address, _)| *address).collect();
            VirtualMachine::find(self.paths, legion, &cartridge, &devices, &self.settings.passthrough)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    /// A tree without PCI devices and cartridges, whose processor has these flags.
    fn preflight(flags: &str, check: impl Fn(&Preflight<'_>, &Persona)) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("sys/bus/pci/devices")).unwrap();
        fs::create_dir_all(root.path().join("proc")).unwrap();
        fs::write(root.path().join("proc/cpuinfo"), format!("processor\t: 0\nflags\t\t: {flags}\n")).unwrap();
        let settings = include_str!("../../config/persona.toml");
        let settings = Settings::parse(settings, "persona.toml").unwrap();
        let settings = Settings { passthrough: Vec::new(), ..settings };
        let paths = Paths::new(root.path(), None);
        check(&Preflight::read(&paths, &settings), settings.persona("gondor").unwrap());
    }

    fn codes(preflight: &Preflight<'_>, persona: &Persona) -> Vec<&'static str> {
        preflight.refusals(persona).iter().map(|refusal| refusal.code).collect()
    }

    #[test]
    fn missing_cartridge_is_a_refusal_with_its_code_and_hint() {
        preflight("fpu svm", |preflight, gondor| {
            assert_eq!(codes(preflight, gondor), ["cartridge-missing"]);
            let error = preflight.ensure(gondor).unwrap_err();
            assert_eq!(error.code(), Some("cartridge-missing"));
            assert!(error.reason().starts_with("gondor cannot start: ") && error.hint().is_some(), "{error}");
        });
    }

    #[test]
    fn processor_without_virtualization_is_a_refusal() {
        preflight("fpu", |preflight, gondor| assert_eq!(codes(preflight, gondor), ["kvm-missing", "cartridge-missing"]));
    }

    #[test]
    fn persona_that_starts_no_legion_is_never_refused() {
        preflight("fpu", |preflight, _| {
            let host = preflight.settings.persona("host").unwrap();
            assert!(host.legion().is_none() && preflight.ensure(host).is_ok());
        });
    }

    #[test]
    fn machine_that_cannot_be_read_is_a_refusal() {
        let settings = Settings::parse(include_str!("../../config/persona.toml"), "persona.toml").unwrap();
        let preflight = Preflight::of(&Paths::new("/nonexistent", None), &settings, Err(Error::new("no PCI bus")))
            .refusals(settings.persona("gondor").unwrap());
        assert_eq!(preflight[0].code, "machine-unreadable");
    }
}
