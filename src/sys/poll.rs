//! Waiting for something that no event tells.

use std::thread;
use std::time::{Duration, Instant};

/// The first and the longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Looks until there is something, at once and then with growing pauses; a last time when `timeout` has passed, and then `None`.
pub fn until<T>(timeout: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let ends = Instant::now() + timeout;
    let mut pause = PAUSES.0;
    loop {
        let left = ends.saturating_duration_since(Instant::now());
        if let Some(found) = look() {
            return Some(found);
        }
        if left.is_zero() {
            return None;
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSES.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_at_once_and_what_comes_is_found_later() {
        let mut looks = 0;
        assert_eq!(until(Duration::ZERO, || Some(1)), Some(1));
        let third = until(Duration::from_secs(60), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(third, Some(3));
    }

    #[test]
    fn what_never_comes_is_looked_for_a_last_time_at_the_end() {
        let mut looks = Vec::new();
        let begin = Instant::now();
        assert_eq!(
            until::<()>(Duration::from_millis(20), || {
                looks.push(begin.elapsed());
                None
            }),
            None
        );
        assert!(looks.last().is_some_and(|last| *last >= Duration::from_millis(20)), "{looks:?}");
    }
}
