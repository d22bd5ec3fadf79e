//! What a running machine is asked, by the probe and over SSH, and waiting for what it says.

use super::{Machine, TOLD_LINES};
use crate::probe::Output;
use crate::tool::last_lines;
use crate::wire::{REPORT_FILE, Report};
use crate::{evidence, ledger, wait};
use persona::error::{Error, Result};
use std::time::{Duration, Instant};

/// A boot on a busy machine without hardware virtualisation.
const BOOT: Duration = Duration::from_secs(360);
/// A command in the machine.
const COMMAND: Duration = Duration::from_secs(240);
/// How much longer than its own time a wait in the machine may take to be answered, on a busy computer.
const ANSWER: Duration = Duration::from_secs(60);
/// How often it is looked at whether a machine that is waited for can still come to it.
const WATCH: Duration = Duration::from_secs(20);

impl Machine {
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
                return Err(self.is_broken(what, evidence::in_serial(&self.serial()).unwrap_or_default()));
            }
            // Twice the same: a processor that waits for its turn on a busy computer has moved by the next time.
            let found = if self.is_on() { evidence::in_processors(&mut self.qmp) } else { None };
            if let (Some(found), true) = (&found, found == suspicion) {
                return Err(self.is_broken(what, found.clone()));
            }
            suspicion = found;
        }
    }

    /// The emulator broke the machine while something was awaited.
    fn is_broken(&self, what: &str, evidence: String) -> Error {
        let error = self.explain(format!("{what}: {evidence}"));
        self.evidence.replace(Some(evidence));
        error
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

    fn wait_for_hello(&mut self) -> Result<()> {
        if self.probe.boot().is_none() { self.wait_for_probe().map(drop) } else { Ok(()) }
    }
}
