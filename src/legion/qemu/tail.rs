//! The last lines of a process's output.

use std::collections::VecDeque;

const LINES: usize = 10;
const LONGEST_LINE: usize = 1000;

/// Keeps the last lines of its input.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<String>,
    line: Vec<u8>,
}

impl Tail {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                byte if self.line.len() < LONGEST_LINE => self.line.push(*byte),
                _ => {}
            }
        }
    }

    /// The lines, oldest first, including an unfinished last one. Warnings, such as of options that a later QEMU will not have, count
    /// only if there is nothing else.
    pub(super) fn into_lines(mut self) -> Vec<String> {
        self.end_line();
        let is_warning = |line: &String| line.contains(": warning: ");
        if !self.lines.iter().all(is_warning) {
            self.lines.retain(|line| !is_warning(line));
        }
        self.lines.into()
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
        if !line.is_empty() {
            if self.lines.len() == LINES {
                self.lines.pop_front();
            }
            self.lines.push_back(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_whole() {
        let mut tail = Tail::default();
        for number in 0..20 {
            tail.feed(format!("line {number}\r\n\n").as_bytes());
        }
        tail.feed(b"the e");
        tail.feed(b"nd");
        let lines = tail.into_lines();
        assert_eq!((lines.len(), lines[0].as_str(), lines[9].as_str()), (10, "line 11", "the end"));
    }

    #[test]
    fn warnings_count_only_if_there_is_nothing_else() {
        let lines = |text: &str| {
            let mut tail = Tail::default();
            tail.feed(text.as_bytes());
            tail.into_lines()
        };
        let warning = "-mon mode=control: warning: '-mon' is deprecated";
        assert_eq!(lines(&format!("{warning}\nCould not access KVM\n")), ["Could not access KVM"]);
        assert_eq!(lines(warning), [warning]);
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut tail = Tail::default();
        tail.feed(&vec![b'x'; 1_000_000]);
        tail.feed(b"\nb");
        assert_eq!(tail.into_lines().iter().map(String::len).collect::<Vec<_>>(), [LONGEST_LINE, 1]);
    }
}
