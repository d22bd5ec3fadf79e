//! The terminal of the live preview: in raw mode on its alternate screen, restored on every exit path.

use crate::error::{Context, Error, Result};
use crate::sys::syscalls::{WindowSize, window_size};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Write, stdin, stdout};
use std::os::fd::AsFd;
use std::time::Duration;

/// To the alternate screen, without cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";

/// No colours, no pictures of kitty's (a terminal without them skips the sequence), cursor and first screen back.
fn leave() -> String {
    format!("\x1b[0m{}\x1b[?25h\x1b[?1049l", super::kitty::CLEAR)
}

/// The terminal while the preview uses it.
pub(super) struct Terminal {
    before: Termios,
    signals: SignalFd,
}

/// An event of the terminal.
#[derive(Debug, Default)]
pub(super) struct Woken {
    /// Input: keys, or an answer of the terminal.
    pub(super) typed: Vec<u8>,
    /// Its size has changed.
    pub(super) resized: bool,
    /// The preview should end: because of a signal, or because the terminal is closed.
    pub(super) stop: bool,
}

impl Terminal {
    /// Takes over the terminal of standard input and output.
    ///
    /// # Errors
    /// When one of them is not a terminal, or the system calls fail.
    pub(super) fn open() -> Result<Self> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return Err(
                Error::usage("a live preview needs a terminal as its input and output").with_hint("run it in a terminal, or use --out")
            );
        }
        let doing = || "preparing the terminal".to_owned();
        let mut wanted = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGWINCH] {
            wanted.add(signal);
        }
        wanted.thread_block().context(doing)?;
        let signals = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).context(doing)?;
        let before = tcgetattr(stdin()).context(doing)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(stdin(), SetArg::TCSANOW, &raw).context(doing)?;
        restore_on_panic(before.clone());
        let terminal = Self { before, signals };
        terminal.write(ENTER.as_bytes())?;
        Ok(terminal)
    }

    /// Its size; 80 columns by 24 rows if unknown, and cells of 10 by 20 pixels.
    pub(super) fn size(&self) -> WindowSize {
        let told = window_size(stdout().as_fd()).unwrap_or(WindowSize { columns: 0, rows: 0, width: 0, height: 0 });
        let (columns, rows) = if told.columns == 0 || told.rows == 0 { (80, 24) } else { (told.columns, told.rows) };
        if told.width == 0 || told.height == 0 {
            return WindowSize { columns, rows, width: columns.saturating_mul(10), height: rows.saturating_mul(20) };
        }
        WindowSize { columns, rows, ..told }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// When the terminal is closed.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut out = stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).context(|| "drawing on the terminal".into())
    }

    /// Waits for an event, at most this long.
    ///
    /// # Errors
    /// When the system call fails.
    pub(super) fn wait(&self, at_most: Option<Duration>) -> Result<Woken> {
        let stdin = stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN), PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        // One millisecond more, so that it does not wake too early.
        let at_most = at_most.map(|time| PollTimeout::try_from(time + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, at_most.unwrap_or(PollTimeout::NONE)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).context(|| "waiting for keys".into()),
        }
        let mut woken = Woken::default();
        if fds[0].any() == Some(true) {
            let mut bytes = [0; 1024];
            // Not through Stdin, whose buffer poll does not see.
            match nix::unistd::read(&stdin, &mut bytes) {
                Ok(0) | Err(_) => woken.stop = true,
                Ok(length) => woken.typed = bytes[..length].to_vec(),
            }
        }
        while let Ok(Some(signal)) = self.signals.read_signal() {
            match signal.ssi_signo == Signal::SIGWINCH as u32 {
                true => woken.resized = true,
                false => woken.stop = true,
            }
        }
        Ok(woken)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back(&self.before);
    }
}

/// Best effort: a closed terminal cannot be restored.
fn give_back(before: &Termios) {
    let mut out = stdout().lock();
    let _ = out.write_all(leave().as_bytes()).and_then(|()| out.flush());
    let _ = tcsetattr(stdin(), SetArg::TCSANOW, before);
}

/// A panic ends the program without dropping anything, and its message must be readable.
fn restore_on_panic(before: Termios) {
    let tell = std::panic::take_hook();
    // Termios contains a cell, so it is not Send; its plain form is.
    let before = nix::libc::termios::from(before);
    std::panic::set_hook(Box::new(move |panic| {
        give_back(&Termios::from(before));
        tell(panic);
    }));
}
