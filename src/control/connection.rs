//! One client of the menu, as the server sees it.

use super::lines::{Line, Lines};
use nix::sys::epoll::EpollFlags;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// How much may be on its way to a client that does not read, in bytes, before it is dropped.
const LONGEST_QUEUE: usize = 64 << 10;

/// How much is read at once, in bytes: a client that floods the menu is heard no more often than the others, and between two
/// keys.
const READ: usize = 1024;

/// A connected client. Nothing here blocks.
#[derive(Debug)]
pub(super) struct Connection {
    /// Tells it from every other client there ever was.
    pub(super) number: u64,
    stream: UnixStream,
    lines: Lines,
    /// What the socket did not take yet.
    queue: Vec<u8>,
    /// The newest state, for a subscriber that has not taken the one before.
    news: Option<String>,
    /// Greater than those of all that were silent for longer.
    pub(super) heard: u64,
    /// How many of its requests are not answered yet.
    pub(super) waiting: usize,
    pub(super) subscribes: bool,
    /// It says no more, but may listen.
    ended: bool,
    gone: bool,
    /// What epoll was last told to look for.
    pub(super) watched: EpollFlags,
}

impl Connection {
    /// A client that has said nothing; `stream` does not block.
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
            // A line that was cut off is no request.
            Ok(0) => self.ended = true,
            Ok(count) => return self.lines.feed(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.gone = true,
        }
        Vec::new()
    }

    /// Says a line, now or as soon as the client reads.
    pub(super) fn say(&mut self, line: &str) {
        self.queue.extend_from_slice(line.as_bytes());
        self.flush();
        if self.queue.len() > LONGEST_QUEUE {
            log::debug!("a client of the control socket does not read, and is dropped");
            self.gone = true;
        }
    }

    /// Says to a subscriber what the menu shows now. One that is slow gets the newest only.
    pub(super) fn tell(&mut self, line: &str) {
        self.news = Some(line.to_owned());
        self.flush();
    }

    /// Hands on what the socket takes.
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

    /// Its end of the connection is closed for good.
    pub(super) fn hung_up(&mut self) {
        self.gone |= self.ended;
    }

    /// What epoll is to look for besides the end.
    pub(super) fn wanted(&self) -> EpollFlags {
        let mut wanted = EpollFlags::empty();
        wanted.set(EpollFlags::EPOLLIN, !self.ended);
        wanted.set(EpollFlags::EPOLLOUT, !self.queue.is_empty());
        wanted
    }

    /// Whether nothing can come of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.gone || (self.ended && !self.subscribes && self.waiting == 0 && self.queue.is_empty())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
