//! A running machine.

use crate::artifacts::Artifacts;
use crate::emulator::Emulator;
use crate::hardware::Hardware;
use crate::log::Log;
use crate::power::{self, Files};
use crate::probe::{Output, Probe};
use crate::qmp::Qmp;
use crate::scenario::Scenario;
use crate::ssh::{Ssh, free_port};
use crate::tool::last_lines;
use crate::wire::{REPORT_FILE, Report};
use crate::{evidence, failure, ledger, wait};
use nix::libc::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
use persona::error::{Error, Result};
use serde_json::json;
use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

/// A boot on a busy machine without hardware virtualisation.
const BOOT: Duration = Duration::from_secs(360);
/// The journal of a machine that answers.
const JOURNAL: Duration = Duration::from_secs(30);
/// A command in the machine.
const COMMAND: Duration = Duration::from_secs(240);
/// How much longer than its own time a wait in the machine may take to be answered, on a busy computer.
const ANSWER: Duration = Duration::from_secs(60);
/// How often it is looked at whether a machine that is waited for can still come to it.
const WATCH: Duration = Duration::from_secs(20);
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

    /// Waits until the probe answers. Returns the time since power-on.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_for_probe(&mut self) -> Result<Duration> {
        if self.probe.boot().is_none() {
            self.wait_for_boot(None, "an answer of the probe")?;
        }
        Ok(self.reached("the probe answers"))
    }

    /// Waits until the machine has rebooted and the probe answers again.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_for_reboot(&mut self) -> Result<Duration> {
        let before = self.probe.boot().map(str::to_owned);
        self.asked_resets += 1;
        ledger::booted();
        self.wait_for_boot(before.as_deref(), "a reboot")?;
        Ok(self.reached("rebooted, the probe answers"))
    }

    fn wait_for_boot(&mut self, than: Option<&str>, what: &str) -> Result<()> {
        let is_there = self.watched(what, BOOT, |machine, slice| Ok(machine.probe.wait_for_boot(than, slice).then_some(())))?;
        is_there.ok_or_else(|| self.missed(what, BOOT))
    }

    /// Waits for `attempt`, which itself waits for the time it is given, and looks at the machine now and then: one that cannot come to
    /// anything any more is not waited for. `None` when `limit` passes.
    ///
    /// # Errors
    /// The first of `attempt`, and when the kernel has given up, or a processor is stuck or stalled.
    fn watched<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut attempt: impl FnMut(&mut Self, Duration) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let deadline = Instant::now() + limit;
        let mut suspicion = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(value) = attempt(self, left.min(WATCH))? {
                return Ok(Some(value));
            }
            if left <= WATCH {
                return Ok(None);
            }
            if let Some(panic) = evidence::panic(&self.serial()) {
                return Err(self.explain(format!("{what}: {panic}")));
            }
            if evidence::stays_stalled(&self.serial()) {
                let found = evidence::in_serial(&self.serial()).unwrap_or_default();
                return Err(self.explain(format!("{what}: {found}")));
            }
            // Twice the same: a processor that waits for its turn on a busy computer has moved by the next time.
            let found = if self.is_on() { evidence::in_processors(&mut self.qmp) } else { None };
            if let (Some(found), true) = (&found, found == suspicion) {
                return Err(self.explain(format!("{what}: {found}")));
            }
            suspicion = found;
        }
    }

    /// Runs a shell script by the probe and returns its stdout.
    ///
    /// # Errors
    /// When it fails, or there is no answer.
    pub fn run(&mut self, script: &str) -> Result<String> {
        self.try_run(script)?.success(script).map_err(|error| self.failed(&error))
    }

    /// Runs a shell script by the probe, whatever its exit code.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn try_run(&mut self, script: &str) -> Result<Output> {
        let output = self.answered(script, script, None, COMMAND)?;
        output.ok_or_else(|| self.missed(&format!("the end of `{script}`"), COMMAND))
    }

    /// What a script said, once or until it succeeds; `None` when there is no answer within `limit`.
    fn answered(&mut self, what: &str, script: &str, until: Option<Duration>, limit: Duration) -> Result<Option<Output>> {
        self.wait_for_hello()?;
        let id = self.probe.ask(script, until)?;
        self.watched(what, limit, |machine, slice| {
            machine.probe.answer(id, slice).map_err(|error| machine.explain(format!("{what}: {error}")))
        })
    }

    /// What a script said that is run until it succeeds or `limit` passes.
    fn last_answer(&mut self, what: &str, script: &str, limit: Duration) -> Result<Output> {
        let output = self.answered(what, script, Some(limit), limit + ANSWER)?;
        output.ok_or_else(|| self.missed(what, limit + ANSWER))
    }

    /// Runs a shell script in the machine whenever something may have changed there, until it succeeds; its stdout.
    ///
    /// # Errors
    /// When `limit` passes first. `what` says what was awaited.
    pub fn wait_until(&mut self, what: &str, script: &str, limit: Duration) -> Result<String> {
        let output = self.last_answer(what, script, limit)?;
        if output.status == 0 {
            self.reached(what);
            return Ok(output.stdout);
        }
        let last = last_lines(&format!("{}{}", output.stdout, output.stderr), TOLD_LINES);
        Err(self.explain(format!("waited {} s for: {what}; `{script}` last said:\n{last}", limit.as_secs())))
    }

    /// Waits until sshd greets. Returns the time since power-on.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_for_ssh(&mut self) -> Result<Duration> {
        self.wait_for_greeting()?;
        Ok(self.reached("sshd answers"))
    }

    fn wait_for_greeting(&self) -> Result<()> {
        let greeted = wait::until(BOOT, || Ok(self.ssh.greets(Duration::from_secs(2)).then_some(())))?;
        greeted.ok_or_else(|| self.missed("the greeting of sshd", BOOT))
    }

    /// Runs a command over SSH, as the machine's owner would, and returns its stdout. After a reboot sshd is waited for.
    ///
    /// # Errors
    /// When it fails, or sshd does not let us in.
    pub fn ssh(&self, command: &str) -> Result<String> {
        self.try_ssh(command)?.success(command).map_err(|error| self.failed(&error))
    }

    /// Runs a command over SSH, whatever its exit code.
    ///
    /// # Errors
    /// When sshd does not greet, the ssh client cannot be run, or the connection breaks off.
    pub fn try_ssh(&self, command: &str) -> Result<Output> {
        // QEMU's end of the port takes a connection before sshd is there, and drops it.
        self.wait_for_greeting()?;
        let output = self.ssh.run(command)?;
        // ssh(1): 255 is its own. No command here ends so.
        if output.status == 255 { Err(self.explain(format!("`{command}`: {}", output.stderr.trim_end()))) } else { Ok(output) }
    }

    /// The command line by which a person logs in.
    pub fn ssh_command(&self) -> String {
        self.ssh.argv().join(" ")
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// QEMU's.
    pub fn reset(&mut self) -> Result<()> {
        self.log.step("reset");
        self.qmp.execute("system_reset", json!({})).map(drop)
    }

    /// What the cartridges that ran since this boot have reported.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn reports(&mut self) -> Result<Vec<Report>> {
        let text = self.run(&format!("cat {REPORT_FILE} 2>/dev/null || :"))?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Waits for a report of a cartridge that `wanted` accepts.
    ///
    /// # Errors
    /// When `limit` passes first. `what` says what was awaited.
    pub fn wait_for_report(&mut self, what: &str, limit: Duration, wanted: impl Fn(&Report) -> bool) -> Result<Report> {
        let deadline = Instant::now() + limit;
        let (mut seen, mut length) = (Vec::new(), 0);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let longer = format!("text=$(cat {REPORT_FILE} 2>/dev/null) && test ${{#text}} -gt {length} && printf %s \"$text\"");
            let output = self.last_answer(what, &longer, left)?;
            if output.status != 0 {
                return Err(self.explain(format!("waited {} s for: {what}; legion reported {seen:?}", limit.as_secs())));
            }
            length = output.stdout.len();
            // The last line may be half written.
            seen = output.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Report>>();
            if let Some(report) = seen.iter().find(|report| wanted(report)) {
                self.reached(what);
                return Ok(report.clone());
            }
        }
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

    fn wait_for_hello(&mut self) -> Result<()> {
        if self.probe.boot().is_none() { self.wait_for_probe().map(drop) } else { Ok(()) }
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

    /// Whether the machine reset more often than it was asked to.
    pub(crate) fn has_reset_unasked(&mut self) -> bool {
        self.qmp.resets() > self.asked_resets
    }

    /// The journal, if the machine answers.
    pub(crate) fn journal(&mut self) -> Option<String> {
        const TELL: &str = "journalctl --no-pager -n 3000 -o short-precise; cat /run/persona/*.toml; tail -n 80 /run/persona/console.log /run/persona/report.jsonl";
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
