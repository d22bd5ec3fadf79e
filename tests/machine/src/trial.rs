//! One run of a test on a machine, and what is no verdict over Persona: the emulator killing the host's kernel.
//!
//! Under TCG, QEMU 7.2's nested SVM now and then (some boots in a hundred) returns from the nested guest with address
//! translation amiss: the host's next page fault recurses until its stack is used up, always in one of KVM's own threads.
//! Nothing in user space can do that, so such a run says nothing; it is told, and the test gets one more. Any other
//! failure stands.

use persona::error::{Error, Result};
use std::error::Error as StdError;
use std::fmt;

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

/// Runs a test, a second time if the emulator broke the first run.
///
/// # Panics
/// When the test fails.
#[track_caller]
#[allow(clippy::panic)]
pub fn trial(test: impl Fn() -> Result<()>) {
    outcome(test).unwrap_or_else(|error| panic!("{error}"));
}

/// What the test comes to, by its second run if the emulator broke the first.
fn outcome(test: impl Fn() -> Result<()>) -> Result<()> {
    test().or_else(|error| {
        if !EmulatorFault::is_behind(&error) {
            return Err(error);
        }
        eprintln!("{error}\nThis run says nothing about Persona. Once more:");
        test()
    })
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
    fn only_that_fault_gets_a_second_run_and_only_one() {
        let runs = |fault: bool| {
            let count = Cell::new(0);
            let run = || {
                count.set(count.get() + 1);
                Err(if fault { Error::because("a test", EmulatorFault) } else { Error::new("a test") })
            };
            assert!(outcome(run).is_err());
            count.get()
        };
        assert_eq!((runs(true), runs(false)), (2, 1));
    }
}
