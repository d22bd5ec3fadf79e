//! QMP, QEMU's control protocol: one JSON object per line (QEMU's `docs/interop/qmp-spec.txt`).

use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Longer lines are dropped: no answer that Persona needs is longer, and a line of many small objects takes 170 times as much memory.
const LONGEST_LINE: usize = 256 << 10;

/// A message from QEMU.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// QEMU is there, and waits for `qmp_capabilities`.
    Greeting,
    /// A command succeeded; its name and what it returned.
    Done(String, Value),
    /// A command failed; its name and why.
    Refused(String, String),
    /// An event; its name and details.
    Event(String, Value),
}

impl Message {
    fn parse(line: &[u8]) -> Option<Self> {
        let Value::Object(mut object) = serde_json::from_slice(line).ok()? else { return None };
        let id = match object.remove("id") {
            Some(Value::String(id)) => id,
            _ => String::new(),
        };
        if let Some(value) = object.remove("return") {
            return Some(Self::Done(id, value));
        }
        if let Some(error) = object.remove("error") {
            return Some(Self::Refused(id, error["desc"].as_str().unwrap_or_default().to_owned()));
        }
        if let Some(event) = object.get("event").and_then(Value::as_str) {
            return Some(Self::Event(event.to_owned(), object.get("data").cloned().unwrap_or_default()));
        }
        object.contains_key("QMP").then_some(Self::Greeting)
    }
}

/// Parses messages from the byte stream. Lines that are not QMP are skipped.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    overlong: bool,
}

impl Reader {
    /// Takes the next bytes, and returns the messages that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() > LONGEST_LINE {
                self.overlong = true;
                self.line.clear();
            }
            if !self.overlong {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                messages.extend(Message::parse(&self.line));
                self.line.clear();
                self.overlong = false;
            }
        }
        messages
    }
}

/// A command without arguments; its name is also the id of its answer.
pub fn command(name: &str) -> String {
    format!("{}\n", serde_json::json!({ "execute": name, "id": name }))
}

/// A QMP connection that never blocks.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    reader: Reader,
}

impl Qmp {
    /// Starts QMP on `stream`, which becomes non-blocking.
    ///
    /// # Errors
    /// The system call's.
    pub fn new(stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, reader: Reader::default() })
    }

    /// Sends a command without arguments.
    ///
    /// # Errors
    /// When QEMU is gone, or has not read for so long that the socket is full.
    pub fn send(&mut self, name: &str) -> std::io::Result<()> {
        self.stream.write_all(command(name).as_bytes())
    }

    /// The messages received since the last call, and whether more can come.
    pub fn receive(&mut self) -> (Vec<Message>, bool) {
        let (mut messages, mut bytes) = (Vec::new(), [0; 4096]);
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return (messages, false),
                Ok(count) => messages.extend(self.reader.feed(&bytes[..count])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (messages, true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return (messages, false),
            }
        }
    }
}

impl AsFd for Qmp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    const TALK: &str = concat!(
        "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n",
        "{\"return\": {}, \"id\": \"qmp_capabilities\"}\r\n",
        "not json\r\n[1]\r\n{\"other\": 1}\r\n\r\n",
        "{\"timestamp\": {}, \"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}\r\n",
        "{\"id\": \"quit\", \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n",
        "{\"event\": \"RESUME\"}\r\n{\"half\":",
    );

    fn meant() -> Vec<Message> {
        vec![
            Message::Greeting,
            Message::Done("qmp_capabilities".into(), json!({})),
            Message::Event("SHUTDOWN".into(), json!({"guest": true, "reason": "guest-shutdown"})),
            Message::Refused("quit".into(), "no".into()),
            Message::Event("RESUME".into(), Value::Null),
        ]
    }

    #[test]
    fn a_line_too_long_is_dropped_and_the_next_is_read() {
        let mut reader = Reader::default();
        for _ in 0..300 {
            assert_eq!(reader.feed(&[b'x'; 4096]), []);
        }
        assert!(reader.line.len() <= LONGEST_LINE);
        assert_eq!(reader.feed(b"\n{\"event\": \"STOP\"}\n"), [Message::Event("STOP".into(), Value::Null)]);
    }

    #[test]
    fn a_closed_connection_gives_what_was_said_before() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut qmp = Qmp::new(ours).unwrap();
        assert_eq!(qmp.receive(), (vec![], true));
        (&theirs).write_all(TALK.as_bytes()).unwrap();
        drop(theirs);
        assert_eq!(qmp.receive(), (meant(), false));
        assert!(qmp.send("quit").is_err());
    }

    proptest::proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(cuts in proptest::collection::vec(0..TALK.len(), 0..20)) {
            let mut cuts = cuts;
            cuts.extend([0, TALK.len()]);
            cuts.sort_unstable();
            let mut reader = Reader::default();
            let messages: Vec<_> = cuts.windows(2).flat_map(|cut| reader.feed(&TALK.as_bytes()[cut[0]..cut[1]])).collect();
            proptest::prop_assert_eq!(messages, meant());
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            Reader::default().feed(&bytes);
        }
    }
}
