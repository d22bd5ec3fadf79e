//! `make bench`: how fast and how small Persona is, each figure against a rival or a limit from the same run.

mod binding;
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
use persona::error::{Context, Result};
use std::io::Write;

/// Runs the benchmark. `out` gets the figures of each subject as soon as they are there.
///
/// # Errors
/// When the machine does not boot or a program does not do its work.
pub fn bench(out: &mut dyn Write) -> Result<()> {
    let mut say = |lines: Vec<String>| writeln!(out, "{}\n", lines.join("\n")).doing(|| "printing the figures".into());
    let artifacts = Artifacts::build_with_rivals(&Log::new("image"))?;
    say(size::measure(&artifacts)?)?;
    say(planning::measure()?)?;
    say(reserving::measure(&artifacts)?)?;
    say(painting::measure()?)?;

    let scenario = Scenario::new("bench").cmdline("persona.timeout=never").settings(&binding::settings(&artifacts.settings)?);
    let mut machine = Machine::power_on(&artifacts, &binding::hardware(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_until("the boot is over", "systemctl is-system-running --wait || :", STEP)?;
    machine.run("systemctl stop persona-menu.service")?;
    say(menu::measure(&mut machine)?)?;
    say(idle::measure(&mut machine)?)?;
    say(binding::measure(&mut machine)?)?;
    say(launching::measure(&mut machine)?)
}

/// A folder that is gone when it is dropped. In memory, as sysfs is, wherever that can be had.
fn temporary_folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).doing(|| "making a folder for temporary files".into())
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
    let microseconds: f64 = text.trim().parse().doing(|| format!("understanding the time `{}`", text.trim()))?;
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
