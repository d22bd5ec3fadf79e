//! When libvirt is asked although it has said nothing.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(64);

/// Whether an event may have been missed: from when a subscription begins until it has delivered one. Nothing tells that a
/// subscription has taken effect; by the last pause it has, if libvirt still answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doubt {
    next: Instant,
    pause: Duration,
}

impl Doubt {
    /// Begins to doubt.
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now + FIRST, pause: FIRST }
    }

    /// How long until libvirt is to be asked.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }

    /// It was asked: next time is after twice the pause, up to the last.
    pub(super) fn asked(self, now: Instant) -> Self {
        let pause = (self.pause * 2).min(LAST);
        Self { next: now + pause, pause }
    }

    /// Whether the doubt has lasted for so long that a good answer ends it.
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
        let mut doubt = Doubt::new(now);
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
