//! The pending page flip: when the next frame may be drawn, and when the flip is overdue.

use std::time::Duration;

/// A flip that takes longer counts as lost: the slowest monitor shows 24 frames a second.
const OVERDUE: Duration = Duration::from_secs(1);

/// Shorter than a frame at 60 Hz. Cards without a real monitor (virtual, firmware framebuffer) complete a flip at once,
/// and the menu would draw without a pause.
const PACE: Duration = Duration::from_millis(12);

/// One frame in flight at most. Instants are times since any fixed moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PendingFlip {
    last: Option<Duration>,
    flying: bool,
}

impl PendingFlip {
    /// A frame was given to the card; an event will follow, if `flying`.
    pub(super) fn start(&mut self, now: Duration, flying: bool) {
        *self = Self { last: Some(now), flying };
    }

    /// The card has reported that the frame is on the screen, or the wait was given up.
    pub(super) fn land(&mut self) {
        self.flying = false;
    }

    /// Whether a flip is pending.
    pub(super) fn is_flying(&self) -> bool {
        self.flying
    }

    /// Whether the next frame may be drawn.
    pub(super) fn is_ready(&self, now: Duration) -> bool {
        !self.flying && self.last.is_none_or(|last| now >= last + PACE)
    }

    /// Whether the event is overdue.
    pub(super) fn is_overdue(&self, now: Duration) -> bool {
        self.flying && self.last.is_none_or(|last| now >= last + OVERDUE)
    }

    /// When the next frame may be drawn, or the flip is overdue.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.last.map(|last| last + if self.flying { OVERDUE } else { PACE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_next_frame_waits_for_the_last() {
        let mut flight = PendingFlip::default();
        assert!(flight.is_ready(ms(0)) && flight.deadline().is_none());
        flight.start(ms(100), true);
        assert!(!flight.is_ready(ms(116)) && !flight.is_overdue(ms(1099)));
        flight.land();
        assert!(flight.is_ready(ms(116)) && !flight.is_overdue(ms(9000)));
    }

    #[test]
    fn a_card_that_is_done_at_once_does_not_set_the_pace() {
        let mut flight = PendingFlip::default();
        for flying in [true, false] {
            flight.start(ms(100), flying);
            flight.land();
            assert!(!flight.is_ready(ms(111)) && flight.is_ready(ms(112)));
            assert_eq!(flight.deadline(), Some(ms(112)));
        }
    }

    #[test]
    fn an_event_that_never_comes_is_given_up() {
        let mut flight = PendingFlip::default();
        flight.start(ms(100), true);
        assert_eq!(flight.deadline(), Some(ms(1100)));
        assert!(flight.is_overdue(ms(1100)) && !flight.is_ready(ms(1100)));
        flight.land();
        assert!(flight.is_ready(ms(1100)));
    }
}
