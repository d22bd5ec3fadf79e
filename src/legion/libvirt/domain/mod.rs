//! legion as a libvirt domain: the machine of [`crate::legion::qemu::argv()`], element by element
//! (<https://libvirt.org/formatdomain.html>).

use super::devices;
use super::escape::escape;
use crate::config::{DiskBus, Guest};
use crate::error::Result;
use crate::legion::cartridge::firmware::ImageFormat;
use crate::legion::identity;
use crate::legion::virtual_machine::VirtualMachine;
use crate::sys::paths::Paths;
use std::fmt::Write as _;

/// The comment at the top. XML forbids two adjacent dashes here.
const COMMENT: &str = "\
<!--
  The machine that Persona's command line for QEMU makes, as a libvirt domain.

  Keep it:       persona export libvirt NAME > legion.xml
  Make it known: virsh -c qemu:///system define legion.xml
  Tune it:       virsh -c qemu:///system edit legion
  Run it from the menu: backend = \"libvirt\" in persona.toml, and the user legion in the group libvirt.

  The disk is opened through the slot, so that the chosen cartridge is what boots. `persona prepare` binds the devices
  before the start, and `persona release` gives them back: that is why every hostdev is managed='no'.
-->
";

/// The same enlightenments as on the command line, except those that libvirt before 9.0 does not know; `hv-time` is a timer in libvirt, and
/// `evmcs` is added where it is useful.
const HYPERV: &str = "
    <hyperv mode='custom'>
      <relaxed state='on'/>
      <vapic state='on'/>
      <spinlocks state='on' retries='8191'/>
      <vpindex state='on'/>
      <runtime state='on'/>
      <synic state='on'/>
      <stimer state='on'>
        <direct state='on'/>
      </stimer>
      <reset state='on'/>
      <frequencies state='on'/>
      <reenlightenment state='on'/>
      <tlbflush state='on'/>
      <ipi state='on'/>
      <avic state='on'/>";

const CLOCK_OF_LINUX: &str = "
  <clock offset='utc'>
    <timer name='hpet' present='yes'/>
  </clock>";

const CLOCK_OF_WINDOWS: &str = "
  <clock offset='localtime'>
    <timer name='rtc' tickpolicy='catchup'/>
    <timer name='hpet' present='no'/>
    <timer name='hypervclock' present='yes'/>
  </clock>";

/// The keyboard sleeps with the machine, so nothing could wake it.
const ENDS: &str = "
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <pm>
    <suspend-to-mem enabled='no'/>
    <suspend-to-disk enabled='no'/>
  </pm>";

/// libvirt before 11.5 does not know NVMe disks, but allows overriding the QEMU device of a named device.
const NVME: &str = "
  <qemu:override>
    <qemu:device alias='ua-disk'>
      <qemu:frontend>
        <qemu:property name='driver' type='string' value='nvme'/>
      </qemu:frontend>
    </qemu:device>
  </qemu:override>";

/// A domain equal to the command line of the same inputs, except for what libvirt does its own way: QEMU's internal names, sockets, the tap
/// of a bridge, and where a TPM keeps its state.
///
/// # Errors
/// When a path or argument has characters that XML cannot represent.
pub fn domain_xml(paths: &Paths, machine: &VirtualMachine<'_>) -> Result<String> {
    let legion = machine.legion;
    let mut xml = COMMENT.to_owned();
    let (domain, uuid, memory) = (escape(&legion.domain)?, identity::uuid(&machine.cartridge.name), legion.memory.mebibytes());
    // The second namespace is for options that libvirt passes to QEMU unchanged.
    let _ = write!(
        xml,
        "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{domain}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB' dumpCore='off'>{memory}</memory>"
    );
    if let Some(pages) = machine.hugepages {
        let _ = write!(
            xml,
            "
  <memoryBacking>
    <hugepages>
      <page size='{}' unit='MiB'/>
    </hugepages>
    <source type='memfd'/>
    <allocation mode='immediate'/>
  </memoryBacking>",
            pages.mebibytes()
        );
    }
    processors(&mut xml, machine);
    boot(&mut xml, paths, machine)?;
    features(&mut xml, machine);
    xml += "\n  <devices>";
    devices::add(&mut xml, paths, machine)?;
    xml += "\n  </devices>";
    if !legion.extra_args.is_empty() {
        xml += "\n  <qemu:commandline>";
        for argument in &legion.extra_args {
            let _ = write!(xml, "\n    <qemu:arg value='{}'/>", escape(argument)?);
        }
        xml += "\n  </qemu:commandline>";
    }
    if legion.disk == DiskBus::Nvme {
        xml += NVME;
    }
    xml += "\n</domain>\n";
    Ok(xml)
}

fn processors(xml: &mut String, machine: &VirtualMachine<'_>) {
    let processors = &machine.processors;
    let thread = machine.legion.disk == DiskBus::Virtio;
    let _ = write!(xml, "\n  <vcpu placement='static'>{}</vcpu>", machine.legion.cpus.count());
    if thread {
        *xml += "\n  <iothreads>1</iothreads>";
    }
    let pinning = &processors.pinning;
    if !pinning.vcpus.is_empty() {
        *xml += "\n  <cputune>";
        for (number, cpu) in pinning.vcpus.iter().enumerate() {
            let _ = write!(xml, "\n    <vcpupin vcpu='{number}' cpuset='{cpu}'/>");
        }
        let mut rest = String::new();
        for cpu in &pinning.rest {
            let _ = write!(rest, "{}{cpu}", if rest.is_empty() { "" } else { "," });
        }
        let _ = write!(xml, "\n    <emulatorpin cpuset='{rest}'/>");
        if thread {
            let _ = write!(xml, "\n    <iothreadpin iothread='1' cpuset='{rest}'/>");
        }
        *xml += "\n  </cputune>";
    }
    let topology = processors.topology;
    let _ = write!(
        xml,
        "
  <cpu mode='host-passthrough' check='none'>
    <topology sockets='{}' dies='{}' cores='{}' threads='{}'/>",
        topology.sockets, topology.dies, topology.cores, topology.threads
    );
    if processors.host_caches {
        *xml += "\n    <cache mode='passthrough'/>";
    }
    if let Some(bits) = machine.address_bits {
        let _ = write!(xml, "\n    <maxphysaddr mode='passthrough' limit='{bits}'/>");
    }
    if processors.wants_topoext() {
        *xml += "\n    <feature policy='require' name='topoext'/>";
    }
    *xml += "\n  </cpu>";
}

fn boot(xml: &mut String, paths: &Paths, machine: &VirtualMachine<'_>) -> Result<()> {
    *xml += "\n  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>";
    if let Some(firmware) = &machine.firmware {
        // Raw is the default, and the only format that libvirt before 9.2 knows.
        let format = if firmware.format == ImageFormat::Raw { "" } else { " format='qcow2'" };
        let secure = if firmware.secure { " secure='yes'" } else { "" };
        let code = escape(&paths.at(&firmware.code).to_string_lossy())?;
        let variables = escape(&paths.at(machine.legion.slot.join("nvram.fd")).to_string_lossy())?;
        let _ = write!(xml, "\n    <loader readonly='yes'{secure} type='pflash'{format}>{code}</loader>\n    <nvram>{variables}</nvram>");
    }
    *xml += "\n  </os>";
    Ok(())
}

fn features(xml: &mut String, machine: &VirtualMachine<'_>) {
    *xml += "\n  <features>\n    <acpi/>\n    <apic/>";
    let is_windows = machine.legion.guest == Guest::Windows;
    if is_windows {
        *xml += HYPERV;
        *xml += if machine.processors.evmcs { "\n      <evmcs state='on'/>\n    </hyperv>" } else { "\n    </hyperv>" };
    }
    *xml += "\n    <vmport state='off'/>";
    if machine.firmware.as_ref().is_some_and(|firmware| firmware.secure) {
        *xml += "\n    <smm state='on'/>";
    }
    *xml += "\n  </features>";
    *xml += if is_windows { CLOCK_OF_WINDOWS } else { CLOCK_OF_LINUX };
    *xml += ENDS;
}

#[cfg(test)]
mod tests;
