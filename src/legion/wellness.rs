//! Whether a guest that runs runs well. It is looked at only until that is known: then nothing wakes the supervisor up for it
//! any more.

use crate::config::value::RunningWell;
use std::time::{Duration, Instant};

/// How long an agent that may not be up yet is left alone. A guest needs longer than this to boot, and nothing waits for the
/// answer.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What is known so far. Time is an argument; it begins with the first look.
#[derive(Debug)]
pub(super) struct Wellness {
    rule: RunningWell,
    since: Option<Instant>,
    asked: Option<Instant>,
    is_known: bool,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing, for so long.
    Wait(Duration),
    /// The agent is to be asked, and [`Wellness::answered`] told.
    Ask,
    /// It runs well: said once.
    Well,
    /// Nothing any more.
    Settled,
}

impl Wellness {
    /// Nothing is known yet.
    pub(super) fn new(rule: RunningWell) -> Self {
        Self { rule, since: None, asked: None, is_known: false }
    }

    /// Looks at a guest that runs.
    pub(super) fn check(&mut self, now: Instant) -> Check {
        if self.is_known {
            return Check::Settled;
        }
        let since = *self.since.get_or_insert(now);
        match (self.rule, self.asked) {
            (RunningWell::After(time), _) => match time.saturating_sub(now.saturating_duration_since(since)) {
                Duration::ZERO => {
                    self.is_known = true;
                    Check::Well
                }
                wait => Check::Wait(wait),
            },
            (RunningWell::Agent, Some(asked)) if now < asked + ASK_AGAIN => Check::Wait(asked + ASK_AGAIN - now),
            (RunningWell::Agent, _) => {
                self.asked = Some(now);
                Check::Ask
            }
        }
    }

    /// The agent has answered; whether that is news.
    pub(super) fn answered(&mut self) -> bool {
        !std::mem::replace(&mut self.is_known, true)
    }

    /// There is no agent to ask: time has to tell.
    pub(super) fn without_agent(&mut self) {
        self.rule = RunningWell::USUAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn time_tells_once_and_wakes_nobody_afterwards() {
        let start = Instant::now();
        let mut wellness = Wellness::new(RunningWell::After(10 * SECOND));
        assert_eq!(wellness.check(start), Check::Wait(10 * SECOND));
        assert_eq!(wellness.check(start + 4 * SECOND), Check::Wait(6 * SECOND));
        assert_eq!(wellness.check(start + 10 * SECOND), Check::Well);
        assert_eq!(wellness.check(start + 11 * SECOND), Check::Settled);
        assert_eq!(Wellness::new(RunningWell::After(Duration::ZERO)).check(start), Check::Well);
    }

    #[test]
    fn the_agent_is_asked_now_and_then_until_it_answers() {
        let start = Instant::now();
        let mut wellness = Wellness::new(RunningWell::Agent);
        assert_eq!(wellness.check(start), Check::Ask);
        assert_eq!(wellness.check(start + SECOND), Check::Wait(4 * SECOND));
        assert_eq!(wellness.check(start + 5 * SECOND), Check::Ask);
        assert_eq!(wellness.check(start + 5 * SECOND), Check::Wait(5 * SECOND));
        assert!(wellness.answered() && !wellness.answered());
        assert_eq!(wellness.check(start + 60 * SECOND), Check::Settled);
    }

    #[test]
    fn without_an_agent_time_tells() {
        let start = Instant::now();
        let mut wellness = Wellness::new(RunningWell::Agent);
        assert_eq!(wellness.check(start), Check::Ask);
        wellness.without_agent();
        assert_eq!(wellness.check(start + 20 * SECOND), Check::Wait(40 * SECOND));
        assert_eq!(wellness.check(start + 60 * SECOND), Check::Well);
    }
}
