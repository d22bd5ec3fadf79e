//! What the test bench is doing, a line a step.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Writes steps to stderr, each with the seconds since the log was made.
#[derive(Debug, Clone)]
pub struct Log {
    name: String,
    start: Instant,
}

impl Log {
    /// A log whose lines begin with `name` and whose clock starts now.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), start: Instant::now() }
    }

    /// Says what happens now.
    pub fn step(&self, what: impl AsRef<str>) {
        // A bench without a terminal still runs.
        let _ = writeln!(std::io::stderr(), "{}", self.line(what.as_ref()));
    }

    /// Says what takes long now, and from time to time that it goes on, until the returned value is dropped.
    #[must_use]
    pub fn long(&self, what: impl Into<String>) -> Progress {
        let (log, what) = (self.clone(), what.into());
        log.step(&what);
        Progress::begin(move |seconds| log.line(&format!("{what} ... {seconds} s so far")))
    }

    fn line(&self, what: &str) -> String {
        format!("{:>12} {:7.1} s  {what}", self.name, self.elapsed().as_secs_f64())
    }

    /// What its lines begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Time since the log was made.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Something that takes long and is told of while it goes on.
#[derive(Debug)]
pub struct Progress {
    end: Option<Sender<()>>,
    teller: Option<JoinHandle<()>>,
}

impl Progress {
    fn begin(line: impl Fn(u64) -> String + Send + 'static) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        // A terminal gets one line that changes, a file few lines.
        let every = Duration::from_secs(if is_terminal { 1 } else { 15 });
        let (end, ended) = channel::<()>();
        let teller = std::thread::spawn(move || {
            let start = Instant::now();
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let text = line(start.elapsed().as_secs());
                let _ = if is_terminal { write!(std::io::stderr(), "\r\x1b[K{text}") } else { writeln!(std::io::stderr(), "{text}") };
            }
            if is_terminal {
                let _ = write!(std::io::stderr(), "\r\x1b[K");
            }
        });
        Self { end: Some(end), teller: Some(teller) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end.take();
        if let Some(teller) = self.teller.take() {
            let _ = teller.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_that_is_over_at_once_ends_at_once() {
        let start = Instant::now();
        drop(Log::new("test").long("nothing"));
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
