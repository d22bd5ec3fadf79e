//! QEMU under supervision: one process, one poll(2) loop, no wake-up while nothing happens.

use super::cartridge::Cartridge;
use super::ending::Ending;
use super::ladder::{Ladder, Rung, Step};
use super::launch::Launch;
use super::lock::LegionLock;
use super::qemu::Qemu;
use super::slot;
use crate::error::{Context, Result};
use crate::paths::Paths;
use crate::state::{LegionState, Outcome, Phase};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// Runs QEMU until it ends. The lock is the proof that there is no other legion: QEMU inherits it.
///
/// Writes `/run/persona/legion.toml` at every change, tells the service manager that it is ready once QMP says that the
/// guest runs, and copies QEMU's stderr to its own. SIGTERM and SIGINT start the stop ladder, a second one skips to
/// `quit`. Both, and SIGCHLD, stay blocked in the calling thread: call it before there is another, which would get them.
///
/// # Errors
/// When QEMU could not be started or watched. It does not live on then: legion stays off, and the state says why.
pub fn run(paths: &Paths, launch: &Launch, lock: &LegionLock) -> Result<Ending> {
    let ending = LegionState::new(Phase::Starting, &launch.persona).write(paths).and_then(|()| supervise(paths, launch, lock));
    let (ending, ran) = match ending {
        Ok((ending, ran)) => (Ok(ending), Some(ran.as_secs())),
        Err(error) => (Err(error), None),
    };
    let (outcome, why) = match &ending {
        Ok(Ending::GuestPoweroff) => (Outcome::GuestPoweroff, Ending::GuestPoweroff.to_string()),
        Ok(ending) if ending.is_good() => (Outcome::Stopped, ending.to_string()),
        Ok(ending) => (Outcome::Failure, ending.to_string()),
        Err(error) => (Outcome::Failure, error.to_string()),
    };
    log::info!("legion is over: {why}");
    notify(&[NotifyState::Status(&why)]);
    // `release` makes it final once the devices are back.
    let state = LegionState { why: Some(why), outcome: Some(outcome), ran_s: ran, ..LegionState::new(Phase::Stopping, &launch.persona) };
    state.write(paths).and(ending)
}

/// How long QEMU's end may take once it is killed: its memory is given back, and vfio resets the devices.
const GRACE: Duration = Duration::from_secs(15);

/// How long a guest whose disk cannot be written stands still before it may try again.
const RETRY: Duration = Duration::from_secs(5);

/// How it ended, and how long the guest ran.
fn supervise(paths: &Paths, launch: &Launch, lock: &LegionLock) -> Result<(Ending, Duration)> {
    let signals = block_signals().doing(|| "blocking signals".to_owned())?;
    let cartridge = Cartridge::inspect(paths, &launch.cartridges, &launch.cartridge)?;
    slot::expect(lock, paths, &launch.slot, &cartridge)?;
    let _claim = cartridge.claim(paths)?;
    let mut qemu = Qemu::start(launch, lock)?;
    let mut news = News { paths, persona: &launch.persona, told: (Phase::Starting, None) };
    let mut stopping: Option<Stopping> = None;
    let mut runs_since: Option<Instant> = None;
    loop {
        let mut timeout = match stopping.as_mut().map(|stopping| stopping.step(&launch.ladder)) {
            Some(Step::Take(rung)) => {
                news.tell(news.told.0, Some(format!("stopping it by {rung}")));
                qemu.take(rung);
                continue;
            }
            Some(Step::Wait(wait)) => Some(wait),
            Some(Step::Top) | None => None,
        };
        if qemu.watch.stalled.is_some() {
            timeout = Some(timeout.map_or(RETRY, |timeout| timeout.min(RETRY)));
        }
        let woken = qemu.wait_for_news(&signals, timeout).doing(|| "waiting for QEMU".to_owned())?;
        qemu.listen();
        if qemu.watch.ran {
            runs_since.get_or_insert_with(Instant::now);
            if stopping.is_none() {
                let stalled = qemu.watch.stalled.as_ref();
                news.tell(
                    Phase::Running,
                    stalled.map(|why| format!("it stands still, its disk cannot be written: {why}; it goes on by itself once it can")),
                );
            }
        }
        if !woken && qemu.watch.stalled.is_some() {
            qemu.go_on();
        }
        while let Some(signal) = signals.read_signal().doing(|| "reading signals".to_owned())? {
            if signal.ssi_signo != Signal::SIGCHLD as u32 {
                if stopping.is_none() {
                    // The ladder may be longer than the unit's own stop time.
                    let longest = u32::try_from((launch.ladder.kill + GRACE).as_micros()).unwrap_or(u32::MAX);
                    notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(longest)]);
                }
                stopping = Some(Stopping::asked(stopping, &launch.ladder, qemu.watch.ran));
            }
        }
        if let Some((exit, words)) = qemu.ended().doing(|| "waiting for QEMU".to_owned())? {
            let ending = Ending::conclude(&qemu.watch, stopping.and_then(|stopping| stopping.last), exit, words);
            return Ok((ending, runs_since.map_or(Duration::ZERO, |since| since.elapsed())));
        }
    }
}

/// Tells everybody where legion is, when that changes. Who cannot hear does not stop it.
struct News<'a> {
    paths: &'a Paths,
    persona: &'a str,
    told: (Phase, Option<String>),
}

impl News<'_> {
    fn tell(&mut self, phase: Phase, why: Option<String>) {
        let news = (phase, why);
        if news == self.told {
            return;
        }
        let state = LegionState { why: news.1.clone(), ..LegionState::new(phase, self.persona) };
        if let Err(error) = state.write(self.paths) {
            log::warn!("{error}");
        }
        if let Some(why) = &news.1 {
            log::info!("{}: {why}", self.persona);
        }
        let status = news.1.clone().unwrap_or_else(|| format!("legion is {}", self.persona));
        let first = phase == Phase::Running && self.told.0 != Phase::Running;
        let ready = first.then_some(NotifyState::Ready);
        notify(&ready.into_iter().chain([NotifyState::Status(&status)]).collect::<Vec<_>>());
        self.told = news;
    }
}

fn notify(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        log::warn!("telling the service manager: {error}");
    }
}

/// Blocked before QEMU is started, so that not one is missed; std gives the child an empty mask.
fn block_signals() -> nix::Result<SignalFd> {
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        mask.add(signal);
    }
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// A stop under way.
struct Stopping {
    since: Instant,
    /// How much of the ladder's time counts as gone, because its first rungs make no sense.
    skipped: Duration,
    last: Option<Rung>,
}

impl Stopping {
    /// A guest that does not run has no power button, and who asks twice is in a hurry.
    fn asked(before: Option<Self>, ladder: &Ladder, ran: bool) -> Self {
        match before {
            None if ran => Self { since: Instant::now(), skipped: Duration::ZERO, last: None },
            Some(stopping) if stopping.last >= Some(Rung::Quit) => stopping,
            _ => Self { since: Instant::now(), skipped: ladder.quit, last: Some(Rung::PowerButtonAgain) },
        }
    }

    fn step(&mut self, ladder: &Ladder) -> Step {
        let step = ladder.step(self.last, self.since.elapsed() + self.skipped);
        if let Step::Take(rung) = step {
            self.last = Some(rung);
        }
        step
    }
}
