//! One text terminal that is written to and perhaps read. Writing never blocks, even if the other end does not read.

use super::ansi::{ENTER, LEAVE, ansi};
use super::keys::TerminalDecoder;
use super::layout::lines;
use super::line::Line;
use crate::menu::model::Key;
use crate::sys::syscalls;
use nix::errno::Errno;
use nix::sys::termios::{FlushArg, SetArg, Termios, cfmakeraw, tcflush, tcgetattr, tcsetattr};
use persona_paint::View;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// The size of a serial line that does not report one: that of a VT100.
const USUAL: (usize, usize) = (80, 24);

/// More cells are of no use to the menu.
const MAX_SIZE: (usize, usize) = (300, 100);

/// The kernel and systemd write their messages over the menu on the same console, and a terminal may be plugged in
/// later: a picture of this age is written in full the next time there is something to write.
const STALE: Duration = Duration::from_secs(5);

/// How soon a full line is written to again: doubled after every failed try, and given up when it exceeds a second.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(4));

/// An open terminal with what is on it.
pub(super) struct Terminal {
    file: File,
    size: (usize, usize),
    shown: Vec<Line>,
    /// What the terminal has not accepted yet. Until this is empty nothing is added: it must not be cut off in the middle.
    outbox: Vec<u8>,
    /// All rows must be written again when the outbox is empty.
    behind: bool,
    whole_at: Option<Duration>,
    retry: Option<(Duration, Duration)>,
}

impl Terminal {
    /// Opens a terminal without waiting for a carrier and without making it the controlling terminal.
    ///
    /// # Errors
    /// The system call's.
    pub(super) fn open(node: &Path) -> io::Result<Self> {
        let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(node)?;
        let told = syscalls::window_size(file.as_fd())?;
        let size = if told.columns == 0 || told.rows == 0 { USUAL } else { (told.columns.into(), told.rows.into()) };
        let size = (size.0.min(MAX_SIZE.0), size.1.min(MAX_SIZE.1));
        let outbox = ENTER.as_bytes().to_vec();
        Ok(Self { file, size, shown: Vec::new(), outbox, behind: true, whole_at: None, retry: None })
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Brings the terminal up to date, as far as it accepts output.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn show(&mut self, view: &View, now: Duration) -> io::Result<()> {
        let wanted = lines(view, self.size.0, self.size.1);
        self.flush(now)?;
        let is_stale = self.whole_at.is_none_or(|at| now.saturating_sub(at) >= STALE);
        if !self.outbox.is_empty() {
            self.behind |= wanted != self.shown;
            return Ok(());
        }
        let differs = wanted != self.shown;
        if !differs && !self.behind {
            return Ok(());
        }
        let whole = self.behind || is_stale;
        self.outbox = ansi(if whole { &[] } else { &self.shown }, &wanted, self.size.0);
        if whole {
            self.whole_at = Some(now);
        }
        self.behind = false;
        self.shown = wanted;
        self.flush(now)
    }

    /// Writes everything anew with the next view.
    pub(super) fn refresh(&mut self) {
        self.behind = true;
    }

    /// Whether the picture may have been damaged since it was last written in full.
    pub(super) fn is_stale(&self, now: Duration) -> bool {
        self.whole_at.is_none_or(|at| now.saturating_sub(at) >= STALE)
    }

    /// When to write again to a line that was full.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.retry.filter(|(_, pause)| *pause <= RETRY.1).map(|(at, _)| at)
    }

    fn flush(&mut self, now: Duration) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.file.write(&self.outbox) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.outbox.drain(..written);
                    self.retry = None;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let pause = self.retry.map_or(RETRY.0, |(_, pause)| pause * 2).min(RETRY.1 * 2);
                    if self.retry.is_none_or(|(at, _)| now >= at) {
                        self.retry = Some((now + pause, pause));
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.retry = None;
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.outbox.extend(LEAVE.as_bytes());
        if self.flush(Duration::ZERO).is_ok() && !self.outbox.is_empty() {
            // Closing would wait for output that is not read.
            let _ = tcflush(&self.file, FlushArg::TCOFLUSH);
        }
    }
}

/// A serial console: a terminal in raw mode that keys come from. Dropping it restores its settings.
pub(super) struct SerialLine {
    terminal: Terminal,
    before: Termios,
    decoder: TerminalDecoder,
}

impl SerialLine {
    /// Opens a serial console. Earlier input is ignored.
    ///
    /// # Errors
    /// The system calls'.
    pub(super) fn open(node: &Path) -> io::Result<Self> {
        let terminal = Terminal::open(node)?;
        let before = tcgetattr(&terminal.file)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&terminal.file, SetArg::TCSANOW, &raw)?;
        tcflush(&terminal.file, FlushArg::TCIFLUSH)?;
        Ok(Self { terminal, before, decoder: TerminalDecoder::default() })
    }

    /// The open file's number.
    pub(super) fn raw_fd(&self) -> RawFd {
        self.terminal.file.as_raw_fd()
    }

    /// The terminal.
    pub(super) fn terminal(&mut self) -> &mut Terminal {
        &mut self.terminal
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        self.terminal.size
    }

    /// What was typed.
    ///
    /// # Errors
    /// When the line is gone: hung up by a login that has started on it, or unplugged.
    pub(super) fn pressed(&mut self, now: Duration) -> io::Result<Vec<Key>> {
        let mut keys: Vec<Key> = self.decoder.timed_out(now).into_iter().collect();
        let mut bytes = [0; 256];
        loop {
            match (&self.terminal.file).read(&mut bytes) {
                Ok(0) => return Err(Errno::EIO.into()),
                Ok(length) => {
                    // A user who types after a pause may have connected just now, and would see only later changes.
                    if self.terminal.is_stale(now) {
                        self.terminal.refresh();
                    }
                    keys.extend(self.decoder.feed(&bytes[..length], now));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(keys),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// When to come back even if nothing is typed.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.decoder.deadline().into_iter().chain(self.terminal.deadline()).min()
    }
}

impl AsFd for SerialLine {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.terminal.file.as_fd()
    }
}

impl Drop for SerialLine {
    fn drop(&mut self) {
        // A line that is gone has no settings left to restore.
        let _ = tcsetattr(&self.terminal.file, SetArg::TCSANOW, &self.before);
    }
}
