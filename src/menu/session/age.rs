//! How old this process is, for the time to its first frame.

use crate::sys::file;
use crate::sys::paths::Paths;
use std::time::Duration;

/// How long this process has been running (`proc_pid_stat(5)`, field 22, in ticks of 10 ms since boot).
pub(super) fn process_age(paths: &Paths) -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let since_boot = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    let stat = file::read_text(paths.at("/proc/self/stat")).unwrap_or_default();
    // The second field is the command in parentheses and may hold anything; field 3 comes after the last parenthesis.
    let ticks = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(19)?.parse::<u32>().ok());
    ticks.map_or(Duration::ZERO, |ticks| since_boot.saturating_sub(TICK * ticks))
}
