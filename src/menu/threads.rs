//! Worker threads of the menu: nothing that may block runs in the event loop.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Threads that the end of the menu waits for, for a limited time.
#[derive(Debug)]
pub struct Threads {
    token: Sender<()>,
    ended: Receiver<()>,
}

/// Held by such a thread as long as it works.
#[derive(Debug, Clone)]
pub struct Token(#[expect(dead_code, reason = "held, not used")] Sender<()>);

impl Default for Threads {
    fn default() -> Self {
        let (token, ended) = channel();
        Self { token, ended }
    }
}

impl Threads {
    /// A token for one more thread, which drops it at its end.
    pub fn token(&self) -> Token {
        Token(self.token.clone())
    }

    /// Waits until all tokens are dropped; false if that takes longer.
    pub fn wait(self, limit: Duration) -> bool {
        drop(self.token);
        // Nothing is ever sent: it returns when the last token is gone.
        self.ended.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Starts a thread. The work is boxed to compile this code once, not once per closure type.
///
/// # Errors
/// When the thread cannot be created; the work is dropped then.
pub(super) fn spawn(name: &str, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_waited_for_until_the_last_has_ended_or_time_is_up() {
        let threads = Threads::default();
        let (first, second) = (threads.token(), threads.token());
        drop(first);
        let (release, released) = channel();
        let worker = std::thread::spawn(move || {
            let _ = released.recv();
            drop(second);
        });
        let _ = release.send(());
        assert!(threads.wait(Duration::from_secs(60)));
        let _ = worker.join();

        let threads = Threads::default();
        let _works = threads.token();
        assert!(!threads.wait(Duration::from_millis(1)));
    }
}
