//! `make fuzz`: every reader of untrusted bytes under libFuzzer for a while, and a table of what came out.
//!
//! The targets are in `fuzz`, in the layout of cargo-fuzz. That tool is not needed: it only sets the flags that are set here.

use crate::folders;
use crate::log::Log;
use crate::tool::last_lines;
use persona::error::{Context, Error, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What cargo-fuzz gives to the compiler without a sanitizer. There is no `unsafe` in the readers for one to look at.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
/// No input may take longer, in seconds.
const TIMEOUT: u32 = 1;
/// libFuzzer itself takes 32 MiB, and keeps the inputs in memory. A reader's own 64 MiB are counted exactly, by the targets' allocator.
const RSS_LIMIT_MIB: u32 = 192;
/// The largest input, in bytes.
const MAX_INPUT: u32 = 1 << 20;

/// What a target did.
struct Outcome {
    name: String,
    executions: u64,
    new_inputs: u64,
    peak_kibibytes: u64,
    /// What went wrong, if anything.
    finding: Option<String>,
}

/// Builds all targets and runs each for `seconds`, or only those whose names are in `names`.
///
/// # Errors
/// When there is no nightly toolchain, or a target found something.
pub fn fuzz(seconds: u32, names: &[String]) -> Result<()> {
    let log = Log::new("fuzz");
    let binaries = build(&log)?;
    let wanted = |name: &String| names.is_empty() || names.contains(name);
    let mut outcomes = Vec::new();
    for name in all()?.into_iter().filter(wanted) {
        log.step(format!("{name}, for {seconds} s"));
        outcomes.push(run(&binaries, &name, seconds)?);
    }
    print(&outcomes).context(|| "printing".to_owned())?;
    let failed: Vec<&str> = outcomes.iter().filter(|outcome| outcome.finding.is_some()).map(|outcome| outcome.name.as_str()).collect();
    match (failed.as_slice(), outcomes.is_empty()) {
        ([], true) => Err(Error::usage("no target has such a name").with_hint("`ls fuzz/fuzz_targets` lists them")),
        ([], false) => Ok(()),
        _ => Err(Error::new(format!("an input was found that breaks {}", failed.join(", ")))
            .with_hint("fix the reader, and add the input from fuzz/artifacts/TARGET to fuzz/seeds/TARGET")),
    }
}

/// The names of the targets.
fn all() -> Result<Vec<String>> {
    let folder = folders::repository().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).context(|| format!("listing {}", folder.display()))?;
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// Builds them; returns their folder.
fn build(log: &Log) -> Result<PathBuf> {
    let cargo = || {
        let mut cargo = Command::new("cargo");
        // A cargo that runs this has chosen another toolchain for its children.
        cargo.arg("+nightly").env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", FLAGS);
        cargo
    };
    let has_nightly = cargo().arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !has_nightly {
        return Err(Error::new("fuzzing needs a nightly toolchain of Rust, for the instrumentation of its code")
            .with_hint("rustup toolchain install nightly; the inputs in fuzz/seeds are tested without it, by `make check`"));
    }
    let _building = log.long("building the targets");
    let folder = folders::target().join("fuzz");
    let manifest = folders::repository().join("fuzz/Cargo.toml");
    let arguments = ["build", "--quiet", "--release", "--locked", "--target", TARGET, "--manifest-path"];
    let status = cargo().args(arguments).arg(manifest).arg("--target-dir").arg(&folder).status();
    match status.context(|| "running cargo".to_owned())? {
        status if status.success() => Ok(folder.join(TARGET).join("release")),
        status => Err(Error::new(format!("building the targets failed ({status})")).with_hint("libFuzzer is C++: install g++ or clang++")),
    }
}

/// Runs one target, again if an input took too long only because the machine was busy.
fn run(binaries: &Path, name: &str, seconds: u32) -> Result<Outcome> {
    const ATTEMPTS: u32 = 3;
    let mut outcome = attempt(binaries, name, seconds)?;
    for _ in 1..ATTEMPTS {
        let Some(input) = outcome.finding.as_deref().and_then(slow_input) else { break };
        let again = Command::new(binaries.join(name)).arg(format!("-timeout={TIMEOUT}")).arg(&input).stderr(Stdio::null()).status();
        if !again.context(|| format!("running {name}"))?.success() {
            break;
        }
        fs::remove_file(&input).context(|| format!("removing {}", input.display()))?;
        let before = outcome.executions;
        outcome = attempt(binaries, name, seconds)?;
        outcome.executions += before;
    }
    Ok(outcome)
}

/// The file of the input that took too long, if that is what was found.
fn slow_input(finding: &str) -> Option<PathBuf> {
    finding.split_once("timeout: ").map(|(_, file)| PathBuf::from(file))
}

/// Runs one target once. What it learns is kept in `fuzz/corpus`, what it finds in `fuzz/artifacts`.
fn attempt(binaries: &Path, name: &str, seconds: u32) -> Result<Outcome> {
    let top = folders::repository().join("fuzz");
    let [corpus, artifacts] = ["corpus", "artifacts"].map(|folder| top.join(folder).join(name));
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).context(|| format!("creating {}", folder.display()))?;
    }
    let heard = artifacts.with_extension("log");
    let output = File::create(&heard).context(|| format!("creating {}", heard.display()))?;
    let status = Command::new(binaries.join(name))
        .arg(corpus)
        .arg(top.join("seeds").join(name))
        .args([
            format!("-max_total_time={seconds}"),
            format!("-timeout={TIMEOUT}"),
            format!("-rss_limit_mb={RSS_LIMIT_MIB}"),
            format!("-max_len={MAX_INPUT}"),
            // Larger inputs sooner than libFuzzer would try them.
            "-len_control=30".to_owned(),
            "-print_final_stats=1".to_owned(),
            format!("-artifact_prefix={}/", artifacts.display()),
        ])
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .status()
        .context(|| format!("running {name}"))?;
    let text = String::from_utf8_lossy(&fs::read(&heard).context(|| format!("reading {}", heard.display()))?).into_owned();
    Ok(Outcome {
        executions: statistic(&text, "stat::number_of_executed_units:"),
        new_inputs: statistic(&text, "stat::new_units_added:"),
        peak_kibibytes: statistic(&text, "stat::reader_peak_bytes:") >> 10,
        finding: (!status.success()).then(|| finding(&text)),
        name: name.to_owned(),
    })
}

/// A number that libFuzzer or the target has printed at its end.
fn statistic(text: &str, name: &str) -> u64 {
    text.lines().rev().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or_default()
}

/// libFuzzer's words before the file of the input.
const WRITTEN_TO: &str = "Test unit written to ";

/// What went wrong, in the words of the panic or of libFuzzer.
fn finding(text: &str) -> String {
    let mut lines = text.lines();
    let panic = lines.find(|line| line.contains("panicked at ")).map(|line| format!("{line} {}", lines.next().unwrap_or_default()));
    let timeout = || {
        let (_, file) = text.split_once(WRITTEN_TO).filter(|_| text.contains("ERROR: libFuzzer: timeout"))?;
        Some(format!("timeout: {}", file.lines().next().unwrap_or_default()))
    };
    let error = || text.lines().find(|line| line.contains("ERROR: libFuzzer")).map(str::to_owned);
    panic.or_else(timeout).or_else(error).unwrap_or_else(|| last_lines(text, 3))
}

fn print(outcomes: &[Outcome]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:20} {:>12} {:>8} {:>10}  verdict", "target", "executions", "new", "peak KiB")?;
    for Outcome { name, executions, new_inputs, peak_kibibytes, finding } in outcomes {
        let verdict = finding.as_deref().unwrap_or("good");
        writeln!(out, "{name:20} {executions:>12} {new_inputs:>8} {peak_kibibytes:>10}  {verdict}")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_and_findings_are_read_from_what_is_printed() {
        let text = "#9 DONE\nthread 'x' panicked at src/a.rs:1:2:\nattempt to add\nstat::new_units_added:          7\n";
        assert_eq!((statistic(text, "stat::new_units_added:"), statistic(text, "stat::none:")), (7, 0));
        assert_eq!(finding(text), "thread 'x' panicked at src/a.rs:1:2: attempt to add");
        assert_eq!(finding("==1== ERROR: libFuzzer: out-of-memory\n"), "==1== ERROR: libFuzzer: out-of-memory");
        let slow =
            finding("a_prefix='/a/'; Test unit written to /a/timeout-1\nBase64: x\n==1== ERROR: libFuzzer: timeout after 1 seconds\n");
        assert_eq!(slow_input(&slow), Some("/a/timeout-1".into()));
    }

    #[test]
    fn every_target_is_found() {
        assert!(all().is_ok_and(|names| names.len() > 20 && names.iter().any(|name| name == "settings")));
    }
}
