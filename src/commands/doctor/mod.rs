//! `persona doctor`: checks the machine against the settings.
//!
//! `--json` prints one object with a stable format:
//!
//! ```json
//! {
//!   "level": "warning",
//!   "findings": [
//!     {"level": "good", "area": "iommu", "code": "iommu-on", "subject": "iommu", "what": "on, with 31 groups", "hint": null},
//!     {"level": "warning", "area": "units", "code": "unit-not-enabled", "subject": "legion.path", "what": "...", "hint": "..."}
//!   ]
//! }
//! ```
//!
//! `level` is `good`, `warning` or `broken`; that of the whole is the worst of all findings. `area` and `subject` are the same whenever the
//! same thing is checked, and `code` whenever the result is the same; `what` and `hint` are for people, and their text may change.

pub mod checks;

use super::{OutputFormat, print, print_json};
use crate::error::Result;
use crate::sys::paths::Paths;
use checks::{Finding, Level, examine};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

#[derive(Serialize)]
struct Report {
    level: Level,
    findings: Vec<Finding>,
}

/// Prints all findings. The exit code is 0 if everything is good, 1 with warnings, 2 if something is broken.
///
/// # Errors
/// When it cannot be printed: everything else that fails is a finding.
pub fn doctor(paths: &Paths, output: OutputFormat, out: &mut dyn Write) -> Result<ExitCode> {
    let findings = examine(paths);
    let level = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Good);
    match output {
        OutputFormat::Json => print_json(out, &Report { level, findings })?,
        OutputFormat::Text => print(out, &text(&findings, wants_colour()))?,
    }
    Ok(ExitCode::from(match level {
        Level::Good => 0,
        Level::Warning => 1,
        Level::Broken => 2,
    }))
}

/// On a terminal, unless NO_COLOR is set (<https://no-color.org>).
fn wants_colour() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Area by area, a line for each finding and its hint below.
fn text(findings: &[Finding], colour: bool) -> String {
    let mut text = String::new();
    let mut area = "";
    for finding in findings {
        if finding.area != area {
            area = finding.area;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{area}");
        }
        // Further lines are indented below the first.
        let indented = |words: &str| words.replace('\n', "\n           ");
        let _ = writeln!(text, "  {}  {}", word(finding.level, colour), indented(&finding.what));
        if let Some(hint) = &finding.hint {
            let _ = writeln!(text, "           hint: {}", indented(hint));
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (broken, warnings) = (count(Level::Broken), count(Level::Warning));
    let plural = if warnings == 1 { "" } else { "s" };
    let _ = writeln!(text, "\n{broken} broken, {warnings} warning{plural}, {} good", count(Level::Good));
    text
}

/// The level's word, padded to the longest one.
fn word(level: Level, colour: bool) -> String {
    let word = format!("{:7}", level.word());
    let number = match level {
        Level::Good => 32,
        Level::Warning => 33,
        Level::Broken => 31,
    };
    if colour { format!("\x1b[{number}m{word}\x1b[m") } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_levels_hints_and_the_count() {
        let finding = |level, area, what: &str, hint: Option<&str>| Finding {
            level,
            area,
            code: "code",
            subject: String::new(),
            what: what.into(),
            hint: hint.map(str::to_owned),
        };
        let findings = [
            finding(Level::Good, "iommu", "on", None),
            finding(Level::Broken, "devices", "one\ntwo", Some("three")),
            finding(Level::Warning, "devices", "four", None),
        ];
        let expected = "iommu\n  good     on\n\ndevices\n  broken   one\n           two\n           hint: three\n  warning  four\n\n1 broken, 1 warning, 1 good\n";
        assert_eq!(text(&findings, false), expected);
        assert_eq!(
            text(&findings, true).replace("\x1b[32m", "").replace("\x1b[31m", "").replace("\x1b[33m", "").replace("\x1b[m", ""),
            expected
        );
    }
}
