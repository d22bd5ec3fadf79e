//! A boot log as text.

use super::{BootLog, End, Run};
use crate::state::Reason;
use crate::sys::style::{Cell, Style, Tone, columns};
use std::time::Duration;

/// The full log of a boot: when, how long it took, what.
pub fn full(story: &BootLog, style: Style) -> String {
    let which = match story.number {
        Some(0) => "This boot".to_owned(),
        Some(-1) => "The boot before this one".to_owned(),
        Some(number) => format!("Boot {number}"),
        None => format!("Boot {}", story.boot),
    };
    let title = style.paint(Tone::Strong, &format!("{which}, which began on {}", clock(&story.began)));
    let faint = |text: &str| (text.to_owned(), Some(Tone::Faint));
    let times = story.lines.iter().map(|line| (said(line.at_ms), line.took_ms.map(said).unwrap_or_default()));
    let times: Vec<(String, String)> = [("at".to_owned(), "took".to_owned())].into_iter().chain(times).collect();
    let widest = |part: fn(&(String, String)) -> &String| times.iter().map(|row| part(row).len()).max().unwrap_or(0);
    let (at, took) = (widest(|row| &row.0), widest(|row| &row.1));
    let what = std::iter::once(faint("")).chain(story.lines.iter().map(|line| match line.trouble {
        true => (format!("! {}", line.what), Some(Tone::Bad)),
        false => (line.what.clone(), None),
    }));
    let rows: Vec<Vec<Cell>> = times
        .iter()
        .zip(what)
        .map(|(row, what)| vec![faint(&format!("{:>at$}", row.0)), faint(&format!("{:>took$}", row.1)), what])
        .collect();
    let last = story.runs.last().map_or_else(String::new, last);
    format!("{title}\n{}{last}", columns(&rows, style))
}

/// The state at the end of a log, if its lines do not show it.
fn last(run: &Run) -> String {
    match run.end {
        End::GoesOn if run.ran_from_ms.is_some() => format!("{} runs.\n", run.persona),
        End::Unknown => format!("{}: {UNKNOWN}.\n", run.persona),
        _ => String::new(),
    }
}

const UNKNOWN: &str = "end not recorded";

/// Many logs, one line for each run.
pub fn summary(stories: &[BootLog], style: Style) -> String {
    let head = ["boot", "began", "persona", "why", "ran", "end"].map(|title| (title.to_owned(), Some(Tone::Faint)));
    let mut rows: Vec<Vec<Cell>> = vec![head.into()];
    for story in stories {
        let number = story.number.map_or_else(|| story.boot.clone(), |number| number.to_string());
        let mut which = [(number, Some(Tone::Strong)), (clock(&story.began).to_owned(), None)];
        if story.runs.is_empty() {
            let nothing = story.lines.iter().rev().find(|line| line.trouble).or(story.lines.last());
            let words = nothing.map_or_else(|| "nothing was chosen".to_owned(), |line| format!("nothing was chosen: {}", line.what));
            rows.push([which.to_vec(), vec![plain(""), plain(""), plain(""), plain(words)]].concat());
        }
        for run in &story.runs {
            rows.push([which.to_vec(), of_run(run)].concat());
            which = [plain(""), plain("")];
        }
    }
    columns(&rows, style)
}

fn plain(text: impl Into<String>) -> Cell {
    (text.into(), None)
}

fn of_run(run: &Run) -> Vec<Cell> {
    let by = run.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let reason = run.reason.map_or_else(|| "started by systemd".to_owned(), |reason| format!("{}{by}", why(reason)));
    let why = run.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let end = match run.end {
        End::GoesOn if run.ran_from_ms.is_some() => ("runs".to_owned(), Some(Tone::Good)),
        End::GoesOn => ("is chosen".to_owned(), Some(Tone::Busy)),
        End::Nothing => plain(""),
        End::Ended => plain(format!("ended{why}")),
        End::Failed => (format!("failed{why}"), Some(Tone::Bad)),
        End::Unknown => (UNKNOWN.to_owned(), Some(Tone::Busy)),
    };
    vec![plain(run.persona.clone()), plain(reason), plain(run.ran_ms.map(said).unwrap_or_default()), end]
}

/// Why a persona was chosen, as a phrase.
pub(crate) fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Picked => "picked in the menu",
        Reason::Timeout => "default",
        Reason::Override => "override",
        Reason::Remote => "remote",
        Reason::Fallback => "fallback",
    }
}

/// A duration in readable form: `12 ms`, `1.8 s`, `3 min 20 s`, `2 h 5 min`.
pub fn said(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 if ms < 100 => format!("{ms} ms"),
        0..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A time stamp for people: `2026-11-23 14:02:11 UTC`.
fn clock(moment: &str) -> String {
    moment.replacen('T', " ", 1).replacen('Z', " UTC", 1)
}

/// A time since 1970 in the format of RFC 3339, in UTC: `2026-11-23T14:02:11Z`.
pub(super) fn moment(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (days, seconds) = (seconds / 86400, seconds % 86400);
    // The proleptic Gregorian calendar with years that begin in March, so that the leap day is the last of a year: 400 years have 146097
    // days, and 1970 began 719468 days after the first of March of the year 0.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_date() {
        // `date -u -d @N +%FT%TZ`
        for (seconds, moment_) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_795_442_531, "2026-11-23T14:02:11Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(moment(Duration::from_secs(seconds)), moment_);
        }
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [12, 999, 1849, 60_000, 3_600_000 + 300_000].map(said);
        assert_eq!(said, ["12 ms", "0.9 s", "1.8 s", "1 min 0 s", "1 h 5 min"]);
    }
}
