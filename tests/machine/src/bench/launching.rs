//! How long legion takes to start and to change its persona, against libvirt with the same machine in the same boot, and what its
//! supervisor costs while the guest runs.

use super::{median, timed};
use crate::journey::STEP;
use crate::machine::Machine;
use crate::wire::{CONSOLE_FILE, REPORT_FILE};
use persona::error::{Error, Result};

/// How often each starts the guest; one more in front of these does not count.
const STARTS: usize = 5;

/// How often each changes from one persona to the other, whose guest must have booted to hear its power button.
const SWITCHES: usize = 3;

/// How long the supervisor is watched, in seconds.
const WATCHED: u64 = 20;

/// The very machine as two domains; here libvirt takes the devices from the host and gives them back itself, as Persona does. The port for
/// the guest's reports hangs on a bus of libvirt's, which QEMU makes before it only if both are written in JSON.
const DEFINE: &str = r#"set -e
port='s/virtserialport,bus=serial.0,chardev=report,name=\([a-z.]*\)/{\&quot;driver\&quot;:\&quot;virtserialport\&quot;,\&quot;bus\&quot;:\&quot;virtio-serial0.0\&quot;,\&quot;chardev\&quot;:\&quot;report\&quot;,\&quot;name\&quot;:\&quot;\1\&quot;}/'
for persona in gondor rivendale; do
    persona export libvirt $persona |
        sed "s/managed='no'/managed='yes'/; s,<name>.*</name>,<name>$persona</name>,; s,/legion/slot/,/legion/cartridges/$persona/,; $port" > /run/$persona.xml
    virsh --quiet --connect qemu:///system define /run/$persona.xml
    virsh --quiet --connect qemu:///system dominfo $persona | awk '/^Name/ { print $2 }'
done"#;

/// What starts, stops and changes the guest, by commands for a shell.
struct Contender {
    name: &'static str,
    start: &'static str,
    stop: &'static str,
    switch: &'static str,
}

/// Both come back once the guest's processors run.
const CONTENDERS: [Contender; 2] = [
    Contender { name: "persona", start: "persona start gondor", stop: "persona stop --force", switch: "persona switch rivendale" },
    Contender {
        name: "virsh",
        start: "virsh --connect qemu:///system start gondor",
        stop: "virsh --connect qemu:///system destroy gondor || virsh --connect qemu:///system destroy rivendale",
        switch: "virsh --connect qemu:///system shutdown gondor\n\
            until virsh --connect qemu:///system domstate gondor | grep -q \"shut off\"; do sleep 0.05; done\n\
            virsh --connect qemu:///system start rivendale",
    },
];

/// Measures starts on a machine that has booted, shows no menu, and runs libvirtd.
///
/// # Errors
/// When a contender does not start the guest.
pub(super) fn starts(machine: &mut Machine) -> Result<Vec<String>> {
    machine.run("systemctl stop legion.path")?;
    machine.run(DEFINE)?;
    let mut starts = CONTENDERS.map(|_| Vec::new());
    for round in 0..=STARTS {
        machine.log().step(format!("launching: start {round} of {STARTS}"));
        for (contender, seconds) in CONTENDERS.iter().zip(&mut starts) {
            forget_reports(machine)?;
            let taken = timed(machine, contender.start)?;
            runs(machine, contender)?;
            machine.run(contender.stop)?;
            if round > 0 {
                seconds.push(taken);
            }
        }
    }
    Ok(lines("start: from the command until the guest's processors run", starts))
}

/// Measures switches on such a machine, and the supervisor meanwhile.
///
/// # Errors
/// As [`starts`].
pub(super) fn switches(machine: &mut Machine) -> Result<Vec<String>> {
    machine.run("systemctl stop legion.path")?;
    machine.run(DEFINE)?;
    let mut switches = CONTENDERS.map(|_| Vec::new());
    let mut supervisor = None;
    for round in 1..=SWITCHES {
        machine.log().step(format!("launching: switch {round} of {SWITCHES}"));
        for (contender, seconds) in CONTENDERS.iter().zip(&mut switches) {
            forget_reports(machine)?;
            machine.run(contender.start)?;
            // The power button has its driver before the guest draws.
            machine.wait_until("the guest has booted", &format!("grep -q drawn {REPORT_FILE}"), STEP)?;
            if contender.name == "persona" && supervisor.is_none() {
                supervisor = Some(watch(machine)?);
            }
            seconds.push(timed(machine, contender.switch)?);
            runs(machine, contender)?;
            machine.run(contender.stop)?;
        }
    }
    Ok(lines("switch: the same, with another guest to be shut down first", switches).into_iter().chain(supervisor).collect())
}

fn lines(what: &str, times: [Vec<f64>; 2]) -> Vec<String> {
    let times = times.map(|seconds| median(seconds).unwrap_or_default());
    let each = CONTENDERS.iter().zip(times);
    let each =
        each.map(|(contender, seconds)| format!("  {:22} {:7.0} ms   ratio {:.3}", contender.name, seconds * 1e3, times[0] / seconds));
    std::iter::once(format!("{what}, median (emulated processor)")).chain(each).collect()
}

/// The guest's reports go to files that belong to who has made them, and that nobody else may write to.
fn forget_reports(machine: &mut Machine) -> Result<()> {
    machine.run(&format!("rm -f {REPORT_FILE} {CONSOLE_FILE}")).map(drop)
}

/// The guest is there: a contender that failed quickly has not won.
fn runs(machine: &mut Machine, contender: &Contender) -> Result<()> {
    let count = machine.run("pgrep -c qemu-system || :")?;
    if count.trim() == "1" { Ok(()) } else { Err(Error::new(format!("{}: {} guests run", contender.name, count.trim()))) }
}

fn watch(machine: &mut Machine) -> Result<String> {
    let script = format!(
        r#"pid=$(systemctl show -P MainPID legion.service)
        switches() {{ cat /proc/$pid/task/*/status | awk '/ctxt_switches/ {{ sum += $2 }} END {{ print sum }}'; }}
        before=$(switches)
        sleep {WATCHED}
        echo $(($(switches) - before)) $(awk '/VmRSS/ {{ print $2 }}' /proc/$pid/status) $(awk '/VmRSS/ {{ print $2 }}' /proc/$(pgrep -o libvirtd)/status)"#
    );
    let said = machine.run(&script)?;
    let figures: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wakes, ours, libvirt] = figures[..] else { return Err(Error::new(format!("the supervisor's figures cannot be read: {said}"))) };
    Ok(format!(
        "the supervisor while the guest runs: {:.2} wake-ups a second (aim: 0), {:.1} MiB (aim: under 4), libvirtd {:.1} MiB",
        wakes / WATCHED as f64,
        ours / 1024.0,
        libvirt / 1024.0
    ))
}
