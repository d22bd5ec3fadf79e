//! One run of a test on a machine, and what is no verdict over Persona: a machine that the emulator broke.
//!
//! Under TCG, QEMU (7.2 and 10.0 alike) breaks a machine now and then, in ways that nothing in user space can bring about. A
//! processor's local timer interrupt stays in service for ever, and the kernel tells of RCU stalls, or does not live to say so: the
//! machine then resets or hangs without a word. With nested paging, which the machine's processor therefore lacks, that came with
//! one of some fifteen starts of legion. So a test whose machine broke off or kept it waiting gets another run, and every such run
//! is told, on the way and at the end of `make test`. What a test asserts, and a command that fails in a machine whose processors
//! run, stand at once.

use crate::folders;
use persona::error::{Error, Result};
use std::error::Error as StdError;
use std::fmt;
use std::fs::File;
use std::io::Write as _;

/// The cause of an error: the machine does not answer any more, or not with what was waited for.
#[derive(Debug)]
pub(crate) struct BrokeOff;

impl fmt::Display for BrokeOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the machine broke off")
    }
}

impl StdError for BrokeOff {}

impl BrokeOff {
    fn is_behind(error: &Error) -> bool {
        let mut next = error.source();
        while let Some(cause) = next {
            if cause.is::<Self>() {
                return true;
            }
            next = cause.source();
        }
        false
    }
}

/// What fails so often has failed.
const RUNS: u32 = 3;

/// Runs a test, and again if its machine broke off.
///
/// # Panics
/// When the test fails.
#[track_caller]
#[allow(clippy::panic)]
pub fn trial(test: impl Fn() -> Result<()>) {
    outcome(test, note).unwrap_or_else(|error| panic!("{error}"));
}

/// What the test comes to by the last of its runs. `note` learns of those before.
fn outcome(test: impl Fn() -> Result<()>, note: impl Fn(&Error)) -> Result<()> {
    for _ in 1..RUNS {
        match test() {
            Err(error) if BrokeOff::is_behind(&error) => note(&error),
            verdict => return verdict,
        }
    }
    test()
}

/// Tells of a run that says nothing about Persona, here and in `target/machine/broken-off`, which `make test` prints.
fn note(error: &Error) {
    eprintln!("{error}\nOnce more, on another:");
    let file = folders::output().map(|folder| File::options().append(true).create(true).open(folder.join("broken-off")));
    if let Ok(Ok(mut file)) = file {
        let _ = writeln!(file, "{}", error.to_string().lines().next().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_machine_that_broke_off_gets_another_run_and_every_one_is_told() {
        let runs = |well_at: u32, answers: bool| {
            let (count, told) = (Cell::new(0), Cell::new(0));
            let run = || {
                count.set(count.get() + 1);
                match (count.get() == well_at, answers) {
                    (true, _) => Ok(()),
                    (false, true) => Err(Error::because("a test", Error::new("a command failed"))),
                    (false, false) => Err(Error::because("a test", Error::because("a step", BrokeOff))),
                }
            };
            let outcome = outcome(run, |_| told.set(told.get() + 1));
            (count.get(), told.get(), outcome.is_ok())
        };
        assert_eq!(runs(1, false), (1, 0, true));
        assert_eq!(runs(3, false), (3, 2, true));
        assert_eq!(runs(9, false), (3, 2, false));
        assert_eq!(runs(2, true), (1, 0, false), "a machine that answers has failed at once");
    }
}
