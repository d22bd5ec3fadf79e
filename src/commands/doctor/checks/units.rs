//! systemd's units: Persona's own, an SSH server, the user legion, and whether legion has access to its cartridges.

use super::unit_file::{Enabled, Unit};
use super::{Area, Case, Level};
use crate::sys::account::Account;
use std::path::Path;

/// Persona's units that must be enabled, and what does not work without them.
const OURS: [(&str, &str); 4] = [
    ("persona-reserve.service", "nothing reserves the devices if the initramfs did not"),
    ("persona-menu.service", "no menu comes up, and no default starts"),
    ("persona-host.service", "a menu that began in the initramfs does not learn of the override, and starts nothing by itself"),
    ("legion.path", "a choice does not start legion"),
];

/// The programs that listen on the SSH port.
const SSH: [&str; 5] = ["sshd.service", "ssh.service", "sshd.socket", "ssh.socket", "dropbear.service"];

pub(super) fn check(case: &Case<'_>) -> Area {
    let mut area = Area::new("units");
    if !case.paths.program().is_file() {
        area.broken(
            "program-missing",
            "/usr/bin/persona",
            "/usr/bin/persona, which the units run, is not there",
            "install Persona: `make install`",
        );
    }
    match Account::of_legion(case.paths) {
        Ok(_) => area.good("user-exists", "user", "the user legion exists"),
        Err(error) => area.error(Level::Broken, "user-missing", "user", &error),
    }
    let enabled = Enabled::read(case.paths);
    if !enabled.is_known {
        area.warning("units-unknown", "systemd", "cannot tell which units are enabled", "`systemctl list-unit-files` shows them");
        return area;
    }
    ours(&enabled, case, &mut area);
    match SSH.iter().find(|unit| enabled.has(unit)) {
        Some(unit) => area.good("ssh-enabled", "ssh", format!("{unit} is enabled")),
        None => area.warning(
            "ssh-not-enabled",
            "ssh",
            "no SSH server is enabled: without screen or keyboard the host cannot be reached",
            "`systemctl enable --now sshd` (Debian: ssh)",
        ),
    }
    writable(case, &mut area);
    if case.legions().next().is_some() {
        sleep(case, &enabled, &mut area);
    }
    area
}

/// A host that sleeps or goes off after a while without a key. Keys that go to legion are none to the host.
fn sleep(case: &Case<'_>, enabled: &Enabled, area: &mut Area) {
    const HARMLESS: [&str; 2] = ["ignore", "lock"];
    const SLEEPS: [&str; 5] = ["sleep", "suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate"];
    let logind = Unit::of_service(case.paths, "logind.conf");
    let Some((action, file)) = logind.last("Login", "IdleAction").filter(|(action, _)| !HARMLESS.contains(action)) else { return };
    if SLEEPS.contains(&action) && (enabled.masks("sleep.target") || enabled.masks(&format!("{action}.target"))) {
        return;
    }
    area.warning(
        "host-sleeps-when-idle",
        "IdleAction",
        format!("the host does `{action}` when nothing is typed on it for a while, and legion with it: IdleAction in {file}"),
        "write IdleAction=ignore below [Login] in /etc/systemd/logind.conf.d/persona.conf; or `systemctl mask sleep.target suspend.target`",
    );
}

fn ours(enabled: &Enabled, case: &Case<'_>, area: &mut Area) {
    if Unit::read(case.paths, "legion.service").is_none() {
        area.broken(
            "unit-missing",
            "legion.service",
            "legion.service is not there, or is masked",
            "install Persona: `make install`; `systemctl unmask legion`",
        );
    }
    let mut well = Vec::new();
    for (unit, loss) in OURS {
        if enabled.masks(unit) {
            area.broken(
                "unit-masked",
                unit,
                format!("{unit} is masked: {loss}"),
                format!("`systemctl unmask {unit}`, and `systemctl enable {unit}`"),
            );
        } else if !enabled.has(unit) {
            area.warning("unit-not-enabled", unit, format!("{unit} is not enabled: {loss}"), format!("`systemctl enable {unit}`"));
        } else {
            well.push(unit);
        }
    }
    if !well.is_empty() {
        let verb = if well.len() == 1 { "is" } else { "are" };
        area.good("units-enabled", "enabled", format!("{} {verb} enabled", well.join(", ")));
    }
}

/// legion.service sees a read-only file system, except for the folders it lists.
fn writable(case: &Case<'_>, area: &mut Area) {
    let Some(unit) = Unit::read(case.paths, "legion.service") else { return };
    if unit.last("Service", "ProtectSystem").is_none_or(|(value, _)| value != "strict") {
        return;
    }
    let listed = unit.list("Service", "ReadWritePaths");
    for (persona, legion) in case.legions() {
        let folder = &legion.cartridges;
        let is_hidden = ["/home", "/root"].iter().any(|home| folder.starts_with(home))
            && unit.last("Service", "ProtectHome").is_some_and(|(value, _)| value == "yes" || value == "true");
        let is_listed = listed.iter().any(|path| folder.starts_with(Path::new(path.trim_start_matches(['-', '+']))));
        if is_hidden || !is_listed {
            let home = if is_hidden { " and ProtectHome=no" } else { "" };
            area.add(
                case.without(persona),
                "cartridges-not-writable",
                &persona.name,
                format!("legion.service cannot write to {}, where the cartridge of {} is", folder.display(), persona.name),
                Some(format!("`systemctl edit legion`, and write ReadWritePaths={}{home} below [Service]", folder.display())),
            );
        }
    }
}
