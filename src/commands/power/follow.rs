//! Runs a `systemctl` to its end, and reports every step of legion in the meantime.

use crate::commands::or_absent;
use crate::error::{Context, Error, Result};
use crate::state::{LegionState, Phase, RecordChanges};
use crate::sys::paths::Paths;
use crate::sys::style::{Style, Tone};
use crate::sys::syscalls;
use crate::sys::systemd;
use crate::sys::time::in_words;
use crate::sys::width;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// systemd has done it.
    Done,
    /// Ctrl-C was pressed. systemd's job continues.
    Interrupted,
}

/// Follows legion's state and its own signals. SIGINT, SIGTERM, SIGHUP and SIGCHLD stay blocked in the calling thread: open it before other
/// threads exist, which would get them.
pub(super) struct Follower<'a> {
    paths: &'a Paths,
    progress: Progress<'a>,
    signals: SignalFd,
    /// Without it, steps are reported late; the job is done all the same.
    changes: Option<RecordChanges>,
}

impl<'a> Follower<'a> {
    /// Starts to watch.
    ///
    /// # Errors
    /// When the kernel refuses signals.
    pub(super) fn open(paths: &'a Paths, style: Style, out: &'a mut dyn Write) -> Result<Self> {
        let mask: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD].into_iter().collect();
        let signals = mask.thread_block().and_then(|()| SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK));
        let changes = RecordChanges::watch(paths);
        Ok(Self {
            paths,
            progress: Progress { style, out, line: None },
            signals: signals.context(|| "listening for signals".into())?,
            changes: changes.inspect_err(|error| log::info!("watching {}: {error}", paths.run_dir().display())).ok(),
        })
    }

    /// Runs `systemctl` to its end and reports every step of legion in the meantime.
    ///
    /// # Errors
    /// With systemd's own message, when it refuses.
    pub(super) fn run(&mut self, arguments: &[&str], doing: &str) -> Result<Came> {
        // The current state is not a change.
        let mut told = or_absent(LegionState::read(self.paths));
        let mut child = systemd::systemctl(arguments).stderr(Stdio::piped()).spawn().context(|| doing.to_owned())?;
        let came = loop {
            // In this order: reports from before the end are read after it.
            let interrupted = self.is_interrupted();
            let ended = child.try_wait().context(|| doing.to_owned())?;
            let now = or_absent(LegionState::read(self.paths));
            if now != told {
                if let Some(state) = &now {
                    self.progress.show(state);
                }
                told = now;
            }
            match ended {
                Some(status) if status.success() => break Ok(Came::Done),
                Some(_) => break Err(Error::caused_by(doing, words(&mut child))),
                None if interrupted => {
                    // Only the client is killed; systemd's job continues.
                    let _ = child.kill();
                    let _ = child.wait();
                    break Ok(Came::Interrupted);
                }
                None => self.wait()?,
            }
        };
        self.progress.finish();
        came
    }

    /// Whether Ctrl-C was pressed, or this program was told to end. A lost connection does not abort the job: it is completed.
    fn is_interrupted(&self) -> bool {
        let mut interrupted = false;
        while let Ok(Some(signal)) = self.signals.read_signal() {
            interrupted |= [Signal::SIGINT as u32, Signal::SIGTERM as u32].contains(&signal.ssi_signo);
        }
        interrupted
    }

    fn wait(&mut self) -> Result<()> {
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.changes.iter().map(|changes| PollFd::new(changes.as_fd(), PollFlags::POLLIN)));
        let timeout = if self.progress.is_counting() { PollTimeout::from(1000u16) } else { PollTimeout::NONE };
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context(|| "waiting for systemd".into()),
        }
        if let Some(changes) = &self.changes {
            changes.settle(self.paths);
        }
        self.progress.count();
        Ok(())
    }
}

fn words(child: &mut Child) -> String {
    let mut words = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut words);
    }
    words.trim().to_owned()
}

/// A line for each step: plain in a pipe, at its start; on a terminal with its duration in seconds. A closed pipe does not stop the job.
struct Progress<'a> {
    style: Style,
    out: &'a mut dyn Write,
    /// The current step and its start time: its line can still be rewritten.
    line: Option<(LegionState, Instant)>,
}

impl Progress<'_> {
    fn show(&mut self, state: &LegionState) {
        if !self.style.live {
            return self.write(&(line(state) + "\n"));
        }
        self.finish();
        self.line = Some((state.clone(), Instant::now()));
        self.count();
    }

    fn is_counting(&self) -> bool {
        self.line.is_some()
    }

    fn count(&mut self) {
        if let Some((state, since)) = &self.line {
            let line = live(state, since.elapsed(), columns(), self.style);
            self.write(&line);
        }
    }

    /// The step has ended: its line stays.
    fn finish(&mut self) {
        if self.line.is_some() {
            self.count();
            self.line = None;
            self.write("\n");
        }
    }

    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

fn columns() -> usize {
    syscalls::window_size(std::io::stdout().as_fd()).map_or(80, |size| usize::from(size.columns).max(20))
}

fn line(state: &LegionState) -> String {
    match &state.why {
        Some(why) => format!("{}: {}: {why}", state.persona, state.phase),
        None => format!("{}: {}", state.persona, state.phase),
    }
}

/// The new line in place of the previous one, cut to one row of this many columns. A final state has no duration, and may take several
/// rows.
fn live(state: &LegionState, took: Duration, columns: usize, style: Style) -> String {
    let tone = match state.phase {
        Phase::Running | Phase::Ended => Tone::Good,
        Phase::Failed => Tone::Bad,
        Phase::Preparing | Phase::Inserting | Phase::Starting | Phase::Stopping => Tone::Busy,
    };
    let is_final = matches!((state.phase, &state.why), (Phase::Running, None) | (Phase::Ended | Phase::Failed, _));
    let text = line(state);
    let shown = if is_final {
        text
    } else {
        let took = format!("  {}", in_words(took));
        width::cut(&width::clean(&text), columns.saturating_sub(took.len() + 1)) + &took
    };
    format!("\r\x1b[K{}", style.paint(tone, &shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(phase: Phase, why: Option<&str>) -> LegionState {
        LegionState { why: why.map(str::to_owned), ..LegionState::new(phase, "gondor") }
    }

    fn shown(states: &[LegionState], style: Style) -> String {
        let mut out = Vec::new();
        let mut progress = Progress { style, out: &mut out, line: None };
        states.iter().for_each(|state| progress.show(state));
        progress.finish();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_pipe_gets_a_plain_line_for_each_step() {
        let states = [state(Phase::Preparing, None), state(Phase::Running, Some("disk full")), state(Phase::Running, None)];
        assert_eq!(shown(&states, Style::PLAIN), "gondor: preparing\ngondor: running: disk full\ngondor: running\n");
    }

    #[test]
    fn a_terminal_gets_one_line_that_counts_and_stays() {
        let style = Style { colour: false, live: true };
        let told = shown(&[state(Phase::Preparing, None), state(Phase::Running, None)], style);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told:?}");
        assert!(lines[0].starts_with("\r\x1b[Kgondor: preparing  "), "{told:?}");
        assert!(told.ends_with("\r\x1b[Kgondor: running\n"), "{told:?}");
    }

    #[test]
    fn a_counting_line_never_wraps() {
        let long = state(Phase::Stopping, Some("漢字 and more words than there is room for in a row of this terminal"));
        let style = Style { colour: false, live: true };
        let line = live(&long, Duration::from_secs(75), 30, style);
        let shown = line.trim_start_matches("\r\x1b[K");
        assert!(width::of(shown) < 30 && shown.ends_with("...  1 min 15 s"), "{shown}");
    }

    #[test]
    fn a_reader_that_has_gone_away_stops_nothing() {
        let (reader, mut writer) = std::io::pipe().unwrap_or_else(|error| unreachable!("{error}"));
        drop(reader);
        let mut progress = Progress { style: Style::PLAIN, out: &mut writer, line: None };
        progress.show(&state(Phase::Running, None));
    }
}
