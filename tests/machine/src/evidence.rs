//! What shows that the emulator, and not Persona, broke a machine.
//!
//! Under TCG, QEMU (7.2 and 10.0 alike) breaks a machine now and then in ways that no program in it can bring about: a processor's
//! local timer interrupt stays in service for ever, the processor resets, or QEMU itself ends by a failed assertion. Only a machine that
//! shows such a fault earns its scenario another run. Everything else is a failure at once.

use crate::qmp::Qmp;
use serde_json::json;
use std::time::Duration;

/// What Linux writes about a stalled processor (kernel/rcu/tree_stall.h, kernel/watchdog.c).
const STALLS: [&str; 3] = ["rcu: INFO: rcu_", "BUG: soft lockup", "hard LOCKUP"];
/// How often the processors are looked at, and how far apart: a processor that runs is somewhere else each time.
const SAMPLES: usize = 6;
const APART: Duration = Duration::from_millis(400);

/// A look at a processor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Processor {
    instruction: String,
    is_halted: bool,
    /// Interrupts that it has not come to the end of, as QEMU lists them.
    in_service: String,
}

/// The kernel's report of a stalled processor on the serial line.
pub(crate) fn in_serial(serial: &str) -> Option<String> {
    let line = serial.lines().find(|line| STALLS.iter().any(|words| line.contains(words)))?;
    Some(format!("the kernel reports a stalled processor: {}", line.trim()))
}

/// Whether the kernel has reported a stalled processor more than once: it does not come back.
pub(crate) fn stays_stalled(serial: &str) -> bool {
    serial.lines().filter(|line| STALLS.iter().any(|words| line.contains(words))).count() > 1
}

/// The kernel's report on the serial line that it has given up. That is no fault of the emulator, although a processor stands where it was.
pub(crate) fn panic(serial: &str) -> Option<&str> {
    serial.lines().find(|line| line.contains("Kernel panic - not syncing")).map(str::trim)
}

/// A stuck processor, found by looking at the registers several times.
pub(crate) fn in_processors(qmp: &mut Qmp) -> Option<String> {
    let mut samples = Vec::new();
    for sample in 0..SAMPLES {
        if sample > 0 {
            std::thread::sleep(APART);
        }
        samples.push(look(qmp)?);
    }
    judge(&samples)
}

fn look(qmp: &mut Qmp) -> Option<Vec<Processor>> {
    let mut human = |line: &str| {
        let told = qmp.execute("human-monitor-command", json!({ "command-line": line })).ok()?;
        told.as_str().map(str::to_owned)
    };
    let registers = human("info registers -a")?;
    let mut processors = processors(&registers);
    for (number, processor) in processors.iter_mut().enumerate() {
        processor.in_service = in_service(&human(&format!("info lapic {number}")).unwrap_or_default());
    }
    Some(processors)
}

/// QEMU's `info registers -a`: a block for each processor, with `RIP=...` and `HLT=0` or `HLT=1`.
fn processors(registers: &str) -> Vec<Processor> {
    let field = |block: &str, name: &str| {
        let at = block.find(name)? + name.len();
        block[at..].split_whitespace().next().map(str::to_owned)
    };
    let blocks = registers.split("CPU#").skip(1);
    let processor = |block: &str| {
        Some(Processor { instruction: field(block, "RIP=")?, is_halted: field(block, "HLT=")? == "1", in_service: String::new() })
    };
    blocks.filter_map(processor).collect()
}

/// The line `ISR` of QEMU's `info lapic`, empty if no interrupt is in service.
fn in_service(lapic: &str) -> String {
    let line = lapic.lines().find_map(|line| line.strip_prefix("ISR")).unwrap_or_default().trim();
    if line == "(none)" { String::new() } else { line.to_owned() }
}

/// A processor is stuck that never moves though it runs, or that sleeps while an interrupt is in service all the time.
fn judge(samples: &[Vec<Processor>]) -> Option<String> {
    let first = samples.first()?;
    for (number, processor) in first.iter().enumerate() {
        let same = samples.iter().all(|sample| sample.get(number) == Some(processor));
        if same && !processor.is_halted {
            return Some(format!("processor {number} does not move: RIP={} in {SAMPLES} looks", processor.instruction));
        }
        if same && !processor.in_service.is_empty() {
            return Some(format!("processor {number} sleeps while an interrupt is in service: {}", processor.in_service));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(instruction: &str, is_halted: bool, in_service: &str) -> Vec<Processor> {
        vec![Processor { instruction: instruction.to_owned(), is_halted, in_service: in_service.to_owned() }]
    }

    #[test]
    fn serial_line_with_a_stall_is_evidence_and_an_ordinary_one_is_not() {
        assert!(in_serial("[   61.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n").is_some());
        assert!(in_serial("watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [swapper]\n").is_some());
        assert!(in_serial("hypervisor login: \n").is_none());
        assert!(in_serial("").is_none());
    }

    #[test]
    fn processor_stays_stalled_once_that_is_reported_again() {
        let stall = "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n";
        assert!(!stays_stalled(stall) && stays_stalled(&stall.repeat(2)));
    }

    #[test]
    fn panic_on_the_serial_line_is_found_and_is_no_evidence() {
        let serial = "[    0.07] Kernel panic - not syncing: no init found\n[    0.08] CPU: 0\n";
        assert_eq!(panic(serial), Some("[    0.07] Kernel panic - not syncing: no init found"));
        assert!(in_serial(serial).is_none());
        assert!(panic("hypervisor login:\n").is_none());
    }

    #[test]
    fn registers_of_two_processors_are_read() {
        let text = "\nCPU#0\nRAX=0 RBX=1\nRIP=ffffffff81e0ba8b RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\n\
            \nCPU#1\nRAX=0\nRIP=00007f0000000001 RFL=00000246 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=0\n";
        let seen = processors(text);
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].instruction.as_str(), seen[0].is_halted), ("ffffffff81e0ba8b", true));
        assert_eq!((seen[1].instruction.as_str(), seen[1].is_halted), ("00007f0000000001", false));
    }

    #[test]
    fn interrupts_in_service_are_read_and_none_is_none() {
        assert_eq!(in_service("dumping local APIC state for CPU 0\n\nISR\t 236\nIRR\t (none)\n"), "236");
        assert_eq!(in_service("ISR\t (none)\nIRR\t 236\n"), "");
    }

    #[test]
    fn processor_that_never_moves_is_stuck_and_one_that_sleeps_or_moves_is_not() {
        assert!(judge(&[at("1", false, ""), at("1", false, ""), at("1", false, "")]).is_some());
        assert!(judge(&[at("1", false, ""), at("2", false, ""), at("1", false, "")]).is_none());
        assert!(judge(&[at("1", true, ""), at("1", true, ""), at("1", true, "")]).is_none());
    }

    #[test]
    fn processor_that_sleeps_with_an_interrupt_in_service_is_stuck() {
        assert!(judge(&[at("1", true, "236"), at("1", true, "236")]).is_some());
        assert!(judge(&[at("1", true, "236"), at("1", true, "")]).is_none());
    }
}
