//! `qemu-img`, which creates, copies and compares images.

use crate::error::{Context, Error, Result};
use crate::sys::syscalls::die_with_us;
use serde::Deserialize;
use serde_json::{Value, json};
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

/// What `qemu-img check` says.
#[derive(Deserialize)]
struct Checked {
    #[serde(rename = "image-end-offset")]
    end: u64,
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

/// Checks that a qcow2 image is consistent.
pub(super) fn check(path: &Path) -> Result<()> {
    run(&format!("checking {}", path.display()), &["check", "-q", "-f", "qcow2"], &[path.as_os_str()])
}

/// A qcow2 image together with changes to its bytes that are in a file of their own, a difference image in qcow2. The image is only read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Difference<'a> {
    pub(super) image: &'a Path,
    pub(super) changes: &'a Path,
}

impl Difference<'_> {
    /// The bytes of the changed image, as QEMU's description of a block device. What the headers say about other files is not followed.
    fn bytes(self) -> Value {
        let file = |path: &Path| json!({ "driver": "file", "filename": path.to_string_lossy() });
        json!({ "driver": "qcow2", "file": file(self.changes), "backing": { "driver": "raw", "file": file(self.image) } })
    }

    /// The changed image as an operand for qemu-img.
    fn operand(self) -> String {
        format!("json:{}", json!({ "driver": "qcow2", "file": self.bytes(), "backing": null }))
    }

    fn doing(self) -> String {
        format!("changing the snapshots of {}", self.image.display())
    }

    /// Changes the snapshots: `-c` creates, `-a` restores, `-d` deletes.
    pub(super) fn snapshot(self, action: &str, name: &str) -> Result<()> {
        run(&self.doing(), &["snapshot", "-q", action, name], &[self.operand().as_ref()])
    }

    /// Whether the changed image contains a snapshot of that name.
    pub(super) fn has_snapshot(self, name: &str) -> Result<bool> {
        let said = output(&self.doing(), &["info", "--output=json"], &[self.operand().as_ref()])?;
        let Info { snapshots, .. } = serde_json::from_str(&said).context(|| self.doing())?;
        Ok(snapshots.iter().any(|snapshot| snapshot.name == name))
    }

    /// Frees clusters that nothing references, and checks that the changed image is consistent. Returns how many bytes of it are in use.
    pub(super) fn check(self) -> Result<u64> {
        let said = output(&self.doing(), &["check", "--output=json", "-r", "leaks"], &[self.operand().as_ref()])?;
        let Checked { end } = serde_json::from_str(&said).context(|| self.doing())?;
        Ok(end)
    }

    /// Sets the length of the changed image, in bytes: what is beyond is not in use.
    pub(super) fn set_length(self, length: u64) -> Result<()> {
        let arguments = ["resize", "-q", "-f", "qcow2", "--shrink"];
        run(&self.doing(), &arguments, &[self.changes.as_os_str(), length.to_string().as_ref()])
    }

    /// Copies the changes into the image. The changes stay: when this was interrupted, the same again completes it.
    pub(super) fn commit(self) -> Result<()> {
        run(&self.doing(), &["commit", "-q", "-d"], &[format!("json:{}", self.bytes()).as_ref()])
    }
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
