//! `persona status`: the choice and its reason, the devices' drivers, what legion does or why it does not run.

use super::{OutputFormat, chosen_or_default, or_absent, print, print_json};
use crate::boot_log;
use crate::config::{Persona, Settings, Starts};
use crate::control::shown::in_words;
use crate::control::{self, Asked, Request};
use crate::error::{Context, Result};
use crate::legion::{Launch, Preflight};
use crate::passthrough::Refusal;
use crate::state::operation::{Operation, OperationRecord, OperationStage, uptime};
use crate::state::{BoundDevices, Choice, LegionState, MenuState, Outcome, Override, StartCount, StartCounts};
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use crate::sys::style::{Style, Tone};
use crate::sys::time;
use crate::sys::unit::Unit;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

/// How long the menu may take to report what it shows.
const MENU_TIMEOUT: Duration = Duration::from_millis(50);

/// `status --json`.
#[derive(Serialize)]
pub(super) struct Status {
    /// Why the settings cannot be used; absent if they can.
    settings_trouble: Option<String>,
    /// The choice of this boot.
    choice: Option<Choice>,
    /// The persona set for the next boot.
    next: Option<Override>,
    /// The personas with failed boots, and how many in a row.
    failed_boots: Vec<FailedBoots>,
    /// What the menu shows.
    menu: Option<MenuState>,
    /// What it shows now, if it answers: the state in the control socket's protocol.
    live: Option<Value>,
    legion: Legion,
    /// What `persona start` would start; absent while legion is on.
    start: Option<Start>,
    /// The current or interrupted `start`, `stop` or `switch` of legion.
    switch: Option<Switch>,
    /// The unit of the chosen persona, if it starts one; absent when systemd does not answer.
    unit: Option<OwnUnit>,
    devices: Vec<Device>,
}

#[derive(Serialize)]
struct FailedBoots {
    persona: String,
    boots: u32,
    /// Why it is only started by a person; absent while it is also started otherwise.
    skipped: Option<String>,
}

#[derive(Serialize)]
struct Start {
    persona: String,
    /// Why it cannot start now; empty if it can.
    refused: Vec<Refusal>,
}

#[derive(Serialize)]
struct Switch {
    #[serde(flatten)]
    doing: OperationRecord,
    /// Whether it is still running; if not, its process has ended, and the operation is not resumed.
    goes_on: bool,
    /// The time since its start, as text.
    #[serde(skip)]
    told: String,
}

#[derive(Serialize)]
struct OwnUnit {
    name: String,
    /// `active`, `reloading`, `activating`, `deactivating`, `inactive` or `failed`, as systemd reports it.
    state: String,
    /// Why it failed or cannot be started.
    why: Option<String>,
}

#[derive(Serialize)]
struct Legion {
    /// `off` (not started in this boot), `preparing`, `inserting`, `starting`, `running`, `ended` or `failed`.
    state: String,
    /// The persona it is or was.
    persona: Option<String>,
    /// Why it ended or failed, or how it is being stopped.
    why: Option<String>,
    /// Why it did not start, as a code.
    code: Option<String>,
    /// The outcome of the run, once it has ended: `guest-poweroff`, `stopped` or `failure`.
    outcome: Option<Outcome>,
    /// How long the guest ran, in seconds, once it has ended.
    ran_s: Option<u64>,
    /// Whether it runs well, or ran well, as defined by `running_well` in the settings.
    runs_well: bool,
    /// Deviations from the settings that do not keep legion off.
    notes: Vec<String>,
    /// The inserted cartridge.
    slot: Option<String>,
}

#[derive(Serialize)]
struct Device {
    address: String,
    /// `vendor:device`.
    id: Option<String>,
    label: Option<String>,
    /// Its current driver.
    driver: Option<String>,
    /// Its driver before legion; absent unless it is legion's now.
    driver_before: Option<String>,
}

/// Prints the state of this boot.
///
/// # Errors
/// When it cannot be printed; unreadable parts are reported in the state.
pub fn status(paths: &Paths, output: OutputFormat, style: Style, out: &mut dyn Write) -> Result<()> {
    let asked = Asked { request: Request::State, who: None };
    let live = control::ask(paths, &asked, MENU_TIMEOUT).unwrap_or_else(|error| {
        log::debug!("{error}");
        None
    });
    let status = Status::read(paths, live);
    match output {
        OutputFormat::Json => print_json(out, &status),
        OutputFormat::Text => print(out, &status.text(style)),
    }
}

impl Status {
    /// The complete state, with what the menu reports that it shows.
    pub(super) fn read(paths: &Paths, live: Option<Value>) -> Self {
        let (settings, trouble) = match Settings::load(paths) {
            Ok(settings) => (Some(settings), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let legion = or_absent(LegionState::read(paths));
        let slot =
            settings.as_ref().and_then(|settings| settings.personas.iter().find_map(|persona| persona.legion())).and_then(|legion| {
                let target = std::fs::read_link(paths.at(&legion.slot)).ok()?;
                Some(target.file_name()?.to_string_lossy().into_owned())
            });
        let choice = or_absent(Choice::read(paths));
        let chosen = choice.as_ref().zip(settings.as_ref()).and_then(|(choice, settings)| settings.persona(&choice.persona));
        Self {
            settings_trouble: trouble,
            start: settings
                .as_ref()
                .filter(|_| !legion.as_ref().is_some_and(LegionState::is_on))
                .map(|settings| Start::of(paths, settings)),
            unit: chosen.and_then(|persona| OwnUnit::of(paths, persona)),
            switch: Switch::read(paths),
            choice,
            next: or_absent(Override::read(paths)),
            failed_boots: failed_boots(paths),
            menu: or_absent(MenuState::read(paths)),
            live,
            legion: Legion {
                state: legion.as_ref().map_or_else(|| "off".to_owned(), |legion| legion.phase.to_string()),
                persona: legion.as_ref().map(|legion| legion.persona.clone()),
                notes: legion.as_ref().map(|legion| notes(paths, legion)).unwrap_or_default(),
                outcome: legion.as_ref().and_then(|legion| legion.outcome),
                ran_s: legion.as_ref().and_then(|legion| legion.ran_s),
                runs_well: legion.as_ref().is_some_and(|legion| legion.runs_well),
                code: legion.as_ref().and_then(|legion| legion.code.clone()),
                why: legion.and_then(|legion| legion.why),
                slot,
            },
            devices: devices(paths, settings.as_ref()),
        }
    }

    /// For programs, in one line.
    pub(super) fn line(&self) -> Result<String> {
        let mut pretty = Vec::new();
        print_json(&mut pretty, self)?;
        // Serialised to a value first: a second serialiser would make the program larger.
        let value: Value = serde_json::from_slice(&pretty).context(|| "printing".into())?;
        Ok(format!("{value}\n"))
    }

    /// As text: what runs comes first.
    pub(super) fn text(&self, style: Style) -> String {
        let mut text = String::new();
        let mut line = |what: &str, value: &str, tone: Option<Tone>| {
            let what = style.paint(Tone::Faint, &format!("{what:9}"));
            let paint = |line: &str| tone.map_or_else(|| line.to_owned(), |tone| style.paint(tone, line));
            // Reasons with a hint have several lines: they are indented below the first.
            let value: Vec<String> = value.lines().map(paint).collect();
            let _ = writeln!(text, "{what} {}", value.join("\n          "));
        };
        if let Some(trouble) = &self.settings_trouble {
            line("settings", trouble, Some(Tone::Bad));
        }
        let persona = self.legion.persona.as_deref().map(|persona| format!(": {persona}")).unwrap_or_default();
        let ran = self.legion.ran_s.map(|seconds| format!(", after {}", time::in_words(Duration::from_secs(seconds)))).unwrap_or_default();
        let tone = tone_of(&self.legion.state);
        line("legion", &format!("{}{persona}{ran}", self.legion.state), tone);
        if let Some(why) = &self.legion.why {
            line("", why, tone.filter(|tone| *tone == Tone::Bad));
        }
        if let Some(Start { persona, refused }) = &self.start
            && let Some(refusal) = refused.first()
        {
            line("", &format!("{persona} cannot start: {refusal}"), Some(Tone::Bad));
        }
        for note in &self.legion.notes {
            line("", &format!("note: {note}"), Some(Tone::Busy));
        }
        if let Some(switch) = &self.switch {
            line("switch", &switch.told, Some(if switch.goes_on { Tone::Busy } else { Tone::Bad }));
        }
        if let Some(unit) = &self.unit {
            line("unit", &format!("{}: {}", unit.name, unit.state), tone_of(&unit.state));
            if let Some(why) = &unit.why {
                line("", why, Some(Tone::Bad));
            }
        }
        match &self.choice {
            Some(choice) => line("choice", &format!("{}, {}", choice.persona, boot_log::text::why(choice.reason)), None),
            None => line("choice", "none yet", None),
        }
        if let Some(next) = &self.next {
            let by = next.by.as_deref().map(|by| format!(", set by {by}")).unwrap_or_default();
            line("next boot", &format!("{}{}{by}", next.persona, if next.until_cleared { ", until cleared" } else { ", once" }), None);
        }
        for vain in &self.failed_boots {
            let counted = || format!("{} did not run well in the last {}", vain.persona, boots(vain.boots));
            let tone = if vain.skipped.is_some() { Tone::Bad } else { Tone::Busy };
            line("failures", &vain.skipped.clone().unwrap_or_else(counted), Some(tone));
        }
        match &self.menu {
            None => line("menu", "not started", None),
            Some(MenuState { trouble: Some(trouble), .. }) => line("menu", trouble, Some(Tone::Bad)),
            Some(menu) if menu.outputs.is_empty() => line("menu", &format!("no screen, {} keyboards", menu.keyboards), None),
            Some(menu) => line("menu", &format!("on {}, {} keyboards", menu.outputs.join(", "), menu.keyboards), None),
        }
        if let Some(live) = &self.live {
            line("", &in_words(live), None);
        }
        line("slot", self.legion.slot.as_deref().unwrap_or("empty"), None);
        for (index, device) in self.devices.iter().enumerate() {
            let driver = device.driver.as_deref().unwrap_or("no driver");
            let before = device.driver_before.as_deref().filter(|before| *before != driver);
            let before = before.map(|before| format!(" (was {before})")).unwrap_or_default();
            let label = device.label.as_deref().map(|label| format!("  {label}")).unwrap_or_default();
            let what = if index == 0 { "devices" } else { "" };
            line(what, &format!("{} {}  {driver}{before}{label}", device.address, device.id.as_deref().unwrap_or("absent   ")), None);
        }
        text
    }
}

/// The error with its hint.
fn failed_boots(paths: &Paths) -> Vec<FailedBoots> {
    let starts = or_absent(StartCounts::read(paths)).unwrap_or_default();
    let skipped = |persona: &str| starts.skip_reason(persona).map(|why| format!("{why}\n{}", StartCounts::hint(persona)));
    let told = |start: &StartCount| FailedBoots { persona: start.persona.clone(), boots: start.boots, skipped: skipped(&start.persona) };
    starts.personas.iter().map(told).collect()
}

fn boots(count: u32) -> String {
    if count == 1 { "boot".to_owned() } else { format!("{count} boots") }
}

/// For legion's states and a unit's.
fn tone_of(state: &str) -> Option<Tone> {
    match state {
        "running" | "active" => Some(Tone::Good),
        "failed" => Some(Tone::Bad),
        "off" | "ended" | "inactive" => None,
        _ => Some(Tone::Busy),
    }
}

impl Start {
    fn of(paths: &Paths, settings: &Settings) -> Self {
        let persona = chosen_or_default(paths, settings);
        Self { persona: persona.name.clone(), refused: Preflight::read(paths, settings).refusals(persona) }
    }
}

impl Switch {
    /// The current operation, or an interrupted one that left legion off; a later choice supersedes it.
    fn read(paths: &Paths) -> Option<Self> {
        let doing = or_absent(OperationRecord::read(paths))?;
        let goes_on = doing.goes_on(paths);
        if goes_on {
            return Some(Self { told: doing.told(uptime()), doing, goes_on });
        }
        let written = |path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        let overtaken = written(paths.choice()).zip(written(paths.switch())).is_some_and(|(choice, record)| choice > record);
        let Operation::Switch { from, to } = &doing.what else { return None };
        if overtaken || doing.stage != OperationStage::Stopping {
            return None;
        }
        let told = format!(
            "from {from} to {to}: the command of {} was interrupted, and {to} is not started\n  hint: persona start {to}",
            doing.who
        );
        Some(Self { told, doing, goes_on })
    }
}

/// What the current launch of legion had to do without.
fn notes(paths: &Paths, legion: &LegionState) -> Vec<String> {
    let launch = or_absent(Launch::last(paths)).filter(|launch| launch.persona == legion.persona);
    launch.map(|launch| launch.notes).unwrap_or_default()
}

impl OwnUnit {
    fn of(paths: &Paths, persona: &Persona) -> Option<Self> {
        let Starts::Unit(name) = &persona.starts else { return None };
        let unit = or_absent(paths.is_live().then(|| Unit::ask(name)).transpose())?;
        Some(Self { name: name.clone(), state: unit.active, why: unit.why })
    }
}

/// The devices of the settings, and everything else that `prepare` has bound with them.
fn devices(paths: &Paths, settings: Option<&Settings>) -> Vec<Device> {
    let bound = or_absent(BoundDevices::read(paths)).unwrap_or_default().devices;
    let listed = settings.map(|settings| settings.passthrough.as_slice()).unwrap_or_default();
    let mut addresses: Vec<PciAddress> = listed.iter().map(|entry| entry.device).chain(bound.iter().map(|device| device.address)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
        .into_iter()
        .map(|address| {
            let folder = paths.pci_device(address);
            let id = |name: &str| file::read_text(folder.join(name)).ok().map(|id| id.trim().trim_start_matches("0x").to_owned());
            let before = bound.iter().find(|device| device.address == address).map(|device| match device.driver_before.as_str() {
                "" => "no driver".to_owned(),
                driver => driver.to_owned(),
            });
            Device {
                address: address.to_string(),
                id: id("vendor").zip(id("device")).map(|(vendor, device)| format!("{vendor}:{device}")),
                label: listed.iter().find(|entry| entry.device == address).and_then(|entry| entry.label.clone()),
                driver: std::fs::read_link(folder.join("driver"))
                    .ok()
                    .and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned())),
                driver_before: before,
            }
        })
        .collect()
}
