//! `make bench`: how soon the menu is on the screen, and how small Persona is, each against its rival or limit.

use crate::artifacts::Artifacts;
use crate::hardware::Hardware;
use crate::initramfs::{Growth, ImageKind};
use crate::journey::STEP;
use crate::log::Log;
use crate::machine::Machine;
use crate::scenario::Scenario;
use persona::error::{Context, Error, Result};
use std::collections::HashMap;
use std::io::Write;

/// Each program is started this often, in turn.
const ROUNDS: usize = 7;

/// The design's limit for the static binary, in bytes.
const LARGEST_BINARY: u64 = 3 << 20;

/// The kernel itself takes the times of both programs: when they were executed, and when `drm_mode_setcrtc`, by which a
/// picture gets on a monitor, returned to them.
const START_TRACE: &str = r#"
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
cd /sys/kernel/tracing
echo 'r:setcrtc drm_mode_setcrtc' > kprobe_events
echo 1 > events/kprobes/setcrtc/enable
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

/// Runs the benchmark. `out` gets the figures.
///
/// # Errors
/// When the machine does not boot or a program does not do its work.
pub fn bench(out: &mut dyn Write) -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &Scenario::new("bench").cmdline("persona.timeout=never"))?;
    machine.wait_for_menu()?;
    machine.wait_until("the boot is over", "systemctl is-system-running --wait || :", STEP)?;
    machine.run("systemctl stop persona-menu.service")?;
    machine.run(START_TRACE)?;
    for round in 1..=ROUNDS {
        machine.log().step(format!("round {round} of {ROUNDS}"));
        machine.run(MENU)?;
        machine.run(MODETEST)?;
    }
    let trace = machine.run("cat /sys/kernel/tracing/trace")?;
    drop(machine);
    let [persona, modetest] = ["persona", "modetest"].map(|program| median(first_frames(&trace, program)));
    let persona = persona.ok_or_else(|| Error::new(format!("the kernel saw no first frame of persona:\n{trace}")))?;
    let modetest = modetest.ok_or_else(|| Error::new(format!("the kernel saw no first frame of modetest:\n{trace}")))?;

    let size = std::fs::metadata(&artifacts.persona).doing(|| format!("measuring {}", artifacts.persona.display()))?.len();
    let mut say = |line: String| writeln!(out, "{line}").doing(|| "printing the figures".into());
    say(format!("\nfrom exec to the first frame on the screen, 1920x1080, median of {ROUNDS} (emulated processor)"))?;
    say(format!("  persona menu   {:7.1} ms", persona * 1e3))?;
    say(format!("  modetest -s    {:7.1} ms   ratio {:.2}", modetest * 1e3, persona / modetest))?;
    say("static binary".into())?;
    say(format!("  persona        {size} bytes   {:.3} of the limit of 3 MiB", size as f64 / LARGEST_BINARY as f64))?;
    say("initramfs growth".into())?;
    for kind in ImageKind::ALL {
        let Growth { without, with, compressed } = artifacts.growth(kind)?;
        let part = |(without, with): (u64, u64)| {
            format!("{:+.2} MiB, ratio {:.3}", with.saturating_sub(without) as f64 / f64::from(1 << 20), with as f64 / without as f64)
        };
        say(format!("  {:14} {} unpacked; {} as zstd", kind.name(), part((without, with)), part(compressed)))?;
    }
    Ok(())
}

/// Seconds from each execution of `program` to its first return from `drm_mode_setcrtc`, from ftrace's text: lines such
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
            Some("setcrtc:") => seconds.extend(executed.remove(pid).map(|start| time - start)),
            _ => {}
        }
    }
    seconds
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_frame_belongs_to_the_execution_before_it() {
        let trace = "# tracer: nop\n\
            persona-10  [000] .....  1.000000: sched_process_exec: filename=/usr/bin/persona pid=10 old_pid=10\n\
            persona-9   [001] .....  1.100000: sched_process_exec: filename=/usr/bin/persona pid=9 old_pid=9\n\
            persona-10  [000] d..1.  1.250000: setcrtc: (drm_ioctl_kernel+0xc1/0x160 <- drm_mode_setcrtc)\n\
            persona-10  [000] d..1.  1.900000: setcrtc: (drm_ioctl_kernel+0xc1/0x160 <- drm_mode_setcrtc)\n\
            modetest-11 [000] .....  2.000000: sched_process_exec: filename=/usr/bin/modetest pid=11 old_pid=11\n\
            modetest-11 [000] d..1.  2.500000: setcrtc: (x <- drm_mode_setcrtc)\n";
        assert_eq!(first_frames(trace, "persona"), [0.25]);
        assert_eq!(first_frames(trace, "modetest"), [0.5]);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
