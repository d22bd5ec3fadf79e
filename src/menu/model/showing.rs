//! What the state machine shows, how bright it is, and when that changes by itself.

use super::{Menu, Runs, State};
use crate::config::value::Timeout;
use crate::menu::model::event::Light;
use crate::menu::model::view::{Stage, launch_steps};
use crate::state::Phase;
use persona_paint::{LaunchStep, Overlay};
use std::time::Duration;

/// How long the menu names the other screen before it dims, and before its outputs are switched off: the user looks at
/// the other screen then, and a static picture would stay for hours.
const DIMS_AFTER: Duration = Duration::from_secs(12);
const DARK_AFTER: Duration = Duration::from_secs(30);

impl Menu {
    /// What to show at `now`; nothing while the console has the screen.
    pub fn stage(&self, now: Duration) -> Option<Stage> {
        Some(match &self.state {
            State::AwaitingScreen => match self.timeout {
                _ if self.preset.is_some() => Stage::Starting { steps: self.steps(Phase::Preparing) },
                Timeout::Never => Stage::Waiting,
                Timeout::After(total) => Stage::Countdown { remaining: total, total },
            },
            State::CountingDown { ends_at, total } => Stage::Countdown { remaining: ends_at.saturating_sub(now), total: *total },
            State::Waiting => Stage::Waiting,
            State::Chosen { .. } => Stage::Starting { steps: self.steps(Phase::Preparing) },
            State::Starting(phase) => Stage::Starting { steps: self.steps(*phase) },
            State::Running { .. } => Stage::Running { screen: None },
            State::Failed { why } => Stage::Failed { why: why.clone() },
            State::Console => return None,
        })
    }

    /// The overlay at `now`.
    pub fn overlay(&self, now: Duration) -> Option<Overlay> {
        self.over.as_ref().map(|over| over.view(self.hold(now)))
    }

    /// How bright the screen is at `now`.
    pub fn light(&self, now: Duration) -> Light {
        match self.state {
            State::Running { lit_at } => match now.saturating_sub(lit_at) {
                time if time >= DARK_AFTER => Light::Dark,
                time if time >= DIMS_AFTER => Light::Dim,
                _ => Light::Bright,
            },
            _ => Light::Bright,
        }
    }

    /// When to come back with [`Event::Tick`](super::Event::Tick) even if nothing happens.
    pub fn deadline(&self) -> Option<Duration> {
        let recording = self.recording.and_then(|recording| recording.deadline());
        let state = match self.state {
            _ if !self.settled => None,
            State::AwaitingScreen if self.starts_at_once() => Some(Duration::ZERO),
            State::CountingDown { ends_at, .. } => Some(ends_at),
            State::Chosen { deadline } => Some(deadline),
            _ => None,
        };
        state.into_iter().chain(recording).min()
    }

    /// When the picture changes although nothing happens, later than `now`: the next second of a countdown or of a wait,
    /// the light.
    pub fn next_change(&self, now: Duration) -> Option<Duration> {
        // It changes when the number of whole seconds left, rounded up, does.
        let second = |left: Duration| now + Duration::from_nanos(left.subsec_nanos().max(1).into());
        let stage = match self.state {
            State::CountingDown { ends_at, .. } if ends_at > now => Some(second(ends_at - now)),
            State::Running { lit_at } => [lit_at + DIMS_AFTER, lit_at + DARK_AFTER].into_iter().find(|at| *at > now),
            _ => None,
        };
        let pin = self.over.is_some().then(|| self.tries.wait(now)).flatten().map(second);
        stage.into_iter().chain(pin).min()
    }

    /// The steps of the highlighted persona's launch, in `phase`: a unit has none of legion's.
    fn steps(&self, phase: Phase) -> Vec<LaunchStep> {
        if self.entries.get(self.highlighted).is_some_and(|entry| entry.runs == Runs::Legion) { launch_steps(phase) } else { Vec::new() }
    }
}
