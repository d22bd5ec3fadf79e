//! Splits incoming bytes into lines.

use super::LONGEST_LINE;

/// A line, or the fact that one was too long.
pub(super) type Line = Result<Vec<u8>, TooLong>;

/// A line had more than [`LONGEST_LINE`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// The line that is not complete yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// Takes the next bytes, and returns the lines that they complete, without line ends; blank lines are skipped.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.too_long || self.line.len() + piece.len() > LONGEST_LINE {
                self.too_long = true;
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                if std::mem::take(&mut self.too_long) {
                    lines.push(Err(TooLong));
                } else if !line.trim_ascii().is_empty() {
                    lines.push(Ok(line.trim_ascii().to_vec()));
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_too_long_is_one_complaint_and_the_next_is_read() {
        let mut lines = Lines::default();
        for _ in 0..300 {
            assert_eq!(lines.feed(&[b'x'; 1024]), []);
            assert!(lines.line.len() <= LONGEST_LINE);
        }
        assert_eq!(lines.feed(b"\n\n{}\r\n"), [Err(TooLong), Ok(b"{}".to_vec())]);
        let longest = [vec![b'x'; LONGEST_LINE - 1], b"\n".to_vec()].concat();
        assert_eq!(lines.feed(&longest), [Ok(vec![b'x'; LONGEST_LINE - 1])]);
        assert_eq!(lines.feed(&[b"x".to_vec(), longest].concat()), [Err(TooLong)]);
    }

    proptest::proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            bytes in proptest::collection::vec(proptest::sample::select(b"ab \n".to_vec()), 0..80),
            cuts in proptest::collection::vec(0..80usize, 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let mut lines = Lines::default();
            let cut: Vec<_> = cuts.windows(2).flat_map(|cut| lines.feed(&bytes[cut[0]..cut[1]])).collect();
            proptest::prop_assert_eq!(cut, Lines::default().feed(&bytes));
        }
    }
}
