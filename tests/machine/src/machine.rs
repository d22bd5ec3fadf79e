//! A running machine.

use crate::artifacts::Artifacts;
use crate::command_line::Boot;
use crate::hardware::Hardware;
use crate::log::Log;
use crate::probe::{Output, Probe};
use crate::qmp::Qmp;
use crate::scenario::{Scenario, archive};
use crate::ssh::{Ssh, free_port};
use crate::tool::{Tool, last_lines};
use crate::trial::BrokeOff;
use crate::wait;
use crate::wire::{REPORT_FILE, Report};
use persona::error::{Context, Error, Result};
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// QEMU opens its sockets at once.
const QEMU_START: Duration = Duration::from_secs(20);
/// A boot on a busy machine without hardware virtualisation.
const BOOT: Duration = Duration::from_secs(300);
/// A command in the machine.
const COMMAND: Duration = Duration::from_secs(120);
/// What Linux writes when a processor does not get on (kernel/rcu/tree_stall.h, kernel/watchdog.c).
const STOOD_STILL: [&str; 2] = ["rcu: INFO: rcu_", "BUG: soft lockup"];
/// How many lines of the serial console an error tells.
const TOLD_LINES: usize = 15;

/// A machine that is on. Dropping it cuts the power, and so does the end of the thread that switched it on.
#[derive(Debug)]
pub struct Machine {
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
}

impl Machine {
    /// Boots. The disk is a fresh copy of the root image: what happens to it lasts over reboots of this machine only.
    ///
    /// # Errors
    /// When QEMU does not start.
    pub fn power_on(artifacts: &Artifacts, hardware: &Hardware, scenario: &Scenario) -> Result<Self> {
        let folder = make_folder(&scenario.name)?;
        let log = Log::new(&scenario.name);
        let disk = make_disk(artifacts, &folder)?;
        let initramfs = make_initramfs(artifacts, scenario, &folder)?;
        let firmware = make_firmware(scenario, &folder)?;
        let ssh_port = free_port()?;
        let cmdline = hardware.cmdline(&scenario.words());
        let argv = hardware.argv(&Boot {
            accel: artifacts.accel,
            kernel: &artifacts.kernel,
            initramfs: &initramfs,
            cmdline: &cmdline,
            disk: &disk,
            durable: scenario.durable,
            folder: &folder,
            ssh_port,
            firmware: &firmware,
            windows: scenario.windows,
        });
        log.step("power on");
        let (qemu, qmp, probe) = start(&argv, &folder)?;
        let ssh = Ssh::new(&artifacts.ssh_key, ssh_port);
        Ok(Self { qemu, argv, cmdline, qmp, probe, ssh, log, hardware: hardware.clone(), folder })
    }

    /// Cuts the power and switches the machine on again, with these more words on its kernel command line for this boot. QEMU
    /// is killed: what the disk was not told to keep is lost, and everything that was in memory.
    ///
    /// # Errors
    /// When QEMU does not start again.
    pub fn cut_power_and_boot(&mut self, words: &str) -> Result<()> {
        self.log.step("the power is cut");
        stop(&mut self.qemu);
        let longer = format!("{} {words}", self.cmdline);
        let argv: Vec<String> =
            self.argv.iter().map(|word| if *word == self.cmdline { longer.trim_end() } else { word }.to_owned()).collect();
        (self.qemu, self.qmp, self.probe) = start(&argv, &self.folder)?;
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
        if self.probe.boot().is_none() && !self.probe.wait_for_boot(None, BOOT) {
            return Err(self.missed("an answer of the probe", BOOT));
        }
        Ok(self.reached("the probe answers"))
    }

    /// Waits until the machine has rebooted and the probe answers again.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_for_reboot(&mut self) -> Result<Duration> {
        let before = self.probe.boot().map(str::to_owned);
        if !self.probe.wait_for_boot(before.as_deref(), BOOT) {
            return Err(self.missed("a reboot", BOOT));
        }
        Ok(self.reached("rebooted, the probe answers"))
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
        self.wait_for_hello()?;
        self.probe.run(script, COMMAND).map_err(|error| self.broke_off(error.to_string()))
    }

    /// Runs a shell script by the probe again and again until it succeeds; its stdout.
    ///
    /// # Errors
    /// When `limit` passes first. `what` says what was awaited.
    pub fn wait_until(&mut self, what: &str, script: &str, limit: Duration) -> Result<String> {
        self.wait_for_hello()?;
        let probe = &mut self.probe;
        let mut last = String::new();
        let found = wait::until(limit, || {
            let output = probe.run(script, COMMAND)?;
            last = format!("{}{}", output.stdout, output.stderr);
            Ok((output.status == 0).then_some(output.stdout))
        });
        match found {
            Ok(Some(stdout)) => {
                self.reached(what);
                Ok(stdout)
            }
            Ok(None) => Err(self.broke_off(format!(
                "waited {} s for: {what}; `{script}` last said:\n{}",
                limit.as_secs(),
                last_lines(&last, TOLD_LINES)
            ))),
            Err(error) => Err(self.broke_off(error.to_string())),
        }
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
        if output.status == 255 { Err(self.broke_off(format!("`{command}`: {}", output.stderr.trim_end()))) } else { Ok(output) }
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
        let mut seen = Vec::new();
        let found = wait::until(limit, || {
            seen = self.reports()?;
            Ok(seen.iter().find(|report| wanted(report)).cloned())
        })?;
        match found {
            Some(report) => {
                self.reached(what);
                Ok(report)
            }
            None => Err(self.broke_off(format!("waited {} s for: {what}; legion reported {seen:?}", limit.as_secs()))),
        }
    }

    /// Whether the machine is still on.
    pub fn is_on(&mut self) -> bool {
        matches!(self.qemu.try_wait(), Ok(None))
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
        self.broke_off(format!("waited {} s for: {what}", limit.as_secs()))
    }

    /// The error of a machine that does not answer, or not with what was waited for: [`crate::trial`] gives the test another one.
    fn broke_off(&self, message: String) -> Error {
        Error::because(self.explain(message).to_string(), BrokeOff)
    }

    /// The error of a command that failed: the machine's own, if its kernel tells that a processor stood still.
    fn failed(&self, error: &Error) -> Error {
        let serial = self.serial();
        let stood_still = STOOD_STILL.iter().any(|words| serial.contains(words));
        if stood_still { self.broke_off(error.to_string()) } else { self.explain(error.to_string()) }
    }

    fn serial(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("serial.log")).unwrap_or_default()).into_owned()
    }

    /// An error with the last lines of the serial console.
    pub(crate) fn explain(&self, message: String) -> Error {
        let serial = self.serial();
        let told = last_lines(&serial, TOLD_LINES);
        Error::new(format!("{}: {}\nThe serial console's last lines:\n{told}", self.log.name(), message.trim_end()))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        stop(&mut self.qemu);
        if std::env::var_os("PERSONA_KEEP").is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Starts QEMU and connects to its monitor and to the probe's port.
fn start(argv: &[String], folder: &Path) -> Result<(Child, Qmp, Probe)> {
    let mut qemu = start_qemu(argv, folder)?;
    let connected = wait::until(QEMU_START, || {
        if let Ok(Some(status)) = qemu.try_wait() {
            let told = std::fs::read_to_string(folder.join("qemu.log")).unwrap_or_default();
            return Err(Error::new(format!("QEMU ended at once ({status}):\n{}", last_lines(&told, TOLD_LINES))));
        }
        Ok(Qmp::connect(&folder.join("qmp")).ok())
    });
    let probe = Probe::connect(&folder.join("probe"));
    let (Ok(Some(qmp)), Ok(probe)) = (connected, probe) else {
        stop(&mut qemu);
        let told = std::fs::read_to_string(folder.join("qemu.log")).unwrap_or_default();
        return Err(Error::new(format!("QEMU did not start:\n{}", last_lines(&told, TOLD_LINES))));
    };
    Ok((qemu, qmp, probe))
}

fn stop(qemu: &mut Child) {
    let _ = qemu.kill();
    let _ = qemu.wait();
}

/// A folder of the machine's own. A socket's path may have 107 bytes, so it lies in the folder for temporary files.
fn make_folder(name: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("persona-{}-{number}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).doing(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

fn make_disk(artifacts: &Artifacts, folder: &Path) -> Result<PathBuf> {
    let disk = folder.join("disk.qcow2");
    let create = Tool::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]);
    create.arg(&artifacts.root_image).arg(&disk).run()?;
    Ok(disk)
}

/// The kernel unpacks archives one after the other, later files over earlier ones.
fn make_initramfs(artifacts: &Artifacts, scenario: &Scenario, folder: &Path) -> Result<PathBuf> {
    let image = if scenario.bare { artifacts.bare_initramfs(scenario.image)? } else { artifacts.initramfs(scenario.image).to_owned() };
    if scenario.initramfs_files.is_empty() {
        return Ok(image);
    }
    let mut bytes = std::fs::read(&image).doing(|| format!("reading {}", image.display()))?;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(archive(&scenario.initramfs_files));
    let path = folder.join("initramfs");
    std::fs::write(&path, bytes).doing(|| format!("writing {}", path.display()))?;
    Ok(path)
}

fn make_firmware(scenario: &Scenario, folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut items = Vec::new();
    if !scenario.files.is_empty() {
        items.push(("files", archive(&scenario.files)));
    }
    if !scenario.script.is_empty() {
        items.push(("script", scenario.script.clone().into_bytes()));
    }
    items
        .into_iter()
        .map(|(name, bytes)| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).doing(|| format!("writing {}", path.display()))?;
            Ok((name.to_owned(), path))
        })
        .collect()
}

fn start_qemu(argv: &[String], folder: &Path) -> Result<Child> {
    let path = folder.join("qemu.log");
    let doing = || format!("writing {}", path.display());
    let output = File::create(&path).doing(doing)?;
    let error = output.try_clone().doing(doing)?;
    // Whatever becomes of the bench, no QEMU stays behind.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]).args(argv);
    command.stdin(Stdio::null()).stdout(output).stderr(error);
    let child = command.spawn().doing(|| "starting qemu-system-x86_64".to_owned());
    child.map_err(|error| error.mend("`make setup` installs QEMU"))
}
