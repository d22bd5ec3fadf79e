//! What the menu costs the boot: how long after power-on sshd greets, with the menu counting down and without Persona. Power-on is when
//! the kernel's clock begins. One boot with and one without follow each other, and each such pair has a ratio: what slows the host down
//! for minutes slows both.

use super::median;
use crate::artifacts::Artifacts;
use crate::hardware::Hardware;
use crate::initramfs::ImageKind;
use crate::journey::STEP;
use crate::machine::Machine;
use crate::scenario::Scenario;
use persona::error::{Context, Error, Result};

/// How many pairs boot; one more in front of these does not count.
const PAIRS: usize = 7;

/// Measures whole boots, with and without in turn.
///
/// # Errors
/// When a machine does not boot, or has no menu when it should.
pub(super) fn measure(artifacts: &Artifacts) -> Result<Vec<String>> {
    let mut lines = vec![format!(
        "power-on to sshd's greeting with the menu counting down, medians of {PAIRS} pairs (emulated processor; aim: ratio 1.02)"
    )];
    for kind in ImageKind::ALL {
        let mut seconds = [const { Vec::new() }; 2];
        for round in 0..=PAIRS {
            for (with, seconds) in [true, false].into_iter().zip(&mut seconds) {
                let taken = boot(artifacts, kind, with)?;
                if round > 0 {
                    seconds.push(taken);
                }
            }
        }
        let mut ratios: Vec<f64> = seconds[0].iter().zip(&seconds[1]).map(|(with, without)| with / without).collect();
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios[0], ratios[PAIRS - 1]);
        let middle = |numbers| median(numbers).unwrap_or_default();
        let ([with, without], ratio) = (seconds.map(middle), middle(ratios));
        lines.push(format!(
            "  {:8} image {with:6.2} s, without Persona {without:6.2} s   ratio {ratio:.3}, of one pair {least:.3} to {most:.3}",
            kind.name()
        ));
    }
    Ok(lines)
}

/// The seconds until sshd listens, by the machine's own clock: QEMU's end of the port is not that exact.
fn boot(artifacts: &Artifacts, kind: ImageKind, with: bool) -> Result<f64> {
    let scenario = Scenario::new("booting").image(kind);
    let scenario = if with { scenario.cmdline("persona.timeout=1h") } else { scenario.without_persona() };
    let mut machine = Machine::power_on(artifacts, &Hardware::standard(), &scenario)?;
    machine.wait_for_ssh()?;
    let script = "journalctl -b -o short-monotonic | sed -n 's/^\\[ *\\([0-9.]*\\)\\].*Server listening on 0.0.0.0.*/\\1/p'";
    let said = machine.wait_until("the journal knows of it", &format!("{script} | grep ."), STEP)?;
    let taken = said.trim().parse().context(|| format!("understanding the time `{}`", said.trim()))?;
    // Which of the two it was, and that nothing was left out.
    // A second one is the unit's, which finds the first and goes. The brackets keep the shell from finding itself.
    let menus = machine.run("pgrep -fc '[p]ersona menu' || :")?;
    if (menus.trim() != "0") == with { Ok(taken) } else { Err(Error::new(format!("{} menus run", menus.trim()))) }
}
