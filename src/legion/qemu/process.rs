//! QEMU's process: start, events, commands.

use crate::config::ladder::Rung;
use crate::error::{Context, Error, Result};
use crate::legion::launch::Launch;
use crate::legion::lock::LegionLock;
use crate::legion::network;
use crate::legion::qemu::agent::Agent;
use crate::legion::qemu::argv;
use crate::legion::qemu::qmp::Qmp;
use crate::legion::qemu::tail::Tail;
use crate::legion::qemu::tpm::Tpm;
use crate::legion::qemu::watch::{CONTINUE, Reply, Watch};
use crate::legion::topology::Pinning;
use crate::sys::paths::Paths;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

/// QEMU and its known state. Dropped while it lives, it is killed: nothing runs unsupervised.
pub(super) struct Qemu {
    child: Child,
    qmp: Option<Qmp>,
    stderr: Option<ChildStderr>,
    pub(super) watch: Watch,
    tail: Tail,
    /// The host CPU of each virtual CPU.
    vcpus: Vec<u16>,
    /// Outlives QEMU, which tells it to end.
    _tpm: Option<Tpm>,
}

impl Qemu {
    /// Starts it. Its threads are placed as the launch requires before the guest runs.
    pub(super) fn start(paths: &Paths, launch: &Launch, lock: &LegionLock) -> Result<Self> {
        let doing = || "making QEMU's sockets".to_owned();
        let (ours, theirs) = UnixStream::pair().context(doing)?;
        let qmp = Qmp::new(ours).context(doing)?;
        let Pinning { vcpus, rest } = launch.pinning.clone();
        // QEMU's threads inherit the supervisor's CPU affinity until those of the virtual CPUs are pinned.
        keep_to(Pid::from_raw(0), &rest)
            .context(|| format!("keeping legion to the host CPUs {rest:?}"))
            .map_err(|error| error.with_hint("`lscpu` lists the host's CPUs; change `cpus` in the settings"))?;
        let held = !vcpus.is_empty();
        let mut argv = argv::supervised(&launch.qemu, theirs.as_raw_fd(), held);
        let tap = launch.macvtap.then(|| network::open(paths)).transpose()?;
        if let Some(tap) = &tap {
            argv = argv::connected(&argv, tap.as_raw_fd());
        }
        let tpm = if launch.swtpm.is_empty() { None } else { Some(Tpm::start(paths, &launch.swtpm)?) };
        let (program, arguments) = argv.split_first().ok_or_else(|| Error::new("QEMU's command line is empty"))?;
        for inherited in [theirs.as_fd(), lock.as_fd()].into_iter().chain(tap.iter().map(AsFd::as_fd)) {
            fcntl(inherited, FcntlArg::F_SETFD(FdFlag::empty())).context(doing)?;
        }
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            // Only the supervisor gets Ctrl-C in a terminal.
            .process_group(0)
            .spawn()
            .context(|| format!("starting {program}"))
            .map_err(|error| error.with_hint("install QEMU: qemu-system-x86 (Arch, Debian), qemu-kvm (Fedora)"))?;
        let stderr = child.stderr.take();
        let qemu =
            Self { child, qmp: Some(qmp), stderr, watch: Watch { held, ..Watch::default() }, tail: Tail::default(), vcpus, _tpm: tpm };
        if let Some(stderr) = &qemu.stderr {
            fcntl(stderr, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context(doing)?;
        }
        Ok(qemu)
    }

    /// Waits for input from QEMU, from the guest's agent or for signals; returns whether there is any, after at most `timeout`.
    pub(super) fn wait_for_news(&self, signals: &SignalFd, agent: Option<&Agent>, timeout: Option<Duration>) -> nix::Result<bool> {
        let news = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![news(signals.as_fd())];
        fds.extend(self.qmp.iter().map(|qmp| news(qmp.as_fd())));
        fds.extend(self.stderr.iter().map(|stderr| news(stderr.as_fd())));
        fds.extend(agent.map(|agent| news(agent.as_fd())));
        // One millisecond more, so that it does not wake too early.
        let timeout =
            timeout.map_or(PollTimeout::NONE, |wait| PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => Ok(true),
            Ok(count) => Ok(count > 0),
            Err(errno) => Err(errno),
        }
    }

    /// Its exit status and last words, once it has ended.
    pub(super) fn ended(&mut self) -> std::io::Result<Option<(ExitStatus, Vec<String>)>> {
        let Some(exit) = self.child.try_wait()? else { return Ok(None) };
        self.listen();
        Ok(Some((exit, std::mem::take(&mut self.tail).into_lines())))
    }

    /// Resumes a guest that QEMU has paused.
    pub(super) fn go_on(&mut self) {
        self.command(CONTINUE);
    }

    /// Reads everything QEMU has sent, and answers.
    pub(super) fn listen(&mut self) {
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
                    // A copy for the journal; the tail is kept even if nothing reads that.
                    let _ = std::io::stderr().write_all(&bytes[..count]);
                    self.tail.feed(&bytes[..count]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.stderr = None,
            }
        }
    }

    /// Takes a rung of the stop ladder.
    pub(super) fn take(&mut self, rung: Rung) {
        let heard = match rung {
            Rung::PowerButton | Rung::PowerButtonAgain => self.command("system_powerdown"),
            // QEMU treats SIGTERM the same way; it works when QMP is not up yet or not any more.
            Rung::Quit => self.command("quit") || self.signal(Signal::SIGTERM),
            Rung::Kill => self.signal(Signal::SIGKILL),
        };
        if !heard {
            log::warn!("QEMU accepts no commands");
        }
    }

    fn command(&mut self, name: &str) -> bool {
        self.watch.ready && self.qmp.as_mut().is_some_and(|qmp| qmp.send(name).is_ok())
    }

    fn signal(&self, signal: Signal) -> bool {
        // The child has not been waited for yet, so its process ID is still valid.
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

/// Restricts a thread, and those it starts, to these host CPUs; none means no restriction.
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
