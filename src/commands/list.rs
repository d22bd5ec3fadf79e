//! `persona list`: the personas, and which of them is what.

use super::{Output, or_absent, print, print_json};
use crate::error::Result;
use crate::legion::cartridge::Cartridge;
use crate::paths::Paths;
use crate::settings::{Persona, Settings, Starts};
use crate::state::{Choice, Last, LegionState, Override, Phase, StartCounts};
use crate::unit::Unit;
use serde::Serialize;
use std::io::Write;

/// A persona in `list --json`.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    title: &'a str,
    tagline: &'a str,
    /// `legion`, `host` or a unit's name.
    starts: &'a str,
    /// It starts when nobody picks.
    default: bool,
    /// It is set for the next boot.
    next: bool,
    /// It is running now.
    running: bool,
    /// In how many boots in a row it was started and did not run well.
    boots_in_vain: u32,
    /// These are so many that only a person starts it.
    passed_over: bool,
    /// Its cartridge's name, if it starts legion.
    cartridge: Option<&'a str>,
    /// Why the cartridge cannot be used; absent if it can.
    cartridge_trouble: Option<String>,
}

/// Prints the personas in menu order.
///
/// # Errors
/// When the settings cannot be read.
pub fn list(paths: &Paths, output: Output, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let default = settings.default_persona(or_absent(Last::read(paths)).map(|last| last.persona).as_deref()).name.clone();
    let next = or_absent(Override::read(paths)).map(|next| next.persona);
    let running = running(paths, &settings);
    let starts = or_absent(StartCounts::read(paths)).unwrap_or_default();
    let rows: Vec<Row<'_>> = settings
        .personas
        .iter()
        .map(|persona| {
            let is = |name: &Option<String>| name.as_deref() == Some(persona.name.as_str());
            let (boots_in_vain, passed_over) = (starts.of(&persona.name), starts.passes_over(&persona.name));
            let default = persona.name == default;
            Row { default, next: is(&next), running: is(&running), boots_in_vain, passed_over, ..row(paths, persona) }
        })
        .collect();
    match output {
        Output::Json => print_json(out, &rows),
        Output::Text => print(out, &table(&rows)),
    }
}

fn row<'a>(paths: &Paths, persona: &'a Persona) -> Row<'a> {
    let starts = match &persona.starts {
        Starts::Legion(_) => "legion",
        Starts::Host => "host",
        Starts::Unit(unit) => unit,
    };
    let legion = persona.legion();
    let trouble = legion.and_then(|legion| Cartridge::inspect(paths, &legion.cartridges, &legion.cartridge).err());
    // Cartridges are root's to look into: that somebody else may not is nothing that is wrong with them.
    let trouble = trouble.filter(|error| error.errno() != Some(nix::libc::EACCES));
    Row {
        name: &persona.name,
        title: &persona.title,
        tagline: &persona.tagline,
        starts,
        default: false,
        next: false,
        running: false,
        boots_in_vain: 0,
        passed_over: false,
        cartridge: legion.map(|legion| legion.cartridge.as_str()),
        cartridge_trouble: trouble.map(|error| error.to_string()),
    }
}

/// The persona that runs: legion's, or the chosen one that is none of legion's business.
fn running(paths: &Paths, settings: &Settings) -> Option<String> {
    let legion = or_absent(LegionState::read(paths)).filter(|state| state.phase == Phase::Running).map(|state| state.persona);
    let runs = |persona: &&Persona| match &persona.starts {
        Starts::Legion(_) => false,
        Starts::Host => true,
        Starts::Unit(name) => paths.is_live() && or_absent(Unit::ask(name).map(Some)).is_some_and(|unit| unit.is_up()),
    };
    let other = || settings.persona(&or_absent(Choice::read(paths))?.persona).filter(runs).map(|persona| persona.name.clone());
    legion.or_else(other)
}

fn table(rows: &[Row<'_>]) -> String {
    let width = |text: for<'r> fn(&'r Row<'_>) -> &'r str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
    let (name, starts) = (width(|row| row.name), width(|row| row.starts));
    rows.iter()
        .map(|row| {
            let mut marks: Vec<String> =
                [(row.default, "default"), (row.next, "next boot"), (row.running, "running"), (row.passed_over, "passed over")]
                    .into_iter()
                    .filter(|(is, _)| *is)
                    .map(|(_, mark)| mark.to_owned())
                    .collect();
            // What is wrong; `persona plan` says how to mend it.
            marks.extend(row.cartridge_trouble.as_deref().and_then(|trouble| trouble.lines().next()).map(str::to_owned));
            format!("{:name$}  {:starts$}  {}\n", row.name, row.starts, marks.join(", ")).trim_end().to_owned() + "\n"
        })
        .collect()
}
