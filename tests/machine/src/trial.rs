//! One run of a test on a machine, and what is no verdict over Persona: a machine that the emulator broke.
//!
//! Under TCG, QEMU's nested SVM (7.2 and 10.0 alike) now and then returns from the nested guest with address translation amiss: the
//! host's next page fault recurses until its stack is used up, in one of KVM's own threads. Nothing in user space can do that. The
//! kernel does not always live to say so: the machine then resets or hangs without a word, or the nested guest turns for ever in its
//! firmware. So a machine that broke off or kept the test waiting gets one more run, and two where the kernel's last words tell of the
//! fault. Every such run is told, on the way and at the end of `make test`. What a test asserts stands at once.

use crate::folders;
use persona::error::{Error, Result};
use std::error::Error as StdError;
use std::fmt;
use std::fs::File;

/// The cause of an error: the kernel of the test machine died in a thread that runs a nested guest.
#[derive(Debug)]
pub(crate) struct EmulatorFault;

impl fmt::Display for EmulatorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the emulator broke the machine's kernel while a nested guest ran")
    }
}

impl StdError for EmulatorFault {}

impl EmulatorFault {
    /// Whether the serial console tells of it: the kernel died, and the first task it names is KVM's.
    pub(crate) fn is_told_by(serial: &str) -> bool {
        let died = ["BUG: ", "Oops: ", "double fault: ", "Kernel panic - "].iter().filter_map(|words| serial.find(words)).min();
        let first_task = |from: &str| from.lines().find_map(|line| line.split_once(" Comm: ").map(|(_, task)| task.to_owned()));
        died.and_then(|at| first_task(&serial[at..])).is_some_and(|task| task.starts_with("CPU ") && task.contains("/KVM"))
    }

    fn is_behind(error: &Error) -> bool {
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = next {
            if cause.is::<Self>() {
                return true;
            }
            next = cause.source();
        }
        false
    }
}

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
    let mut runs = 1;
    loop {
        let error = match test() {
            Err(error) if runs < allowed(&error) => error,
            result => return result,
        };
        note(&error);
        runs += 1;
    }
}

/// How many runs a test gets that failed in this way.
fn allowed(error: &Error) -> u32 {
    if EmulatorFault::is_behind(error) { 3 } else { 2 }
}

/// Tells of a run that says nothing about Persona, here and in `target/machine/broken-off`, which `make test` prints.
fn note(error: &Error) {
    use std::io::Write as _;
    eprintln!("{error}\nThe machine broke off. Once more, on another:");
    let file = folders::output().map(|folder| File::options().append(true).create(true).open(folder.join("broken-off")));
    if let Ok(Ok(mut file)) = file {
        let _ = writeln!(file, "{}", error.to_string().lines().next().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const FAULT: &str = "[   74.872734] BUG: TASK stack guard page was hit at 00000000f72ce2fa\n\
        [   74.872734] CPU: 0 PID: 423 Comm: CPU 0/KVM Not tainted 6.1.0-56-amd64 #1  Debian 6.1.192-2\n\
        [   76.823747] Kernel panic - not syncing: corrupted stack end detected inside scheduler\n";

    #[test]
    fn only_a_kernel_that_died_in_a_nested_guest_is_the_emulators_fault() {
        assert!(EmulatorFault::is_told_by(FAULT));
        assert!(!EmulatorFault::is_told_by(""));
        assert!(!EmulatorFault::is_told_by(&FAULT.replace("CPU 0/KVM", "persona")), "a driver's bug that we provoked counts");
        assert!(!EmulatorFault::is_told_by("[ 1.0] task: Comm: CPU 0/KVM slow\n"), "the kernel lives");
    }

    #[test]
    fn a_machine_that_broke_off_gets_another_run_and_every_one_is_told() {
        let runs = |fault: bool, well_at: u32| {
            let (count, told) = (Cell::new(0), Cell::new(0));
            let run = || {
                count.set(count.get() + 1);
                match (count.get() == well_at, fault) {
                    (true, _) => Ok(()),
                    (false, true) => Err(Error::because("a test", EmulatorFault)),
                    (false, false) => Err(Error::new("a test")),
                }
            };
            let outcome = outcome(run, |_| told.set(told.get() + 1));
            (count.get(), told.get(), outcome.is_ok())
        };
        assert_eq!(runs(false, 1), (1, 0, true));
        assert_eq!(runs(false, 2), (2, 1, true));
        assert_eq!(runs(false, 9), (2, 1, false), "what fails twice has failed");
        assert_eq!(runs(true, 3), (3, 2, true));
        assert_eq!(runs(true, 9), (3, 2, false));
    }

    #[test]
    #[should_panic(expected = "a fact is wrong")]
    fn what_a_test_asserts_stands_at_once() {
        let first = Cell::new(true);
        let _ = outcome(
            || {
                assert!(!first.replace(false), "a fact is wrong");
                Ok(())
            },
            |_| (),
        );
    }
}
