//! Runs `qemu-img`: as a user of its own, with limits, and with the files that it is given open.
//!
//! Images come from untrusted sources, and QEMU's parsers read them. An image from elsewhere, and a disk that a guest has written, are read
//! by the user `persona-image`, who owns nothing and may write only to files that such a run is lent. legion's user would not do:
//! the disk of the legion that runs is its own. The files are opened here and named by their descriptors: the user needs no right to the
//! folders that they are in, and reaches no other file by a name in a header.

use crate::error::{Context, Error, Result};
use crate::sys::account::Account;
use crate::sys::paths::Paths;
use crate::sys::syscalls::{self, Limits, confine, die_with_us};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

const PROGRAM: &str = "qemu-img";
/// The tables of the largest disk take about a third of that, in bytes.
const MEMORY: u64 = 4 << 30;
/// What only looks at an image needs no longer, in seconds of processor time.
const LOOKS_FOR: u64 = 600;

/// Receives the share of a long task that is done, from 0 to 1.
pub(super) type Share<'a> = dyn FnMut(f64) + 'a;

/// Who runs `qemu-img`.
#[derive(Debug, Clone, Copy)]
pub(super) struct QemuImg {
    user: Option<Account>,
}

/// How much a run may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Reads tables. It can write to no file.
    Look,
    /// Reads all data. It can write to no file.
    Read,
    Write,
}

impl QemuImg {
    /// For images that others may have written. Without root's rights there is nothing to give up.
    ///
    /// # Errors
    /// When there is no such user: root reads no such image instead.
    pub(super) fn confined(paths: &Paths) -> Result<Self> {
        let is_root = syscalls::effective_user() == 0;
        Ok(Self { user: is_root.then(|| Account::of_images(paths)).transpose()? })
    }

    /// For files of ours, and for raw data: QEMU interprets no byte of it.
    pub(super) fn unconfined() -> Self {
        Self { user: None }
    }

    pub(super) fn run(self, doing: &str, task: Task, arguments: &[&str], operands: &[&OsStr], files: &[&Given]) -> Result<String> {
        let output = self.command(task, arguments, operands).output().map_err(|error| not_started(doing, error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(self.failed(doing, output.status, &output.stderr, &output.stdout, files))
    }

    /// As [`Self::run`], and reports the progress that `qemu-img -p` prints.
    pub(super) fn watched(
        self,
        doing: &str,
        task: Task,
        arguments: &[&str],
        operands: &[&OsStr],
        files: &[&Given],
        progress: &mut Share<'_>,
    ) -> Result<()> {
        let mut command = self.command(task, arguments, operands);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| not_started(doing, error))?;
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
        if output.status.success() { Ok(()) } else { Err(self.failed(doing, output.status, &output.stderr, &said, files)) }
    }

    fn command(self, task: Task, arguments: &[&str], operands: &[&OsStr]) -> Command {
        let mut command = Command::new(PROGRAM);
        // Every path is absolute or names a descriptor, so none can be read as an option or a protocol. The C library would reserve 64 MiB
        // of the address space for each thread.
        command.args(arguments).args(operands).stdin(Stdio::null()).env("MALLOC_ARENA_MAX", "2");
        let limits = Limits {
            user: self.user.map(|user| (user.uid, user.gid)),
            memory: MEMORY,
            processor: (task == Task::Look).then_some(LOOKS_FOR),
            writes_files: task == Task::Write,
        };
        confine(&mut command, limits);
        // Last: the kernel forgets it when the user changes.
        die_with_us(&mut command);
        command
    }

    fn failed(self, doing: &str, status: ExitStatus, stderr: &[u8], stdout: &[u8], files: &[&Given]) -> Error {
        let mut message = format!("{doing}: qemu-img failed ({status})");
        let words = [stderr, stdout].map(String::from_utf8_lossy);
        let words = words.iter().flat_map(|text| text.lines()).map(|line| line.trim().trim_start_matches("qemu-img: "));
        let first = words.filter(|line| !line.is_empty() && !line.contains("/100%)") && *line != "{").map(str::to_owned).next();
        if let Some(first) = &first {
            let named = files.iter().fold(first.clone(), |text, file| text.replace(&file.name(), &file.path.display().to_string()));
            let _ = write!(message, ": {named}");
        }
        let error = Error::new(message);
        let first = first.unwrap_or_default();
        if self.user.is_some() && first.ends_with("Permission denied") {
            return error.with_code("image-unreadable").with_hint(format!(
                "images from elsewhere are read by the user {}: `chmod o+r` the image until it is imported, or copy it",
                Account::IMAGES
            ));
        }
        match hint(&first) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// An open file for `qemu-img`. Programs that this process starts inherit it until this is dropped.
#[derive(Debug)]
pub(super) struct Given {
    path: PathBuf,
    file: File,
    /// To whom it is given back.
    owner: Option<(u32, u32)>,
}

impl Given {
    /// A file that is only read, and that its owner may not want to lend.
    pub(super) fn to_read(path: &Path) -> Result<Self> {
        Self::new(path, File::open(path), None)
    }

    /// As [`Self::to_read`], for a file that is open.
    pub(super) fn opened(path: &Path, file: File) -> Result<Self> {
        Self::new(path, Ok(file), None)
    }

    /// A file of ours, which belongs to the user of `qemu-img` until this is dropped.
    pub(super) fn lent(path: &Path, to: QemuImg) -> Result<Self> {
        Self::new(path, OpenOptions::new().read(true).write(true).open(path), to.user)
    }

    fn new(path: &Path, opened: std::io::Result<File>, user: Option<Account>) -> Result<Self> {
        let doing = || format!("opening {} for qemu-img", path.display());
        let file = opened.context(doing)?;
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).context(doing)?;
        let mut given = Self { path: path.to_owned(), file, owner: None };
        if let Some(user) = user {
            let metadata = given.file.metadata().context(doing)?;
            // A killed command has lent it already.
            let owner = if metadata.uid() == user.uid { syscalls::effective_user() } else { metadata.uid() };
            fchown(&given.file, Some(user.uid), None).context(doing)?;
            given.owner = Some((owner, metadata.gid()));
        }
        Ok(given)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Its name for `qemu-img`.
    pub(super) fn name(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }

    /// Its bytes, as QEMU's description of a block device, in JSON.
    pub(super) fn node(&self) -> String {
        let is_device = self.file.metadata().is_ok_and(|metadata| metadata.file_type().is_block_device());
        let driver = if is_device { "host_device" } else { "file" };
        format!(r#"{{"driver":"{driver}","filename":"{}"}}"#, self.name())
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Some((user, group)) = self.owner {
            // The next start of legion sets all owners anyway.
            let _ = fchown(&self.file, Some(user), Some(group));
        }
    }
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
