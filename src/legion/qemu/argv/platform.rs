//! Chipset, processors, memory, clock and firmware.

use super::{Line, at, file};
use crate::config::Guest;
use crate::legion::identity;
use crate::legion::virtual_machine::VirtualMachine;
use crate::sys::paths::Paths;
use serde_json::json;

pub(super) fn basics(line: &mut Line, machine: &VirtualMachine<'_>) {
    let VirtualMachine { legion, cartridge, firmware, .. } = machine;
    line.flag("-nodefaults").flag("-no-user-config");
    line.add("-name", format!("guest=legion-{},debug-threads=on", cartridge.name));
    line.add("-uuid", identity::uuid(&cartridge.name));
    let mut chipset = "q35,accel=kvm,vmport=off,dump-guest-core=off".to_owned();
    if legion.guest == Guest::Windows {
        chipset.push_str(",hpet=off");
    }
    if let Some(firmware) = firmware {
        chipset.push_str(",pflash0=code,pflash1=variables");
        if firmware.secure {
            chipset.push_str(",smm=on");
        }
    }
    if machine.hugepages.is_some() {
        chipset.push_str(",memory-backend=memory");
    }
    line.add("-machine", chipset);
    line.add("-cpu", cpu(machine));
    let topology = machine.processors.topology;
    let dies = if topology.dies > 1 { format!("dies={},", topology.dies) } else { String::new() };
    line.add(
        "-smp",
        format!("{},sockets={},{dies}cores={},threads={}", legion.cpus.count(), topology.sockets, topology.cores, topology.threads),
    );
    line.add(
        "-rtc",
        match legion.guest {
            Guest::Linux => "base=utc",
            Guest::Windows => "base=localtime,driftfix=slew",
        },
    );
    // The keyboard sleeps with the machine, so nothing could wake it.
    line.add("-global", "ICH9-LPC.disable_s3=1").add("-global", "ICH9-LPC.disable_s4=1");
    line.add("-boot", "strict=on");
    line.add("-msg", "timestamp=off");
    line.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    line.add("-object", "rng-builtin,id=random");
    line.add("-device", format!("virtio-rng-pci,rng=random,addr={}", at::RANDOM));
    line.add("-device", "pvpanic");
}

/// Windows is told that it runs on Hyper-V, whose clocks, timers and interrupts it uses efficiently (QEMU's `docs/system/i386/hyperv.rst`).
/// Nothing that Linux 5.15 or QEMU 6.2 lacks, because the guest would not start, and not `hv-crash`, with which Windows writes no dump.
const HYPER_V: &str = concat!(
    ",hv-relaxed=on,hv-vapic=on,hv-spinlocks=0x1fff,hv-vpindex=on,hv-runtime=on,hv-time=on,hv-synic=on,hv-stimer=on,",
    "hv-stimer-direct=on,hv-reset=on,hv-frequencies=on,hv-reenlightenment=on,hv-tlbflush=on,hv-ipi=on,hv-avic=on"
);

/// `cpu-pm=on` is not used: an idle guest would keep its host CPUs, and their siblings, busy.
fn cpu(machine: &VirtualMachine<'_>) -> String {
    let processors = &machine.processors;
    let mut cpu = "host".to_owned();
    if processors.wants_topoext() {
        cpu.push_str(",topoext=on");
    }
    if processors.host_caches {
        cpu.push_str(",host-cache-info=on");
    }
    if let Some(bits) = machine.address_bits {
        cpu.push_str(&format!(",host-phys-bits-limit={bits}"));
    }
    if machine.legion.guest == Guest::Windows {
        cpu.push_str(HYPER_V);
        if processors.evmcs {
            cpu.push_str(",hv-evmcs=on");
        }
    }
    cpu
}

pub(super) fn memory(line: &mut Line, machine: &VirtualMachine<'_>) {
    let size = format!("{}M", machine.legion.memory.mebibytes());
    if let Some(pages) = machine.hugepages {
        // An anonymous file needs no mount that the user legion can write to. It is preallocated, so that too few huge pages cause an error
        // message instead of a guest killed later.
        let page = pages.mebibytes();
        line.add("-object", format!("memory-backend-memfd,id=memory,size={size},hugetlb=on,hugetlbsize={page}M,prealloc=on"));
    }
    line.add("-m", size);
}

/// Firmware with Secure Boot protects its variables from the guest's kernel by system management mode.
pub(super) fn flash(line: &mut Line, paths: &Paths, machine: &VirtualMachine<'_>) {
    let Some(firmware) = &machine.firmware else { return };
    if firmware.secure {
        line.add("-global", "driver=cfi.pflash01,property=secure,value=on");
    }
    line.block("code", firmware.format.driver(), file(paths.at(&firmware.code)), json!({ "read-only": true }));
    line.block("variables", "raw", file(paths.at(machine.legion.slot.join("nvram.fd"))), json!({}));
}
