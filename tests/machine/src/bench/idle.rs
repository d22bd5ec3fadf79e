//! What the menu costs while nobody touches it: wake-ups, processor time, memory.

use crate::machine::Machine;
use persona::error::{Error, Result};

/// How long it is watched, in seconds.
const WATCHED: u64 = 20;

/// Shows the menu with this timeout and watches it. `/proc/cmdline` is what the kernel was booted with, so another file is
/// laid over it. Prints wake-ups, clock ticks of 10 ms, and the most memory it ever had in KiB.
fn script(timeout: &str) -> String {
    format!(
        r#"set -e
sed 's/persona.timeout=[^ ]*/persona.timeout={timeout}/' /proc/cmdline > /run/cmdline
mount --bind /run/cmdline /proc/cmdline
rm -f /run/persona/menu.toml /run/persona/choice.toml
systemctl reset-failed persona-menu.service
systemctl start persona-menu.service
until grep -q first_frame_ms /run/persona/menu.toml; do sleep 0.1; done
sleep 3
pid=$(systemctl show -P MainPID persona-menu.service)
switches() {{ cat /proc/$pid/task/*/status | awk '/ctxt_switches/ {{ sum += $2 }} END {{ print sum }}'; }}
ticks() {{ sed 's/.*)//' /proc/$pid/stat | awk '{{ print $12 + $13 }}'; }}
before=$(switches) used=$(ticks)
sleep {WATCHED}
echo $(($(switches) - before)) $(($(ticks) - used)) $(awk '/VmHWM/ {{ print $2 }}' /proc/$pid/status)
systemctl stop persona-menu.service
umount /proc/cmdline"#
    )
}

/// Measures on a machine that has booted and shows no menu.
///
/// # Errors
/// When the menu does not come up.
pub(super) fn measure(machine: &mut Machine) -> Result<Vec<String>> {
    let mut lines = vec![format!("the menu at 1920x1080 while nobody touches it, {WATCHED} s each")];
    let mut memory = 0;
    for (what, timeout, aim) in [("waiting", "never", 0), ("counting down", "10m", 1)] {
        machine.log().step(format!("idle: {what}"));
        let said = machine.run(&script(timeout))?;
        let figures: Vec<u64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [wakes, ticks, peak] = figures[..] else { return Err(Error::new(format!("the menu's figures cannot be read: {said}"))) };
        let per_second = wakes as f64 / WATCHED as f64;
        let share = ticks as f64 / WATCHED as f64;
        lines.push(format!("  {what:14} {per_second:5.2} wake-ups a second (aim: {aim}), {share:.1} % of a processor (emulated)"));
        memory = memory.max(peak);
    }
    // The painter's picture and two buffers of the card's memory, which are mapped only while they are written.
    let picture = 1920 * 1080 * 4 / 1024;
    let ratio = memory as f64 / picture as f64;
    lines.push(format!(
        "  most memory    {:5.1} MiB, {ratio:.1} times one picture of {:.1} MiB",
        memory as f64 / 1024.0,
        picture as f64 / 1024.0
    ));
    Ok(lines)
}
