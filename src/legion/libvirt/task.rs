//! A running `virsh` process next to the supervisor.

use super::virsh::{self, Answer};
use crate::error::{Context, Result};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdout, Stdio};

/// What it was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VirshCommand {
    /// Start the domain.
    Start,
    /// Report its state.
    State,
    /// Take a rung of the stop ladder.
    Stop,
    /// Ping the guest's agent.
    Agent,
}

/// A `virsh` process that does one thing and ends. Its few lines fit into the pipes.
pub(super) struct Task {
    pub(super) command: VirshCommand,
    child: Child,
}

impl Task {
    pub(super) fn new(command: VirshCommand, arguments: &[&str]) -> Result<Self> {
        let child = virsh::command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Ok(Self { command, child: child.context(|| format!("running `{}`", virsh::shell_line(arguments))).map_err(virsh::missing)? })
    }

    /// The answer, if it has ended.
    pub(super) fn answer(&mut self) -> Option<Answer> {
        let status = match self.child.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => status.success(),
            Err(error) => {
                log::warn!("waiting for virsh: {error}");
                false
            }
        };
        let (mut said, mut words) = (Vec::new(), Vec::new());
        let _ = self.child.stdout.take().map(|mut stdout| stdout.read_to_end(&mut said));
        let _ = self.child.stderr.take().map(|mut stderr| stderr.read_to_end(&mut words));
        Some(Answer::new(status, &said, &words))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// `virsh event`: runs as long as its connection to libvirt, and prints a line for each lifecycle event of the domain.
pub(super) struct Subscription {
    child: Child,
    stdout: ChildStdout,
    line: Vec<u8>,
    /// Whether it has delivered an event: from then on none is missed.
    pub(super) is_proven: bool,
}

impl Subscription {
    pub(super) fn new(domain: &str) -> Result<Self> {
        let arguments = ["event", "--domain", domain, "--event", "lifecycle", "--loop"];
        let doing = || format!("running `{}`", virsh::shell_line(&arguments));
        // Its stderr goes to the journal.
        let mut child = virsh::command(&arguments).stdout(Stdio::piped()).spawn().context(doing).map_err(virsh::missing)?;
        let stdout = child.stdout.take().ok_or(ErrorKind::BrokenPipe).map_err(std::io::Error::from).context(doing)?;
        let subscription = Self { child, stdout, line: Vec::new(), is_proven: false };
        fcntl(&subscription.stdout, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context(doing)?;
        Ok(subscription)
    }

    /// Passes each complete line to `told`, which returns whether it is an event. Returns whether more may come.
    pub(super) fn listen(&mut self, mut hear: impl FnMut(&str) -> bool) -> bool {
        let mut bytes = [0; 1024];
        loop {
            match self.stdout.read(&mut bytes) {
                Ok(0) => return false,
                Ok(count) => {
                    for byte in &bytes[..count] {
                        match byte {
                            b'\n' => self.is_proven |= hear(&String::from_utf8_lossy(&std::mem::take(&mut self.line))),
                            byte => self.line.push(*byte),
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }
}

impl AsFd for Subscription {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stdout.as_fd()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// libvirt still executes what it was asked to do.
fn end(child: &mut Child) {
    if let Ok(None) = child.try_wait() {
        let _ = child.kill();
        let _ = child.wait();
    }
}
