//! One client of the menu, as the server sees it.

use super::lines::{Line, Lines};
use nix::sys::epoll::EpollFlags;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// How many bytes may be queued for a client that does not read before it is dropped.
const LONGEST_QUEUE: usize = 64 << 10;

/// How many bytes are read at once: a client that floods the menu gets no more turns than the others, and does not delay keys.
const READ: usize = 1024;

/// A connected client. Nothing here blocks.
#[derive(Debug)]
pub(super) struct Connection {
    /// Unique among all clients of this menu, past and present.
    pub(super) number: u64,
    stream: UnixStream,
    lines: Lines,
    /// Output that the socket has not accepted yet.
    queue: Vec<u8>,
    /// The newest state, for a subscriber that has not read the one before.
    news: Option<String>,
    /// Order of the last request: greater means more recent.
    pub(super) heard: u64,
    /// How many of its requests are not answered yet.
    pub(super) waiting: usize,
    pub(super) subscribes: bool,
    /// It sends nothing more, but may still read.
    ended: bool,
    gone: bool,
    /// The events that epoll watches for.
    pub(super) watched: EpollFlags,
}

impl Connection {
    /// A client that has sent nothing yet; `stream` is non-blocking.
    pub(super) fn new(number: u64, stream: UnixStream) -> Self {
        Self {
            number,
            stream,
            lines: Lines::default(),
            queue: Vec::new(),
            news: None,
            heard: number,
            waiting: 0,
            subscribes: false,
            ended: false,
            gone: false,
            watched: EpollFlags::empty(),
        }
    }

    /// The next lines, at most [`READ`] bytes of them.
    pub(super) fn hear(&mut self) -> Vec<Line> {
        let mut bytes = [0; READ];
        match self.stream.read(&mut bytes) {
            // An incomplete line is no request.
            Ok(0) => self.ended = true,
            Ok(count) => return self.lines.feed(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.gone = true,
        }
        Vec::new()
    }

    /// Sends a line, now or as soon as the client reads.
    pub(super) fn send(&mut self, line: &str) {
        self.queue.extend_from_slice(line.as_bytes());
        self.flush();
        if self.queue.len() > LONGEST_QUEUE {
            log::debug!("a client of the control socket does not read, and is dropped");
            self.gone = true;
        }
    }

    /// Sends a subscriber what the menu shows now. A slow one only gets the newest state.
    pub(super) fn push(&mut self, line: &str) {
        self.news = Some(line.to_owned());
        self.flush();
    }

    /// Writes as much as the socket accepts.
    pub(super) fn flush(&mut self) {
        loop {
            if self.queue.is_empty() {
                match self.news.take() {
                    Some(news) => self.queue = news.into_bytes(),
                    None => return,
                }
            }
            match self.stream.write(&self.queue) {
                Ok(count) => drop(self.queue.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }

    /// The client has closed both directions of the connection.
    pub(super) fn hung_up(&mut self) {
        self.gone |= self.ended;
    }

    /// The events that epoll must watch for, besides the hang-up.
    pub(super) fn wanted(&self) -> EpollFlags {
        let mut wanted = EpollFlags::empty();
        wanted.set(EpollFlags::EPOLLIN, !self.ended);
        wanted.set(EpollFlags::EPOLLOUT, !self.queue.is_empty());
        wanted
    }

    /// Whether the client is finished and can be dropped.
    pub(super) fn is_over(&self) -> bool {
        self.gone || (self.ended && !self.subscribes && self.waiting == 0 && self.queue.is_empty())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
