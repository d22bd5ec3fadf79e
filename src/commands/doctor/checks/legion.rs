//! What legion needs from the host besides its devices: KVM, programs, memory, processors, a bridge.

use super::memory::{self, Memory};
use super::unit_file::Unit;
use super::{Area, Case};
use crate::config::value::{Cpus, Network};
use crate::config::{Legion, Persona};
use crate::legion::kvm;
use crate::legion::qemu::argv::QEMU;
use crate::legion::qemu::tpm::SWTPM;
use crate::sys::paths::Paths;
use crate::sys::set::set_of;
use std::collections::BTreeSet;

pub(super) fn check(case: &Case<'_>) -> Area {
    let mut area = Area::new("legion");
    if case.settings.is_some() && case.legions().next().is_none() {
        area.good("legion-not-used", "legion", "no persona starts legion");
        return area;
    }
    virtualisation(case, &mut area);
    programs(case, &mut area);
    if case.passes_devices() {
        locked_memory(case.paths, &mut area);
    }
    memory::check(case, &Memory::read(case.paths), &mut area);
    for (persona, legion) in case.legions() {
        processors(case, persona, legion, &mut area);
        network(case, persona, legion, &mut area);
    }
    area
}

fn virtualisation(case: &Case<'_>, area: &mut Area) {
    const SUBJECT: &str = "kvm";
    if case.paths.kvm().exists() {
        area.good("kvm-present", SUBJECT, "KVM is there");
        return;
    }
    match (kvm::module(&case.host.cpu_info), case.host.cpu("flags")) {
        (Some(module), _) => area.good("kvm-loadable", SUBJECT, format!("KVM is not there yet: legion loads {module} when it starts")),
        (None, Some(_)) => area.broken(
            "kvm-missing",
            SUBJECT,
            "no KVM: this processor's virtualisation is missing or switched off",
            "switch on SVM (AMD) or VT-x (Intel) in the firmware setup",
        ),
        (None, None) => area.warning(
            "kvm-unknown",
            SUBJECT,
            "there is no /dev/kvm; whether the processor supports KVM is unknown",
            "try it: `modprobe -a kvm_amd kvm_intel`",
        ),
    }
}

fn programs(case: &Case<'_>, area: &mut Area) {
    if is_program(case.paths, QEMU) {
        area.good("qemu-installed", QEMU, "QEMU is installed");
    } else {
        area.broken("qemu-missing", QEMU, format!("there is no {QEMU}"), "install QEMU: qemu-system-x86 (Arch, Debian), qemu-kvm (Fedora)");
    }
    let loads = case.machine.as_ref().is_some_and(|machine| !machine.vfio.is_ready());
    if loads && case.passes_devices() && !is_program(case.paths, "modprobe") {
        area.broken("modprobe-missing", "modprobe", "there is no modprobe to load vfio-pci with", "install kmod");
    }
    let entered = |legion: &Legion| matches!(legion.network, Network::Bridge(_) | Network::Macvtap(_));
    if case.legions().any(|(_, legion)| entered(legion)) && !is_program(case.paths, "ip") {
        area.warning(
            "ip-missing",
            "ip",
            "the program `ip` is missing, which connects legion's network card to the host's network",
            "install iproute2",
        );
    }
    if let Some((persona, _)) = case.legions().find(|(_, legion)| legion.tpm) {
        if is_program(case.paths, SWTPM) {
            area.good("swtpm-installed", SWTPM, "swtpm is installed");
        } else {
            let hint = "install swtpm, or write tpm = false in the settings".to_owned();
            area.add(
                case.without(persona),
                "swtpm-missing",
                SWTPM,
                format!("there is no swtpm for the TPM of {}", persona.name),
                Some(hint),
            );
        }
    }
}

/// In one of the folders where services look for programs (`systemd.exec(5)`).
fn is_program(paths: &Paths, name: &str) -> bool {
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"]
        .iter()
        .any(|folder| paths.at(folder).join(name).symlink_metadata().is_ok())
}

fn locked_memory(paths: &Paths, area: &mut Area) {
    const SUBJECT: &str = "LimitMEMLOCK";
    let Some(unit) = Unit::read(paths, "legion.service") else { return };
    match unit.last("Service", "LimitMEMLOCK") {
        Some((value, _)) if is_infinite(value) => area.good("locked-memory-unlimited", SUBJECT, "legion may lock all of its memory"),
        other => {
            let (value, place) = other.unwrap_or(("not set", "legion.service"));
            area.broken(
                "locked-memory-limited",
                SUBJECT,
                format!("legion cannot lock all of its memory, which VFIO requires: LimitMEMLOCK is {value} in {place}"),
                "`systemctl edit legion`, and write LimitMEMLOCK=infinity below [Service]",
            );
        }
    }
}

/// `infinity`, or `soft:hard`, of which the soft one counts (`systemd.exec(5)`).
fn is_infinite(value: &str) -> bool {
    value.split(':').next().is_some_and(|soft| soft.trim() == "infinity")
}

fn processors(case: &Case<'_>, persona: &Persona, legion: &Legion, area: &mut Area) {
    let lines = case.host.cpu_info.lines().filter_map(|line| line.split_once(':'));
    let there: BTreeSet<u16> =
        set_of(lines.filter(|(key, _)| key.trim() == "processor").filter_map(|(_, number)| number.trim().parse().ok()));
    if there.is_empty() {
        return;
    }
    let name = &persona.name;
    match &legion.cpus {
        Cpus::Pinned(wanted) => {
            let absent: Vec<String> = wanted.iter().filter(|cpu| !there.contains(cpu)).map(ToString::to_string).collect();
            if !absent.is_empty() {
                area.add(
                    case.without(persona),
                    "pinned-cpus-missing",
                    name,
                    format!("{name} is pinned to host CPUs that do not exist: {}", absent.join(", ")),
                    Some("correct `cpus` in the settings (`lscpu` shows them)".to_owned()),
                );
            }
        }
        Cpus::Count(count) if usize::from(*count) > there.len() => area.warning(
            "too-many-cpus",
            name,
            format!("{name} has {count} virtual CPUs, and the host only {}", there.len()),
            "give it fewer: `cpus` in the settings",
        ),
        Cpus::Count(_) => {}
    }
}

fn network(case: &Case<'_>, persona: &Persona, legion: &Legion, area: &mut Area) {
    let interfaces = case.paths.network_interfaces();
    let missing = match &legion.network {
        Network::Bridge(bridge) if !interfaces.join(bridge).join("bridge").is_dir() => format!("bridge {bridge}"),
        Network::Macvtap(interface) if !interfaces.join(interface).exists() => format!("network interface {interface}"),
        _ => return,
    };
    area.add(
        case.without(persona),
        "network-missing",
        &persona.name,
        format!("there is no {missing} for the network card of {}", persona.name),
        Some("set it up on the host, or write network = \"user\" in the settings".to_owned()),
    );
}
