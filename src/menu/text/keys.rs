//! What is typed on a serial line: bytes in, keys out. Pure; time is an argument.
//!
//! A terminal sends an arrow key as Escape and two more bytes, and the Escape key as one byte: only timing tells them apart.

use crate::menu::model::Key;
use std::time::Duration;

/// How long after Escape the rest of a sequence may take: five bytes at 1200 baud.
pub const SEQUENCE_TIMEOUT: Duration = Duration::from_millis(50);

/// No key sends a longer sequence: what is longer is noise.
const MAX_SEQUENCE: usize = 16;

const ESCAPE: u8 = 0x1b;

/// Reads keys from what arrives in pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TerminalDecoder {
    /// A sequence that has begun with Escape and is not complete.
    begun: Vec<u8>,
    /// When its last byte came.
    at: Duration,
    /// The last byte was a carriage return: a line feed that comes next belongs to it.
    returned: bool,
}

impl TerminalDecoder {
    /// The keys in `bytes`, which arrived at `now`.
    pub fn feed(&mut self, bytes: &[u8], now: Duration) -> Vec<Key> {
        let mut keys: Vec<Key> = self.timed_out(now).into_iter().collect();
        for &byte in bytes {
            self.byte(byte, &mut keys);
            self.at = now;
        }
        keys
    }

    /// The key that an unfinished sequence stands for, once the time limit has passed.
    pub fn timed_out(&mut self, now: Duration) -> Option<Key> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let begun = std::mem::take(&mut self.begun);
        Some(if begun == [ESCAPE] { Key::Back } else { Key::Other })
    }

    /// When to ask [`Self::timed_out`].
    pub fn deadline(&self) -> Option<Duration> {
        (!self.begun.is_empty()).then(|| self.at + SEQUENCE_TIMEOUT)
    }

    fn byte(&mut self, byte: u8, keys: &mut Vec<Key>) {
        let returned = std::mem::replace(&mut self.returned, byte == b'\r');
        if self.begun.is_empty() {
            match byte {
                ESCAPE => self.begun.push(byte),
                b'\n' if returned => {}
                _ => keys.extend(single(byte)),
            }
            return;
        }
        if byte == ESCAPE {
            // The sequence was not one: Escape was pressed, and now another key.
            keys.push(if self.begun == [ESCAPE] { Key::Back } else { Key::Other });
            self.begun = vec![ESCAPE];
            return;
        }
        self.begun.push(byte);
        if is_complete(&self.begun) || self.begun.len() > MAX_SEQUENCE {
            keys.push(sequence(&self.begun));
            self.begun.clear();
        }
    }
}

/// A byte outside of a sequence. Break conditions on the line (read as 0) and the continuation bytes of UTF-8 are no keys.
fn single(byte: u8) -> Option<Key> {
    Some(match byte {
        0 | 0x80..=0xbf => return None,
        b'0'..=b'9' => Key::Digit(byte - b'0'),
        b'\r' | b'\n' | b' ' => Key::Confirm,
        0x7f | 0x08 => Key::Erase,
        _ => Key::Other,
    })
}

/// Whether a sequence is complete: `ESC O` and `ESC [ [` (the kernel's function keys) have one byte more, `ESC [` ends
/// with a byte from `@` on (ECMA-48, control sequences), and any other has one byte in all.
fn is_complete(begun: &[u8]) -> bool {
    match begun {
        [ESCAPE, b'O' | b'['] | [ESCAPE, b'[', b'['] => false,
        [ESCAPE, b'[', b'[', ..] | [ESCAPE, b'O', ..] => true,
        [ESCAPE, b'[', .., last] => (0x40..=0x7e).contains(last),
        _ => true,
    }
}

fn sequence(bytes: &[u8]) -> Key {
    match bytes {
        [ESCAPE, b'[' | b'O', b'A' | b'D'] => Key::Previous,
        [ESCAPE, b'[' | b'O', b'B' | b'C'] => Key::Next,
        [ESCAPE, b'O', b'M'] => Key::Confirm,
        [ESCAPE, b'O', b'P'] | b"\x1b[11~" | b"\x1b[[A" => Key::Help,
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn keys(bytes: &[u8]) -> Vec<Key> {
        TerminalDecoder::default().feed(bytes, at(0))
    }

    #[test]
    fn every_key_in_every_way_terminals_send_it() {
        for (bytes, key) in [
            (&b"\x1b[A"[..], Key::Previous),
            (b"\x1bOD", Key::Previous),
            (b"\x1b[C", Key::Next),
            (b"\x1bOB", Key::Next),
            (b"7", Key::Digit(7)),
            (b"\r", Key::Confirm),
            (b"\n", Key::Confirm),
            (b"\r\n", Key::Confirm),
            (b" ", Key::Confirm),
            (b"\x7f", Key::Erase),
            (b"\x08", Key::Erase),
            (b"\x1bOP", Key::Help),
            (b"\x1b[11~", Key::Help),
            (b"\x1b[[A", Key::Help),
            (b"\x1b[1;5C", Key::Other),
            (b"\x1bx", Key::Other),
            (b"x", Key::Other),
            ("û".as_bytes(), Key::Other),
        ] {
            assert_eq!(keys(bytes), [key], "{bytes:?}");
        }
        assert_eq!(keys(b"\0"), [], "a break is no key");
        assert_eq!(keys(b"\r\r"), [Key::Confirm, Key::Confirm]);
        assert_eq!(keys(b"\x1b[A2\r"), [Key::Previous, Key::Digit(2), Key::Confirm]);
    }

    #[test]
    fn escape_alone_is_told_by_time() {
        let mut decoder = TerminalDecoder::default();
        assert_eq!(decoder.feed(b"\x1b", at(100)), []);
        assert_eq!((decoder.deadline(), decoder.timed_out(at(149))), (Some(at(150)), None));
        assert_eq!((decoder.timed_out(at(150)), decoder.deadline()), (Some(Key::Back), None));
        decoder.feed(b"\x1b", at(200));
        assert_eq!((decoder.feed(b"", at(210)), decoder.deadline()), (vec![], Some(at(250))), "nothing makes nothing later");
        assert_eq!(decoder.feed(b"[", at(230)), [], "each byte is waited for anew");
        assert_eq!(decoder.feed(b"A", at(270)), [Key::Previous]);
        decoder.feed(b"\x1b", at(300));
        assert_eq!(decoder.feed(b"[A", at(400)), [Key::Back, Key::Other, Key::Other], "too late to be an arrow");
        assert_eq!(decoder.feed(b"\x1b\x1b[B", at(500)), [Key::Back, Key::Next]);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_keys(bytes in proptest::collection::vec(any::<u8>(), 0..64), split in 0..64usize) {
            let whole = keys(&bytes);
            let (first, second) = bytes.split_at(split.min(bytes.len()));
            let mut decoder = TerminalDecoder::default();
            let mut pieces = decoder.feed(first, at(0));
            pieces.extend(decoder.feed(second, at(10)));
            prop_assert_eq!(pieces, whole);
            prop_assert!(decoder.begun.len() <= MAX_SEQUENCE);
        }
    }
}
