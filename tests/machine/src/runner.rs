//! Runs scenarios: in lanes beside each other, again only where the emulator broke the machine, and told in a table at the end.

use crate::artifacts::Artifacts;
use crate::failure;
use crate::folders;
use crate::ledger::{self, Ledger};
use crate::log::Log;
use persona::error::{Context, Error, Result};
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A scenario.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name: what it is run by.
    pub name: &'static str,
    /// What it does; an error or a panic is a failure.
    pub run: fn(&Artifacts) -> Result<()>,
}

/// How a scenario came out.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    passed: bool,
    /// With its retries.
    seconds: f64,
    /// Power-ons, resets and reboots, those of retries included.
    boots: u32,
    /// Saved machines that went on.
    restores: u32,
    /// Runs after which the machine showed that the emulator had broken it.
    retries: u32,
    /// What each of those machines showed.
    evidence: Vec<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// Where logs, journal and screens of a failure are.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<PathBuf>,
}

/// `target/test-report.json`.
#[derive(Debug, Serialize)]
struct Report {
    suite: &'static str,
    host: crate::artifacts::Versions,
    lanes: usize,
    seconds: f64,
    scenarios: Vec<Row>,
}

/// A scenario whose machines break more often has failed.
const RUNS: u32 = 3;
/// A machine with one processor keeps hardly more than one of the computer's two busy.
const LANES: usize = 2;

/// Runs the scenarios whose names contain one of the words in `only`, or all of them, and tells at the end of each: on `out` and in
/// `target/test-report.json`. Whether all passed.
///
/// # Errors
/// When no scenario has such a name, the images cannot be made, or the report cannot be written.
pub fn run(cases: &[Case], only: &[String], out: &mut dyn Write) -> Result<bool> {
    let wanted: VecDeque<Case> =
        cases.iter().filter(|case| only.is_empty() || only.iter().any(|word| case.name.contains(word.as_str()))).copied().collect();
    if wanted.is_empty() {
        let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
        return Err(
            Error::usage(format!("no scenario is called {}", only.join(" or "))).with_hint(format!("there are: {}", names.join(", ")))
        );
    }
    let begin = Instant::now();
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let lanes = std::env::var("PERSONA_LANES").ok().and_then(|lanes| lanes.parse().ok()).unwrap_or(LANES).max(1);
    let order: Vec<&str> = wanted.iter().map(|case| case.name).collect();
    let (queue, rows) = (Mutex::new(wanted.clone()), Mutex::new(Vec::new()));
    // From both ends of the list: see its order.
    let next = |lane: usize| {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if lane == 0 { queue.pop_front() } else { queue.pop_back() }
    };
    let work = |lane: usize| {
        while let Some(case) = next(lane) {
            let row = attempt(case, |case| (case.run)(&artifacts));
            rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
        }
    };
    std::thread::scope(|scope| {
        for lane in 0..lanes {
            let work = &work;
            scope.spawn(move || work(lane));
        }
    });
    let mut scenarios = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    scenarios.sort_by_key(|row: &Row| order.iter().position(|name| *name == row.name));
    let seconds = begin.elapsed().as_secs_f64();
    let report = Report { suite: artifacts.suite.name(), host: artifacts.versions()?, lanes, seconds, scenarios };
    let file = folders::target().join("test-report.json");
    let text = serde_json::to_string_pretty(&report).context(|| "writing the report".into())?;
    std::fs::write(&file, text + "\n").context(|| format!("writing {}", file.display()))?;
    write!(out, "{}", table(&report)).context(|| "printing the table".into())?;
    Ok(report.scenarios.iter().all(|row| row.passed))
}

/// Runs a scenario, and again as long as its machine shows that the emulator broke it.
fn attempt(case: Case, run: impl Fn(Case) -> Result<()>) -> Row {
    let begin = Instant::now();
    let log = Log::new(case.name);
    let mut row = Row {
        name: case.name,
        passed: false,
        seconds: 0.0,
        boots: 0,
        restores: 0,
        retries: 0,
        evidence: Vec::new(),
        failure: None,
        kept: None,
    };
    failure::forget(case.name);
    for round in 1..=RUNS {
        failure::begin();
        ledger::take();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(case)));
        let failed = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panic) => Some(words(panic.as_ref())),
        };
        let Ledger { boots, restores } = ledger::take();
        row.boots += boots;
        row.restores += restores;
        row.seconds = begin.elapsed().as_secs_f64();
        let (evidence, kept) = match failure::end(case.name, failed.is_some()) {
            Ok((evidence, kept)) => (evidence, Some(kept)),
            Err(error) => {
                log.step(error.to_string());
                (None, None)
            }
        };
        let Some(failed) = failed else {
            log.step(format!("passed after {:.0} s", row.seconds));
            row.passed = true;
            row.failure = None;
            return row;
        };
        log.step(format!("FAILED: {failed}"));
        if let Some(kept) = &kept {
            log.step(format!("logs, journal and screens: {}", kept.display()));
        }
        (row.failure, row.kept) = (Some(failed), kept);
        let Some(evidence) = evidence else { return row };
        log.step(format!("the emulator broke the machine: {evidence}"));
        row.evidence.push(evidence);
        if round < RUNS {
            row.retries += 1;
        }
    }
    row
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked without a message").to_owned()
}

/// The table that a person reads, and a last line that says how many passed and failed.
fn table(report: &Report) -> String {
    let width = report.scenarios.iter().map(|row| row.name.len()).max().unwrap_or_default().max("scenario".len());
    let mut text = format!("\n{:width$}  {:>7}  {:>5}  {:>8}  {:>7}\n", "scenario", "seconds", "boots", "restores", "retries");
    let mut line = |name: &str, seconds: f64, [boots, restores, retries]: [u32; 3], note: &str| {
        let _ = writeln!(text, "{}", format!("{name:width$}  {seconds:7.1}  {boots:5}  {restores:8}  {retries:7}  {note}").trim_end());
    };
    for row in &report.scenarios {
        let note = if row.passed { "" } else { "FAILED" };
        line(row.name, row.seconds, [row.boots, row.restores, row.retries], note);
    }
    let sum = |count: fn(&Row) -> u32| report.scenarios.iter().map(count).sum();
    let all = [sum(|row| row.boots), sum(|row| row.restores), sum(|row| row.retries)];
    line("all", report.seconds, all, &format!("({} lanes)", report.lanes));
    let crate::artifacts::Versions { kernel, systemd, qemu } = &report.host;
    let _ = writeln!(text, "\n{}: kernel {kernel}, systemd {systemd}, QEMU {qemu}", report.suite);
    for row in &report.scenarios {
        for evidence in &row.evidence {
            let _ = writeln!(text, "{}: run again, because {evidence}", row.name);
        }
    }
    for row in report.scenarios.iter().filter(|row| !row.passed) {
        let reason = row.failure.as_deref().unwrap_or_default().lines().next().unwrap_or_default();
        let kept = row.kept.as_ref().map(|kept| kept.display().to_string()).unwrap_or_default();
        let _ = writeln!(text, "{} failed: {reason}\n    see {kept}", row.name);
    }
    let passed = report.scenarios.iter().filter(|row| row.passed).count();
    let _ = writeln!(text, "{passed} passed, {} failed", report.scenarios.len() - passed);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::Versions;

    fn case(name: &'static str) -> Case {
        Case { name, run: |_| Ok(()) }
    }

    #[test]
    fn scenario_that_fails_without_evidence_is_run_once() {
        let runs = std::cell::Cell::new(0);
        let row = attempt(case("fails"), |_| {
            runs.set(runs.get() + 1);
            Err(Error::new("no"))
        });
        assert_eq!((runs.get(), row.passed, row.retries), (1, false, 0));
        assert_eq!(row.failure.as_deref(), Some("no"));
    }

    #[test]
    #[allow(clippy::panic)]
    fn scenario_that_panics_is_a_failure_with_its_message() {
        let row = attempt(case("panics"), |_| panic!("not so"));
        assert_eq!((row.passed, row.failure.as_deref()), (false, Some("not so")));
    }

    #[test]
    fn machine_that_shows_evidence_gets_another_run_and_both_are_counted() {
        let runs = std::cell::Cell::new(0);
        let row = attempt(case("breaks"), |_| {
            runs.set(runs.get() + 1);
            ledger::booted();
            if runs.get() > 1 {
                return Ok(());
            }
            failure::found("rcu: INFO: rcu_preempt");
            Err(Error::new("no answer"))
        });
        assert_eq!((row.passed, row.retries, row.boots, runs.get()), (true, 1, 2, 2));
        assert_eq!(row.evidence, ["rcu: INFO: rcu_preempt"]);
    }

    #[test]
    fn table_names_what_failed_and_ends_with_the_counts() {
        let row = |name, passed, failure: Option<&str>| Row {
            name,
            passed,
            seconds: 12.34,
            boots: 2,
            restores: 1,
            retries: 0,
            evidence: Vec::new(),
            failure: failure.map(str::to_owned),
            kept: None,
        };
        let host = Versions { kernel: "6.12".to_owned(), systemd: "257".to_owned(), qemu: "10.0".to_owned() };
        let scenarios = vec![row("screens", true, None), row("pick", false, Some("no menu\nmore"))];
        let text = table(&Report { suite: "trixie", host, lanes: 2, seconds: 20.0, scenarios });
        assert!(text.contains("screens      12.3      2         1        0\n"), "{text}");
        assert!(text.contains("pick failed: no menu\n"), "{text}");
        assert!(text.ends_with("\n1 passed, 1 failed\n"), "{text}");
    }
}
