//! `qemu-img`, which creates, copies and compares images.

use crate::error::{Context, Error, Result};
use crate::sys::syscalls::die_with_us;
use serde::Deserialize;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

const PROGRAM: &str = "qemu-img";
/// Disables copy-on-write below the guest's own on Btrfs, where it would fragment the disk; elsewhere it has no effect.
const NO_COPY_ON_WRITE: &str = "nocow=on";

/// Receives the progress of a long task: what is being done, and how much of it, from 0 to 1.
pub type Progress<'a> = dyn FnMut(&str, f64) + 'a;
/// Receives the progress of one part of the task.
type Share<'a> = dyn FnMut(f64) + 'a;

/// What `qemu-img info` says about an image.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    /// The disk's size in bytes.
    #[serde(rename = "virtual-size")]
    pub(super) size: u64,
    #[serde(default)]
    snapshots: Vec<InternalSnapshot>,
}

#[derive(Debug, Deserialize)]
struct InternalSnapshot {
    name: String,
}

impl Info {
    /// Whether it contains a snapshot of that name.
    pub(super) fn has_snapshot(&self, name: &str) -> bool {
        self.snapshots.iter().any(|snapshot| snapshot.name == name)
    }
}

/// What `qemu-img measure` says.
#[derive(Deserialize)]
struct Measure {
    required: u64,
}

/// A blank image of `size` bytes.
pub(super) fn create(path: &Path, format: &str, size: u64) -> Result<()> {
    let size = size.to_string();
    run(&format!("making {}", path.display()), &["create", "-q", "-f", format, "-o", NO_COPY_ON_WRITE], &[path.as_os_str(), size.as_ref()])
}

/// What an image of this format holds. The format is never detected: what a guest wrote to a raw disk may look like another one.
pub(super) fn info(path: &Path, format: &str) -> Result<Info> {
    let doing = format!("looking at the image {}", path.display());
    serde_json::from_str(&output(&doing, &["info", "--output=json", "-f", format], &[path.as_os_str()])?).context(|| doing)
}

/// Checks that an image of another format is consistent and whole.
pub(super) fn check_format(path: &Path, format: &str) -> Result<()> {
    run(&format!("checking {}", path.display()), &["check", "-q", "-f", format], &[path.as_os_str()])
}

/// How many bytes a copy in another format takes at most, not counting zero blocks.
pub(super) fn measure(path: &Path, format: &str, wanted: &str) -> Result<u64> {
    let doing = format!("measuring the image {}", path.display());
    let said = output(&doing, &["measure", "--output=json", "-f", format, "-O", wanted], &[path.as_os_str()])?;
    let said: Measure = serde_json::from_str(&said).context(|| doing)?;
    Ok(said.required)
}

/// Copies a small qcow2 image, byte by byte as a disk stores them.
pub(super) fn flatten(from: &Path, to: &Path) -> Result<()> {
    let doing = format!("copying {} to {}", from.display(), to.display());
    run(&doing, &["convert", "-q", "-f", "qcow2", "-O", "raw"], &[from.as_os_str(), to.as_os_str()])
}

/// Copies an image into another format, leaving out zero blocks.
pub(super) fn convert(from: &Path, format: &str, to: &Path, wanted: &str, progress: &mut Share<'_>) -> Result<()> {
    let doing = format!("copying {} to {}", from.display(), to.display());
    let arguments = ["convert", "-p", "-f", format, "-O", wanted, "-o", NO_COPY_ON_WRITE];
    watched(&doing, &arguments, &[from.as_os_str(), to.as_os_str()], progress)
}

/// Checks that two images contain the same disk.
pub(super) fn compare(from: &Path, format: &str, to: &Path, wanted: &str, progress: &mut Share<'_>) -> Result<()> {
    let doing = format!("comparing {} with its copy", from.display());
    watched(&doing, &["compare", "-p", "-f", format, "-F", wanted], &[from.as_os_str(), to.as_os_str()], progress)
}

/// Checks that a qcow2 image is consistent; `hint` frees clusters that an interrupted change left allocated.
pub(super) fn check(path: &Path, hint: bool) -> Result<()> {
    let arguments: &[&str] = if hint { &["check", "-q", "-f", "qcow2", "-r", "leaks"] } else { &["check", "-q", "-f", "qcow2"] };
    run(&format!("checking {}", path.display()), arguments, &[path.as_os_str()])
}

/// Changes the snapshots inside a qcow2 image: `-c` creates, `-a` restores, `-d` deletes.
pub(super) fn snapshot(path: &Path, action: &str, name: &str) -> Result<()> {
    run(&format!("changing the snapshots of {}", path.display()), &["snapshot", "-q", action, name], &[path.as_os_str()])
}

fn command(arguments: &[&str], operands: &[&OsStr]) -> Command {
    let mut command = Command::new(PROGRAM);
    // All paths are absolute, so none can be read as an option or a protocol.
    command.args(arguments).args(operands).stdin(Stdio::null());
    die_with_us(&mut command);
    command
}

fn run(doing: &str, arguments: &[&str], operands: &[&OsStr]) -> Result<()> {
    output(doing, arguments, operands).map(drop)
}

fn output(doing: &str, arguments: &[&str], operands: &[&OsStr]) -> Result<String> {
    let output = command(arguments, operands).output().map_err(|error| not_started(doing, error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(doing, output.status, &output.stderr, &output.stdout))
}

fn watched(doing: &str, arguments: &[&str], operands: &[&OsStr], progress: &mut Share<'_>) -> Result<()> {
    let mut child =
        command(arguments, operands).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| not_started(doing, error))?;
    let mut said = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        let mut bytes = [0; 512];
        while let Ok(length @ 1..) = stdout.read(&mut bytes) {
            said.extend_from_slice(&bytes[..length]);
            if let Some(percent) = percent(&said) {
                progress(percent / 100.0);
            }
            // Text before the last carriage return would be overwritten on a terminal, too.
            if let Some(end) = said.iter().rposition(|byte| *byte == b'\r') {
                said.drain(..end);
            }
        }
    }
    // qemu-img writes little to stderr, so it never blocks on a full pipe.
    let output = child.wait_with_output().context(|| doing.to_owned())?;
    if output.status.success() { Ok(()) } else { Err(failed(doing, output.status, &output.stderr, &said)) }
}

/// The last `(12.34/100%)`.
fn percent(said: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(said).ok()?;
    let (before, _) = text.rsplit_once("/100%)")?;
    before.rsplit_once('(')?.1.trim().parse().ok()
}

fn not_started(doing: &str, error: std::io::Error) -> Error {
    let is_missing = error.kind() == std::io::ErrorKind::NotFound;
    let error = Error::caused_by(format!("{doing} by {PROGRAM}"), error);
    if is_missing { error.with_hint("install it: qemu-img (Arch, Fedora), qemu-utils (Debian, Ubuntu)") } else { error }
}

fn failed(doing: &str, status: ExitStatus, stderr: &[u8], stdout: &[u8]) -> Error {
    let mut message = format!("{doing}: qemu-img failed ({status})");
    let words = [stderr, stdout].map(String::from_utf8_lossy);
    let words = words.iter().flat_map(|text| text.lines()).map(|line| line.trim().trim_start_matches("qemu-img: "));
    let first = words.filter(|line| !line.is_empty() && !line.contains("/100%)")).map(str::to_owned).next();
    if let Some(first) = &first {
        let _ = write!(message, ": {first}");
    }
    let error = Error::new(message);
    match hint(first.as_deref().unwrap_or_default()) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// What helps, by QEMU's own sentences: a name of a file in them may hold any word.
fn hint(first: &str) -> Option<&'static str> {
    let is_locked =
        (first.contains("Failed to get \"") && first.contains("\" lock")) || first.starts_with("Is another process using the image");
    if is_locked {
        Some("another virtual machine or tool uses the image: stop it first (`fuser -v FILE` shows it)")
    } else if first.ends_with("No space left on device") {
        Some("make room on that file system")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_goes_by_the_sentence_and_not_by_a_name_in_it() {
        assert!(hint("Could not open '/a': Failed to get \"write\" lock").is_some_and(|hint| hint.contains("stop it")));
        assert!(hint("error while writing: No space left on device").is_some_and(|hint| hint.contains("room")));
        assert_eq!(hint("Could not open backing file: Could not open '/Sherlock/base': No such file or directory"), None);
        assert_eq!(hint("error reading the block status of sector 0: Input/output error"), None);
    }

    #[test]
    fn progress_is_read_as_it_comes() {
        assert_eq!(percent(b"    (0.00/100%)\r    (12.34/100%)\r    (5"), Some(12.34));
        assert_eq!(percent(b"    (0.00/1"), None);
        assert_eq!(percent(b"\xff (1.00/100%)"), None);
        assert_eq!(percent(b"Images are identical."), None);
    }
}
