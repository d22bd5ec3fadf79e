//! `persona list`: the personas and their states.

use super::{OutputFormat, or_absent, print, print_json};
use crate::config::{Persona, Settings, Starts};
use crate::error::Result;
use crate::legion::Preflight;
use crate::legion::cartridge::{Cartridge, slot};
use crate::passthrough::Refusal;
use crate::state::{Choice, Last, LegionState, Override, Phase, StartCounts};
use crate::sys::paths::Paths;
use crate::sys::style::{Cell, Style, Tone, columns};
use crate::sys::unit::Unit;
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
    /// It starts when no choice is made.
    default: bool,
    /// It is set for the next boot.
    next: bool,
    /// It is running now.
    running: bool,
    /// The number of consecutive boots in which it was started and did not run well.
    failed_boots: u32,
    /// After this many, it is only started by a person.
    skipped: bool,
    /// Its cartridge's name, if it starts legion.
    cartridge: Option<&'a str>,
    /// Its cartridge's state as text, if nothing is wrong with it.
    #[serde(skip)]
    cartridge_state: Option<String>,
    /// Why the cartridge cannot be used; absent if it can be used.
    cartridge_trouble: Option<String>,
    /// The same as an identifier that stays when the text changes.
    cartridge_trouble_code: Option<&'static str>,
    /// Why it cannot start now; empty if it can.
    refused: Vec<Refusal>,
}

/// Prints the personas in menu order.
///
/// # Errors
/// When the settings cannot be read.
pub fn list(paths: &Paths, output: OutputFormat, style: Style, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let default = settings.default_persona(or_absent(Last::read(paths)).map(|last| last.persona).as_deref()).name.clone();
    let next = or_absent(Override::read(paths)).map(|next| next.persona);
    let running = running(paths, &settings);
    let starts = or_absent(StartCounts::read(paths)).unwrap_or_default();
    let preflight = Preflight::read(paths, &settings);
    let rows: Vec<Row<'_>> = settings
        .personas
        .iter()
        .map(|persona| {
            let is = |name: &Option<String>| name.as_deref() == Some(persona.name.as_str());
            let (failed_boots, skipped) = (starts.of(&persona.name), starts.is_skipped(&persona.name));
            let (default, refused) = (persona.name == default, preflight.refusals(persona));
            Row { default, refused, next: is(&next), running: is(&running), failed_boots, skipped, ..row(paths, persona) }
        })
        .collect();
    match output {
        OutputFormat::Json => print_json(out, &rows),
        OutputFormat::Text => print(out, &table(&rows, style)),
    }
}

fn row<'a>(paths: &Paths, persona: &'a Persona) -> Row<'a> {
    let starts = match &persona.starts {
        Starts::Legion(_) => "legion",
        Starts::Host => "host",
        Starts::Unit(unit) => unit,
    };
    let legion = persona.legion();
    let trouble = legion.and_then(|legion| Cartridge::examine(paths, legion).err());
    // Only root may read cartridges: another user's lack of access is not a fault.
    let denied = trouble.as_ref().is_some_and(|error| error.errno() == Some(nix::libc::EACCES));
    let trouble = trouble.filter(|_| !denied);
    let state = legion.map(|legion| match slot::inserted(paths, &legion.slot).ok().flatten() {
        Some(name) if name == legion.cartridge => "its cartridge is inserted",
        _ if denied => "its cartridge is readable by root only",
        _ => "its cartridge is ready",
    });
    Row {
        name: &persona.name,
        title: &persona.title,
        tagline: &persona.tagline,
        starts,
        default: false,
        next: false,
        running: false,
        failed_boots: 0,
        skipped: false,
        cartridge: legion.map(|legion| legion.cartridge.as_str()),
        cartridge_state: state.map(str::to_owned),
        cartridge_trouble_code: trouble.as_ref().map(|error| error.code().unwrap_or("cartridge-unusable")),
        cartridge_trouble: trouble.map(|error| error.to_string()),
        refused: Vec::new(),
    }
}

/// The running persona: legion's, or the chosen one if it does not start legion.
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

fn table(rows: &[Row<'_>], style: Style) -> String {
    let cells = |row: &Row<'_>| -> Vec<Cell> {
        let marks: Vec<&str> = [(row.default, "default"), (row.next, "next boot"), (row.running, "running"), (row.skipped, "skipped")]
            .into_iter()
            .filter_map(|(is, mark)| is.then_some(mark))
            .collect();
        let refusal = row.refused.first().map(|refusal| refusal.reason.as_str()).filter(|_| !row.running);
        // The reason; `persona plan` says how to fix it.
        let cartridge = match row.cartridge_trouble.as_deref().or(refusal) {
            Some(trouble) => (trouble.lines().next().unwrap_or_default().to_owned(), Some(Tone::Bad)),
            None => (row.cartridge_state.clone().unwrap_or_default(), None),
        };
        let name = (row.name.to_owned(), row.running.then_some(Tone::Good).or(row.default.then_some(Tone::Strong)));
        vec![name, (row.starts.to_owned(), Some(Tone::Faint)), (marks.join(", "), row.running.then_some(Tone::Good)), cartridge]
    };
    columns(&rows.iter().map(cells).collect::<Vec<_>>(), style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn row(name: &'static str) -> Row<'static> {
        Row {
            name,
            title: name,
            tagline: "",
            starts: "legion",
            default: false,
            next: false,
            running: false,
            failed_boots: 0,
            skipped: false,
            cartridge: Some(name),
            cartridge_state: Some("its cartridge is ready".to_owned()),
            cartridge_trouble: None,
            cartridge_trouble_code: None,
            refused: Vec::new(),
        }
    }

    #[test]
    fn what_is_which_stands_in_columns() {
        let rows = [
            Row { default: true, running: true, cartridge_state: Some("its cartridge is in".to_owned()), ..row("gondor") },
            Row { next: true, ..row("rivendale") },
            Row { starts: "lab.service", cartridge: None, cartridge_state: None, ..row("lab") },
            Row { cartridge_trouble: Some("there is no disk\n  hint: make one".to_owned()), ..row("mordor") },
            Row { refused: vec![Refusal::of_error(&Error::new("no IOMMU").with_hint("turn it on"), "iommu-missing")], ..row("moria") },
        ];
        assert_eq!(
            table(&rows, Style::PLAIN),
            "gondor     legion       default, running  its cartridge is in\n\
             rivendale  legion       next boot         its cartridge is ready\n\
             lab        lab.service\n\
             mordor     legion                         there is no disk\n\
             moria      legion                         no IOMMU\n"
        );
    }
}
