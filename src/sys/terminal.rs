//! Reads a line, also a secret one, from the person at the terminal, or from another standard input.

use crate::error::{Context, Error, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::read;
use std::io::{BufRead, IsTerminal, Read, Write, stderr, stdin};
use std::os::fd::AsFd;

/// The longest line that is read from a file or a pipe.
const MAX_COLUMNS: u64 = 1024;

/// Whether standard input is a terminal, with a person at it.
pub fn is_there() -> bool {
    stdin().is_terminal()
}

/// The next line of standard input, without its end. A terminal gets `prompt` (on standard error, as standard output may be a file) and
/// does not show the input; its mode is restored afterwards, also when a signal ends the program in the meantime.
///
/// # Errors
/// When there is no line.
pub fn hidden_line(prompt: &str) -> Result<String> {
    let line = if is_there() { typed(prompt) } else { piped() }.context(|| "reading a line from standard input".into())?;
    line.ok_or_else(|| Error::new("there is no line on standard input"))
}

/// The next line of standard input, without its end, after `prompt` on standard error.
///
/// # Errors
/// When there is no line.
pub fn line(prompt: &str) -> Result<String> {
    let line = write!(stderr(), "{prompt}").and_then(|()| piped()).context(|| "reading a line from standard input".into())?;
    line.ok_or_else(|| Error::new("there is no line on standard input"))
}

fn piped() -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let length = stdin().lock().take(MAX_COLUMNS).read_line(&mut line)?;
    Ok((length > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned()))
}

fn typed(prompt: &str) -> std::io::Result<Option<String>> {
    // In this order: the signals are unblocked after the terminal is restored, and then take effect.
    let signals = Held::hold()?;
    let _hidden = Hidden::hide()?;
    let terminal = stdin();
    write!(stderr(), "{prompt}")?;
    loop {
        let mut fds = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN), PollFd::new(signals.pending.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            outcome => outcome?,
        };
        if fds[1].any() == Some(true) {
            return Ok(None);
        }
        // A terminal delivers one line at a time.
        let mut line = [0; MAX_COLUMNS as usize];
        let length = read(&terminal, &mut line)?;
        let text = String::from_utf8_lossy(&line[..length]);
        return Ok((length > 0).then(|| text.trim_end_matches(['\n', '\r']).to_owned()));
    }
}

/// Blocks the signals that come from the keyboard or end a program.
struct Held {
    before: SigSet,
    pending: SignalFd,
}

impl Held {
    fn hold() -> nix::Result<Self> {
        let signals: SigSet = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        let before = signals.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
        Ok(Self { before, pending: SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)? })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

/// A terminal with echo off, except for the end of the line.
struct Hidden(Termios);

impl Hidden {
    fn hide() -> nix::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        hidden.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(stdin(), SetArg::TCSADRAIN, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, &self.0);
    }
}
