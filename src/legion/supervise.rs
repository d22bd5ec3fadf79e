//! QEMU under supervision: one process, one poll(2) loop, no wake-up while nothing happens.

use super::cartridge::Cartridge;
use super::ending::Ending;
use super::ladder::{Ladder, Rung, Step};
use super::lock::LegionLock;
use super::qmp::Qmp;
use super::tail::Tail;
use super::watch::Watch;
use crate::error::{Context, Error, Result};
use crate::paths::Paths;
use crate::state::{LegionState, Outcome, Phase};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use sd_notify::NotifyState;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What is to run, and how it is to be stopped.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Where the state is written.
    pub paths: &'a Paths,
    /// The persona, for the state.
    pub persona: &'a str,
    /// The cartridge that is in, whose disk the host must not use.
    pub cartridge: &'a Cartridge,
    /// The proof that there is no other legion. QEMU inherits it.
    pub lock: &'a LegionLock,
    /// How a stop goes.
    pub ladder: Ladder,
}

/// Runs QEMU until it ends. `argv` is called with the descriptor on which QEMU inherits the supervisor's QMP.
///
/// Writes `/run/persona/legion.toml` at every change, tells the service manager that it is ready once QMP says that the
/// guest runs, and copies QEMU's stderr to its own. SIGTERM and SIGINT start the stop ladder, a second one skips to
/// `quit`. Both, and SIGCHLD, stay blocked in the calling thread: call it before there is another, which would get them.
///
/// # Errors
/// When QEMU could not be started or watched. It does not live on then: legion stays off, and the state says why.
pub fn run(launch: &Launch<'_>, argv: impl FnOnce(i32) -> Vec<String>) -> Result<Ending> {
    let ending = LegionState::new(Phase::Starting, launch.persona).write(launch.paths).and_then(|()| supervise(launch, argv));
    let (outcome, why) = match &ending {
        Ok(Ending::GuestPoweroff) => (Outcome::GuestPoweroff, Ending::GuestPoweroff.to_string()),
        Ok(ending) if ending.is_good() => (Outcome::Stopped, ending.to_string()),
        Ok(ending) => (Outcome::Failure, ending.to_string()),
        Err(error) => (Outcome::Failure, error.to_string()),
    };
    log::info!("legion is over: {why}");
    notify(&[NotifyState::Status(&why)]);
    // `release` makes it final once the devices are back.
    let state = LegionState { why: Some(why), outcome: Some(outcome), ..LegionState::new(Phase::Stopping, launch.persona) };
    state.write(launch.paths).and(ending)
}

/// The service manager is told what it wants to know; if it cannot hear, legion runs all the same.
fn notify(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        log::warn!("telling the service manager: {error}");
    }
}

fn supervise(launch: &Launch<'_>, argv: impl FnOnce(i32) -> Vec<String>) -> Result<Ending> {
    let signals = block_signals().doing(|| "blocking signals".to_owned())?;
    let _claim = launch.cartridge.claim(launch.paths)?;
    let mut qemu = Qemu::start(launch, argv)?;
    let mut stopping: Option<Stopping> = None;
    let mut announced = false;
    loop {
        let timeout = match stopping.as_mut().map(|stopping| stopping.step(&launch.ladder)) {
            Some(Step::Take(rung)) => {
                log::info!("stopping legion by {rung}");
                notify(&[NotifyState::Status(&format!("stopping legion by {rung}"))]);
                qemu.take(rung);
                continue;
            }
            // A millisecond more, so as not to wake before the time.
            Some(Step::Wait(wait)) => PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
            Some(Step::Top) | None => PollTimeout::NONE,
        };
        qemu.wait_for_news(&signals, timeout).doing(|| "waiting for QEMU".to_owned())?;
        qemu.listen();
        if qemu.watch.ran && !announced {
            announced = true;
            LegionState::new(Phase::Running, launch.persona).write(launch.paths)?;
            notify(&[NotifyState::Ready, NotifyState::Status(&format!("legion is {}", launch.persona))]);
        }
        while let Some(signal) = signals.read_signal().doing(|| "reading signals".to_owned())? {
            if signal.ssi_signo != Signal::SIGCHLD as u32 {
                if stopping.is_none() {
                    notify(&[NotifyState::Stopping]);
                }
                stopping = Some(Stopping::asked(stopping, &launch.ladder, qemu.watch.ran));
            }
        }
        if let Some(exit) = qemu.child.try_wait().doing(|| "waiting for QEMU".to_owned())? {
            qemu.listen();
            let words = std::mem::take(&mut qemu.tail).into_lines();
            return Ok(Ending::conclude(&qemu.watch, stopping.and_then(|stopping| stopping.last), exit, words));
        }
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

/// QEMU, and what is known of it. Dropped while it lives, it is killed: nothing runs unsupervised.
struct Qemu {
    child: Child,
    qmp: Option<Qmp>,
    stderr: Option<ChildStderr>,
    watch: Watch,
    tail: Tail,
}

impl Qemu {
    fn start(launch: &Launch<'_>, argv: impl FnOnce(i32) -> Vec<String>) -> Result<Self> {
        let doing = || "making QEMU's sockets".to_owned();
        let (ours, theirs) = UnixStream::pair().doing(doing)?;
        let qmp = Qmp::new(ours).doing(doing)?;
        let argv = argv(theirs.as_raw_fd());
        let (program, arguments) = argv.split_first().ok_or_else(|| Error::new("QEMU's command line is empty"))?;
        for inherited in [theirs.as_fd(), launch.lock.as_fd()] {
            fcntl(inherited, FcntlArg::F_SETFD(FdFlag::empty())).doing(doing)?;
        }
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal is for the supervisor alone.
            .process_group(0)
            .spawn()
            .doing(|| format!("starting {program}"))
            .map_err(|error| error.mend("install QEMU: qemu-system-x86 (Arch, Debian), qemu-kvm (Fedora)"))?;
        let stderr = child.stderr.take();
        let qemu = Self { child, qmp: Some(qmp), stderr, watch: Watch::default(), tail: Tail::default() };
        if let Some(stderr) = &qemu.stderr {
            fcntl(stderr, FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).doing(doing)?;
        }
        Ok(qemu)
    }

    fn wait_for_news(&self, signals: &SignalFd, timeout: PollTimeout) -> nix::Result<()> {
        let news = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![news(signals.as_fd())];
        fds.extend(self.qmp.iter().map(|qmp| news(qmp.as_fd())));
        fds.extend(self.stderr.iter().map(|stderr| news(stderr.as_fd())));
        match poll(&mut fds, timeout) {
            Err(nix::errno::Errno::EINTR) | Ok(_) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Takes in all that QEMU has said, and answers.
    fn listen(&mut self) {
        if let Some(qmp) = &mut self.qmp {
            let (messages, mut open) = qmp.receive();
            for message in messages {
                log::debug!("QMP: {message:?}");
                if let Some(command) = self.watch.see(&message) {
                    open &= qmp.send(command).is_ok();
                }
            }
            if !open {
                self.qmp = None;
            }
        }
        let mut bytes = [0; 4096];
        while let Some(stderr) = &mut self.stderr {
            match stderr.read(&mut bytes) {
                Ok(0) => self.stderr = None,
                Ok(count) => {
                    // The journal's copy; the tail is kept whether or not anybody reads that.
                    let _ = std::io::stderr().write_all(&bytes[..count]);
                    self.tail.feed(&bytes[..count]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.stderr = None,
            }
        }
    }

    fn take(&mut self, rung: Rung) {
        let heard = match rung {
            Rung::PowerButton | Rung::PowerButtonAgain => self.command("system_powerdown"),
            // To QEMU, SIGTERM means the same; it hears it when QMP is not up yet or no more.
            Rung::Quit => self.command("quit") || self.signal(Signal::SIGTERM),
            Rung::Kill => self.signal(Signal::SIGKILL),
        };
        if !heard {
            log::warn!("QEMU does not listen");
        }
    }

    fn command(&mut self, name: &str) -> bool {
        self.watch.ready && self.qmp.as_mut().is_some_and(|qmp| qmp.send(name).is_ok())
    }

    fn signal(&self, signal: Signal) -> bool {
        // The child is not waited for yet, so the number is still its own.
        i32::try_from(self.child.id()).is_ok_and(|pid| nix::sys::signal::kill(Pid::from_raw(pid), signal).is_ok())
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _: std::io::Result<ExitStatus> = self.child.wait();
        }
    }
}
