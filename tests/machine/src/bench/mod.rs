//! `make bench`: how fast and how small Persona is, each figure against a rival or a limit from the same run.

mod afar;
mod binding;
mod booting;
mod idle;
mod launching;
mod menu;
mod painting;
mod planning;
mod reserving;
mod size;

use crate::artifacts::Artifacts;
use crate::journey::STEP;
use crate::log::Log;
use crate::machine::Machine;
use crate::scenario::Scenario;
use persona::error::{Context, Error, Result};
use std::io::Write;

/// Runs the benchmark, or those of its subjects whose names are in `only`. `out` gets the figures of each subject as soon as they are
/// there.
///
/// # Errors
/// When there is no such subject, the machine does not boot or a program does not do its work.
pub fn bench(only: &[String], out: &mut dyn Write) -> Result<()> {
    type OnTheMachine = fn(&mut Machine) -> Result<Vec<String>>;
    const BESIDE: [&str; 6] = ["size", "planning", "reserving", "painting", "status", "booting"];
    const ON_THE_MACHINE: [(&str, OnTheMachine); 6] = [
        ("menu", menu::measure),
        ("idle", idle::measure),
        ("afar", afar::measure),
        ("binding", binding::measure),
        ("starting", launching::starts),
        ("switching", launching::switches),
    ];
    let names: Vec<&str> = BESIDE.into_iter().chain(ON_THE_MACHINE.map(|(name, _)| name)).collect();
    if let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(
            Error::new(format!("there is nothing called `{unknown}` to measure")).with_hint(format!("one of: {}", names.join(", ")))
        );
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| word == name);
    let mut say = |lines: Vec<String>| writeln!(out, "{}\n", lines.join("\n")).context(|| "printing the figures".into());

    let artifacts = Artifacts::build(&Log::new("image"))?;
    for name in BESIDE.into_iter().filter(|name| wanted(name)) {
        say(match name {
            "size" => size::measure(&artifacts)?,
            "planning" => planning::measure()?,
            "reserving" => reserving::measure(&artifacts)?,
            "status" => afar::measure_status(&artifacts)?,
            "booting" => booting::measure(&artifacts)?,
            _ => painting::measure()?,
        })?;
    }
    let mut machine = None;
    for (_, measure) in ON_THE_MACHINE.into_iter().filter(|(name, _)| wanted(name)) {
        let mut once = || -> Result<Vec<String>> {
            if machine.is_none() {
                machine = Some(power_on(&artifacts)?);
            }
            machine.as_mut().map_or(Ok(Vec::new()), measure)
        };
        let lines = match once() {
            // Machines that run nested guests for minutes break off now and then (`evidence.rs` tells why): what fails twice has failed.
            Err(error) => {
                eprintln!("{error}\nOnce more, on another machine:");
                machine = Some(power_on(&artifacts)?);
                machine.as_mut().map_or(Ok(Vec::new()), measure)
            }
            measured => measured,
        };
        say(lines?)?;
    }
    Ok(())
}

/// A machine that has booted, shows no menu, and on which libvirt runs.
fn power_on(artifacts: &Artifacts) -> Result<Machine> {
    let scenario = Scenario::new("bench").cmdline("persona.timeout=never").settings(&binding::settings(&artifacts.settings)?);
    let mut machine = Machine::power_on(artifacts, &binding::hardware(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_until("the boot is over", "systemctl is-system-running --wait || :", STEP)?;
    machine.run("systemctl stop persona-menu.service")?;
    machine.run(START_RIVALS)?;
    Ok(machine)
}

/// What the units of their packages would do. QEMU is root's there: ownership of cartridges is not what is measured.
const START_RIVALS: &str = r#"
useradd --system --user-group --groups kvm --no-create-home libvirt-qemu
printf '%s\n' 'user = "root"' 'group = "root"' 'dynamic_ownership = 0' > /etc/libvirt/qemu.conf
virtlogd --daemon
libvirtd --daemon
virsh --quiet --connect qemu:///system nodedev-list --cap pci"#;

/// A folder that is gone when it is dropped. In memory, as sysfs is, wherever that can be had.
fn temporary_folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).context(|| "making a folder for temporary files".into())
}

/// What a contender said last, in the machine.
const LOG: &str = "/run/bench.log";

/// The seconds that commands take, by the clock of a shell that starts nothing for it. udev is idle when they begin.
fn timed(machine: &mut Machine, commands: &str) -> Result<f64> {
    let script = format!(
        "udevadm settle\nexec bash -c 'start=$EPOCHREALTIME\n{{\n{commands}\n}} < /dev/null > {LOG} 2>&1\nend=$EPOCHREALTIME\n\
         echo $((${{end/./}} - ${{start/./}}))'"
    );
    let text = machine.run(&script)?;
    let microseconds: f64 = text.trim().parse().context(|| format!("understanding the time `{}`", text.trim()))?;
    Ok(microseconds / 1e6)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
