//! `make demo`: power on, menu, a pick, legion on its own card, and back; with pictures and a report.

use crate::artifacts::Artifacts;
use crate::folders;
use crate::hardware::{Hardware, Head, Keyboard};
use crate::journey::{LEGIONS, STEP};
use crate::log::Log;
use crate::machine::Machine;
use crate::picture::Picture;
use crate::scenario::Scenario;
use crate::wire::Report as GuestReport;
use persona::error::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `target/demo/report.json`.
#[derive(Debug, Serialize)]
struct Report {
    choice: Value,
    /// The cartridge that is in.
    slot: Value,
    devices: Vec<Device>,
    legion: Legion,
    host: Host,
    menu: Menu,
    pictures: Pictures,
}

#[derive(Debug, Serialize)]
struct Device {
    address: String,
    id: String,
    driver_before: Option<String>,
    driver_after: Option<String>,
    /// After the guest's end.
    driver_released: Option<String>,
}

#[derive(Debug, Serialize)]
struct Legion {
    /// While it ran.
    state: Value,
    /// PCI functions that the guest saw, as it reported them.
    devices: Vec<GuestReport>,
    /// Keyboards that the guest saw.
    keyboards: Vec<GuestReport>,
    /// After the guest had powered itself off.
    state_after: Value,
    why: Value,
}

#[derive(Debug, Serialize)]
struct Host {
    /// sshd answered.
    ssh: bool,
    seconds_to_ssh: f64,
}

#[derive(Debug, Serialize)]
struct Menu {
    first_frame_ms: Value,
    outputs: Value,
}

#[derive(Debug, Serialize)]
struct Pictures {
    menu: PathBuf,
    monitor1: PathBuf,
    monitor2: PathBuf,
    /// The menu, back after the guest's end.
    back: PathBuf,
}

/// Runs the demonstration. `out` gets the summary.
///
/// # Errors
/// When a step of the way does not happen.
pub fn demo(out: &mut dyn Write) -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let folder = folders::repository().join("target/demo");
    fs::create_dir_all(&folder).doing(|| format!("making {}", folder.display()))?;
    let windows = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| std::env::var_os(name).is_some());
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &Scenario::new("demo").windows(windows))?;
    let report = walk(&mut machine, &folder)?;
    let file = folder.join("report.json");
    let text = serde_json::to_string_pretty(&report).doing(|| "writing the report".into())?;
    fs::write(&file, text + "\n").doing(|| format!("writing {}", file.display()))?;
    summarise(&report, &file, out).doing(|| "printing the summary".into())
}

fn walk(machine: &mut Machine, folder: &Path) -> Result<Report> {
    let picture = |name: &str| folder.join(name);
    let pictures = Pictures {
        menu: picture("menu.png"),
        monitor1: picture("monitor1.png"),
        monitor2: picture("monitor2.png"),
        back: picture("back.png"),
    };
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    // On the keyboard that hangs on legion's own controller: the menu has it until the choice.
    machine.screendump(Head::Display, &pictures.menu)?;
    machine.press(Keyboard::Legion, "right")?;
    machine.wait_for_change(Head::Display, &pictures.menu)?;
    let before = drivers(machine)?;
    machine.log().step("picking Gondor with Enter");
    machine.press(Keyboard::Legion, "ret")?;
    machine.wait_for_choice()?;
    let seconds_to_ssh = machine.wait_for_ssh()?.as_secs_f64();
    machine.wait_for_legion("running")?;
    machine.wait_for_picture()?;
    let after = drivers(machine)?;
    // It says where to look, and goes dark when it has been read: a key brings it back.
    machine.press(Keyboard::Host, "f2")?;
    machine.wait_for_screen(Head::Display, "monitor 1 says what runs", Picture::is_painted)?;
    machine.screendump(Head::Display, &pictures.monitor1)?;
    machine.screendump(Head::Card, &pictures.monitor2)?;
    machine.screendump(Head::Display, &pictures.back)?;
    let status = machine.status()?;

    machine.log().step("asking the guest to power off, on its own keyboard");
    machine.press(Keyboard::Legion, "p")?;
    machine.wait_for_legion("ended")?;
    machine.wait_until("legion.service is over", "! systemctl is-active -q legion.service", STEP)?;
    machine.wait_for_change(Head::Display, &pictures.back)?;
    let released = drivers(machine)?;
    let over = machine.status()?;

    let mut devices = Vec::new();
    for (index, address) in LEGIONS.into_iter().enumerate() {
        devices.push(Device {
            address: address.to_owned(),
            id: machine.id(address)?,
            driver_before: before[index].clone(),
            driver_after: after[index].clone(),
            driver_released: released[index].clone(),
        });
    }
    let reports = machine.reports()?;
    let saw = |wanted: fn(&GuestReport) -> bool| reports.iter().filter(|report| wanted(report)).cloned().collect();
    Ok(Report {
        choice: status["choice"].clone(),
        slot: status["legion"]["slot"].clone(),
        devices,
        legion: Legion {
            state: status["legion"]["state"].clone(),
            devices: saw(|report| matches!(report, GuestReport::Pci { .. })),
            keyboards: saw(|report| matches!(report, GuestReport::Keyboard { .. })),
            state_after: over["legion"]["state"].clone(),
            why: over["legion"]["why"].clone(),
        },
        host: Host { ssh: machine.ssh("hostname").is_ok_and(|name| name.trim() == "hypervisor"), seconds_to_ssh },
        menu: Menu { first_frame_ms: status["menu"]["first_frame_ms"].clone(), outputs: status["menu"]["outputs"].clone() },
        pictures,
    })
}

fn drivers(machine: &mut Machine) -> Result<Vec<Option<String>>> {
    LEGIONS.into_iter().map(|address| machine.driver(address)).collect()
}

fn summarise(report: &Report, file: &Path, out: &mut dyn Write) -> std::io::Result<()> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let driver = |driver: &Option<String>| driver.clone().unwrap_or_else(|| "no driver".to_owned());
    writeln!(out)?;
    writeln!(out, "  choice     {} ({})", text(&report.choice["persona"]), text(&report.choice["reason"]))?;
    writeln!(out, "  slot       {}", text(&report.slot))?;
    for device in &report.devices {
        let Device { address, id, driver_before, driver_after, driver_released } = device;
        writeln!(out, "  device     {address} {id}  {} -> {} -> {}", driver(driver_before), driver(driver_after), driver(driver_released))?;
    }
    writeln!(out, "  legion     {}; then {}: {}", text(&report.legion.state), text(&report.legion.state_after), text(&report.legion.why))?;
    for saw in report.legion.devices.iter().chain(&report.legion.keyboards) {
        match saw {
            GuestReport::Pci { address, id, class } => writeln!(out, "  it saw     {address} {id} class {class}")?,
            GuestReport::Keyboard { name, at } => writeln!(out, "  it saw     {name} at {at}")?,
            _ => {}
        }
    }
    writeln!(
        out,
        "  ssh        {} after {:.0} s",
        if report.host.ssh { "answered" } else { "did not answer" },
        report.host.seconds_to_ssh
    )?;
    writeln!(out, "  menu       first frame {} ms after its start, on {}", report.menu.first_frame_ms, report.menu.outputs)?;
    for picture in [&report.pictures.menu, &report.pictures.monitor1, &report.pictures.monitor2, &report.pictures.back] {
        writeln!(out, "  picture    {}", picture.display())?;
    }
    writeln!(out, "  report     {}", file.display())
}
