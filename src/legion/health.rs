//! Decides whether a running guest runs well. It is checked only until that is known: afterwards the check never wakes up the supervisor.

use crate::config::value::RunningWell;
use std::time::{Duration, Instant};

/// How long to wait before asking an agent that may not be up yet. A guest takes longer than this to boot, and nothing waits for the
/// answer.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What is known so far. Time is an argument; it starts with the first check.
#[derive(Debug)]
pub(super) struct Health {
    rule: RunningWell,
    since: Option<Instant>,
    asked: Option<Instant>,
    is_known: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing, for this long.
    Wait(Duration),
    /// Ask the agent, and call [`Health::answered`].
    Ask,
    /// It runs well: returned once.
    Well,
    /// Nothing any more.
    Settled,
}

impl Health {
    /// Nothing is known yet.
    pub(super) fn new(rule: RunningWell) -> Self {
        Self { rule, since: None, asked: None, is_known: false }
    }

    /// Checks a running guest.
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

    /// The agent has answered; returns whether that is the first time.
    pub(super) fn answered(&mut self) -> bool {
        !std::mem::replace(&mut self.is_known, true)
    }

    /// There is no agent to ask: the running time decides.
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
        let mut health = Health::new(RunningWell::After(10 * SECOND));
        assert_eq!(health.check(start), Check::Wait(10 * SECOND));
        assert_eq!(health.check(start + 4 * SECOND), Check::Wait(6 * SECOND));
        assert_eq!(health.check(start + 10 * SECOND), Check::Well);
        assert_eq!(health.check(start + 11 * SECOND), Check::Settled);
        assert_eq!(Health::new(RunningWell::After(Duration::ZERO)).check(start), Check::Well);
    }

    #[test]
    fn the_agent_is_asked_now_and_then_until_it_answers() {
        let start = Instant::now();
        let mut health = Health::new(RunningWell::Agent);
        assert_eq!(health.check(start), Check::Ask);
        assert_eq!(health.check(start + SECOND), Check::Wait(4 * SECOND));
        assert_eq!(health.check(start + 5 * SECOND), Check::Ask);
        assert_eq!(health.check(start + 5 * SECOND), Check::Wait(5 * SECOND));
        assert!(health.answered() && !health.answered());
        assert_eq!(health.check(start + 60 * SECOND), Check::Settled);
    }

    #[test]
    fn without_an_agent_time_tells() {
        let start = Instant::now();
        let mut health = Health::new(RunningWell::Agent);
        assert_eq!(health.check(start), Check::Ask);
        health.without_agent();
        assert_eq!(health.check(start + 20 * SECOND), Check::Wait(40 * SECOND));
        assert_eq!(health.check(start + 60 * SECOND), Check::Well);
    }
}
