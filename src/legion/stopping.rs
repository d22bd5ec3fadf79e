//! A stop in progress, and the signals that request one.

use crate::config::ladder::{Ladder, Rung, StopStep};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::time::{Duration, Instant};

/// Requests a stop without a power button: QEMU is told to quit at once (`persona stop --force`).
pub(super) const PLUG: Signal = Signal::SIGUSR1;

/// SIGTERM and SIGINT, which request a stop, [`PLUG`], and SIGCHLD. Blocked before a child is started, so that none is missed; std gives
/// the child an empty mask.
pub(super) fn block_signals() -> nix::Result<SignalFd> {
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, PLUG, Signal::SIGCHLD] {
        mask.add(signal);
    }
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// A stop in progress.
#[derive(Debug)]
pub(super) struct Stopping {
    since: Instant,
    /// How much of the ladder's time counts as elapsed, because its first rungs make no sense.
    skipped: Duration,
    last: Option<Rung>,
}

impl Stopping {
    /// A guest that does not run has no power button, and a second request means a faster stop.
    pub(super) fn asked(before: Option<Self>, ladder: &Ladder, ran: bool) -> Self {
        match before {
            None if ran => Self { since: Instant::now(), skipped: Duration::ZERO, last: None },
            Some(stopping) if stopping.last >= Some(Rung::Quit) => stopping,
            _ => Self { since: Instant::now(), skipped: ladder.quit, last: Some(Rung::PowerButtonAgain) },
        }
    }

    /// What to do now; a returned rung counts as taken.
    pub(super) fn step(&mut self, ladder: &Ladder) -> StopStep {
        let step = ladder.step(self.last, self.since.elapsed() + self.skipped);
        if let StopStep::Take(rung) = step {
            self.last = Some(rung);
        }
        step
    }

    /// The rung taken last.
    pub(super) fn last(&self) -> Option<Rung> {
        self.last
    }
}
