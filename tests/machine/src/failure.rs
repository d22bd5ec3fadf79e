//! What is kept of a machine whose scenario failed: the serial log, QEMU's own output, the journal and the screens; and whether the
//! machine shows that the emulator broke it.

use crate::evidence;
use crate::folders;
use crate::hardware::Head;
use crate::machine::Machine;
use crate::tool::last_lines;
use persona::error::{Context, Result};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

/// What the machines of the scenario on this thread leave behind.
#[derive(Debug, Default)]
struct Left {
    folders: Vec<PathBuf>,
    evidence: Option<String>,
}

thread_local! {
    static LEFT: RefCell<Option<Left>> = const { RefCell::new(None) };
}

/// Removes what an earlier failure of a scenario left.
pub(crate) fn forget(name: &str) {
    if let Ok(output) = folders::output() {
        let _ = fs::remove_dir_all(output.join("failures").join(name));
    }
}

/// A scenario begins on this thread: folders of its machines are kept until [`end`].
pub(crate) fn begin() {
    LEFT.set(Some(Left::default()));
}

/// A machine goes. `failed`: something that was asked of it did not come out.
pub(crate) fn machine_goes(machine: &mut Machine, failed: bool) {
    let folder = machine.folder().to_owned();
    let evidence = if failed { collect(machine, &folder) } else { None };
    let is_kept = LEFT.with_borrow_mut(|left| {
        let Some(left) = left else { return false };
        left.folders.push(folder.clone());
        left.evidence = left.evidence.take().or(evidence);
        true
    });
    let _ = fs::remove_file(folder.join("disk.qcow2"));
    if !is_kept && std::env::var_os("PERSONA_KEEP").is_none() {
        let _ = fs::remove_dir_all(&folder);
    }
}

/// Evidence that was found elsewhere than in a machine that goes.
#[cfg(test)]
pub(crate) fn found(evidence: &str) {
    LEFT.with_borrow_mut(|left| left.get_or_insert_default().evidence = Some(evidence.to_owned()));
}

/// The scenario is over. If it failed, what its machines left is put into `target/machine/failures/NAME`; the evidence that the
/// emulator broke one of them, and the folder.
///
/// # Errors
/// When it cannot be put there.
pub(crate) fn end(name: &str, failed: bool) -> Result<(Option<String>, PathBuf)> {
    let left = LEFT.take().unwrap_or_default();
    let kept = folders::output()?.join("failures").join(name);
    if failed {
        fs::create_dir_all(&kept).context(|| format!("making {}", kept.display()))?;
    }
    for (number, folder) in left.folders.iter().enumerate() {
        if failed {
            keep(folder, &kept, number)?;
        }
        let _ = fs::remove_dir_all(folder);
    }
    if let (true, Some(evidence)) = (failed, &left.evidence) {
        let path = kept.join("evidence.txt");
        fs::write(&path, evidence).context(|| format!("writing {}", path.display()))?;
    }
    Ok((left.evidence, kept))
}

/// Logs and pictures, named after the machine's number in its scenario.
fn keep(folder: &Path, kept: &Path, number: usize) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if [".log", ".png", ".txt"].iter().any(|ending| name.ends_with(ending)) {
            let to = kept.join(format!("{number}-{name}"));
            fs::copy(entry.path(), &to).context(|| format!("writing {}", to.display()))?;
        }
    }
    Ok(())
}

/// Asks the machine, while it is still on, for all that it can tell.
fn collect(machine: &mut Machine, folder: &Path) -> Option<String> {
    for (head, name) in [(Head::Display, "screen.png"), (Head::Card, "card.png")] {
        let _ = machine.screendump(head, &folder.join(name));
    }
    let evidence = machine.evidence();
    // A machine with a stuck processor does not answer.
    if evidence.is_none()
        && let Some(journal) = machine.journal()
    {
        let _ = fs::write(folder.join("journal.txt"), journal);
    }
    evidence
}

impl Machine {
    fn evidence(&mut self) -> Option<String> {
        if let Some(found) = self.evidence_of_waits() {
            return Some(found);
        }
        let serial = self.serial();
        if let Some(found) = evidence::in_serial(&serial) {
            return Some(found);
        }
        if evidence::panic(&serial).is_some() {
            return None;
        }
        if self.has_reset_unasked() {
            return Some("the machine reset without being asked to".to_owned());
        }
        if let Some(signal) = self.crashed_by() {
            let last = last_lines(&self.qemu_log(), 1);
            return Some(format!("QEMU crashed (signal {signal}): {last}"));
        }
        if self.is_on() { evidence::in_processors(self.qmp()) } else { None }
    }
}
