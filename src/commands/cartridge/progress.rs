//! The progress of a long task, on a terminal.

use std::io::{IsTerminal, Write, stderr};

const WIDTH: usize = 30;

/// One line that is rewritten, and removed at the end. Without a terminal nothing is shown.
#[derive(Debug)]
pub(super) struct Bar {
    name: String,
    is_shown: bool,
    last: String,
}

impl Bar {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), is_shown: stderr().is_terminal(), last: String::new() }
    }

    /// `share` is from 0 to 1.
    pub(super) fn show(&mut self, what: &str, share: f64) {
        let line = line(&self.name, what, share);
        if self.is_shown && line != self.last {
            // The terminal may have been closed; errors are ignored.
            let _ = write!(stderr(), "\r{line}\x1b[K");
            self.last = line;
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if !self.last.is_empty() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn line(name: &str, what: &str, share: f64) -> String {
    let share = share.clamp(0.0, 1.0);
    let full = (share * WIDTH as f64) as usize;
    format!("{name}: {what} [{}{}] {:3.0} %", "#".repeat(full), "-".repeat(WIDTH - full), share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_as_long_at_any_time() {
        assert_eq!(line("a", "copying", 0.5), format!("a: copying [{}{}]  50 %", "#".repeat(15), "-".repeat(15)));
        for share in [-1.0, 0.0, 0.333, 1.0, 7.0, f64::NAN] {
            assert_eq!(line("a", "copying", share).len(), line("a", "copying", 0.5).len(), "{share}");
        }
    }
}
