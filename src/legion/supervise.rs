//! QEMU under supervision: one process, one poll(2) loop, no wake-up while nothing happens.

use super::cartridge::Cartridge;
use super::ending::Ending;
use super::ladder::{Ladder, Rung, Step};
use super::launch::{Launch, Pinning};
use super::lock::LegionLock;
use super::qmp::Qmp;
use super::tail::Tail;
use super::watch::{CONTINUE, Reply, Watch};
use super::{argv, slot};
use crate::error::{Context, Error, Result};
use crate::paths::Paths;
use crate::state::{LegionState, Outcome, Phase};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_setaffinity};
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

/// The service manager is told what it wants to know; if it cannot hear, legion runs all the same.
fn notify(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        log::warn!("telling the service manager: {error}");
    }
}

/// How it ended, and how long the guest ran.
fn supervise(paths: &Paths, launch: &Launch, lock: &LegionLock) -> Result<(Ending, Duration)> {
    let signals = block_signals().doing(|| "blocking signals".to_owned())?;
    let cartridge = Cartridge::inspect(paths, &launch.cartridges, &launch.cartridge)?;
    slot::expect(lock, paths, &launch.slot, &cartridge)?;
    let _claim = cartridge.claim(paths)?;
    let mut qemu = Qemu::start(launch, lock)?;
    let mut stopping: Option<Stopping> = None;
    let mut runs_since: Option<Instant> = None;
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
        if qemu.watch.ran && runs_since.is_none() {
            runs_since = Some(Instant::now());
            LegionState::new(Phase::Running, &launch.persona).write(paths)?;
            notify(&[NotifyState::Ready, NotifyState::Status(&format!("legion is {}", launch.persona))]);
        }
        while let Some(signal) = signals.read_signal().doing(|| "reading signals".to_owned())? {
            if signal.ssi_signo != Signal::SIGCHLD as u32 {
                if stopping.is_none() {
                    // The ladder may be longer than the unit's own stop time; the service manager takes it by then at the latest.
                    let longest = launch.ladder.kill + GRACE;
                    notify(&[
                        NotifyState::Stopping,
                        NotifyState::ExtendTimeoutUsec(u32::try_from(longest.as_micros()).unwrap_or(u32::MAX)),
                    ]);
                }
                stopping = Some(Stopping::asked(stopping, &launch.ladder, qemu.watch.ran));
            }
        }
        if let Some(exit) = qemu.child.try_wait().doing(|| "waiting for QEMU".to_owned())? {
            qemu.listen();
            let words = std::mem::take(&mut qemu.tail).into_lines();
            let ending = Ending::conclude(&qemu.watch, stopping.and_then(|stopping| stopping.last), exit, words);
            return Ok((ending, runs_since.map_or(Duration::ZERO, |since| since.elapsed())));
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
    /// The host CPU of each virtual CPU.
    vcpus: Vec<u16>,
}

impl Qemu {
    fn start(launch: &Launch, lock: &LegionLock) -> Result<Self> {
        let doing = || "making QEMU's sockets".to_owned();
        let (ours, theirs) = UnixStream::pair().doing(doing)?;
        let qmp = Qmp::new(ours).doing(doing)?;
        let Pinning { vcpus, rest } = launch.pinning.clone();
        // QEMU's threads are where their supervisor is, until it has pinned those of the virtual CPUs.
        keep_to(Pid::from_raw(0), &rest)
            .doing(|| format!("keeping legion to the host CPUs {rest:?}"))
            .map_err(|error| error.mend("`lscpu` lists the host's CPUs; change `cpus` in the settings"))?;
        let held = !vcpus.is_empty();
        let argv = argv::supervised(&launch.qemu, theirs.as_raw_fd(), held);
        let (program, arguments) = argv.split_first().ok_or_else(|| Error::new("QEMU's command line is empty"))?;
        for inherited in [theirs.as_fd(), lock.as_fd()] {
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
        let qemu = Self { child, qmp: Some(qmp), stderr, watch: Watch { held, ..Watch::default() }, tail: Tail::default(), vcpus };
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
                open &= match self.watch.see(&message) {
                    None => true,
                    Some(Reply::Command(command)) => qmp.send(command).is_ok(),
                    Some(Reply::Pin(threads)) => {
                        pin(&threads, &self.vcpus);
                        qmp.send(CONTINUE).is_ok()
                    }
                };
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

/// Pins the virtual CPUs' threads. One that cannot be pinned runs where the others do: slower, but it runs.
fn pin(threads: &[(usize, i32)], vcpus: &[u16]) {
    for (index, host) in vcpus.iter().enumerate() {
        let thread = threads.iter().find(|(vcpu, _)| *vcpu == index).map(|(_, thread)| Pid::from_raw(*thread));
        match thread.map(|thread| keep_to(thread, &[*host])) {
            Some(Ok(())) => {}
            Some(Err(errno)) => log::warn!("pinning virtual CPU {index} to the host CPU {host}: {errno}"),
            None => log::warn!("QEMU has no thread for the virtual CPU {index}"),
        }
    }
}

/// Keeps a thread, and those it starts, to these host CPUs; none means wherever it likes.
fn keep_to(thread: Pid, host: &[u16]) -> nix::Result<()> {
    if host.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    host.iter().try_for_each(|cpu| set.set(usize::from(*cpu)))?;
    sched_setaffinity(thread, &set)
}

impl Drop for Qemu {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _: std::io::Result<ExitStatus> = self.child.wait();
        }
    }
}
