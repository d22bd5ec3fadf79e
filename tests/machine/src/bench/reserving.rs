//! `persona reserve` on the reference machine, against the script that hooks for early boot usually are.

use super::{median, temporary_folder};
use crate::artifacts::Artifacts;
use persona::error::{Context, Error, Result};
use persona_recorded::Tree;
use persona_recorded::machines::unreserved;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Each contender runs this often, in turn. A round before these does not count.
const ROUNDS: usize = 51;

/// The passthrough card's functions, as the example settings have it.
const CARD: [&str; 4] = ["0000:0a:00.0", "0000:0a:00.1", "0000:0a:00.2", "0000:0a:00.3"];

/// The usual hook in its fastest form: addresses instead of a search for them, no process besides the shell's own, and no look at
/// what is there, what the host needs, or what came of it.
const HOOK: &str = r#"
for device in 0000:0a:00.0 0000:0a:00.1 0000:0a:00.2 0000:0a:00.3; do
    echo vfio-pci > sys/bus/pci/devices/$device/driver_override
done"#;

/// Measures processes of this host, on the recorded reference machine.
///
/// # Errors
/// When one of them fails or leaves a function unreserved.
pub(super) fn measure(artifacts: &Artifacts) -> Result<Vec<String>> {
    let folder = temporary_folder()?;
    let root = folder.path();
    unreserved(&Tree::new(root));
    let persona = || {
        let mut command = Command::new(&artifacts.persona);
        command.arg("reserve").arg("--root").arg(root);
        command
    };
    let busybox = |arguments: &[&str]| {
        let mut command = Command::new(artifacts.busybox());
        command.args(arguments);
        command
    };
    let mut seconds = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        let contenders = [(persona(), true), (busybox(&["sh", "-c", HOOK]), true), (busybox(&["true"]), false)];
        for ((mut command, reserves), seconds) in contenders.into_iter().zip(&mut seconds) {
            for file in overrides(root) {
                fs::write(&file, "(null)\n").context(|| format!("writing {}", file.display()))?;
            }
            let taken = timed(command.current_dir(root))?;
            if reserves {
                all_are_reserved(root).map_err(|error| Error::caused_by(format!("running {command:?}"), error))?;
            }
            if round > 0 {
                seconds.push(taken);
            }
        }
    }
    let [persona, hook, start] = seconds.map(|seconds| median(seconds).unwrap_or_default());
    let line = |name: &str, rival: f64| format!("  {name:22} {:7.2} ms   ratio {:.2}", rival * 1e3, persona / rival);
    Ok(vec![
        format!("reserving the reference machine's card, from exec to exit, median of {ROUNDS}"),
        format!("  {:22} {:7.2} ms", "persona reserve", persona * 1e3),
        line("four writes by a shell", hook),
        line("an empty program", start),
    ])
}

fn overrides(root: &Path) -> [PathBuf; 4] {
    CARD.map(|address| root.join("sys/bus/pci/devices").join(address).join("driver_override"))
}

/// The seconds that a process takes.
fn timed(command: &mut Command) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().context(|| format!("running {command:?}"))?;
    let taken = start.elapsed().as_secs_f64();
    if status.success() { Ok(taken) } else { Err(Error::new(format!("{command:?}: {status}"))) }
}

fn all_are_reserved(root: &Path) -> Result<()> {
    for file in overrides(root) {
        let text = fs::read_to_string(&file).context(|| format!("reading {}", file.display()))?;
        if text != "vfio-pci\n" {
            return Err(Error::new(format!("{} is `{}`", file.display(), text.trim())));
        }
    }
    Ok(())
}
