//! A command's end of the socket. It may block, but not beyond its deadline.

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

/// No answer of a menu is longer.
const LONGEST_ANSWER: usize = 1 << 20;

/// Sends a request to the menu, and returns what it shows then; nothing if there is no menu. Takes at most `timeout`.
///
/// # Errors
/// When the menu refuses, or does not answer in time.
pub fn ask(paths: &Paths, asked: &Asked, timeout: Duration) -> Result<Option<Value>> {
    let ends = Instant::now() + timeout;
    loop {
        let Some(mut caller) = Caller::connect(paths, ends)? else { return Ok(None) };
        // The menu dropped this client to make room for others: its request was not read.
        if let Some(state) = caller.ask(asked, ends)? {
            return Ok(Some(state));
        }
    }
}

/// A connection to the menu.
#[derive(Debug)]
pub struct Caller {
    stream: UnixStream,
    /// The start of a line that is not complete yet.
    bytes: Vec<u8>,
    lines: VecDeque<Vec<u8>>,
}

impl Caller {
    /// Connects to the menu; nothing if there is none. Waits until `ends` at most.
    ///
    /// # Errors
    /// When there is one that does not accept the connection.
    pub fn connect(paths: &Paths, ends: Instant) -> Result<Option<Self>> {
        let path = paths.menu_socket();
        match connect_to(&path, ends) {
            Ok(stream) => Ok(Some(Self { stream, bytes: Vec::new(), lines: VecDeque::new() })),
            // The second is what a killed menu leaves.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ECONNREFUSED) => Ok(None),
            Err(Errno::EACCES) => Err(refused(&path, Errno::EACCES).with_hint("become root: `sudo persona ...`")),
            Err(Errno::EAGAIN) => Err(busy()),
            Err(error) => Err(refused(&path, error)),
        }
    }

    /// Sends a request, and returns what the menu shows then; nothing if the menu closed the connection before it read the request.
    ///
    /// # Errors
    /// When it refuses, or does not answer in time.
    pub fn ask(&mut self, asked: &Asked, ends: Instant) -> Result<Option<Value>> {
        // The menu may have closed the connection, but there may still be an answer: that we may not ask.
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

    /// The newest state that was sent to this subscriber, if there is a new one, and whether more can follow. Does not block.
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

/// Waits for room in the backlog of the socket, until `ends` at most.
fn connect_to(path: &Path, ends: Instant) -> nix::Result<UnixStream> {
    let caller = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // Zero would mean no limit.
    let left = ends.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    setsockopt(&caller, SendTimeout, &TimeVal::microseconds(left.as_micros() as i64))?;
    connect(caller.as_raw_fd(), &UnixAddr::new(path)?)?;
    // legion can write to this folder too: the socket of a guest that broke out must not be trusted.
    let user = getsockopt(&caller, PeerCredentials)?.uid();
    if is_trusted(user, syscalls::effective_user()) { Ok(caller.into()) } else { Err(Errno::EPERM) }
}

fn refused(path: &Path, why: Errno) -> Error {
    Error::caused_by(format!("speaking to the menu at {}", path.display()), std::io::Error::from(why))
}

fn busy() -> Error {
    Error::new("the menu does not answer").with_hint("see `systemctl status persona-menu`")
}
