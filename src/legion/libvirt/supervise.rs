//! A domain under supervision: one process, one poll(2) loop, no wake-up while nothing happens.
//!
//! QEMU is libvirt's child, so libvirt is the only source: its events, and its answers where an event may have been missed. The domain
//! counts as gone only when libvirt says so, and is never started twice.

use super::check::expect_off;
use super::poll_backoff::PollBackoff;
use super::task::{Subscription, Task, VirshCommand};
use super::watch::{Life, Watch};
use crate::config::ladder::{Ladder, Rung, StopStep};
use crate::error::{Context, Error, Result};
use crate::legion::ending::Ending;
use crate::legion::health::{Check, Health};
use crate::legion::launch::Launch;
use crate::legion::lock::LegionLock;
use crate::legion::status_reporter::{StatusReporter, reported};
use crate::legion::stopping::{PLUG, Stopping, block_signals};
use crate::sys::paths::Paths;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long libvirt waits for QEMU in a graceful destroy (`virProcessKillPainfully`), during which it answers nothing else about the
/// domain. A plain destroy kills after 10 s, as the ladder does.
const GRACE: Duration = Duration::from_secs(15);

/// Runs the owner's domain until it is off: the counterpart of [`crate::legion::qemu::supervise::run`] for plain QEMU, with the same state
/// file, notifications, signals and ladder.
///
/// # Errors
/// When the domain does not exist, already runs, or could not be watched. A guest that was started then still runs: the cleanup calls
/// [`super::ensure_off`].
pub fn run(paths: &Paths, launch: &Launch, lock: &LegionLock, domain: &str) -> Result<Ending> {
    reported(paths, &launch.persona, |reporter| supervise(paths, launch, lock, domain, reporter))
}

fn supervise(paths: &Paths, launch: &Launch, lock: &LegionLock, domain: &str, reporter: &mut StatusReporter<'_>) -> Result<Ending> {
    let signals = block_signals().context(|| "blocking signals".to_owned())?;
    let _claim = launch.expect_cartridge(paths, lock)?.claim(paths)?;
    expect_off(domain)?;
    let mut domain = Domain::start(domain, Health::new(launch.running_well))?;
    let mut stopping: Option<Stopping> = None;
    loop {
        let now = Instant::now();
        let rung = match stopping.as_mut().map(|stopping| stopping.step(&launch.ladder)) {
            Some(StopStep::Take(rung)) => {
                reporter.happens(format!("stopping it by {rung}"));
                domain.take(rung, &launch.ladder)?;
                continue;
            }
            Some(StopStep::Wait(wait)) => Some(wait),
            Some(StopStep::Top) | None => None,
        };
        let mut check = None;
        if domain.watch.ran && stopping.is_none() {
            match domain.health.check(now) {
                Check::Wait(wait) => check = Some(wait),
                Check::Ask => {
                    // A failed query about the health of a running guest is not fatal: it is asked again.
                    if let Err(error) = domain.ask_agent() {
                        log::warn!("{error}");
                    }
                    continue;
                }
                Check::Well => reporter.runs_well(),
                Check::Settled => {}
            }
        }
        let doubt = domain.doubt.map(|doubt| doubt.wait(now));
        domain.wait_for_news(&signals, rung.into_iter().chain(doubt).chain(check).min()).context(|| "waiting for libvirt".to_owned())?;
        // Signals first: a SIGCHLD read after the check for exited children could belong to one that exited in between.
        let mut asked = 0_u32;
        while let Some(signal) = signals.read_signal().context(|| "reading signals".to_owned())? {
            asked += match signal.ssi_signo {
                number if number == Signal::SIGCHLD as u32 => 0,
                // Treated like a second stop request.
                number if number == PLUG as u32 => 2,
                _ => 1,
            };
        }
        domain.listen(Instant::now())?;
        if domain.watch.was_forestalled() {
            return Err(Error::new(format!("another process started the domain {} at the same moment", domain.name))
                .with_code("domain-not-ours")
                .with_hint("shut it down, and choose again"));
        }
        if domain.watch.ran && stopping.is_none() {
            reporter.runs(None);
        }
        if std::mem::take(&mut domain.agent_answered) {
            reporter.runs_well();
        }
        for _ in 0..asked {
            if stopping.is_none() {
                reporter.stops(launch.ladder.kill + GRACE);
            }
            stopping = Some(Stopping::asked(stopping, &launch.ladder, domain.watch.ran));
        }
        let last = stopping.as_ref().and_then(Stopping::last);
        if let Some(ending) = domain.ending(last) {
            return Ok(ending);
        }
        if let Some(rung) = last
            && std::mem::take(&mut domain.stop_again)
        {
            domain.take(rung, &launch.ladder)?;
        }
    }
}

/// The domain and its known state.
struct Domain<'a> {
    name: &'a str,
    subscription: Option<Subscription>,
    tasks: Vec<Task>,
    watch: Watch,
    doubt: Option<PollBackoff>,
    /// Whether libvirt was asked to stop the guest.
    is_stopping: bool,
    /// Whether it could not do it.
    unheard: bool,
    /// Whether to ask again, because the guest runs.
    stop_again: bool,
    health: Health,
    /// Whether the guest's agent has just answered for the first time.
    agent_answered: bool,
}

impl<'a> Domain<'a> {
    /// Subscribes first, so that no event is missed.
    fn start(name: &'a str, health: Health) -> Result<Self> {
        let subscription = Some(Subscription::new(name)?);
        let tasks = vec![Task::new(VirshCommand::Start, &["start", name])?];
        let (watch, doubt, is_stopping, unheard, stop_again, agent_answered) = (Watch::default(), None, false, false, false, false);
        Ok(Self { name, subscription, tasks, watch, doubt, is_stopping, unheard, stop_again, health, agent_answered })
    }

    fn wait_for_news(&self, signals: &SignalFd, timeout: Option<Duration>) -> nix::Result<()> {
        let reporter = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![reporter(signals.as_fd())];
        fds.extend(self.subscription.iter().map(|subscription| reporter(subscription.as_fd())));
        // One millisecond more, so that it does not wake too early.
        let timeout =
            timeout.map_or(PollTimeout::NONE, |wait| PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, timeout) {
            Err(nix::errno::Errno::EINTR) | Ok(_) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Processes everything libvirt has reported, and polls if there is a doubt.
    fn listen(&mut self, now: Instant) -> Result<()> {
        if let Some(subscription) = &mut self.subscription {
            let mut heard = false;
            let is_open = subscription.listen(|line| {
                log::debug!("libvirt: {line}");
                let is_event = self.watch.event(line);
                heard |= is_event;
                is_event
            });
            if !is_open {
                log::warn!("libvirt closed the connection; the guest may still be running");
                self.subscription = None;
                self.doubt = Some(PollBackoff::new(now));
            } else if heard && !self.unheard {
                self.doubt = None;
            }
        }
        for (command, answer) in self.answers() {
            log::debug!("libvirt: {}{}", answer.said, answer.words);
            match command {
                VirshCommand::Start => {
                    self.watch.started(&answer);
                    // A stop requested earlier had no effect, because the guest was not running yet.
                    self.stop_again = self.is_stopping;
                    if !answer.done {
                        self.ask_for_state()?;
                    }
                    // Without an event until now, the subscription may have been too late to see one.
                    if !answer.done || !self.subscription.as_ref().is_some_and(|subscription| subscription.is_proven) {
                        self.doubt.get_or_insert_with(|| PollBackoff::new(now));
                    }
                }
                VirshCommand::State => match self.watch.state(&answer) {
                    Life::On => {
                        self.stop_again |= std::mem::take(&mut self.unheard);
                        let is_trusted =
                            |doubt: &PollBackoff| self.subscription.as_ref().is_some_and(|known| known.is_proven || doubt.is_old());
                        self.doubt = self.doubt.filter(|doubt| !is_trusted(doubt));
                    }
                    Life::Unknown => log::warn!("{}", answer.words),
                    Life::Off => {}
                },
                VirshCommand::Stop if !answer.done => {
                    log::warn!("{}", answer.words);
                    self.unheard = true;
                    self.doubt.get_or_insert_with(|| PollBackoff::new(now));
                }
                VirshCommand::Stop => {}
                VirshCommand::Agent if answer.done => self.agent_answered = self.health.answered(),
                VirshCommand::Agent if answer.words.contains("agent is not configured") => {
                    log::warn!(
                        "running_well = \"agent\": the domain {} has no channel for an agent: it counts as running well after a minute instead",
                        self.name
                    );
                    self.health.without_agent();
                }
                VirshCommand::Agent => log::debug!("{}", answer.words),
            }
        }
        if let Some(doubt) = self.doubt.filter(|doubt| doubt.wait(now).is_zero()) {
            self.doubt = Some(doubt.asked(now));
            if self.subscription.is_none() {
                self.subscription = Some(Subscription::new(self.name)?);
            }
            self.ask_for_state()?;
        }
        Ok(())
    }

    fn answers(&mut self) -> Vec<(VirshCommand, super::virsh::Answer)> {
        let mut answers = Vec::new();
        self.tasks.retain_mut(|task| match task.answer() {
            Some(answer) => {
                answers.push((task.command, answer));
                false
            }
            None => true,
        });
        answers
    }

    /// One query at a time: more of them do not help a slow libvirt.
    fn ask_for_state(&mut self) -> Result<()> {
        if !self.tasks.iter().any(|task| task.command == VirshCommand::State) {
            self.tasks.push(Task::new(VirshCommand::State, &["domstate", self.name, "--reason"])?);
        }
        Ok(())
    }

    /// One query at a time; libvirt gives up before the next one.
    fn ask_agent(&mut self) -> Result<()> {
        if !self.tasks.iter().any(|task| task.command == VirshCommand::Agent) {
            let arguments = ["qemu-agent-command", self.name, "--timeout", "3", r#"{"execute":"guest-ping"}"#];
            self.tasks.push(Task::new(VirshCommand::Agent, &arguments)?);
        }
        Ok(())
    }

    fn take(&mut self, rung: Rung, ladder: &Ladder) -> Result<()> {
        let arguments = match rung {
            Rung::PowerButton | Rung::PowerButtonAgain => &["shutdown", self.name, "--mode", "acpi"][..],
            Rung::Quit if ladder.kill.saturating_sub(ladder.quit) >= GRACE => &["destroy", self.name, "--graceful"],
            Rung::Quit | Rung::Kill => &["destroy", self.name],
        };
        self.is_stopping = true;
        self.tasks.push(Task::new(VirshCommand::Stop, arguments)?);
        Ok(())
    }

    /// Why it ended, if it did. While libvirt is still starting it, its message is awaited.
    fn ending(&self, stop: Option<Rung>) -> Option<Ending> {
        let is_starting = self.tasks.iter().any(|task| task.command == VirshCommand::Start);
        self.watch.ending(stop).filter(|_| !is_starting)
    }
}
