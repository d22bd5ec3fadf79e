//! Everything that can wake the menu up, in one place: signals, device events, legion's files, mounts, addresses, and results of threads.
//! The descriptors of keyboards and screens are passed in, as they change.

use crate::error::{Context, Result};
use crate::menu::data::MenuData;
use crate::menu::facts::Facts;
use crate::menu::model::Event;
use crate::menu::threads::{Threads, Token, spawn};
use crate::state::RecordChanges;
use crate::sys::network;
use crate::sys::paths::Paths;
use crate::sys::uevent::{Changes, Uevents};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How long the end of the menu waits for a choice that is being recorded.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// The sources that exist as long as the menu runs.
pub(super) struct Sources {
    signals: SignalFd,
    uevents: Uevents,
    records: RecordChanges,
    /// Reports a change of mounts by POLLERR and POLLPRI (`proc_pid_mounts(5)`).
    mounts: Option<File>,
    network: Option<network::AddressChanges>,
    reports: Receiver<Report>,
    reporter: Reporter,
    rung: PipeReader,
    /// Jobs of the recorder thread, done in order. None once the menu ends.
    recorder: Option<Sender<Work>>,
    recorders: Option<Threads>,
}

/// Work for a thread.
type Work = Box<dyn FnOnce(&Reporter) + Send>;

/// How a thread reports to the loop.
#[derive(Clone)]
pub(super) struct Reporter {
    sender: Sender<Report>,
    bell: Arc<PipeWriter>,
}

impl Reporter {
    /// Sends a report and wakes the loop up.
    pub(super) fn report(&self, report: Report) {
        if self.sender.send(report).is_ok() {
            let _ = (&*self.bell).write_all(&[0]);
        }
    }

    /// Runs a slow operation in its own thread.
    ///
    /// # Errors
    /// When the thread cannot be created.
    pub(super) fn beside(&self, work: impl FnOnce(&Reporter) + Send + 'static) -> std::io::Result<()> {
        let reporter = self.clone();
        spawn("beside", Box::new(move || work(&reporter)))
    }
}

/// The result of an operation in a thread.
#[derive(Debug)]
pub(super) enum Report {
    /// An event for the menu.
    Event(Event),
    /// The choice was recorded, or why not.
    Recorded(Result<()>),
    /// What is known of the machine now.
    Facts(Facts),
    /// The host's own settings and state.
    MenuData(Box<Result<MenuData>>),
    /// It failed, and only the user can do something about it.
    Trouble(String),
}

/// What woke the menu up.
#[derive(Debug, Default)]
pub(super) struct Woken {
    /// A signal to stop.
    pub(super) stop: bool,
    /// Devices came, went or changed.
    pub(super) devices: Changes,
    /// legion's state may have changed.
    pub(super) legion: bool,
    /// File systems or addresses changed: what the menu shows of the machine may be outdated.
    pub(super) facts: bool,
    /// Results of operations in threads.
    pub(super) reports: Vec<Report>,
}

impl Sources {
    /// Subscribes to everything; what already exists is not reported.
    ///
    /// # Errors
    /// When the kernel refuses something that the menu requires; it works without mounts and addresses.
    pub(super) fn open(paths: &Paths) -> Result<Self> {
        let mut stop = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            stop.add(signal);
        }
        stop.thread_block().context(|| "blocking signals".into())?;
        let signals =
            SignalFd::with_flags(&stop, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).context(|| "listening for signals".into())?;
        let uevents = Uevents::subscribe().context(|| "listening for the kernel's device events".into())?;
        let folder = paths.run_dir();
        std::fs::create_dir_all(&folder).context(|| format!("making the folder {}", folder.display()))?;
        let records = RecordChanges::watch(paths).context(|| format!("watching {}", folder.display()))?;
        let mounts = File::open(paths.mount_info()).inspect_err(|error| log::warn!("watching the mounts: {error}")).ok();
        let network = network::AddressChanges::subscribe().inspect_err(|error| log::warn!("watching the network addresses: {error}")).ok();
        let (rung, bell) = std::io::pipe().context(|| "making a pipe".into())?;
        let (sender, reports) = channel();
        let reporter = Reporter { sender, bell: Arc::new(bell) };
        let recorders = Threads::default();
        let recorder = record(reporter.clone(), recorders.token()).context(|| "starting the thread that records choices".into())?;
        let (recorder, recorders) = (Some(recorder), Some(recorders));
        Ok(Self { signals, uevents, records, mounts, network, reports, reporter, rung, recorder, recorders })
    }

    /// Queues a job for the recorder thread, after all earlier ones.
    pub(super) fn record(&self, work: impl FnOnce(&Reporter) + Send + 'static) {
        if let Some(recorder) = &self.recorder {
            // The recorder lives as long as this.
            let _ = recorder.send(Box::new(work));
        }
    }

    /// Runs a slow operation in a thread, while the loop continues.
    ///
    /// # Errors
    /// When the thread cannot be created.
    pub(super) fn beside(&self, work: impl FnOnce(&Reporter) + Send + 'static) -> std::io::Result<()> {
        self.reporter.beside(work)
    }

    /// Waits for any of them, any of `others`, or the timeout. Records are read after it.
    ///
    /// # Errors
    /// The system call's.
    pub(super) fn wait(&mut self, paths: &Paths, others: &[BorrowedFd<'_>], timeout: PollTimeout) -> Result<Woken> {
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.uevents.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.records.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.rung.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(others.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)));
        fds.extend(self.mounts.iter().map(|mounts| PollFd::new(mounts.as_fd(), PollFlags::POLLPRI)));
        fds.extend(self.network.iter().map(|network| PollFd::new(network.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context(|| "waiting for events".into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any() == Some(true)).collect();
        drop(fds);
        let (own, rest) = ready.split_at(4);
        let facts = &rest[others.len()..];
        if own[2] {
            self.records.settle(paths);
        }
        if let Some(network) = &self.network {
            network.drain();
        }
        if own[3] {
            let _ = self.rung.read(&mut [0; 64]);
        }
        Ok(Woken {
            stop: own[0],
            devices: if own[1] { self.uevents.changes() } else { Changes::default() },
            legion: own[2],
            facts: facts.contains(&true),
            reports: self.reports.try_iter().collect(),
        })
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.recorder = None;
        // A choice made just before the end is still recorded, unless its disk hangs.
        if self.recorders.take().is_some_and(|recorders| !recorders.wait(END_TIMEOUT)) {
            log::warn!("the menu ends while a choice is still being recorded");
        }
    }
}

/// Starts the thread that records.
fn record(reporter: Reporter, token: Token) -> std::io::Result<Sender<Work>> {
    let (recorder, works) = channel::<Work>();
    let work = move || {
        for work in works {
            work(&reporter);
        }
        drop(token);
    };
    spawn("recorder", Box::new(work)).map(|()| recorder)
}
