//! Everything that can wake the menu up, in one place: signals, device events, legion's files, mounts, addresses, and the
//! answers of checked PINs. Keyboards and screens come and go and are handed in.

use crate::error::{Context, Result};
use crate::network;
use crate::paths::Paths;
use crate::uevent::{Changes, Uevents};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd};

/// The sources that are there as long as the menu is.
pub(super) struct Sources {
    signals: SignalFd,
    uevents: Uevents,
    run_dir: Inotify,
    /// Reports a change of mounts by POLLERR and POLLPRI (`proc_pid_mounts(5)`).
    mounts: Option<File>,
    network: Option<network::Changes>,
    pins: PipeReader,
    pin_answers: PipeWriter,
}

/// What woke the menu up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Woken {
    /// A signal to stop.
    pub(super) stop: bool,
    /// Devices came, went or changed.
    pub(super) devices: Changes,
    /// legion's state, perhaps.
    pub(super) legion: bool,
    /// File systems or addresses: what the menu says of the machine may not be true any more.
    pub(super) facts: bool,
    /// A PIN was checked.
    pub(super) pin: Option<bool>,
    /// Which of the descriptors that were handed in are ready, in their order.
    pub(super) others: Vec<bool>,
}

impl Sources {
    /// Subscribes to everything; what is there already is not reported.
    ///
    /// # Errors
    /// When the kernel denies what no menu can do without. Mounts and addresses it can do without.
    pub(super) fn open(paths: &Paths) -> Result<Self> {
        let mut stop = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            stop.add(signal);
        }
        stop.thread_block().doing(|| "blocking signals".into())?;
        let signals =
            SignalFd::with_flags(&stop, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).doing(|| "listening for signals".into())?;
        let uevents = Uevents::subscribe().doing(|| "listening for the kernel's device events".into())?;
        let folder = paths.run_dir();
        std::fs::create_dir_all(&folder).doing(|| format!("making the folder {}", folder.display()))?;
        let run_dir = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).doing(|| "watching legion".into())?;
        run_dir.add_watch(&folder, AddWatchFlags::IN_MOVED_TO).doing(|| format!("watching {}", folder.display()))?;
        let mounts = File::open(paths.mount_info()).inspect_err(|error| log::warn!("watching the mounts: {error}")).ok();
        let network = network::Changes::subscribe().inspect_err(|error| log::warn!("watching the network addresses: {error}")).ok();
        let (pins, pin_answers) = std::io::pipe().doing(|| "making a pipe".into())?;
        Ok(Self { signals, uevents, run_dir, mounts, network, pins, pin_answers })
    }

    /// Where the thread that checks a PIN writes its answer: one byte, 1 for right.
    ///
    /// # Errors
    /// When there are no file descriptors left.
    pub(super) fn pin_answers(&self) -> std::io::Result<PipeWriter> {
        self.pin_answers.try_clone()
    }

    /// Waits for any of them, any of `others`, or the timeout.
    ///
    /// # Errors
    /// The system call's.
    pub(super) fn wait(&mut self, others: &[BorrowedFd<'_>], timeout: PollTimeout) -> Result<Woken> {
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.uevents.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.run_dir.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.pins.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(others.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)));
        fds.extend(self.mounts.iter().map(|mounts| PollFd::new(mounts.as_fd(), PollFlags::POLLPRI)));
        fds.extend(self.network.iter().map(|network| PollFd::new(network.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).doing(|| "waiting for events".into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any() == Some(true)).collect();
        drop(fds);
        let (own, rest) = ready.split_at(4);
        let (others, facts) = rest.split_at(others.len());
        if own[2] {
            while self.run_dir.read_events().is_ok_and(|events| !events.is_empty()) {}
        }
        if let Some(network) = &self.network {
            network.drain();
        }
        let mut answer = [0];
        Ok(Woken {
            stop: own[0],
            devices: if own[1] { self.uevents.changes() } else { Changes::default() },
            legion: own[2],
            facts: facts.contains(&true),
            pin: (own[3] && self.pins.read(&mut answer).is_ok_and(|length| length == 1)).then_some(answer[0] == 1),
            others: others.to_vec(),
        })
    }
}
