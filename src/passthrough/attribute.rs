//! Writes sysfs attributes, with a deadline for those whose driver may never return.

use crate::error::{Context, Error, Result};
use crate::sys::tree;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Writes a line to an attribute in this process. Opened for writing only and never created, so that a wrong name fails below a recorded
/// tree as it does in sysfs.
///
/// # Errors
/// The system call's.
pub fn write_now(path: &Path, value: &str) -> io::Result<()> {
    // A single write(2): an attribute takes each call as a separate value.
    OpenOptions::new().write(true).open(tree::followed(path))?.write_all(format!("{value}\n").as_bytes())
}

/// The result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum WriteOutcome {
    /// The kernel took the value.
    Written,
    /// It had not returned by the deadline, and may never return.
    Hung,
}

/// Writes attributes in a child process, which may hang without blocking us. One child does all writes; a hung child is abandoned, and the
/// next write starts a new one.
#[derive(Debug)]
pub struct SysfsWriter {
    program: PathBuf,
    deadline: Duration,
    process: RefCell<Option<WriterProcess>>,
}

impl Default for SysfsWriter {
    /// The running program, and a deadline of five seconds.
    fn default() -> Self {
        Self::new("/proc/self/exe", Duration::from_secs(5))
    }
}

impl SysfsWriter {
    /// `program` is run as `PROGRAM write-attributes` and speaks the protocol of [`serve`]. `deadline` is how long a write may take.
    pub fn new(program: impl Into<PathBuf>, deadline: Duration) -> Self {
        Self { program: program.into(), deadline, process: RefCell::new(None) }
    }

    /// How long a write may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// How long a write that binds a host driver may take: amdgpu needs 5 to 10 s on an idle machine.
    pub fn deadline_of_drivers(&self) -> Duration {
        self.deadline * 6
    }

    /// Writes a line to an attribute. When `deadline` passes, the child is abandoned: a process that hangs in a driver cannot even be
    /// killed.
    ///
    /// # Errors
    /// That of the child's system call, with its `errno`.
    pub fn write(&self, path: &Path, value: &str, deadline: Duration) -> Result<WriteOutcome> {
        // The child knows nothing of `--root`.
        let path = &tree::followed(path);
        let doing = || format!("writing `{value}` to {}", path.display());
        let mut process = match self.process.take() {
            Some(process) => process,
            None => WriterProcess::spawn(&self.program).context(|| format!("running {} for {}", self.program.display(), doing()))?,
        };
        let Some(errno) = process.write(path, value, deadline).context(doing)? else { return Ok(WriteOutcome::Hung) };
        self.process.replace(Some(process));
        match errno {
            0 => Ok(WriteOutcome::Written),
            errno => Err(Error::caused_by(doing(), io::Error::from_raw_os_error(errno))),
        }
    }
}

/// The child that writes. It ends when the other end of its input is closed.
#[derive(Debug)]
struct WriterProcess {
    input: ChildStdin,
    output: ChildStdout,
}

impl WriterProcess {
    fn spawn(program: &Path) -> io::Result<Self> {
        let mut child = Command::new(program).arg("write-attributes").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else { return Err(ErrorKind::BrokenPipe.into()) };
        Ok(Self { input, output })
    }

    /// The errno of one write, 0 for none; `None` if it did not return in time.
    fn write(&mut self, path: &Path, value: &str, deadline: Duration) -> io::Result<Option<i32>> {
        let until = Instant::now() + deadline;
        self.input.write_all(&[path.as_os_str().as_bytes(), b"\n", value.as_bytes(), b"\n"].concat())?;
        let mut reply = Vec::new();
        while reply.last() != Some(&b'\n') {
            let timeout = PollTimeout::try_from(until.saturating_duration_since(Instant::now())).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(0) => return Ok(None),
                Err(nix::errno::Errno::EINTR) => continue,
                ready => ready?,
            };
            let mut part = [0; 16];
            match self.output.read(&mut part)? {
                0 => return Err(io::Error::other("the child that writes has ended")),
                length => reply.extend_from_slice(&part[..length]),
            }
        }
        let errno = std::str::from_utf8(&reply).ok().and_then(|text| text.trim().parse().ok());
        errno.map(Some).ok_or_else(|| io::Error::other("the child that writes sent an invalid answer"))
    }
}

/// The child's side: reads a path and a value, one per line, writes the value, and answers with the errno, 0 for none; until its input ends
/// or its output is closed.
///
/// # Errors
/// When its input cannot be read.
pub fn serve(input: &mut dyn BufRead, output: &mut dyn Write) -> io::Result<()> {
    let line = |input: &mut dyn BufRead| -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        input.read_until(b'\n', &mut bytes)?;
        Ok((bytes.pop() == Some(b'\n')).then_some(bytes))
    };
    while let (Some(path), Some(value)) = (line(input)?, line(input)?) {
        let written = write_now(Path::new(OsStr::from_bytes(&path)), &String::from_utf8_lossy(&value));
        let errno = written.map_or_else(|error| error.raw_os_error().unwrap_or(nix::libc::EIO), |()| 0);
        if writeln!(output, "{errno}").and_then(|()| output.flush()).is_err() {
            break;
        }
    }
    Ok(())
}
