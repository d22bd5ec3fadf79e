//! Decides when to poll libvirt although it has reported nothing.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(64);

/// Whether an event may have been missed: from the start of a subscription until its first event. Nothing confirms that a subscription is
/// active; it is assumed active after the last pause, if libvirt still answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PollBackoff {
    next: Instant,
    pause: Duration,
}

impl PollBackoff {
    /// Starts to doubt.
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now + FIRST, pause: FIRST }
    }

    /// How long until libvirt should be polled.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }

    /// It was polled: the next pause is twice as long, up to the last.
    pub(super) fn asked(self, now: Instant) -> Self {
        let pause = (self.pause * 2).min(LAST);
        Self { next: now + pause, pause }
    }

    /// Whether the doubt has lasted so long that a good answer ends it.
    pub(super) fn is_old(&self) -> bool {
        self.pause == LAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_and_come_to_an_end() {
        let mut now = Instant::now();
        let mut doubt = PollBackoff::new(now);
        let mut waits = Vec::new();
        while !doubt.is_old() {
            waits.push(doubt.wait(now).as_secs());
            now += doubt.wait(now);
            doubt = doubt.asked(now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32]);
        assert_eq!(doubt.asked(now).wait(now), LAST);
    }
}
