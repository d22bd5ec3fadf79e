//! Times as people read them.

use std::time::{Duration, UNIX_EPOCH};

/// A duration: `12 ms`, `1.8 s`, `3 min 20 s`, `2 h 5 min`.
pub fn in_words(time: Duration) -> String {
    let (seconds, ms) = (time.as_secs(), time.subsec_millis());
    match seconds {
        0 if ms < 100 => format!("{ms} ms"),
        0..60 => format!("{seconds}.{} s", ms / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A time span in the past: `5 minutes ago`.
pub fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86400 => (seconds / 3600, "hour"),
        _ => (seconds / 86400, "day"),
    };
    format!("{number} {unit}{} ago", if number == 1 { "" } else { "s" })
}

/// A time since 1970 in the format of RFC 3339, in UTC: `2026-11-23T14:02:11Z`.
pub fn moment(since_1970: Duration) -> String {
    // RFC 3339 has years of four digits.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since_1970.min(LAST)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_say_them() {
        let said = [12, 999, 1849, 9000, 60_000, 3_600_000 + 300_000].map(|ms| in_words(Duration::from_millis(ms)));
        assert_eq!(said, ["12 ms", "0.9 s", "1.8 s", "9.0 s", "1 min 0 s", "1 h 5 min"]);
    }

    #[test]
    fn times_past_as_people_say_them() {
        let said = [0, 59, 60, 7199, 7200, 86_400, 800 * 86_400].map(|seconds| ago(Duration::from_secs(seconds)));
        assert_eq!(said, ["just now", "just now", "1 minute ago", "1 hour ago", "2 hours ago", "1 day ago", "800 days ago"]);
    }

    #[test]
    fn moments_are_those_of_date() {
        // `date -u -d @N +%FT%TZ`
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_442_531, "2026-11-23T14:02:11Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(moment(Duration::from_secs(seconds)), expected);
        }
    }
}
