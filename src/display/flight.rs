//! The page flip that is on its way, if one is: when the next frame may come, and when waiting has lasted too long.

use std::time::Duration;

/// A flip that takes longer never ends: the slowest monitor shows 24 frames a second.
const OVERDUE: Duration = Duration::from_secs(1);

/// Less than a frame lasts at 60 Hz. Cards without a monitor of glass behind them (virtual, firmware's) are done with a
/// flip at once, and would have the menu draw without a pause.
const PACE: Duration = Duration::from_millis(12);

/// One frame in flight at most. Instants are times since any fixed moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flight {
    last: Option<Duration>,
    flying: bool,
}

impl Flight {
    /// A frame was given to the card; it tells when it is on the screen, if `flying`.
    pub(super) fn start(&mut self, now: Duration, flying: bool) {
        *self = Self { last: Some(now), flying };
    }

    /// The card has told that the frame is on the screen, or nobody waits for that any more.
    pub(super) fn land(&mut self) {
        self.flying = false;
    }

    /// Whether a frame is on its way.
    pub(super) fn is_flying(&self) -> bool {
        self.flying
    }

    /// Whether the next frame may be drawn.
    pub(super) fn is_ready(&self, now: Duration) -> bool {
        !self.flying && self.last.is_none_or(|last| now >= last + PACE)
    }

    /// Whether the card has forgotten to tell.
    pub(super) fn is_overdue(&self, now: Duration) -> bool {
        self.flying && self.last.is_none_or(|last| now >= last + OVERDUE)
    }

    /// When the next frame may be drawn, or waiting has lasted too long.
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
        let mut flight = Flight::default();
        assert!(flight.is_ready(ms(0)) && flight.deadline().is_none());
        flight.start(ms(100), true);
        assert!(!flight.is_ready(ms(116)) && !flight.is_overdue(ms(1099)));
        flight.land();
        assert!(flight.is_ready(ms(116)) && !flight.is_overdue(ms(9000)));
    }

    #[test]
    fn a_card_that_is_done_at_once_does_not_set_the_pace() {
        let mut flight = Flight::default();
        for flying in [true, false] {
            flight.start(ms(100), flying);
            flight.land();
            assert!(!flight.is_ready(ms(111)) && flight.is_ready(ms(112)));
            assert_eq!(flight.deadline(), Some(ms(112)));
        }
    }

    #[test]
    fn an_event_that_never_comes_is_given_up() {
        let mut flight = Flight::default();
        flight.start(ms(100), true);
        assert_eq!(flight.deadline(), Some(ms(1100)));
        assert!(flight.is_overdue(ms(1100)) && !flight.is_ready(ms(1100)));
        flight.land();
        assert!(flight.is_ready(ms(1100)));
    }
}
