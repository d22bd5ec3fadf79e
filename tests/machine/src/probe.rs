//! The bench's end of the probe, which runs commands in the machine without network or login.

use crate::wire::{Message, Request};
use persona::error::{Context, Error, Result};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What a command wrote, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code.
    pub status: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Output {
    /// stdout, if the command succeeded.
    ///
    /// # Errors
    /// With stderr, if it did not.
    pub fn success(self, command: &str) -> Result<String> {
        if self.status == 0 {
            return Ok(self.stdout);
        }
        let told = if self.stderr.trim().is_empty() { self.stdout.trim() } else { self.stderr.trim() };
        Err(Error::new(format!("`{command}` in the machine exited with {}: {told}", self.status)))
    }
}

/// The connection to the probe. It outlives reboots of the machine.
#[derive(Debug)]
pub struct Probe {
    writer: UnixStream,
    messages: Receiver<Message>,
    boot: Option<String>,
    last_id: u64,
}

impl Probe {
    /// Connects to QEMU's end of the probe's port.
    ///
    /// # Errors
    /// When nobody listens there.
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let doing = || format!("connecting to the probe at {}", socket.display());
        let writer = UnixStream::connect(socket).context(doing)?;
        let reader = BufReader::new(writer.try_clone().context(doing)?);
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            // A machine that is switched off in the middle of a line leaves half of one.
            for line in reader.lines().map_while(std::io::Result::ok) {
                if let Ok(message) = serde_json::from_str(&line)
                    && sender.send(message).is_err()
                {
                    return;
                }
            }
        });
        // An answer to somebody who asked before a machine was saved has another number.
        let last_id = u64::from(std::process::id()) << 20;
        Ok(Self { writer, messages, boot: None, last_id })
    }

    /// The kernel's ID of the boot that the probe runs in; `None` until it has said hello.
    pub fn boot(&self) -> Option<&str> {
        self.boot.as_deref()
    }

    /// Waits until the probe of a boot other than `than` says hello; false when `limit` has passed.
    pub(crate) fn wait_for_boot(&mut self, than: Option<&str>, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.boot.as_deref() == than || self.boot.is_none() {
            match self.next(deadline) {
                Ok(Message::Hello { boot }) => self.boot = Some(boot),
                Ok(Message::Done { .. }) => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Asks for a shell script to be run in the machine, once or, with `until`, again and again until it succeeds or that time has
    /// passed. The probe looks again when something changes, so that waiting costs the machine next to nothing. Returns the number of
    /// the request.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub(crate) fn ask(&mut self, script: &str, until: Option<Duration>) -> Result<u64> {
        self.last_id += 1;
        let request = Request { id: self.last_id, run: script.to_owned(), until_s: until.map(|limit| limit.as_secs()) };
        let line = serde_json::to_string(&request).context(|| "writing to the probe".to_owned())?;
        writeln!(self.writer, "{line}").context(|| "writing to the probe".to_owned())?;
        Ok(self.last_id)
    }

    /// Waits for the answer to a request; `None` when `limit` passes first.
    ///
    /// # Errors
    /// When the machine reboots meanwhile, or QEMU ends.
    pub(crate) fn answer(&mut self, id: u64, limit: Duration) -> Result<Option<Output>> {
        let deadline = Instant::now() + limit;
        loop {
            match self.next(deadline) {
                Ok(Message::Done { id: of, status, stdout, stderr }) if of == id => return Ok(Some(Output { status, stdout, stderr })),
                Ok(Message::Done { .. }) => {}
                Ok(Message::Hello { boot }) => {
                    self.boot = Some(boot);
                    return Err(Error::new("the machine rebooted meanwhile"));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Err(Error::new("QEMU ended meanwhile")),
            }
        }
    }

    /// Takes up the conversation with the probe of a machine that was saved while this boot ran.
    pub(crate) fn adopt(&mut self, boot: &str) {
        self.boot = Some(boot.to_owned());
    }

    fn next(&self, deadline: Instant) -> std::result::Result<Message, RecvTimeoutError> {
        self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    }
}
