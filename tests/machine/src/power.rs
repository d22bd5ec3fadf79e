//! Switching a machine on: its files, its disk and its QEMU.

use crate::artifacts::Artifacts;
use crate::command_line::Boot;
use crate::emulator::Emulator;
use crate::hardware::Hardware;
use crate::probe::Probe;
use crate::qmp::Qmp;
use crate::scenario::{Scenario, archive};
use crate::suite::Suite;
use crate::tool::{Tool, last_lines};
use crate::wait;
use persona::error::{Context, Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// QEMU opens its sockets at once.
const QEMU_START: Duration = Duration::from_secs(20);
/// How many lines of QEMU's own output an error tells.
const TOLD_LINES: usize = 15;

/// What a scenario brings along: an initramfs and items of firmware configuration. A saved machine needs the same again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) initramfs: PathBuf,
    /// Name and file.
    pub(crate) firmware: Vec<(String, PathBuf)>,
}

impl Files {
    /// Writes them into `folder`.
    ///
    /// # Errors
    /// When an image cannot be made, or a file not be written.
    pub(crate) fn make(artifacts: &Artifacts, scenario: &Scenario, folder: &Path) -> Result<Self> {
        Ok(Self { initramfs: make_initramfs(artifacts, scenario, folder)?, firmware: make_firmware(scenario, folder)? })
    }
}

/// The kernel unpacks archives one after the other, later files over earlier ones.
fn make_initramfs(artifacts: &Artifacts, scenario: &Scenario, folder: &Path) -> Result<PathBuf> {
    let image = if scenario.bare { artifacts.bare_initramfs(scenario.image)? } else { artifacts.initramfs(scenario.image).to_owned() };
    if scenario.initramfs_files.is_empty() {
        return Ok(image);
    }
    let mut bytes = std::fs::read(&image).context(|| format!("reading {}", image.display()))?;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(archive(&scenario.initramfs_files));
    let path = folder.join("initramfs");
    write_once(&path, &bytes)?;
    Ok(path)
}

/// A saved machine's files are the same whenever they are made, and another restored machine may be reading them.
fn write_once(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|kept| kept == bytes) {
        return Ok(());
    }
    std::fs::write(path, bytes).context(|| format!("writing {}", path.display()))
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
            write_once(&path, &bytes)?;
            Ok((name.to_owned(), path))
        })
        .collect()
}

/// A folder of the machine's own. A socket's path may have 107 bytes, so it lies in the folder for temporary files.
pub(crate) fn make_folder(name: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("persona-{}-{number}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// A disk that begins as `base` (of this format) is, and keeps what is written to it to itself.
///
/// # Errors
/// When qemu-img fails.
pub(crate) fn make_disk(base: &Path, format: &str, disk: &Path) -> Result<()> {
    Tool::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-F", format, "-b"]).arg(base).arg(disk).run()
}

/// QEMU's arguments for a machine in `folder`.
pub(crate) fn argv(
    artifacts: &Artifacts,
    hardware: &Hardware,
    scenario: &Scenario,
    files: &Files,
    folder: &Path,
    ssh_port: u16,
) -> Vec<String> {
    hardware.argv(&Boot {
        accel: artifacts.accel,
        nested_paging: artifacts.suite != Suite::Bookworm,
        kernel: &artifacts.kernel,
        initramfs: &files.initramfs,
        cmdline: &hardware.cmdline(&scenario.words()),
        disk: &folder.join("disk.qcow2"),
        durable: scenario.durable,
        folder,
        ssh_port,
        firmware: &files.firmware,
        windows: scenario.windows,
    })
}

/// Starts QEMU and connects to its monitor and to the probe's port.
///
/// # Errors
/// When QEMU cannot be started or ends at once; with what it said.
pub(crate) fn start(emulator: &Emulator, argv: &[String], folder: &Path) -> Result<(Child, Qmp, Probe)> {
    let mut qemu = start_qemu(emulator, argv, folder)?;
    let connected = wait::until(QEMU_START, || {
        if let Ok(Some(status)) = qemu.try_wait() {
            let told = std::fs::read_to_string(folder.join("qemu.log")).unwrap_or_default();
            return Err(Error::new(format!("QEMU ended at once ({status}):\n{}", last_lines(&told, TOLD_LINES))));
        }
        Ok(Qmp::connect(&folder.join("qmp")).ok())
    });
    let probe = Probe::connect(&folder.join("probe"));
    match (connected, probe) {
        (Ok(Some(qmp)), Ok(probe)) => Ok((qemu, qmp, probe)),
        (Err(error), _) => {
            stop(&mut qemu);
            Err(error)
        }
        _ => {
            stop(&mut qemu);
            let told = std::fs::read_to_string(folder.join("qemu.log")).unwrap_or_default();
            Err(Error::new(format!("QEMU did not start:\n{}", last_lines(&told, TOLD_LINES))))
        }
    }
}

/// Cuts the power.
pub(crate) fn stop(qemu: &mut Child) {
    let _ = qemu.kill();
    let _ = qemu.wait();
}

fn start_qemu(emulator: &Emulator, argv: &[String], folder: &Path) -> Result<Child> {
    let path = folder.join("qemu.log");
    let doing = || format!("writing {}", path.display());
    let output = File::create(&path).context(doing)?;
    let error = output.try_clone().context(doing)?;
    let mut command = emulator.command();
    command.args(argv).stdin(Stdio::null()).stdout(output).stderr(error);
    let child = command.spawn().context(|| "starting qemu-system-x86_64".to_owned());
    child.map_err(|error| error.with_hint("`make setup` installs QEMU"))
}
