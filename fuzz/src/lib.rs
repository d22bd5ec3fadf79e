//! The readers of Persona under libFuzzer. `make fuzz` runs all of them; docs/testing.md tells more.

mod memory;
pub mod targets;

use std::sync::Once;
use targets::{TARGETS, Target};

/// Feeds the reader of this name, within the limit of memory.
pub fn feed(name: &str, data: &[u8]) {
    unsafe extern "C" {
        fn atexit(at_exit: extern "C" fn()) -> i32;
    }
    static REPORTED: Once = Once::new();
    // SAFETY: atexit(3) takes a function without arguments.
    REPORTED.call_once(|| {
        unsafe { atexit(memory::report) };
    });
    let Target { feed, .. } = TARGETS.iter().find(|target| target.name == name).expect("a target");
    memory::limited(*feed, data);
}
