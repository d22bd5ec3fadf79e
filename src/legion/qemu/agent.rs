//! Asks whether the guest's agent is there (QEMU's `docs/interop/qemu-ga.rst`).
//!
//! QEMU buffers the data until something in the guest reads it, and serves one connection at a time: each question uses its own connection,
//! which is closed after the answer or for the next question, so that the owner's programs find the socket free.

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// A connection that sends more than this without an answer is ignored from then on.
const MAX_REPLY: usize = 1 << 16;

/// A pending question.
#[derive(Debug)]
pub(super) struct Agent {
    stream: UnixStream,
    replies: Replies,
}

/// What the guest has sent since a question. The guest may be hostile.
#[derive(Debug)]
pub struct Replies {
    /// Distinguishes the answer to this question from late answers to earlier ones.
    id: u32,
    heard: Vec<u8>,
}

impl Replies {
    /// None yet to the question of this number.
    pub fn to(id: u32) -> Self {
        Self { id, heard: Vec::new() }
    }

    /// Takes the next bytes; returns whether they complete the answer, once that is known.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<bool> {
        self.heard.extend_from_slice(bytes);
        let is_answer = |line: &[u8]| serde_json::from_slice(line).is_ok_and(|line: Value| line["return"] == self.id);
        if self.heard.split_inclusive(|byte| *byte == b'\n').any(is_answer) {
            return Some(true);
        }
        (self.heard.len() > MAX_REPLY).then_some(false)
    }
}

impl Agent {
    /// Asks without waiting; nothing if the connection fails.
    pub(super) fn ask(path: &Path) -> Option<Self> {
        static QUESTIONS: AtomicU32 = AtomicU32::new(1);
        let id = QUESTIONS.fetch_add(1, Ordering::Relaxed);
        let attempt = || {
            let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
            // While another program uses the agent, even this would block.
            connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
            let mut stream = UnixStream::from(fd);
            // The invalid byte makes the agent discard an incomplete question that another program left.
            stream.write_all(b"\xff")?;
            stream.write_all(format!("{}\n", json!({ "execute": "guest-sync", "arguments": { "id": id } })).as_bytes())?;
            Ok(stream)
        };
        let asked = attempt().inspect_err(|error: &std::io::Error| log::debug!("asking the guest agent: {error}"));
        asked.ok().map(|stream| Self { stream, replies: Replies::to(id) })
    }

    /// Reads the available data; returns whether it was the answer, once that is known.
    pub(super) fn listen(&mut self) -> Option<bool> {
        let mut bytes = [0; 512];
        loop {
            let count = match self.stream.read(&mut bytes) {
                Ok(0) => return Some(false),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => return Some(false),
            };
            if let Some(is_answer) = self.replies.feed(&bytes[..count]) {
                return Some(is_answer);
            }
        }
    }
}

impl AsFd for Agent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixListener;

    /// The result of the agent's question when the guest sends this; `ID` stands for the question's ID.
    fn told(words: &str, hangs_up: bool) -> Option<bool> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut agent = Agent::ask(&socket).unwrap();
        assert_eq!(agent.listen(), None, "no data yet");
        let (mut guest, _) = listener.accept().unwrap();
        let mut question = Vec::new();
        BufReader::new(guest.try_clone().unwrap()).read_until(b'\n', &mut question).unwrap();
        assert_eq!(question[0], 0xff);
        let question: Value = serde_json::from_slice(&question[1..]).unwrap();
        assert_eq!(question["execute"], "guest-sync");
        guest.write_all(words.replace("ID", &question["arguments"]["id"].to_string()).as_bytes()).unwrap();
        if hangs_up {
            drop(guest);
            return agent.listen();
        }
        agent.listen()
    }

    #[test]
    fn only_the_answer_to_this_question_counts() {
        assert_eq!(told("{\"return\": ID}\n", false), Some(true));
        assert_eq!(told("{\"error\": {\"desc\": \"Invalid JSON\"}}\n{\"return\": 0}\n{\"return\": ID}\n", true), Some(true));
        assert_eq!(told("{\"return\": 0}\n", false), None, "to an earlier one");
        assert_eq!(told("{\"return\": 0}\n", true), Some(false));
        assert_eq!(told(&"x".repeat(MAX_REPLY + 1), false), Some(false));
        assert!(Agent::ask(Path::new("/nowhere/agent")).is_none());
    }
}
