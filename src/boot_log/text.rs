//! A boot log as text.

use super::{BootLog, End, Run};
use crate::state::Reason;
use crate::sys::style::{Cell, Style, Tone, columns};
use crate::sys::time::in_words;
use std::time::Duration;

/// The full log of a boot: when, how long it took, what.
pub fn full(log: &BootLog, style: Style) -> String {
    let which = match log.number {
        Some(0) => "This boot".to_owned(),
        Some(-1) => "The boot before this one".to_owned(),
        Some(number) => format!("Boot {number}"),
        None => format!("Boot {}", log.boot),
    };
    let title = style.paint(Tone::Strong, &format!("{which}, which began on {}", clock(&log.began)));
    let faint = |text: &str| (text.to_owned(), Some(Tone::Faint));
    let times = log.lines.iter().map(|line| (millis(line.at_ms), line.took_ms.map(millis).unwrap_or_default()));
    let times: Vec<(String, String)> = [("at".to_owned(), "took".to_owned())].into_iter().chain(times).collect();
    let widest = |part: fn(&(String, String)) -> &String| times.iter().map(|row| part(row).len()).max().unwrap_or(0);
    let (at, took) = (widest(|row| &row.0), widest(|row| &row.1));
    let what = std::iter::once(faint("")).chain(log.lines.iter().map(|line| match line.trouble {
        true => (format!("! {}", line.what), Some(Tone::Bad)),
        false => (line.what.clone(), None),
    }));
    let rows: Vec<Vec<Cell>> = times
        .iter()
        .zip(what)
        .map(|(row, what)| vec![faint(&format!("{:>at$}", row.0)), faint(&format!("{:>took$}", row.1)), what])
        .collect();
    let last = log.runs.last().map_or_else(String::new, last);
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
pub fn summary(logs: &[BootLog], style: Style) -> String {
    let head = ["boot", "began", "persona", "why", "ran", "end"].map(|title| (title.to_owned(), Some(Tone::Faint)));
    let mut rows: Vec<Vec<Cell>> = vec![head.into()];
    for log in logs {
        let number = log.number.map_or_else(|| log.boot.clone(), |number| number.to_string());
        let mut which = [(number, Some(Tone::Strong)), (clock(&log.began).to_owned(), None)];
        if log.runs.is_empty() {
            let nothing = log.lines.iter().rev().find(|line| line.trouble).or(log.lines.last());
            let words = nothing.map_or_else(|| "nothing was chosen".to_owned(), |line| format!("nothing was chosen: {}", line.what));
            rows.push([which.to_vec(), vec![plain(""), plain(""), plain(""), plain(words)]].concat());
        }
        for run in &log.runs {
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
    vec![plain(run.persona.clone()), plain(reason), plain(run.ran_ms.map(millis).unwrap_or_default()), end]
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

fn millis(ms: u64) -> String {
    in_words(Duration::from_millis(ms))
}

/// A time stamp for people: `2026-11-23 14:02:11 UTC`.
fn clock(moment: &str) -> String {
    moment.replacen('T', " ", 1).replacen('Z', " UTC", 1)
}
