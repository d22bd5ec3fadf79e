//! Checks the machine against the settings: the findings of `persona doctor`, each fault with its hint.
//!
//! Each area's `check` reads what it needs below the root, changes nothing, and decides in pure functions. Unknown facts are never guessed:
//! they are warnings that say how to check them. A fault is [`Level::Broken`] if the default persona, or legion as a whole, cannot start
//! with it, and a [`Level::Warning`] if the default persona still can.

mod cartridges;
mod devices;
mod health;
mod host;
pub mod initramfs;
mod iommu;
mod kernel_options;
mod legion;
mod memory;
mod menu;
mod other_tools;
mod personas;
mod reserved;
mod settings;
mod shell;
mod unit_file;
mod units;

use crate::config::{Persona, Settings};
use crate::error::Error;
use crate::passthrough::{Machine, Plan, PlanStage};
use crate::state::Last;
use crate::sys::paths::Paths;
use host::Host;
use serde::Serialize;

/// The result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good.
    Good,
    /// Something will, or may, not work as the owner configured it.
    Warning,
    /// The default persona, or legion as a whole, cannot start.
    Broken,
}

impl Level {
    /// Its word, which JSON uses too.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its level.
    pub level: Level,
    /// The part of the machine: `settings`, `iommu`, `devices`, `vfio`, `initramfs`, `menu`, `legion`, `cartridges`, `units`, `personas`.
    pub area: &'static str,
    /// The result, as an identifier that stays when the text changes: `kvm-missing`.
    pub code: &'static str,
    /// What it is about, the same in every run: a PCI address, a file, a persona, a unit, a setting.
    pub subject: String,
    /// The result, a sentence without a full stop.
    pub what: String,
    /// What the owner can do about it.
    pub hint: Option<String>,
}

/// The findings of one area.
struct Area {
    name: &'static str,
    findings: Vec<Finding>,
}

impl Area {
    fn new(name: &'static str) -> Self {
        Self { name, findings: Vec::new() }
    }

    fn add(&mut self, level: Level, code: &'static str, subject: &str, what: impl Into<String>, hint: Option<String>) {
        self.findings.push(Finding { level, area: self.name, code, subject: subject.to_owned(), what: what.into(), hint });
    }

    fn good(&mut self, code: &'static str, subject: &str, what: impl Into<String>) {
        self.add(Level::Good, code, subject, what, None);
    }

    fn warning(&mut self, code: &'static str, subject: &str, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Level::Warning, code, subject, what, Some(hint.into()));
    }

    fn broken(&mut self, code: &'static str, subject: &str, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Level::Broken, code, subject, what, Some(hint.into()));
    }

    fn error(&mut self, level: Level, code: &'static str, subject: &str, error: &Error) {
        self.add(level, code, subject, error.reason(), error.hint().map(str::to_owned));
    }
}

/// The input of all areas.
struct Case<'a> {
    paths: &'a Paths,
    host: Host,
    /// None if they cannot be used.
    settings: Option<Settings>,
    /// None if there is no PCI bus in sysfs.
    machine: Option<Machine>,
    /// The plan for launching now; none without settings and machine.
    plan: Option<Plan>,
    /// The name of the persona that last ran.
    last: Option<String>,
}

impl Case<'_> {
    /// The level if this persona cannot start.
    fn without(&self, persona: &Persona) -> Level {
        let is_default = self.settings.as_ref().is_some_and(|settings| settings.default_persona(self.last.as_deref()).name == persona.name);
        if is_default { Level::Broken } else { Level::Warning }
    }

    /// The personas that start legion.
    fn legions(&self) -> impl Iterator<Item = (&Persona, &crate::config::Legion)> {
        let personas = self.settings.iter().flat_map(|settings| &settings.personas);
        personas.filter_map(|persona| Some((persona, persona.legion()?)))
    }

    /// Whether the settings give any device to legion.
    fn passes_devices(&self) -> bool {
        self.settings.as_ref().is_some_and(|settings| !settings.passthrough.is_empty())
    }
}

/// Runs all checks. Changes nothing.
pub fn examine(paths: &Paths) -> Vec<Finding> {
    let (settings, trouble) = match Settings::load(paths) {
        Ok(settings) => (Some(settings), None),
        Err(error) => (None, Some(error)),
    };
    let (mut machine, no_machine) = match Machine::read_with(paths, settings.as_ref()) {
        Ok(machine) => (Some(machine), None),
        Err(error) => (None, Some(error)),
    };
    if let Some(machine) = &mut machine {
        machine.name_functions(paths);
    }
    let plan = settings.as_ref().zip(machine.as_ref()).map(|(settings, machine)| Plan::new(settings, machine, PlanStage::Launch));
    let last = Last::read(paths).ok().flatten().map(|last| last.persona);
    let case = Case { paths, host: Host::read(paths), settings, machine, plan, last };
    let images = initramfs::Initramfs::read(paths);
    let areas = [
        settings::check(&case, trouble.as_ref()),
        iommu::check(&case, no_machine.as_ref()),
        devices::check(&case, &images),
        kernel_options::check(&case),
        initramfs::check(&case, &images),
        menu::check(&case),
        legion::check(&case),
        cartridges::check(&case),
        units::check(&case),
    ];
    let mut findings: Vec<Finding> = areas.into_iter().flat_map(|area| area.findings).collect();
    let verdicts = personas::check(&case, &findings);
    findings.extend(verdicts.findings);
    findings
}
