//! A running machine: switched on and off, saved and explained. What it is asked lies in `asking`.

mod asking;

use crate::artifacts::Artifacts;
use crate::emulator::Emulator;
use crate::hardware::Hardware;
use crate::log::Log;
use crate::power::{self, Files};
use crate::probe::Probe;
use crate::qmp::Qmp;
use crate::scenario::Scenario;
use crate::ssh::{Ssh, free_port};
use crate::tool::last_lines;
use crate::{failure, ledger, wait};
use nix::libc::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
use persona::error::{Error, Result};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// The journal of a machine that answers.
const JOURNAL: Duration = Duration::from_secs(30);
/// How many lines of the serial console an error tells.
const TOLD_LINES: usize = 15;

/// A machine that is on. Dropping it cuts the power, and so does the end of the thread that switched it on.
#[derive(Debug)]
pub struct Machine {
    emulator: Emulator,
    qemu: Child,
    /// QEMU's arguments, the kernel command line among them.
    argv: Vec<String>,
    cmdline: String,
    qmp: Qmp,
    probe: Probe,
    ssh: Ssh,
    log: Log,
    hardware: Hardware,
    folder: PathBuf,
    /// How often it was asked to reset since it was switched on.
    asked_resets: u32,
    /// Whether something that was asked of it did not come out: what it can tell about that is kept when it goes.
    has_failed: Cell<bool>,
    /// What ended a wait because it shows that the emulator broke the machine. It may have come back by the time that it goes.
    evidence: RefCell<Option<String>>,
}

impl Machine {
    /// Boots. The disk is a fresh copy of the root image: what happens to it lasts over reboots of this machine only.
    ///
    /// # Errors
    /// When QEMU does not start.
    pub fn power_on(artifacts: &Artifacts, hardware: &Hardware, scenario: &Scenario) -> Result<Self> {
        let folder = power::make_folder(&scenario.name)?;
        let files = Files::make(artifacts, scenario, &folder)?;
        Self::power_on_with(artifacts, hardware, scenario, &files, folder)
    }

    /// Boots in `folder`, with files that are there already.
    ///
    /// # Errors
    /// When QEMU does not start.
    pub(crate) fn power_on_with(
        artifacts: &Artifacts,
        hardware: &Hardware,
        scenario: &Scenario,
        files: &Files,
        folder: PathBuf,
    ) -> Result<Self> {
        power::make_disk(&artifacts.root_image, "raw", &folder.join("disk.qcow2"))?;
        let log = Log::new(&scenario.name);
        log.step("power on");
        ledger::booted();
        Self::start(artifacts, hardware, scenario, files, folder, log, &[])
    }

    /// Starts QEMU in `folder`, where the disk is, with `more` arguments that only this start needs.
    ///
    /// # Errors
    /// When QEMU does not start.
    pub(crate) fn start(
        artifacts: &Artifacts,
        hardware: &Hardware,
        scenario: &Scenario,
        files: &Files,
        folder: PathBuf,
        log: Log,
        more: &[&str],
    ) -> Result<Self> {
        let ssh_port = free_port()?;
        let argv = power::argv(artifacts, hardware, scenario, files, &folder, ssh_port);
        let emulator = if scenario.windows { Emulator::of_host() } else { artifacts.emulator.clone() };
        let first: Vec<String> = argv.iter().cloned().chain(more.iter().map(|word| (*word).to_owned())).collect();
        let (qemu, qmp, probe) = power::start(&emulator, &first, &folder)?;
        Ok(Self {
            emulator,
            qemu,
            argv,
            cmdline: hardware.cmdline(&scenario.words()),
            qmp,
            probe,
            ssh: Ssh::new(&artifacts.ssh_key, ssh_port),
            log,
            hardware: hardware.clone(),
            folder,
            asked_resets: 0,
            has_failed: Cell::new(false),
            evidence: RefCell::default(),
        })
    }

    /// Takes up the conversation with the probe after the machine was restored, by a script that prints the boot's ID.
    ///
    /// # Errors
    /// When the probe does not answer.
    pub(crate) fn adopt(&mut self, script: &str) -> Result<()> {
        self.probe.adopt("");
        let boot = self.run(script)?;
        self.probe.adopt(boot.trim());
        Ok(())
    }

    /// Cuts the power: QEMU is killed. What the disk was not told to keep is lost, and everything that was in memory.
    pub fn cut_power(&mut self) {
        self.log.step("the power is cut");
        power::stop(&mut self.qemu);
    }

    /// Cuts the power and switches the machine on again, with these more words on its kernel command line for this boot. QEMU
    /// is killed: what the disk was not told to keep is lost, and everything that was in memory.
    ///
    /// # Errors
    /// When QEMU does not start again.
    pub fn cut_power_and_boot(&mut self, words: &str) -> Result<()> {
        self.cut_power();
        let longer = format!("{} {words}", self.cmdline);
        let argv: Vec<String> =
            self.argv.iter().map(|word| if *word == self.cmdline { longer.trim_end() } else { word }.to_owned()).collect();
        ledger::booted();
        self.asked_resets = 0;
        (self.qemu, self.qmp, self.probe) = power::start(&self.emulator, &argv, &self.folder)?;
        Ok(())
    }

    /// The machine's log; its clock started at power-on.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Time since power-on.
    pub fn elapsed(&self) -> Duration {
        self.log.elapsed()
    }

    /// Sockets, logs, and pictures of this machine.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is in it.
    pub(crate) fn hardware(&self) -> &Hardware {
        &self.hardware
    }

    /// QEMU's monitor.
    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// QEMU's.
    pub fn reset(&mut self) -> Result<()> {
        self.log.step("reset");
        self.qmp.execute("system_reset", json!({})).map(drop)
    }

    /// Whether the machine is still on.
    pub fn is_on(&mut self) -> bool {
        matches!(self.qemu.try_wait(), Ok(None))
    }

    /// The signal by which QEMU ended because of a fault of its own.
    pub(crate) fn crashed_by(&mut self) -> Option<i32> {
        let signal = self.qemu.try_wait().ok().flatten()?.signal()?;
        [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV].contains(&signal).then_some(signal)
    }

    /// Waits until the machine has switched itself off.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_for_power_off(&mut self, limit: Duration) -> Result<Duration> {
        let off = wait::until(limit, || Ok((!self.is_on()).then_some(())))?;
        off.ok_or_else(|| self.missed("the machine switching itself off", limit))?;
        Ok(self.reached("switched off"))
    }

    fn reached(&self, what: &str) -> Duration {
        self.log.step(what);
        self.elapsed()
    }

    pub(crate) fn missed(&self, what: &str, limit: Duration) -> Error {
        self.explain(format!("waited {} s for: {what}", limit.as_secs()))
    }

    fn failed(&self, error: &Error) -> Error {
        self.explain(error.to_string())
    }

    /// All that was written on the serial line since power-on.
    pub(crate) fn serial(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("serial.log")).unwrap_or_default()).into_owned()
    }

    /// What QEMU itself wrote.
    pub(crate) fn qemu_log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("qemu.log")).unwrap_or_default()).into_owned()
    }

    /// An error with the last lines of the serial console. What else the machine can tell is kept when it goes.
    pub(crate) fn explain(&self, message: String) -> Error {
        self.has_failed.set(true);
        let serial = self.serial();
        let told = last_lines(&serial, TOLD_LINES);
        Error::new(format!("{}: {}\nThe serial console's last lines:\n{told}", self.log.name(), message.trim_end()))
    }

    /// What ended a wait because it shows that the emulator broke the machine.
    pub(crate) fn evidence_of_waits(&self) -> Option<String> {
        self.evidence.borrow().clone()
    }

    /// Whether the machine reset more often than it was asked to.
    pub(crate) fn has_reset_unasked(&mut self) -> bool {
        self.qmp.resets() > self.asked_resets
    }

    /// The journal, if the machine answers.
    pub(crate) fn journal(&mut self) -> Option<String> {
        const TELL: &str = "journalctl --no-pager -n 3000 -o short-precise; timeout 5 cat /run/persona/*.toml /run/persona/legion/*.toml; tail -n 80 /run/cartridges/*";
        self.probe.boot()?;
        let id = self.probe.ask(TELL, None).ok()?;
        if let Some(output) = self.probe.answer(id, JOURNAL).ok()? {
            return Some(output.stdout);
        }
        // The probe does one thing after the other, and one of them hangs: the kernel says in what (Documentation/admin-guide/sysrq.rst).
        Some(self.try_ssh(&format!("ps -eo pid,stat,wchan:30,args; echo w > /proc/sysrq-trigger; sleep 1; {TELL}")).ok()?.stdout)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let failed = self.has_failed.get() || std::thread::panicking();
        failure::machine_goes(self, failed);
        power::stop(&mut self.qemu);
    }
}
