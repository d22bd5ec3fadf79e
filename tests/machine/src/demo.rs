//! `make demo`: power on, menu, a pick, legion on its own card, and back; with pictures and a report. Whatever it prints it has seen in
//! the machine: a step that did not come out as it says is an error.

use crate::artifacts::{Artifacts, Versions};
use crate::folders;
use crate::hardware::{Hardware, Head, Keyboard, address};
use crate::journey::{LEGIONS, STEP};
use crate::log::Log;
use crate::machine::Machine;
use crate::picture::Picture;
use crate::scenario::Scenario;
use crate::wire::Report as GuestReport;
use persona::error::{Context, Error, Result};
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The countdown, on the kernel command line: long enough for a busy computer, and stopped before anything slow is done.
const COUNTDOWN: &str = "persona.timeout=5m";

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
    /// What it is.
    #[serde(flatten)]
    versions: Versions,
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
    fs::create_dir_all(&folder).context(|| format!("making {}", folder.display()))?;
    let windows = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| std::env::var_os(name).is_some());
    let scenario = Scenario::new("demo").cmdline(COUNTDOWN).windows(windows);
    // Two emulated processors lose a timer interrupt now and then on a busy computer, and then one of them sleeps for ever.
    let hardware = Hardware { cpus: 1, ..Hardware::standard() };
    let mut machine = Machine::power_on(&artifacts, &hardware, &scenario)?;
    let report = walk(&mut machine, &folder)?;
    let file = folder.join("report.json");
    let text = serde_json::to_string_pretty(&report).context(|| "writing the report".into())?;
    fs::write(&file, text + "\n").context(|| format!("writing {}", file.display()))?;
    summarise(&report, &file, out).context(|| "printing the summary".into())
}

fn walk(machine: &mut Machine, folder: &Path) -> Result<Report> {
    let picture = |name: &str| folder.join(name);
    let pictures = Pictures {
        menu: picture("menu.png"),
        monitor1: picture("monitor1.png"),
        monitor2: picture("monitor2.png"),
        back: picture("back.png"),
    };
    let waiting = machine.log().long("booting; the menu comes first");
    machine.wait_for_screen(Head::Display, "the menu is on the screen", Picture::is_painted)?;
    machine.screendump(Head::Display, &pictures.menu)?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    drop(waiting);
    let before = pick_gondor(machine)?;

    let waiting = machine.log().long("legion takes its devices and boots Gondor, nested in the emulated machine");
    let seconds_to_ssh = machine.wait_for_ssh()?.as_secs_f64();
    machine.wait_for_legion("running")?;
    machine.wait_for_picture()?;
    drop(waiting);
    let after = drivers(machine)?;
    claim(machine, "legion's devices are bound to vfio-pci", after.iter().all(|driver| driver.as_deref() == Some("vfio-pci")))?;
    // The menu says where to look, and goes dark when that has been read: a key brings it back.
    machine.press(Keyboard::Host, "f2")?;
    machine.wait_for_screen(Head::Display, "monitor 1 says what runs", Picture::is_painted)?;
    machine.screendump(Head::Display, &pictures.monitor1)?;
    machine.screendump(Head::Card, &pictures.monitor2)?;
    machine.screendump(Head::Display, &pictures.back)?;
    let status = machine.status()?;
    let runs = status["legion"]["state"] == "running" && status["legion"]["persona"] == "gondor" && status["legion"]["slot"] == "gondor";
    claim(machine, "Gondor runs from its own cartridge", runs)?;

    machine.log().step("asking the guest to power off, on its own keyboard");
    machine.press(Keyboard::Legion, "p")?;
    let waiting = machine.log().long("the guest powers off, its devices go back to the host");
    machine.wait_for_legion("ended")?;
    machine.wait_until("legion.service is over", "! systemctl is-active -q legion.service", STEP)?;
    machine.wait_for_change(Head::Display, &pictures.back)?;
    drop(waiting);
    let released = drivers(machine)?;
    claim(machine, "the USB controller is the host's again", released[2].as_deref() == Some("xhci_hcd"))?;
    let over = machine.status()?;
    claim(machine, "the guest powered itself off", over["legion"]["outcome"] == "guest-poweroff")?;

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
    let answers = machine.ssh("hostname").is_ok_and(|name| name.trim() == "hypervisor");
    claim(machine, "the host answers over SSH", answers)?;
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
        host: Host { versions: versions(machine)?, ssh: answers, seconds_to_ssh },
        menu: Menu { first_frame_ms: status["menu"]["first_frame_ms"].clone(), outputs: status["menu"]["outputs"].clone() },
        pictures,
    })
}

/// Stops the countdown, and picks Gondor on the keyboard that hangs on legion's own controller: the menu has it until the choice. Returns the
/// drivers that legion's devices had then.
fn pick_gondor(machine: &mut Machine) -> Result<Vec<Option<String>>> {
    // The first key of all gives at least a minute; then there is as much time as it takes.
    machine.press(Keyboard::Host, "1")?;
    machine.run("persona hold")?;
    let live = machine.status()?["live"].clone();
    claim(machine, "the countdown is stopped and nothing was chosen", live["stage"] == "waiting" && live["choice"].is_null())?;
    let before = drivers(machine)?;
    claim(machine, "the controller is the host's until the choice", before[2].as_deref() == Some("xhci_hcd"))?;

    let interrupts = [interrupts(machine, address::LEGION_USB)?, interrupts(machine, address::HOST_USB)?];
    machine.press(Keyboard::Legion, "right")?;
    machine.wait_until("Gondor is highlighted", "persona status --json | grep '\"highlighted\": \"gondor\"'", STEP)?;
    machine.log().step("picking Gondor with Enter, on the keyboard of the passthrough controller");
    machine.key(Keyboard::Legion, "ret", true)?;
    let choice = machine.wait_for_choice()?;
    let is_picked = choice.contains("persona = \"gondor\"") && choice.contains("reason = \"picked\"");
    claim(machine, "Gondor was picked", is_picked)?;
    machine.key(Keyboard::Legion, "ret", false)?;
    // The passthrough controller may be gone from the host by now; that the other one was silent says which it was.
    let silent = self::interrupts(machine, address::HOST_USB)? == interrupts[1];
    claim(machine, "the keys came from the passthrough controller", silent && interrupts[0].is_some())?;
    Ok(before)
}

/// How many interrupts a PCI function of the machine has had, if it has a driver.
fn interrupts(machine: &mut Machine, address: &str) -> Result<Option<u64>> {
    let script = format!(
        "for irq in $(ls /sys/bus/pci/devices/{address}/msi_irqs 2>/dev/null); do grep \"^ *$irq:\" /proc/interrupts; done |
        awk '{{ for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) sum += $i }} END {{ print sum }}'"
    );
    Ok(machine.run(&script)?.trim().parse().ok())
}

/// Says something of the machine that was looked at just now.
fn claim(machine: &Machine, what: &str, is_so: bool) -> Result<()> {
    if is_so {
        machine.log().step(what);
        return Ok(());
    }
    let broken = machine.explain(format!("not so: {what}"));
    Err(Error::caused_by("the demonstration did not go as it should", broken))
}

/// What the machine says of itself.
fn versions(machine: &mut Machine) -> Result<Versions> {
    let script = "uname -r; systemctl --version | head -1 | tr -d '()' | cut -d' ' -f3; qemu-system-x86_64 --version | head -1 | sed 's/.*version //'";
    let text = machine.run(script)?;
    let mut lines = text.lines().map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    Ok(Versions { kernel: next(), systemd: next(), qemu: next() })
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
    let Versions { kernel, systemd, qemu } = &report.host.versions;
    writeln!(out, "  host       kernel {kernel}, systemd {systemd}, QEMU {qemu}")?;
    writeln!(out, "  ssh        answered {:.0} s after power-on, when it was first asked", report.host.seconds_to_ssh)?;
    writeln!(out, "  menu       first frame {} ms after the menu's process began, on {}", report.menu.first_frame_ms, report.menu.outputs)?;
    writeln!(out, "             (times of an emulated processor, with what else this computer did; real hardware is many times faster)")?;
    for picture in [&report.pictures.menu, &report.pictures.monitor1, &report.pictures.monitor2, &report.pictures.back] {
        writeln!(out, "  picture    {}", picture.display())?;
    }
    writeln!(out, "  report     {}", file.display())
}
