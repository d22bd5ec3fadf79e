//! Machines that were saved while they ran: memory, devices and disk, nested guest included. A restored one goes on within a second
//! or two, where a boot takes half a minute.
//!
//! The state is QEMU's migration stream. The restored machine has the same command line but for sockets, ports and the disk, which
//! is an overlay: a saved machine is never changed.

use crate::artifacts::Artifacts;
use crate::folders;
use crate::hardware::Hardware;
use crate::ledger;
use crate::log::Log;
use crate::machine::Machine;
use crate::power::{self, Files};
use crate::scenario::Scenario;
use crate::tool::Tool;
use crate::wait;
use persona::error::{Context, Error, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How long saving or restoring may take on a busy computer.
const TRANSFER: Duration = Duration::from_secs(120);

/// Freezes legion's processes, if there are any (`Documentation/admin-guide/cgroup-v2.rst`, "cgroup.freeze").
const FREEZE: &str = "at=/sys/fs/cgroup/system.slice/legion.service
test ! -e $at || { echo 1 > $at/cgroup.freeze; until grep -q 'frozen 1' $at/cgroup.events; do :; done; }
sync";
/// Lets them go on.
const THAW: &str = "at=/sys/fs/cgroup/system.slice/legion.service; test ! -e $at || echo 0 > $at/cgroup.freeze";

/// A state of a machine that several scenarios begin from.
pub struct Profile {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// What it is made from.
    pub origin: Origin,
    /// Brings the machine into the state.
    pub prepare: fn(&mut Machine) -> Result<()>,
    /// Held while the state is looked for or made: another scenario that needs it waits.
    pub making: Mutex<()>,
    /// The source text that it stands in: a change of it makes the state anew.
    pub source: &'static str,
}

/// What a state is made from.
pub enum Origin {
    /// A boot.
    Boot {
        /// The machine.
        hardware: fn() -> Hardware,
        /// What it boots with, given the settings of the image.
        scenario: fn(Scenario, &str) -> Scenario,
    },
    /// Another state.
    State(&'static Profile),
}

/// The boot at the beginning of a state, and where its files are: QEMU reads them whenever the machine is restored or reset.
struct Boot {
    hardware: Hardware,
    scenario: Scenario,
    folder: PathBuf,
}

impl Profile {
    /// A machine in this state, of its own. The state is made first if it is not there yet, or of another build.
    ///
    /// # Errors
    /// When the machine does not come into the state, or QEMU cannot save or restore it.
    pub fn restore(&'static self, artifacts: &Artifacts, name: &str) -> Result<Machine> {
        self.saved(artifacts)?.restore(artifacts, &self.boot(artifacts), name)
    }

    fn folder(&self, artifacts: &Artifacts) -> PathBuf {
        artifacts.folder.join("saved").join(self.name)
    }

    fn boot(&'static self, artifacts: &Artifacts) -> Boot {
        match &self.origin {
            Origin::Boot { hardware, scenario } => Boot {
                hardware: hardware(),
                scenario: scenario(Scenario::new(self.name), &artifacts.settings),
                folder: self.folder(artifacts),
            },
            Origin::State(profile) => profile.boot(artifacts),
        }
    }

    fn saved(&'static self, artifacts: &Artifacts) -> Result<Saved> {
        let _guard = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = Saved { folder: self.folder(artifacts) };
        if let Origin::State(profile) = &self.origin {
            profile.saved(artifacts)?;
        }
        let recipe = self.recipe(artifacts)?;
        if folders::is_current(&saved.folder, &recipe) {
            return Ok(saved);
        }
        folders::forget_recipe(&saved.folder);
        if saved.folder.exists() {
            fs::remove_dir_all(&saved.folder).context(|| format!("removing {}", saved.folder.display()))?;
        }
        fs::create_dir_all(&saved.folder).context(|| format!("making {}", saved.folder.display()))?;
        let mut machine = match &self.origin {
            Origin::State(profile) => profile.restore(artifacts, self.name)?,
            Origin::Boot { .. } => {
                let Boot { hardware, scenario, folder } = self.boot(artifacts);
                let files = Files::make(artifacts, &scenario, &folder)?;
                Machine::power_on_with(artifacts, &hardware, &scenario, &files, power::make_folder(self.name)?)?
            }
        };
        (self.prepare)(&mut machine)?;
        saved.keep(&mut machine)?;
        folders::keep_recipe(&saved.folder, &recipe)?;
        Ok(saved)
    }

    /// All that the state depends on.
    fn recipe(&'static self, artifacts: &Artifacts) -> Result<String> {
        let Boot { hardware, scenario, .. } = self.boot(artifacts);
        let nowhere = Files { initramfs: artifacts.initramfs(scenario.image).to_owned(), firmware: Vec::new() };
        let argv = power::argv(artifacts, &hardware, &scenario, &nowhere, Path::new("/nowhere"), 0);
        let qemu = artifacts.emulator.version()?;
        // What a state was made from may have been made anew.
        let parent = match &self.origin {
            Origin::State(profile) => {
                let state = profile.folder(artifacts).join("state");
                fs::metadata(&state).and_then(|state| state.modified()).map(|time| format!("{time:?}")).unwrap_or_default()
            }
            Origin::Boot { .. } => String::new(),
        };
        Ok(format!("{parent}\n{}\n{scenario:?}\n{argv:?}\n{qemu}\n{}\n", artifacts.recipe(), self.source))
    }
}

/// A saved machine: `state` and `disk.qcow2` in a folder, and the files that it booted with.
struct Saved {
    folder: PathBuf,
}

impl Saved {
    /// Saves a machine here and switches it off.
    fn keep(&self, machine: &mut Machine) -> Result<()> {
        machine.log().step("saving the machine");
        let state = self.folder.join("state");
        // QEMU refuses a state in which an emulated processor runs a nested guest: legion is frozen while the machine is saved.
        machine.run(FREEZE)?;
        let qmp = machine.qmp();
        qmp.execute("stop", json!({}))?;
        qmp.execute("migrate-set-parameters", json!({ "max-bandwidth": 100_u64 << 30 }))?;
        qmp.execute("migrate", json!({ "uri": format!("exec:cat > '{}'", state.display()) }))?;
        finish(machine, "saving the machine")?;
        machine.qmp().execute("quit", json!({}))?;
        let is_off = wait::until(TRANSFER, || Ok((!machine.is_on()).then_some(())))?;
        is_off.ok_or_else(|| machine.missed("QEMU's end", TRANSFER))?;
        let disk = machine.folder().join("disk.qcow2");
        // The temporary folder may be another file system.
        Tool::new("cp").args(["--sparse=always"]).arg(&disk).arg(self.folder.join("disk.qcow2")).run()
    }

    fn restore(&self, artifacts: &Artifacts, boot: &Boot, name: &str) -> Result<Machine> {
        let Boot { hardware, scenario, folder: files } = boot;
        let folder = power::make_folder(name)?;
        power::make_disk(&self.folder.join("disk.qcow2"), "qcow2", &folder.join("disk.qcow2"))?;
        let files = Files::make(artifacts, scenario, files)?;
        // The probe's port is connected before its state is there: the guest is told of no change.
        let mut machine = Machine::start(artifacts, hardware, scenario, &files, folder, Log::new(name), &["-incoming", "defer"])?;
        let uri = format!("exec:cat '{}'", self.folder.join("state").display());
        machine.qmp().execute("migrate-incoming", json!({ "uri": uri }))?;
        finish(&mut machine, "restoring the machine")?;
        machine.qmp().execute("cont", json!({}))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        machine.adopt(&format!("{THAW}\ndate -s @{now} > /dev/null; cat /proc/sys/kernel/random/boot_id"))?;
        ledger::restored();
        machine.log().step("restored");
        Ok(machine)
    }
}

/// Waits until a migration, either way, is over.
fn finish(machine: &mut Machine, what: &str) -> Result<()> {
    let completed = wait::until(TRANSFER, || {
        let migration: Value =
            machine.qmp().execute("query-migrate", json!({})).map_err(|error| refused(machine, what, &error.to_string()))?;
        match migration["status"].as_str() {
            Some("completed") => Ok(Some(())),
            Some("failed" | "cancelled") => Err(refused(machine, what, &migration.to_string())),
            _ => Ok(None),
        }
    })?;
    completed.ok_or_else(|| machine.missed(what, TRANSFER))
}

/// QEMU says why on its own output, and may end.
fn refused(machine: &Machine, what: &str, error: &str) -> Error {
    machine.explain(format!("{what} failed: {error}\n{}", machine.qemu_log()))
}
