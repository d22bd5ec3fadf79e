//! Writing sysfs attributes, with a deadline for those whose driver may never return.

use crate::error::{Context, Error, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Writes a line to an attribute, here and now. Opened for writing only and never created, so that a mistyped name
/// fails under a recorded tree as it does in sysfs.
///
/// # Errors
/// The system call's.
pub fn write_now(path: &Path, value: &str) -> io::Result<()> {
    // One call to write(2): an attribute takes each as a value of its own.
    OpenOptions::new().write(true).open(path)?.write_all(format!("{value}\n").as_bytes())
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The kernel took the value.
    Written,
    /// It had not returned by the deadline, and may never.
    Hung,
}

/// Writes attributes in a child process, which may hang without taking us along.
#[derive(Debug, Clone)]
pub struct Writer {
    /// The program that is run as `PROGRAM write-attribute FILE VALUE`; it exits with 0 or the `errno` of [`write_now`].
    pub program: PathBuf,
    /// How long it may take.
    pub deadline: Duration,
}

impl Default for Writer {
    /// This very program, and five seconds.
    fn default() -> Self {
        Self { program: "/proc/self/exe".into(), deadline: Duration::from_secs(5) }
    }
}

impl Writer {
    /// Writes a line to an attribute. When the deadline passes the child is left alone: one that hangs in a driver cannot
    /// even be killed.
    ///
    /// # Errors
    /// The child's system call's, with its `errno`.
    pub fn write(&self, path: &Path, value: &str) -> Result<Outcome> {
        let doing = || format!("writing `{value}` to {}", path.display());
        let mut child = Command::new(&self.program)
            .arg("write-attribute")
            .args([path.as_os_str(), value.as_ref()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .doing(|| format!("running {} for {}", self.program.display(), doing()))?;
        // Nothing is ever read: the pipe's other end closes when the child is gone.
        if let Some(pipe) = &child.stdout {
            let timeout = PollTimeout::try_from(self.deadline).unwrap_or(PollTimeout::MAX);
            let mut ends = [PollFd::new(pipe.as_fd(), PollFlags::empty())];
            let ready = loop {
                match poll(&mut ends, timeout) {
                    Err(nix::errno::Errno::EINTR) => {}
                    ready => break ready.doing(|| format!("waiting for {}", doing()))?,
                }
            };
            if ready == 0 {
                return Ok(Outcome::Hung);
            }
        }
        let status = child.wait().doing(doing)?;
        match status.code() {
            Some(0) => Ok(Outcome::Written),
            Some(errno) if errno < i32::from(u8::MAX) => Err(Error::because(doing(), io::Error::from_raw_os_error(errno))),
            _ => Err(Error::new(format!("{}: the writer ended with {status}", doing()))),
        }
    }
}
