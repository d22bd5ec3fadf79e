//! A command's end of the socket: it waits, but never for longer than it was told to.

use super::request::Asked;
use super::{is_trusted, reply};
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use crate::sys::syscalls;
use nix::errno::Errno;
use nix::sys::socket::sockopt::{PeerCredentials, SendTimeout};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, setsockopt, socket};
use nix::sys::time::{TimeVal, TimeValLike};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer lines are no answers of a menu.
const LONGEST_ANSWER: usize = 1 << 20;

/// Asks the menu on the screen, and returns what it shows then; nothing if there is no menu. All of it takes at most `patience`.
///
/// # Errors
/// When the menu refuses, or does not answer in time.
pub fn ask(paths: &Paths, asked: &Asked, patience: Duration) -> Result<Option<Value>> {
    let ends = Instant::now() + patience;
    loop {
        let Some(mut caller) = Caller::connect(paths, ends)? else { return Ok(None) };
        // One that was sent away to make room for others was not heard.
        if let Some(state) = caller.ask(asked, ends)? {
            return Ok(Some(state));
        }
    }
}

/// A connection to the menu.
#[derive(Debug)]
pub struct Caller {
    stream: UnixStream,
    /// Of a line that is not complete yet.
    bytes: Vec<u8>,
    lines: VecDeque<Vec<u8>>,
}

impl Caller {
    /// Connects to the menu; nothing if there is none. Waits until `ends` at most.
    ///
    /// # Errors
    /// When there is one that does not let us in.
    pub fn connect(paths: &Paths, ends: Instant) -> Result<Option<Self>> {
        let path = paths.menu_socket();
        match connect_to(&path, ends) {
            Ok(stream) => Ok(Some(Self { stream, bytes: Vec::new(), lines: VecDeque::new() })),
            // The second is what a menu leaves that was killed.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ECONNREFUSED) => Ok(None),
            Err(Errno::EACCES) => Err(refused(&path, Errno::EACCES).with_hint("become root: `sudo persona ...`")),
            Err(Errno::EAGAIN) => Err(busy()),
            Err(error) => Err(refused(&path, error)),
        }
    }

    /// Asks, and returns what the menu shows then; nothing if the menu let go of us before it heard that.
    ///
    /// # Errors
    /// When it refuses, or does not answer in time.
    pub fn ask(&mut self, asked: &Asked, ends: Instant) -> Result<Option<Value>> {
        // Where nobody hears it any more, there may be an answer all the same: that we may not ask.
        let _ = self.stream.write_all(asked.line().as_bytes());
        loop {
            if let Some(line) = self.lines.pop_front() {
                return reply::read(&line).map(Some);
            }
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(busy());
            }
            self.stream.set_read_timeout(Some(left)).context(|| "asking the menu".to_owned())?;
            match self.read() {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Ok(None),
                _ => {}
            }
        }
    }

    /// The newest state that a subscriber was told, if there is news, and whether more can come. Does not wait.
    ///
    /// # Errors
    /// When the menu says something that cannot be understood.
    pub fn news(&mut self) -> Result<(Option<Value>, bool)> {
        self.stream.set_nonblocking(true).context(|| "listening to the menu".to_owned())?;
        let open = loop {
            if let Err(error) = self.read() {
                break error.kind() == ErrorKind::WouldBlock;
            }
        };
        let newest = self.lines.drain(..).next_back().map(|line| reply::read(&line)).transpose()?;
        Ok((newest, open))
    }

    fn read(&mut self) -> std::io::Result<()> {
        let mut bytes = [0; 4096];
        let count = match self.stream.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            count => count?,
        };
        if count == 0 || self.bytes.len() > LONGEST_ANSWER {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        for piece in bytes[..count].split_inclusive(|byte| *byte == b'\n') {
            self.bytes.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.lines.push_back(std::mem::take(&mut self.bytes));
            }
        }
        Ok(())
    }
}

impl AsFd for Caller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Waits for room among those that wait to be let in, but not for longer than until `ends`.
fn connect_to(path: &Path, ends: Instant) -> nix::Result<UnixStream> {
    let caller = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // None at all would be for ever.
    let left = ends.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    setsockopt(&caller, SendTimeout, &TimeVal::microseconds(left.as_micros() as i64))?;
    connect(caller.as_raw_fd(), &UnixAddr::new(path)?)?;
    // The folder is also legion's to write to, and what a guest that broke out says is nothing to go by.
    let user = getsockopt(&caller, PeerCredentials)?.uid();
    if is_trusted(user, syscalls::effective_user()) { Ok(caller.into()) } else { Err(Errno::EPERM) }
}

fn refused(path: &Path, why: Errno) -> Error {
    Error::caused_by(format!("speaking to the menu at {}", path.display()), std::io::Error::from(why))
}

fn busy() -> Error {
    Error::new("the menu does not answer").with_hint("see `systemctl status persona-menu`")
}
