//! The stop ladder: from asking the guest to shut down to killing QEMU.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How long after the request to stop each rung is taken. A unit's stop time must be longer than `kill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// The power button a second time: Windows ignores the first while it sleeps or no user is logged in.
    #[serde(with = "milliseconds")]
    pub again: Duration,
    /// QMP `quit`: the guest loses power, its disk is flushed.
    #[serde(with = "milliseconds")]
    pub quit: Duration,
    /// SIGKILL.
    #[serde(with = "milliseconds")]
    pub kill: Duration,
}

/// Durations as whole milliseconds.
mod milliseconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self { again: Duration::from_secs(10), quit: Duration::from_secs(30), kill: Duration::from_secs(40) }
    }
}

/// A rung of the ladder, from the gentlest up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// The guest is asked to shut down.
    PowerButton,
    /// It is asked again.
    PowerButtonAgain,
    /// QEMU is told to quit.
    Quit,
    /// QEMU is killed.
    Kill,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PowerButton => "pressing its power button",
            Self::PowerButtonAgain => "pressing its power button again",
            Self::Quit => "telling QEMU to quit",
            Self::Kill => "killing QEMU",
        })
    }
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopStep {
    /// Take this rung.
    Take(Rung),
    /// Nothing, for this long.
    Wait(Duration),
    /// Nothing more can be done.
    Top,
}

impl Ladder {
    /// When a rung is taken, counted from the request to stop.
    pub fn time_of(&self, rung: Rung) -> Duration {
        match rung {
            Rung::PowerButton => Duration::ZERO,
            Rung::PowerButtonAgain => self.again,
            Rung::Quit => self.quit,
            Rung::Kill => self.kill,
        }
    }

    /// What to do `elapsed` after the request to stop, with `last` the rung taken last.
    pub fn step(&self, last: Option<Rung>, elapsed: Duration) -> StopStep {
        let next = match last {
            None => Rung::PowerButton,
            Some(Rung::PowerButton) => Rung::PowerButtonAgain,
            Some(Rung::PowerButtonAgain) => Rung::Quit,
            Some(Rung::Quit) => Rung::Kill,
            Some(Rung::Kill) => return StopStep::Top,
        };
        match self.time_of(next).checked_sub(elapsed) {
            None | Some(Duration::ZERO) => StopStep::Take(next),
            Some(wait) => StopStep::Wait(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rungs_come_at_their_times() {
        let ladder = Ladder::default();
        let seconds = Duration::from_secs;
        assert_eq!(ladder.step(None, seconds(0)), StopStep::Take(Rung::PowerButton));
        assert_eq!(ladder.step(Some(Rung::PowerButton), seconds(4)), StopStep::Wait(seconds(6)));
        assert_eq!(ladder.step(Some(Rung::PowerButton), seconds(10)), StopStep::Take(Rung::PowerButtonAgain));
        assert_eq!(ladder.step(Some(Rung::PowerButtonAgain), seconds(29)), StopStep::Wait(seconds(1)));
        assert_eq!(ladder.step(Some(Rung::PowerButtonAgain), seconds(30)), StopStep::Take(Rung::Quit));
        assert_eq!(ladder.step(Some(Rung::Quit), seconds(40)), StopStep::Take(Rung::Kill));
        assert_eq!(ladder.step(Some(Rung::Kill), seconds(1000)), StopStep::Top);
    }

    proptest::proptest! {
        #[test]
        fn every_ladder_reaches_its_top_in_time_and_skips_nothing(again in 0..100u64, quit in 0..100u64, kill in 0..100u64) {
            let ladder = Ladder { again: Duration::from_millis(again), quit: Duration::from_millis(quit), kill: Duration::from_millis(kill) };
            let (mut elapsed, mut taken) = (Duration::ZERO, Vec::new());
            loop {
                match ladder.step(taken.last().copied(), elapsed) {
                    StopStep::Take(rung) => taken.push(rung),
                    StopStep::Wait(wait) => elapsed += wait,
                    StopStep::Top => break,
                }
            }
            proptest::prop_assert_eq!(taken, [Rung::PowerButton, Rung::PowerButtonAgain, Rung::Quit, Rung::Kill]);
            proptest::prop_assert_eq!(elapsed, Duration::from_millis(again.max(quit).max(kill)));
        }
    }
}
