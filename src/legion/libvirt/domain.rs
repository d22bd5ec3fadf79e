//! legion as a libvirt domain: the machine of [`crate::legion::argv()`], element by element
//! (<https://libvirt.org/formatdomain.html>).

use super::escape::escape;
use crate::error::Result;
use crate::legion::argv::at;
use crate::legion::cartridge::DiskKind;
use crate::legion::firmware::ImageFormat;
use crate::legion::identity;
use crate::legion::machine::Machine;
use crate::paths::Paths;
use crate::pci::PciAddress;
use crate::settings::value::{Cpus, Network};
use crate::settings::{Guest, Legion};
use std::fmt::Write as _;

/// What stands above it. XML takes no two dashes side by side here.
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

/// Random numbers, guest agent and panics; and none of what libvirt adds unless it is told not to. The agent's socket is where
/// libvirt likes it: its QEMU runs as another user, who may not write to Persona's folder.
const BASICS: &str = "
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <panic model='isa'/>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <video>
      <model type='none'/>
    </video>
    <controller type='pci' index='0' model='pcie-root'/>";

/// The same enlightenments as on the command line; `hv-time` is a timer to libvirt.
const HYPERV: &str = "
    <hyperv mode='custom'>
      <relaxed state='on'/>
      <vapic state='on'/>
      <spinlocks state='on' retries='8191'/>
      <vpindex state='on'/>
      <runtime state='on'/>
      <synic state='on'/>
      <stimer state='on'/>
      <reset state='on'/>
      <frequencies state='on'/>
      <tlbflush state='on'/>
      <ipi state='on'/>
    </hyperv>";

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

/// Nobody could wake a machine whose keyboard sleeps with it.
const ENDS: &str = "
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <pm>
    <suspend-to-mem enabled='no'/>
    <suspend-to-disk enabled='no'/>
  </pm>";

const HUGEPAGES: &str = "
  <memoryBacking>
    <hugepages/>
    <source type='memfd'/>
    <allocation mode='immediate'/>
  </memoryBacking>";

/// A domain equal to the command line of the same inputs, but for what libvirt has its own way with: names of things inside
/// QEMU, sockets, and the tap of a bridge.
///
/// # Errors
/// When a path or argument has characters that XML cannot hold.
pub fn domain_xml(paths: &Paths, machine: &Machine<'_>) -> Result<String> {
    let legion = machine.legion;
    let mut parts = vec![COMMENT.to_owned(), head(machine)?];
    if legion.hugepages {
        parts.push(HUGEPAGES.into());
    }
    parts.push(processors(legion));
    parts.push(boot(paths, machine)?);
    let (enlightenments, clock) = match legion.guest {
        Guest::Linux => ("", CLOCK_OF_LINUX),
        Guest::Windows => (HYPERV, CLOCK_OF_WINDOWS),
    };
    parts.push(format!("\n  <features>\n    <acpi/>\n    <apic/>{enlightenments}\n    <vmport state='off'/>\n  </features>{clock}{ENDS}"));
    parts.push("\n  <devices>".into());
    parts.push(disk(paths, machine)?);
    parts.push(network(machine));
    parts.push(format!(
        "
    <rng model='virtio'>
      <backend model='builtin'/>
      <address type='pci' slot='{}'/>
    </rng>
    <controller type='virtio-serial' index='0'>
      <address type='pci' slot='{}'/>
    </controller>",
        at::RANDOM,
        at::SERIAL
    ));
    parts.push(BASICS.into());
    parts.push(passthrough(machine.devices));
    parts.push("\n  </devices>".into());
    parts.push(arguments(legion)?);
    parts.push("\n</domain>\n".into());
    Ok(parts.concat())
}

fn head(machine: &Machine<'_>) -> Result<String> {
    let legion = machine.legion;
    // The name under which libvirt takes arguments for QEMU as they are.
    let namespace = if legion.extra_args.is_empty() { "" } else { " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'" };
    Ok(format!(
        "<domain type='kvm'{namespace}>
  <name>{}</name>
  <uuid>{}</uuid>
  <memory unit='MiB' dumpCore='off'>{}</memory>",
        escape(&legion.domain)?,
        identity::uuid(&machine.cartridge.name),
        legion.memory.mebibytes()
    ))
}

fn processors(legion: &Legion) -> String {
    let count = legion.cpus.count();
    let mut xml = format!("\n  <vcpu placement='static'>{count}</vcpu>\n  <iothreads>1</iothreads>");
    if let Cpus::Pinned(host) = &legion.cpus {
        let all = host.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        xml += "\n  <cputune>";
        for (number, cpu) in host.iter().enumerate() {
            let _ = write!(xml, "\n    <vcpupin vcpu='{number}' cpuset='{cpu}'/>");
        }
        let _ = write!(xml, "\n    <emulatorpin cpuset='{all}'/>\n    <iothreadpin iothread='1' cpuset='{all}'/>\n  </cputune>");
    }
    let _ = write!(
        xml,
        "
  <cpu mode='host-passthrough' check='none'>
    <topology sockets='1' cores='{count}' threads='1'/>
  </cpu>"
    );
    xml
}

fn boot(paths: &Paths, machine: &Machine<'_>) -> Result<String> {
    let mut xml = "\n  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>".to_owned();
    if let Some(firmware) = &machine.firmware {
        // Raw is the default, and all that libvirt before 9.2 has a word for.
        let format = if firmware.format == ImageFormat::Raw { "" } else { " format='qcow2'" };
        let code = escape(&paths.at(&firmware.code).to_string_lossy())?;
        let variables = escape(&paths.at(machine.legion.slot.join("nvram.fd")).to_string_lossy())?;
        let _ = write!(xml, "\n    <loader readonly='yes' type='pflash'{format}>{code}</loader>\n    <nvram>{variables}</nvram>");
    }
    Ok(xml + "\n  </os>")
}

/// The disk is opened through the slot: what is inserted is what boots.
fn disk(paths: &Paths, machine: &Machine<'_>) -> Result<String> {
    let disk = machine.cartridge.disk;
    let file = escape(&paths.at(machine.legion.slot.join(disk.kind.file_name())).to_string_lossy())?;
    let (kind, source, format) = match disk.kind {
        DiskKind::Qcow2 => ("file", "file", "qcow2"),
        DiskKind::Raw => ("file", "file", "raw"),
        DiskKind::BlockDevice => ("block", "dev", "raw"),
    };
    let cache = if disk.direct { "cache='none' io='native'" } else { "cache='writeback' io='threads'" };
    Ok(format!(
        "
    <disk type='{kind}' device='disk'>
      <driver name='qemu' type='{format}' {cache} discard='unmap' iothread='1'/>
      <source {source}='{file}'/>
      <target dev='vda' bus='virtio'/>
      <boot order='1'/>
      <address type='pci' slot='{}'/>
    </disk>",
        at::DISK
    ))
}

fn network(machine: &Machine<'_>) -> String {
    let peer = match &machine.legion.network {
        Network::None => return String::new(),
        Network::User => "'user'>".to_owned(),
        // libvirt makes a tap of its own. The settings let no letter through that XML minds.
        Network::Macvtap(card) => format!("'direct'>\n      <source dev='{card}' mode='bridge'/>"),
        Network::Bridge(bridge) => format!("'bridge'>\n      <source bridge='{bridge}'/>"),
    };
    format!(
        "
    <interface type={peer}
      <mac address='{}'/>
      <model type='virtio'/>
      <rom enabled='no'/>
      <address type='pci' slot='{}'/>
    </interface>",
        identity::mac(&machine.cartridge.name),
        at::NETWORK
    )
}

/// Every slot of the host becomes one multifunction device behind a root port of its own, as on the command line.
fn passthrough(devices: &[PciAddress]) -> String {
    let mut functions = devices.to_vec();
    functions.sort_unstable();
    functions.dedup();
    let mut xml = String::new();
    let multifunction = |is_on| if is_on { " multifunction='on'" } else { "" };
    for (port, slot) in functions.chunk_by(|a, b| a.same_slot(*b)).enumerate() {
        let number = port + 1;
        let _ = write!(
            xml,
            "
    <controller type='pci' index='{number}' model='pcie-root-port'>
      <target chassis='{number}' port='{number}'/>
      <address type='pci' slot='{:#x}' function='{:#x}'{}/>
    </controller>",
            at::ROOT_PORTS + port / 8,
            port % 8,
            multifunction(port % 8 == 0)
        );
        for (function, host) in slot.iter().enumerate() {
            let _ = write!(
                xml,
                "
    <hostdev mode='subsystem' type='pci' managed='no'>
      <source>
        <address domain='{:#06x}' bus='{:#04x}' slot='{:#04x}' function='{:#x}'/>
      </source>
      <address type='pci' bus='{number:#04x}' slot='0x0' function='{function:#x}'{}/>
    </hostdev>",
                host.domain,
                host.bus,
                host.device,
                host.function,
                multifunction(function == 0 && slot.len() > 1)
            );
        }
    }
    xml
}

fn arguments(legion: &Legion) -> Result<String> {
    if legion.extra_args.is_empty() {
        return Ok(String::new());
    }
    let mut xml = "\n  <qemu:commandline>".to_owned();
    for argument in &legion.extra_args {
        let _ = write!(xml, "\n    <qemu:arg value='{}'/>", escape(argument)?);
    }
    Ok(xml + "\n  </qemu:commandline>")
}

#[cfg(test)]
#[path = "domain_tests.rs"]
mod tests;
