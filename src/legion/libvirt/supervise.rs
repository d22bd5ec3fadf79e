//! A domain under supervision: one process, one poll(2) loop, no wake-up while nothing happens.
//!
//! QEMU is libvirt's child, so libvirt has to be believed: its events, and its answers where an event may have been missed. It
//! is taken for gone only when libvirt says so, and is never started twice.

use super::check::expect_off;
use super::doubt::Doubt;
use super::task::{Errand, Subscription, Task};
use super::watch::{Life, Watch};
use crate::config::ladder::{Ladder, Rung, Step};
use crate::error::{Context, Error, Result};
use crate::legion::ending::Ending;
use crate::legion::launch::Launch;
use crate::legion::lock::LegionLock;
use crate::legion::news::{News, told};
use crate::legion::stopping::{PLUG, Stopping, block_signals};
use crate::legion::wellness::{Check, Wellness};
use crate::sys::paths::Paths;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long libvirt waits for QEMU in a graceful destroy (`virProcessKillPainfully`), during which it answers nothing else about
/// the domain. A plain one kills after 10 s, as the ladder does.
const GRACE: Duration = Duration::from_secs(15);

/// Runs the owner's domain until it is off: what [`crate::legion::qemu::supervise::run`] is for plain QEMU, with the same state file,
/// notices, signals and ladder.
///
/// # Errors
/// When the domain does not exist, runs already, or could not be watched. A guest that was started then still runs:
/// [`super::ensure_off`] is for whoever cleans up.
pub fn run(paths: &Paths, launch: &Launch, lock: &LegionLock, domain: &str) -> Result<Ending> {
    told(paths, &launch.persona, |news| supervise(paths, launch, lock, domain, news))
}

fn supervise(paths: &Paths, launch: &Launch, lock: &LegionLock, domain: &str, news: &mut News<'_>) -> Result<Ending> {
    let signals = block_signals().context(|| "blocking signals".to_owned())?;
    let _claim = launch.expect_cartridge(paths, lock)?.claim(paths)?;
    expect_off(domain)?;
    let mut domain = Domain::start(domain, Wellness::new(launch.running_well))?;
    let mut stopping: Option<Stopping> = None;
    loop {
        let now = Instant::now();
        let rung = match stopping.as_mut().map(|stopping| stopping.step(&launch.ladder)) {
            Some(Step::Take(rung)) => {
                news.happens(format!("stopping it by {rung}"));
                domain.take(rung, &launch.ladder)?;
                continue;
            }
            Some(Step::Wait(wait)) => Some(wait),
            Some(Step::Top) | None => None,
        };
        let mut check = None;
        if domain.watch.ran && stopping.is_none() {
            match domain.wellness.check(now) {
                Check::Wait(wait) => check = Some(wait),
                Check::Ask => {
                    // A guest that runs is worth more than to know how well: it is asked again.
                    if let Err(error) = domain.ask_agent() {
                        log::warn!("{error}");
                    }
                    continue;
                }
                Check::Well => news.runs_well(),
                Check::Settled => {}
            }
        }
        let doubt = domain.doubt.map(|doubt| doubt.wait(now));
        domain.wait_for_news(&signals, rung.into_iter().chain(doubt).chain(check).min()).context(|| "waiting for libvirt".to_owned())?;
        // Signals first: a SIGCHLD read after its child was looked for would be the child's last word.
        let mut asked = 0_u32;
        while let Some(signal) = signals.read_signal().context(|| "reading signals".to_owned())? {
            asked += match signal.ssi_signo {
                number if number == Signal::SIGCHLD as u32 => 0,
                // As if asked twice.
                number if number == PLUG as u32 => 2,
                _ => 1,
            };
        }
        domain.listen(Instant::now())?;
        if domain.watch.was_forestalled() {
            return Err(Error::new(format!("somebody else started the domain {} at the same moment", domain.name))
                .with_code("domain-not-ours")
                .with_hint("shut it down, and choose again"));
        }
        if domain.watch.ran && stopping.is_none() {
            news.runs(None);
        }
        if std::mem::take(&mut domain.agent_answered) {
            news.runs_well();
        }
        for _ in 0..asked {
            if stopping.is_none() {
                news.stops(launch.ladder.kill + GRACE);
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

/// The domain, and what is known of it.
struct Domain<'a> {
    name: &'a str,
    subscription: Option<Subscription>,
    tasks: Vec<Task>,
    watch: Watch,
    doubt: Option<Doubt>,
    /// Whether libvirt was asked to stop the guest.
    is_stopping: bool,
    /// Whether it could not do it.
    unheard: bool,
    /// Whether it is to be asked again, because the guest runs.
    stop_again: bool,
    wellness: Wellness,
    /// Whether the guest's agent has just answered for the first time.
    agent_answered: bool,
}

impl<'a> Domain<'a> {
    /// Subscribes first, so as to miss nothing.
    fn start(name: &'a str, wellness: Wellness) -> Result<Self> {
        let subscription = Some(Subscription::new(name)?);
        let tasks = vec![Task::new(Errand::Start, &["start", name])?];
        let (watch, doubt, is_stopping, unheard, stop_again, agent_answered) = (Watch::default(), None, false, false, false, false);
        Ok(Self { name, subscription, tasks, watch, doubt, is_stopping, unheard, stop_again, wellness, agent_answered })
    }

    fn wait_for_news(&self, signals: &SignalFd, timeout: Option<Duration>) -> nix::Result<()> {
        let news = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![news(signals.as_fd())];
        fds.extend(self.subscription.iter().map(|subscription| news(subscription.as_fd())));
        // A millisecond more, so as not to wake before the time.
        let timeout =
            timeout.map_or(PollTimeout::NONE, |wait| PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, timeout) {
            Err(nix::errno::Errno::EINTR) | Ok(_) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Takes in all that libvirt has said, and asks where that leaves a doubt.
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
                log::warn!("libvirt has hung up; the guest may well run on");
                self.subscription = None;
                self.doubt = Some(Doubt::new(now));
            } else if heard && !self.unheard {
                self.doubt = None;
            }
        }
        for (errand, answer) in self.answers() {
            log::debug!("libvirt: {}{}", answer.said, answer.words);
            match errand {
                Errand::Start => {
                    self.watch.started(&answer);
                    // What it was asked to stop before did not run yet.
                    self.stop_again = self.is_stopping;
                    if !answer.done {
                        self.ask_for_state()?;
                    }
                    // Without an event until now, the subscription may have come too late for one.
                    if !answer.done || !self.subscription.as_ref().is_some_and(|subscription| subscription.is_proven) {
                        self.doubt.get_or_insert_with(|| Doubt::new(now));
                    }
                }
                Errand::State => match self.watch.state(&answer) {
                    Life::On => {
                        self.stop_again |= std::mem::take(&mut self.unheard);
                        let is_trusted = |doubt: &Doubt| self.subscription.as_ref().is_some_and(|known| known.is_proven || doubt.is_old());
                        self.doubt = self.doubt.filter(|doubt| !is_trusted(doubt));
                    }
                    Life::Unknown => log::warn!("{}", answer.words),
                    Life::Off => {}
                },
                Errand::Stop if !answer.done => {
                    log::warn!("{}", answer.words);
                    self.unheard = true;
                    self.doubt.get_or_insert_with(|| Doubt::new(now));
                }
                Errand::Stop => {}
                Errand::Agent if answer.done => self.agent_answered = self.wellness.answered(),
                Errand::Agent if answer.words.contains("agent is not configured") => {
                    log::warn!("running_well = \"agent\": the domain {} has no channel for an agent: a minute tells instead", self.name);
                    self.wellness.without_agent();
                }
                Errand::Agent => log::debug!("{}", answer.words),
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

    fn answers(&mut self) -> Vec<(Errand, super::virsh::Answer)> {
        let mut answers = Vec::new();
        self.tasks.retain_mut(|task| match task.answer() {
            Some(answer) => {
                answers.push((task.errand, answer));
                false
            }
            None => true,
        });
        answers
    }

    /// One question at a time: a libvirt that is slow to answer is not helped by more of them.
    fn ask_for_state(&mut self) -> Result<()> {
        if !self.tasks.iter().any(|task| task.errand == Errand::State) {
            self.tasks.push(Task::new(Errand::State, &["domstate", self.name, "--reason"])?);
        }
        Ok(())
    }

    /// One question at a time; libvirt gives up before it is asked again.
    fn ask_agent(&mut self) -> Result<()> {
        if !self.tasks.iter().any(|task| task.errand == Errand::Agent) {
            let arguments = ["qemu-agent-command", self.name, "--timeout", "3", r#"{"execute":"guest-ping"}"#];
            self.tasks.push(Task::new(Errand::Agent, &arguments)?);
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
        self.tasks.push(Task::new(Errand::Stop, arguments)?);
        Ok(())
    }

    /// Why it is over, if it is. While libvirt is still starting it, its words are waited for.
    fn ending(&self, stop: Option<Rung>) -> Option<Ending> {
        let is_starting = self.tasks.iter().any(|task| task.errand == Errand::Start);
        self.watch.ending(stop).filter(|_| !is_starting)
    }
}
