//! Writing sysfs attributes, with a deadline for those whose driver may never return.

use crate::error::{Context, Error, Result};
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

/// Writes attributes in a child process, which may hang without taking us along. One child does all the writing; one that
/// hung is left alone, and the next write gets another.
#[derive(Debug)]
pub struct Writer {
    program: PathBuf,
    deadline: Duration,
    scribe: RefCell<Option<Scribe>>,
}

impl Default for Writer {
    /// This very program, and five seconds.
    fn default() -> Self {
        Self::new("/proc/self/exe", Duration::from_secs(5))
    }
}

impl Writer {
    /// `program` is run as `PROGRAM write-attributes` and speaks as [`serve`] does. `deadline` is how long a write may take.
    pub fn new(program: impl Into<PathBuf>, deadline: Duration) -> Self {
        Self { program: program.into(), deadline, scribe: RefCell::new(None) }
    }

    /// How long a write may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// How long a write may take by which a host driver gets a device: amdgpu needs 5 to 10 s on an idle machine.
    pub fn deadline_of_drivers(&self) -> Duration {
        self.deadline * 6
    }

    /// Writes a line to an attribute. When `deadline` passes the child is left alone: one that hangs in a driver cannot
    /// even be killed.
    ///
    /// # Errors
    /// The child's system call's, with its `errno`.
    pub fn write(&self, path: &Path, value: &str, deadline: Duration) -> Result<Outcome> {
        let doing = || format!("writing `{value}` to {}", path.display());
        let mut scribe = match self.scribe.take() {
            Some(scribe) => scribe,
            None => Scribe::hire(&self.program).context(|| format!("running {} for {}", self.program.display(), doing()))?,
        };
        let Some(errno) = scribe.write(path, value, deadline).context(doing)? else { return Ok(Outcome::Hung) };
        self.scribe.replace(Some(scribe));
        match errno {
            0 => Ok(Outcome::Written),
            errno => Err(Error::caused_by(doing(), io::Error::from_raw_os_error(errno))),
        }
    }
}

/// The child that writes. It ends when nobody holds the other end of its input.
#[derive(Debug)]
struct Scribe {
    input: ChildStdin,
    output: ChildStdout,
}

impl Scribe {
    fn hire(program: &Path) -> io::Result<Self> {
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
        errno.map(Some).ok_or_else(|| io::Error::other("the child that writes answered with nonsense"))
    }
}

/// The child's side: reads a path and a value, a line each, writes the value, and answers with the errno, 0 for none; until its
/// input ends or nobody reads the answers any more.
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
