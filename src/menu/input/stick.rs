//! A stick or a hat as steps: one per deflection, none for noise.

use crate::menu::model::Key;
use evdev::AbsInfo;

/// One axis: its range in half units, so that one with an even number of positions has a centre too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    /// Twice the centre.
    centre: i64,
    /// From the centre to either end; 0 for an axis that has no range.
    reach: i64,
    /// How far from the centre it may be at rest, as its driver says: the dead zone.
    flat: i64,
    /// How far it is on its way from the dead zone to its end, in thousandths; negative to the left and up.
    deflection: i64,
}

impl Axis {
    fn new(info: &AbsInfo) -> Self {
        let (low, high) = (i64::from(info.minimum()), i64::from(info.maximum()));
        let mut axis = Self { centre: low + high, reach: (high - low).max(0), flat: 2 * i64::from(info.flat()).max(0), deflection: 0 };
        axis.moved(info.value());
        axis
    }

    fn moved(&mut self, value: i32) {
        let from_centre = 2 * i64::from(value) - self.centre;
        let beyond_flat = (from_centre.abs() - self.flat).max(0);
        let way = self.reach - self.flat;
        self.deflection = if way > 0 { (beyond_flat * 1000 / way).min(1000) * from_centre.signum() } else { 0 };
    }

    fn is_beyond(self, threshold: i64) -> bool {
        self.deflection.abs() > threshold
    }
}

/// Two axes that one thumb moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stick {
    axes: [Axis; 2],
    /// It has not been centred since it made its step, or since it was first seen.
    is_spent: bool,
}

/// A deflection of more than this, in thousandths, is a step.
const OUT: i64 = 600;

/// One of at most this is rest.
const REST: i64 = 300;

impl Stick {
    /// A stick of these axes, as they are now. If deflected, it is ignored until it has been centred.
    pub(super) fn new(x: &AbsInfo, y: &AbsInfo) -> Self {
        let axes = [Axis::new(x), Axis::new(y)];
        Self { axes, is_spent: axes.iter().any(|axis| axis.is_beyond(REST)) }
    }

    /// X is at `value` now.
    pub(super) fn moved_x(&mut self, value: i32) {
        self.moved(0, value);
    }

    /// Y is at `value` now.
    pub(super) fn moved_y(&mut self, value: i32) {
        self.moved(1, value);
    }

    fn moved(&mut self, moving: usize, value: i32) {
        let before = self.axes[moving].deflection;
        self.axes[moving].moved(value);
        // Flicked from one side to the other, or a hat: it was in the centre in between, though no report says so.
        let crossed = before * self.axes[moving].deflection < 0 && !self.axes[1 - moving].is_beyond(REST);
        if crossed || !self.axes.iter().any(|axis| axis.is_beyond(REST)) {
            self.is_spent = false;
        }
    }

    /// What the movement since the last call means. Call it when a report is complete: the kernel reports X and Y one after the other.
    pub(super) fn settle(&mut self) -> Option<Key> {
        let [x, y] = self.axes;
        // The axis that is further out is the one that was meant.
        let meant = if x.deflection.abs() >= y.deflection.abs() { x } else { y };
        if self.is_spent || !meant.is_beyond(OUT) {
            return None;
        }
        self.is_spent = true;
        // Left and up are the smaller values.
        Some(if meant.deflection < 0 { Key::Previous } else { Key::Next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(value: i32, low: i32, high: i32, flat: i32) -> AbsInfo {
        AbsInfo::new(value, low, high, 0, flat, 0)
    }

    /// The steps that these positions of both axes make, each a complete report.
    fn steps(mut stick: Stick, reports: &[(i32, i32)]) -> Vec<Key> {
        reports
            .iter()
            .filter_map(|&(x, y)| {
                stick.moved_x(x);
                stick.moved_y(y);
                stick.settle()
            })
            .collect()
    }

    #[test]
    fn one_step_per_deflection_on_any_range() {
        let wide = range(0, -32768, 32767, 128);
        let byte = range(128, 0, 255, 15);
        let hat = range(0, -1, 1, 0);
        for (info, left, centre, right) in [(wide, -32768, 300, 32767), (byte, 0, 126, 255), (hat, -1, 0, 1)] {
            let stick = Stick::new(&info, &info);
            let out_and_back = [(left, centre), (left, centre), (centre, centre), (right, centre), (centre, centre)];
            assert_eq!(steps(stick, &out_and_back), [Key::Previous, Key::Next], "{info:?}");
            let up_and_down = [(centre, left), (centre, centre), (centre, right)];
            assert_eq!(steps(stick, &up_and_down), [Key::Previous, Key::Next], "{info:?}");
            assert_eq!(steps(stick, &[(left, centre), (right, centre)]), [Key::Previous, Key::Next], "flicked: {info:?}");
        }
    }

    #[test]
    fn trembling_at_the_threshold_is_one_step() {
        let info = range(0, -100, 100, 0);
        assert_eq!(steps(Stick::new(&info, &info), &[(61, 0), (59, 0), (61, 0), (45, 0), (62, 0)]), [Key::Next]);
    }

    #[test]
    fn a_roll_around_the_rim_is_one_step_and_a_diagonal_goes_where_it_leans() {
        let info = range(0, -100, 100, 0);
        let stick = Stick::new(&info, &info);
        assert_eq!(steps(stick, &[(-100, 0), (-70, -70), (0, -100), (70, 70), (100, 0)]), [Key::Previous]);
        assert_eq!(steps(stick, &[(70, -90)]), [Key::Previous]);
    }

    #[test]
    fn deflected_when_first_seen_is_nothing_until_it_was_centred() {
        let (held, other) = (range(255, 0, 255, 15), range(128, 0, 255, 15));
        let stick = Stick::new(&held, &other);
        assert_eq!(steps(stick, &[(250, 128), (255, 128)]), []);
        assert_eq!(steps(stick, &[(250, 128), (128, 128), (255, 128)]), [Key::Next]);
    }

    #[test]
    fn a_dead_zone_is_honoured_and_an_axis_without_a_range_is_dead() {
        let flat = range(0, -100, 100, 80);
        assert_eq!(steps(Stick::new(&flat, &flat), &[(79, 0), (90, 0), (0, 0)]), []);
        assert_eq!(steps(Stick::new(&flat, &flat), &[(95, 0)]), [Key::Next]);
        for dead in [range(0, 0, 0, 0), range(0, 5, -5, 0), range(0, -1, 1, 9)] {
            assert_eq!(steps(Stick::new(&dead, &dead), &[(i32::MAX, 0), (0, i32::MIN), (1, 1)]), [], "{dead:?}");
        }
    }

    proptest! {
        #[test]
        fn noise_within_the_dead_zone_is_nothing(reports in proptest::collection::vec((-4000..4000i32, -4000..4000i32), 0..50)) {
            let info = range(0, -32768, 32767, 4000);
            prop_assert_eq!(steps(Stick::new(&info, &info), &reports), []);
        }

        #[test]
        fn no_movement_panics(low: i32, high: i32, flat: i32, value: i32, reports: Vec<(i32, i32)>) {
            let info = range(value, low, high, flat);
            steps(Stick::new(&info, &info), &reports);
        }
    }
}
