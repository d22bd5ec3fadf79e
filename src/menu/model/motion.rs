//! Animation: poses as a function of time, for the painter. Pure; time is an argument.
//!
//! The highlight follows a critically damped spring, which has a closed form: it can be evaluated at any instant, and a
//! new target keeps position and speed, so that a second key acts at once. Every movement ends exactly at its target,
//! after which there is nothing more to draw.

use persona_paint::Pose;
use std::time::Duration;

/// From the shelf into the slot.
const INSERTION: Duration = Duration::from_millis(700);
/// From the picture as designed to black.
const DIMMING: Duration = Duration::from_millis(1200);

/// All animated values.
#[derive(Debug, Clone)]
pub struct Motion {
    moves: bool,
    /// Nothing before the first target.
    values: Option<Values>,
}

#[derive(Debug, Clone)]
struct Values {
    shelf: Spring,
    insertion: Ramp,
    brightness: Ramp,
}

impl Motion {
    /// No value has a position yet. Without `motion` every value is always at its target.
    pub fn new(motion: bool) -> Self {
        Self { moves: motion, values: None }
    }

    /// From the next target on with `motion`, or without.
    pub fn switch(&mut self, motion: bool) {
        self.moves = motion;
    }

    /// From `now` on everything moves to `target` from its present position; the first target is taken at once.
    /// Repeating a target has no effect.
    pub fn retarget(&mut self, now: Duration, target: Pose) {
        match &mut self.values {
            Some(values) if self.moves => {
                values.shelf.retarget(now, target.shelf);
                values.insertion.retarget(now, target.insertion, INSERTION);
                values.brightness.retarget(now, target.brightness, DIMMING);
            }
            values => {
                *values = Some(Values {
                    shelf: Spring::at_rest(now, target.shelf),
                    insertion: Ramp::at_rest(now, target.insertion),
                    brightness: Ramp::at_rest(now, target.brightness),
                });
            }
        }
    }

    /// The pose at `now`, which must not be before the last target was given. Before the first target: the first
    /// cartridge, on the shelf.
    pub fn pose(&self, now: Duration) -> Pose {
        let Some(Values { shelf, insertion, brightness }) = &self.values else {
            return Pose { shelf: 0.0, insertion: 0.0, brightness: 1.0 };
        };
        Pose { shelf: shelf.position(now), insertion: insertion.value(now), brightness: smooth(brightness.value(now)) }
    }

    /// Whether the pose will still change by itself after `now`.
    pub fn is_moving(&self, now: Duration) -> bool {
        self.values.as_ref().is_some_and(|it| it.shelf.is_moving(now) || it.insertion.is_moving(now) || it.brightness.is_moving(now))
    }
}

/// Slow at both ends; 0.0 and 1.0 are kept.
fn smooth(share: f32) -> f32 {
    share * share * (3.0 - 2.0 * share)
}

/// A critically damped spring: (offset + rate · t) · e^(-ω · t) from its target.
#[derive(Debug, Clone)]
struct Spring {
    since: Duration,
    target: f32,
    offset: f32,
    rate: f32,
}

/// The spring's angular frequency, per second: a step of 1 is 99 percent there after 180 ms.
const OMEGA: f32 = 37.0;
/// Closer to its target than this the spring is at rest. In cartridges: less than a pixel on any screen up to 4K.
const NEAR: f32 = 0.001;

impl Spring {
    fn at_rest(now: Duration, target: f32) -> Self {
        Self { since: now, target, offset: 0.0, rate: 0.0 }
    }

    fn retarget(&mut self, now: Duration, target: f32) {
        if target == self.target {
            return;
        }
        let offset = self.position(now) - target;
        // A spring that moves faster than this towards its target overshoots it.
        let most = OMEGA * offset.abs();
        let speed = if offset > 0.0 { self.speed(now).max(-most) } else { self.speed(now).min(most) };
        *self = Self { since: now, target, offset, rate: speed + OMEGA * offset };
    }

    fn position(&self, now: Duration) -> f32 {
        if !self.is_moving(now) {
            return self.target;
        }
        let t = seconds(self.since, now);
        self.target + (self.offset + self.rate * t) * (-OMEGA * t).exp()
    }

    fn speed(&self, now: Duration) -> f32 {
        if !self.is_moving(now) {
            return 0.0;
        }
        let t = seconds(self.since, now);
        (self.rate - OMEGA * (self.offset + self.rate * t)) * (-OMEGA * t).exp()
    }

    fn is_moving(&self, now: Duration) -> bool {
        let t = seconds(self.since, now);
        // After 1/ω this bound only decreases.
        let bound = (self.offset.abs() + self.rate.abs() * t) * (-OMEGA * t).exp();
        bound > 0.0 && (bound >= NEAR || OMEGA * t < 1.0)
    }
}

/// A value that moves to its target at constant speed.
#[derive(Debug, Clone)]
struct Ramp {
    since: Duration,
    from: f32,
    target: f32,
    takes: Duration,
}

impl Ramp {
    fn at_rest(now: Duration, target: f32) -> Self {
        Self { since: now, from: target, target, takes: Duration::ZERO }
    }

    /// `whole` is how long it takes from 0.0 to 1.0.
    fn retarget(&mut self, now: Duration, target: f32, whole: Duration) {
        if target != self.target {
            let from = self.value(now);
            *self = Self { since: now, from, target, takes: whole.mul_f32((target - from).abs().min(1.0)).min(whole) };
        }
    }

    fn value(&self, now: Duration) -> f32 {
        if !self.is_moving(now) {
            return self.target;
        }
        let share = seconds(self.since, now) / self.takes.as_secs_f32();
        self.from + (self.target - self.from) * share.min(1.0)
    }

    fn is_moving(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) < self.takes
    }
}

fn seconds(since: Duration, now: Duration) -> f32 {
    now.saturating_sub(since).as_secs_f32()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn pose(shelf: u8, insertion: bool, brightness: bool) -> Pose {
        Pose { shelf: f32::from(shelf), insertion: f32::from(u8::from(insertion)), brightness: f32::from(u8::from(brightness)) }
    }

    #[test]
    fn the_first_pose_is_there_at_once_and_without_motion_every_one_is() {
        for moves in [true, false] {
            let mut motion = Motion::new(moves);
            motion.retarget(ms(5), pose(3, false, true));
            assert_eq!(motion.pose(ms(5)), pose(3, false, true));
            motion.retarget(ms(9), pose(4, true, false));
            assert_eq!(motion.is_moving(ms(9)), moves);
            assert_eq!(motion.pose(ms(9)) == pose(4, true, false), !moves);
        }
    }

    #[test]
    fn a_step_acts_at_once_and_is_over_soon() {
        let mut motion = Motion::new(true);
        motion.retarget(ms(0), pose(0, false, true));
        motion.retarget(ms(100), pose(1, false, true));
        assert!(motion.pose(ms(116)).shelf > 0.1);
        assert!(motion.pose(ms(280)).shelf > 0.98);
        assert!(!motion.is_moving(ms(400)));
        // A second key on the way continues from there, without a stop.
        motion.retarget(ms(500), pose(2, false, true));
        let one = motion.pose(ms(540)).shelf;
        let before = one - motion.pose(ms(539)).shelf;
        motion.retarget(ms(540), pose(3, false, true));
        assert_eq!(motion.pose(ms(540)).shelf, one);
        assert!(motion.pose(ms(541)).shelf - one >= before);
    }

    #[test]
    fn what_has_been_said_before_starts_nothing_anew() {
        let mut motion = Motion::new(true);
        motion.retarget(ms(0), pose(0, false, true));
        motion.retarget(ms(0), pose(1, true, false));
        let mut again = motion.clone();
        again.retarget(ms(300), pose(1, true, false));
        assert_eq!(motion.pose(ms(350)), again.pose(ms(350)));
    }

    proptest! {
        #[test]
        fn every_way_is_steady_stays_between_its_ends_and_ends(
            keys in prop::collection::vec((0..20_u8, any::<bool>(), any::<bool>(), 0..900_u64), 1..12),
        ) {
            let mut motion = Motion::new(true);
            let mut now = Duration::ZERO;
            motion.retarget(now, pose(keys[0].0, false, true));
            let (mut lowest, mut highest) = (f32::from(keys[0].0), f32::from(keys[0].0));
            for (shelf, insertion, brightness, time) in keys {
                let before = motion.pose(now);
                motion.retarget(now, pose(shelf, insertion, brightness));
                let after = motion.pose(now);
                for (before, after) in [
                    (before.shelf, after.shelf),
                    (before.insertion, after.insertion),
                    (before.brightness, after.brightness),
                ] {
                    prop_assert!((before - after).abs() <= NEAR, "a jump from {before} to {after}");
                }
                lowest = lowest.min(f32::from(shelf));
                highest = highest.max(f32::from(shelf));
                for step in 0..=time / 8 {
                    let seen = motion.pose(now + ms(step * 8));
                    prop_assert!(seen.shelf >= lowest - NEAR && seen.shelf <= highest + NEAR, "{seen:?}");
                    prop_assert!((0.0..=1.0).contains(&seen.insertion) && (0.0..=1.0).contains(&seen.brightness), "{seen:?}");
                }
                now += ms(time);
                // A value at rest stays at rest, exactly at its target.
                let end = now + DIMMING;
                prop_assert!(!motion.is_moving(end) && motion.pose(end) == pose(shelf, insertion, brightness));
            }
        }
    }
}
