//! How QEMU runs the machine: by the host's virtualisation, if that can do what the machine needs.

use crate::cpio::Archive;
use crate::emulator::Emulator;
use crate::log::Log;
use crate::wait;
use persona::error::{Context, Error, Result};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// How QEMU runs a guest's processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// Emulated; slow, and everywhere. Has AMD's virtualisation, so that legion runs inside.
    Tcg,
    /// The host's own; needs nested virtualisation.
    Kvm,
}

impl Accel {
    /// QEMU's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
        }
    }
}

/// A guest kernel that runs at all says so within this time.
const TRIAL: Duration = Duration::from_secs(8);
/// What it says.
const WORD: &str = "persona-kvm-works";

/// What `PERSONA_ACCEL` says, or else what a trial boot shows; its outcome is kept in `folder`.
///
/// # Errors
/// When `PERSONA_ACCEL` is neither `kvm` nor `tcg`, or the trial cannot be made.
pub(crate) fn choose(folder: &Path, kernel: &Path, tree: &Path, emulator: &Emulator, log: &Log) -> Result<Accel> {
    match std::env::var("PERSONA_ACCEL").as_deref() {
        Ok("kvm") => return Ok(Accel::Kvm),
        Ok("tcg") => return Ok(Accel::Tcg),
        Ok(other) => return Err(Error::usage(format!("PERSONA_ACCEL is {other:?}")).with_hint("use kvm or tcg")),
        Err(_) => {}
    }
    let kept = folder.join("accel");
    match fs::read_to_string(&kept).as_deref() {
        Ok("kvm") => return Ok(Accel::Kvm),
        Ok("tcg") => return Ok(Accel::Tcg),
        _ => {}
    }
    let accel = if nested() && trial(folder, kernel, tree, emulator)? { Accel::Kvm } else { Accel::Tcg };
    log.step(format!("QEMU runs with {} (PERSONA_ACCEL=kvm or tcg overrides)", accel.name()));
    fs::write(&kept, accel.name()).context(|| format!("writing {}", kept.display()))?;
    Ok(accel)
}

/// Whether the host's KVM can run guests that run guests, and we may use it.
fn nested() -> bool {
    let usable = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    let nested = |module: &str| {
        let value = fs::read_to_string(format!("/sys/module/{module}/parameters/nested")).unwrap_or_default();
        matches!(value.trim(), "1" | "Y" | "y")
    };
    usable && (nested("kvm_amd") || nested("kvm_intel"))
}

/// Boots the kernel with an init that says one word: `/dev/kvm` may be there and guests still hang on it.
fn trial(folder: &Path, kernel: &Path, tree: &Path, emulator: &Emulator) -> Result<bool> {
    let busybox = tree.join("usr/bin/busybox");
    let mut archive = Archive::default();
    archive.file("/busybox", 0o755, &fs::read(&busybox).context(|| format!("reading {}", busybox.display()))?);
    archive.file("/init", 0o755, format!("#!/busybox sh\necho {WORD}\n/busybox poweroff -f\n").as_bytes());
    let (image, serial) = (folder.join("trial.img"), folder.join("trial.log"));
    fs::write(&image, archive.finish()).context(|| format!("writing {}", image.display()))?;
    let _ = fs::remove_file(&serial);
    let mut qemu = emulator
        .command()
        .args(["-accel", "kvm", "-cpu", "host", "-machine", "q35", "-nodefaults", "-display", "none", "-no-reboot", "-m", "512"])
        .args(["-append", "console=ttyS0 quiet"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(&image)
        .arg("-serial")
        .arg(format!("file:{}", serial.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context(|| "starting qemu-system-x86_64".to_owned())?;
    let spoke = wait::until(TRIAL, || Ok(fs::read_to_string(&serial).is_ok_and(|text| text.contains(WORD)).then_some(())));
    let _ = qemu.kill();
    let _ = qemu.wait();
    Ok(spoke?.is_some())
}
