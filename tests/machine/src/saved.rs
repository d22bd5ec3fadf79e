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
use crate::ssh::{Ssh, free_port};
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

/// Where legion's processes can be made to stand still (`Documentation/admin-guide/cgroup-v2.rst`, "cgroup.freeze").
const FREEZER: &str = "at=/sys/fs/cgroup/system.slice/legion.service";

/// A state of a machine that several scenarios begin from.
pub struct Profile {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// The machine.
    pub hardware: fn() -> Hardware,
    /// What it boots with, given the settings of the image.
    pub scenario: fn(Scenario, &str) -> Scenario,
    /// Another profile that it is made from instead of a boot; then `hardware` and `scenario` are that one's.
    pub from: Option<&'static Profile>,
    /// Brings the machine into the state.
    pub prepare: fn(&mut Machine) -> Result<()>,
    /// Held while the state is looked for or made: who needs it meanwhile waits.
    pub making: Mutex<()>,
    /// Distinguishes this way of making it from earlier ones: the source text that it stands in.
    pub source: &'static str,
}

impl Profile {
    /// A machine in this state, of its own. The state is made first if it is not there yet, or of another build.
    ///
    /// # Errors
    /// When the machine does not come into the state, or QEMU cannot save or restore it.
    pub fn restore(&'static self, artifacts: &Artifacts, name: &str) -> Result<Machine> {
        let saved = self.saved(artifacts)?;
        saved.restore(artifacts, self.first(), name)
    }

    /// The profile at the beginning of the chain, which boots.
    fn first(&'static self) -> &'static Self {
        self.from.map_or(self, Self::first)
    }

    fn scenario(&'static self, artifacts: &Artifacts) -> Scenario {
        (self.first().scenario)(Scenario::new(self.name), &artifacts.settings)
    }

    fn saved(&'static self, artifacts: &Artifacts) -> Result<Saved> {
        let _guard = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = Saved { folder: artifacts.folder.join("saved").join(self.name) };
        if let Some(profile) = self.from {
            profile.saved(artifacts)?;
        }
        let recipe = self.recipe(artifacts)?;
        if folders::is_current(&saved.folder, &recipe) {
            return Ok(saved);
        }
        folders::forget_recipe(&saved.folder);
        if saved.folder.exists() {
            fs::remove_dir_all(&saved.folder).doing(|| format!("removing {}", saved.folder.display()))?;
        }
        fs::create_dir_all(&saved.folder).doing(|| format!("making {}", saved.folder.display()))?;
        let mut machine = match self.from {
            Some(profile) => profile.restore(artifacts, self.name)?,
            None => {
                let files = Files::make(artifacts, &self.scenario(artifacts), &saved.folder)?;
                Machine::power_on_with(artifacts, &(self.hardware)(), &self.scenario(artifacts), &files)?
            }
        };
        (self.prepare)(&mut machine)?;
        saved.keep(&mut machine)?;
        folders::keep_recipe(&saved.folder, &recipe)?;
        Ok(saved)
    }

    /// All that the state depends on.
    fn recipe(&'static self, artifacts: &Artifacts) -> Result<String> {
        let first = self.first();
        let scenario = self.scenario(artifacts);
        let nowhere = Files { initramfs: artifacts.initramfs(scenario.image).to_owned(), firmware: Vec::new() };
        let argv = power::argv(artifacts, &(first.hardware)(), &scenario, &nowhere, Path::new("/nowhere"), 0);
        let qemu = artifacts.emulator.version()?;
        // What a state was made from may have been made anew.
        let parent = match self.from {
            Some(profile) => {
                let state = artifacts.folder.join("saved").join(profile.name).join("state");
                format!("{:?}", fs::metadata(&state).and_then(|state| state.modified()).ok())
            }
            None => String::new(),
        };
        Ok(format!("{parent}\n{}\n{scenario:?}\n{argv:?}\n{qemu}\n{}\n", artifacts.recipe(), self.source))
    }

    /// Where the files of its boot are: what QEMU reads when the machine is restored or reset.
    fn files_folder(&'static self, artifacts: &Artifacts) -> PathBuf {
        artifacts.folder.join("saved").join(self.first().name)
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
        // QEMU refuses a state in which an emulated processor runs a nested guest: legion stands still while it is saved.
        machine.run(&format!(
            "{FREEZER}; test ! -e $at || {{ echo 1 > $at/cgroup.freeze; until grep -q 'frozen 1' $at/cgroup.events; do :; done; }}; sync"
        ))?;
        let qmp = machine.qmp();
        qmp.execute("stop", json!({}))?;
        qmp.execute("migrate-set-parameters", json!({ "max-bandwidth": 100_u64 << 30 }))?;
        qmp.execute("migrate", json!({ "uri": format!("exec:cat > '{}'", state.display()) }))?;
        finish(machine, "saving the machine")?;
        machine.qmp().execute("quit", json!({}))?;
        wait::until(TRANSFER, || Ok((!machine.is_on()).then_some(())))?;
        let disk = machine.folder().join("disk.qcow2");
        // The temporary folder may be another file system.
        Tool::new("cp").args(["--sparse=always"]).arg(&disk).arg(self.folder.join("disk.qcow2")).run()
    }

    fn restore(&self, artifacts: &Artifacts, first: &'static Profile, name: &str) -> Result<Machine> {
        let folder = power::make_folder(name)?;
        let log = Log::new(name);
        power::make_disk(&self.folder.join("disk.qcow2"), "qcow2", &folder.join("disk.qcow2"))?;
        let scenario = first.scenario(artifacts);
        let files = Files::make(artifacts, &scenario, &first.files_folder(artifacts))?;
        let ssh_port = free_port()?;
        let hardware = (first.hardware)();
        let mut argv = power::argv(artifacts, &hardware, &scenario, &files, &folder, ssh_port);
        let cmdline = hardware.cmdline(&scenario.words());
        argv.extend(["-incoming".to_owned(), "defer".to_owned()]);
        // The probe's port is connected before its state is there: the guest is told of no change.
        let (qemu, qmp, probe) = power::start(&artifacts.emulator, &argv, &folder)?;
        let ssh = Ssh::new(&artifacts.ssh_key, ssh_port);
        // A reset or another start of this machine waits for nothing to come in.
        argv.truncate(argv.len() - 2);
        let mut machine = Machine::assemble(artifacts.emulator.clone(), qemu, argv, cmdline, qmp, probe, ssh, log, hardware, folder);
        let state = self.folder.join("state");
        machine.qmp().execute("migrate-incoming", json!({ "uri": format!("exec:cat '{}'", state.display()) }))?;
        finish(&mut machine, "restoring the machine")?;
        machine.qmp().execute("cont", json!({}))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        machine.adopt(&format!(
            "{FREEZER}; test ! -e $at || echo 0 > $at/cgroup.freeze; date -s @{now} > /dev/null; cat /proc/sys/kernel/random/boot_id"
        ))?;
        ledger::restored();
        machine.log().step("restored");
        Ok(machine)
    }
}

/// Waits until a migration, either way, is over.
fn finish(machine: &mut Machine, what: &str) -> Result<()> {
    const POLL: Duration = Duration::from_millis(20);
    let deadline = std::time::Instant::now() + TRANSFER;
    loop {
        let migration: Value = machine.qmp().execute("query-migrate", json!({}))?;
        match migration["status"].as_str() {
            Some("completed") => return Ok(()),
            Some("failed" | "cancelled") => return Err(Error::new(format!("{what} failed: {migration}"))),
            _ if std::time::Instant::now() >= deadline => return Err(Error::new(format!("{what} takes too long: {migration}"))),
            _ => std::thread::sleep(POLL),
        }
    }
}
