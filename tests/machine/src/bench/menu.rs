//! How soon the menu is on the screen, against libdrm's own tool.

use super::median;
use crate::machine::Machine;
use persona::error::{Error, Result};
use std::collections::HashMap;

/// Each program is started this often, in turn.
const ROUNDS: usize = 7;

/// The kernel itself takes the times of both programs: when they were executed, and when `drm_atomic_commit`, by which
/// a picture gets on a monitor whether it was asked for by the atomic or the legacy call, returned to them.
const START_TRACE: &str = r#"
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
cd /sys/kernel/tracing
echo 'r:commit drm_atomic_commit' > kprobe_events
echo 1 > events/kprobes/commit/enable
echo 1 > events/sched/sched_process_exec/enable
echo > trace"#;

/// Shows the menu once, from nothing to its first frame, and takes it off again.
const MENU: &str = r#"
rm -f /run/persona/menu.toml
systemctl reset-failed persona-menu.service
systemctl start persona-menu.service
until grep -q first_frame_ms /run/persona/menu.toml; do sleep 0.1; done
systemctl stop persona-menu.service"#;

/// Sets the same mode with libdrm's own tool, which waits for Enter and finds its input at an end.
const MODETEST: &str = r#"
connector=$(modetest -M virtio_gpu -c | awk '$3 == "connected" { print $1; exit }')
modetest -M virtio_gpu -s "$connector:1920x1080" < /dev/null"#;

/// The kernel has better things to do afterwards.
const STOP_TRACE: &str = "cd /sys/kernel/tracing && echo 0 > events/enable && cat trace && echo > kprobe_events";

/// Measures both programs on a machine that has booted and shows no menu.
///
/// # Errors
/// When one of them does not get a picture on the screen.
pub(super) fn measure(machine: &mut Machine) -> Result<Vec<String>> {
    machine.run(START_TRACE)?;
    for round in 1..=ROUNDS {
        machine.log().step(format!("menu: round {round} of {ROUNDS}"));
        machine.run(MENU)?;
        machine.run(MODETEST)?;
    }
    let trace = machine.run(STOP_TRACE)?;
    let seconds = |program: &str| {
        let seconds = median(first_frames(&trace, program));
        seconds.ok_or_else(|| Error::new(format!("the kernel saw no first frame of {program}:\n{trace}")))
    };
    let (persona, modetest) = (seconds("persona")?, seconds("modetest")?);
    Ok(vec![
        format!("from exec to the first frame on the screen, 1920x1080, median of {ROUNDS} (emulated processor)"),
        format!("  persona menu   {:7.1} ms", persona * 1e3),
        format!("  modetest -s    {:7.1} ms   ratio {:.2}", modetest * 1e3, persona / modetest),
    ])
}

/// Seconds from each execution of `program` to its first return from `drm_atomic_commit`, from ftrace's text: lines such
/// as `  persona-181  [001] .....  11.012: sched_process_exec: filename=/usr/bin/persona pid=181 old_pid=181`.
fn first_frames(trace: &str, program: &str) -> Vec<f64> {
    let mut executed: HashMap<&str, f64> = HashMap::new();
    let mut seconds = Vec::new();
    for line in trace.lines() {
        let mut words = line.split_whitespace();
        let Some(task) = words.next() else { continue };
        let Some(time) = words.by_ref().find_map(|word| word.strip_suffix(':')?.parse::<f64>().ok()) else { continue };
        let Some((name, pid)) = task.rsplit_once('-') else { continue };
        match words.next() {
            Some("sched_process_exec:") if name == program => _ = executed.insert(pid, time),
            Some("commit:") => seconds.extend(executed.remove(pid).map(|start| time - start)),
            _ => {}
        }
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_frame_belongs_to_the_execution_before_it() {
        let trace = "# tracer: nop\n\
            persona-10  [000] .....  1.000000: sched_process_exec: filename=/usr/bin/persona pid=10 old_pid=10\n\
            persona-9   [001] .....  1.100000: sched_process_exec: filename=/usr/bin/persona pid=9 old_pid=9\n\
            persona-10  [000] d..1.  1.250000: commit: (drm_atomic_helper_set_config+0x72/0xb0 <- drm_atomic_commit)\n\
            persona-10  [000] d..1.  1.900000: commit: (drm_atomic_helper_set_config+0x72/0xb0 <- drm_atomic_commit)\n\
            modetest-11 [000] .....  2.000000: sched_process_exec: filename=/usr/bin/modetest pid=11 old_pid=11\n\
            modetest-11 [000] d..1.  2.500000: commit: (x <- drm_atomic_commit)\n";
        assert_eq!(first_frames(trace, "persona"), [0.25]);
        assert_eq!(first_frames(trace, "modetest"), [0.5]);
    }
}
