//! What is done over SSH: how soon legion runs after a choice in the menu, against a start without a menu, and how long `persona status`
//! takes, against what systemd says of legion's unit.

use super::{median, temporary_folder, timed};
use crate::artifacts::Artifacts;
use crate::journey::STEP;
use crate::machine::Machine;
use persona::error::{Context, Error, Result};
use persona_recorded::Tree;
use persona_recorded::machines::unreserved;
use std::process::{Command, Stdio};
use std::time::Instant;

/// How often each is done, in turn; one more in front of these does not count.
const ROUNDS: usize = 5;
const LOOKS: usize = 31;

/// Until the guest's processors run.
const CHOICES: [(&str, &str); 2] = [
    ("persona choose", "persona choose gondor; until grep -q running /run/persona/legion/report.toml; do sleep 0.01; done"),
    ("persona start", "persona start gondor"),
];

const STATUS: [&str; 3] = ["persona status", "systemctl status --no-pager legion.service || test $? = 3", "true"];

/// Measures processes of this host, on the recorded reference machine: a processor that is not emulated.
///
/// # Errors
/// When `persona status` fails.
pub(super) fn measure_status(artifacts: &Artifacts) -> Result<Vec<String>> {
    let folder = temporary_folder()?;
    unreserved(&Tree::new(folder.path()));
    let mut seconds = Vec::new();
    for _ in 0..LOOKS {
        let mut command = Command::new(&artifacts.persona);
        command.arg("--root").arg(folder.path()).arg("status").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status().context(|| "running persona status".to_owned())?;
        seconds.push(start.elapsed().as_secs_f64());
        if !status.success() {
            return Err(Error::new(format!("persona status: {status}")));
        }
    }
    let taken = median(seconds).unwrap_or_default();
    Ok(vec![format!(
        "`persona status` of a recorded machine, median of {LOOKS}: {:.2} ms (aim: under 10)   ratio {:.3}",
        taken * 1e3,
        taken / 0.01
    )])
}

/// Measures on a machine that has booted.
///
/// # Errors
/// When a command fails.
pub(super) fn measure(machine: &mut Machine) -> Result<Vec<String>> {
    machine.run("systemctl start legion.path; rm -f /run/persona/menu.toml; systemctl restart persona-menu.service")?;
    machine.wait_for_menu()?;
    let mut starts = CHOICES.map(|_| Vec::new());
    for round in 0..=ROUNDS {
        machine.log().step(format!("from afar: choice {round} of {ROUNDS}"));
        for ((_, commands), seconds) in CHOICES.iter().zip(&mut starts) {
            let taken = timed(machine, commands)?;
            machine.run("persona stop --force")?;
            machine.wait_until("the menu takes the next choice", "! systemctl is-active -q legion.service", STEP)?;
            if round > 0 {
                seconds.push(taken);
            }
        }
    }
    let mut looks = STATUS.map(|_| Vec::new());
    for _ in 0..LOOKS {
        for (commands, seconds) in STATUS.iter().zip(&mut looks) {
            seconds.push(timed(machine, commands)?);
        }
    }
    machine.run("systemctl stop persona-menu.service")?;
    let starts = starts.map(|seconds| median(seconds).unwrap_or_default());
    let looks = looks.map(|seconds| median(seconds).unwrap_or_default());
    let mut lines = vec!["over SSH: from the command until the guest's processors run, median (emulated processor)".to_owned()];
    for ((name, _), seconds) in CHOICES.iter().zip(starts) {
        lines.push(format!("  {name:22} {:7.0} ms   ratio {:.3}", seconds * 1e3, seconds / starts[1]));
    }
    lines.push(format!("what is going on, median of {LOOKS} (emulated processor)"));
    for (commands, seconds) in STATUS.iter().zip(looks) {
        let name = commands.split(" --").next().unwrap_or_default();
        lines.push(format!("  {name:22} {:7.1} ms   ratio {:.3}", seconds * 1e3, seconds / looks[1]));
    }
    Ok(lines)
}
