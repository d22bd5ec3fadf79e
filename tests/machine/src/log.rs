//! What the test bench is doing, a line a step.

use std::io::Write;
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
        let _ = writeln!(std::io::stderr(), "{:>12} {:7.1} s  {}", self.name, self.elapsed().as_secs_f64(), what.as_ref());
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
