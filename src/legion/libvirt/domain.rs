//! legion as a libvirt domain: the machine of [`crate::legion::argv()`], element by element
//! (<https://libvirt.org/formatdomain.html>).

use super::write::Writer;
use crate::error::Result;
use crate::legion::argv::{Machine, at};
use crate::legion::cartridge::DiskKind;
use crate::legion::firmware::ImageFormat;
use crate::legion::identity;
use crate::paths::Paths;
use crate::settings::value::{Cpus, Network};
use crate::settings::{Guest, Legion};
use std::path::Path;

const COMMENT: &str = "  The machine that Persona's command line for QEMU makes, as a libvirt domain.

  Keep it:       persona export libvirt NAME > legion.xml
  Make it known: virsh -c qemu:///system define legion.xml
  Tune it:       virsh -c qemu:///system edit legion
  Run it from the menu: backend = \"libvirt\" in persona.toml, and the user legion in the group libvirt.

  The disk is opened through the slot, so that the chosen cartridge is what boots. `persona prepare` binds the devices
  before the start, and `persona release` gives them back: that is why every hostdev is managed='no'.
";

/// The `xmlns:qemu` under which libvirt takes arguments for QEMU as they are.
const QEMU_NAMESPACE: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// A domain equal to the command line of the same inputs, but for what libvirt has its own way with: names of things inside
/// QEMU, sockets, and the tap of a bridge.
///
/// # Errors
/// When a path or argument has characters that XML cannot hold.
pub fn domain_xml(paths: &Paths, machine: &Machine<'_>) -> Result<String> {
    let legion = machine.legion;
    let mut xml = Writer::default();
    if legion.extra_args.is_empty() {
        xml.open("domain", &[("type", "kvm")]);
    } else {
        xml.open("domain", &[("type", "kvm"), ("xmlns:qemu", QEMU_NAMESPACE)]);
    }
    xml.text("name", &[], &legion.domain);
    xml.text("uuid", &[], &identity::uuid(&machine.cartridge.name));
    memory(&mut xml, legion);
    processors(&mut xml, legion);
    boot(&mut xml, paths, machine);
    features(&mut xml, legion.guest);
    clock(&mut xml, legion.guest);
    xml.text("on_poweroff", &[], "destroy").text("on_reboot", &[], "restart").text("on_crash", &[], "destroy");
    // Nobody could wake a machine whose keyboard sleeps with it.
    xml.open("pm", &[]).leaf("suspend-to-mem", &[("enabled", "no")]).leaf("suspend-to-disk", &[("enabled", "no")]).close();
    xml.open("devices", &[]);
    disk(&mut xml, paths, machine);
    network(&mut xml, machine);
    basics(&mut xml);
    passthrough(&mut xml, machine);
    xml.close();
    if !legion.extra_args.is_empty() {
        xml.open("qemu:commandline", &[]);
        for argument in &legion.extra_args {
            xml.leaf("qemu:arg", &[("value", argument)]);
        }
    }
    xml.finish(COMMENT)
}

fn memory(xml: &mut Writer, legion: &Legion) {
    xml.text("memory", &[("unit", "MiB"), ("dumpCore", "off")], &legion.memory.mebibytes().to_string());
    if legion.hugepages {
        xml.open("memoryBacking", &[]).leaf("hugepages", &[]);
        xml.leaf("source", &[("type", "memfd")]).leaf("allocation", &[("mode", "immediate")]).close();
    }
}

fn processors(xml: &mut Writer, legion: &Legion) {
    let count = legion.cpus.count().to_string();
    xml.text("vcpu", &[("placement", "static")], &count);
    xml.text("iothreads", &[], "1");
    if let Cpus::Pinned(host) = &legion.cpus {
        let all: Vec<_> = host.iter().map(u16::to_string).collect();
        xml.open("cputune", &[]);
        for (number, cpu) in all.iter().enumerate() {
            xml.leaf("vcpupin", &[("vcpu", &number.to_string()), ("cpuset", cpu)]);
        }
        xml.leaf("emulatorpin", &[("cpuset", &all.join(","))]);
        xml.leaf("iothreadpin", &[("iothread", "1"), ("cpuset", &all.join(","))]).close();
    }
    xml.open("cpu", &[("mode", "host-passthrough"), ("check", "none")]);
    xml.leaf("topology", &[("sockets", "1"), ("cores", &count), ("threads", "1")]).close();
}

fn boot(xml: &mut Writer, paths: &Paths, machine: &Machine<'_>) {
    xml.open("os", &[]).text("type", &[("arch", "x86_64"), ("machine", "q35")], "hvm");
    if let Some(firmware) = machine.firmware {
        let mut attributes = vec![("readonly", "yes"), ("type", "pflash")];
        // Raw is the default, and all that libvirt before 9.2 has a word for.
        if firmware.format != ImageFormat::Raw {
            attributes.push(("format", firmware.format.driver()));
        }
        xml.text("loader", &attributes, &text(paths.at(&firmware.code)));
        xml.text("nvram", &[], &text(paths.at(machine.legion.slot.join("nvram.fd"))));
    }
    xml.close();
}

/// The same enlightenments as on the command line; `hv-time` is a timer to libvirt.
fn features(xml: &mut Writer, guest: Guest) {
    xml.open("features", &[]).leaf("acpi", &[]).leaf("apic", &[]);
    if guest == Guest::Windows {
        xml.open("hyperv", &[("mode", "custom")]);
        for on in ["relaxed", "vapic"] {
            xml.leaf(on, &[("state", "on")]);
        }
        xml.leaf("spinlocks", &[("state", "on"), ("retries", "8191")]);
        for on in ["vpindex", "runtime", "synic", "stimer", "reset", "frequencies", "tlbflush", "ipi"] {
            xml.leaf(on, &[("state", "on")]);
        }
        xml.close();
    }
    xml.leaf("vmport", &[("state", "off")]).close();
}

fn clock(xml: &mut Writer, guest: Guest) {
    match guest {
        Guest::Linux => {
            xml.open("clock", &[("offset", "utc")]).leaf("timer", &[("name", "hpet"), ("present", "yes")]);
        }
        Guest::Windows => {
            xml.open("clock", &[("offset", "localtime")]).leaf("timer", &[("name", "rtc"), ("tickpolicy", "catchup")]);
            xml.leaf("timer", &[("name", "hpet"), ("present", "no")]);
            xml.leaf("timer", &[("name", "hypervclock"), ("present", "yes")]);
        }
    }
    xml.close();
}

/// The disk is opened through the slot: what is inserted is what boots.
fn disk(xml: &mut Writer, paths: &Paths, machine: &Machine<'_>) {
    let disk = machine.cartridge.disk;
    let file = text(paths.at(machine.legion.slot.join(disk.kind.file_name())));
    let (kind, source, format) = match disk.kind {
        DiskKind::Qcow2 => ("file", "file", "qcow2"),
        DiskKind::Raw => ("file", "file", "raw"),
        DiskKind::BlockDevice => ("block", "dev", "raw"),
    };
    let (cache, io) = if disk.direct { ("none", "native") } else { ("writeback", "threads") };
    xml.open("disk", &[("type", kind), ("device", "disk")]);
    xml.leaf("driver", &[("name", "qemu"), ("type", format), ("cache", cache), ("io", io), ("discard", "unmap"), ("iothread", "1")]);
    xml.leaf("source", &[(source, &file)]).leaf("target", &[("dev", "vda"), ("bus", "virtio")]).leaf("boot", &[("order", "1")]);
    on_root_bus(xml, at::DISK);
    xml.close();
}

fn network(xml: &mut Writer, machine: &Machine<'_>) {
    match &machine.legion.network {
        Network::None => return,
        Network::User => xml.open("interface", &[("type", "user")]),
        // libvirt makes a tap of its own.
        Network::Bridge(bridge) => xml.open("interface", &[("type", "bridge")]).leaf("source", &[("bridge", bridge)]),
    };
    xml.leaf("mac", &[("address", &identity::mac(&machine.cartridge.name))]).leaf("model", &[("type", "virtio")]);
    xml.leaf("rom", &[("enabled", "no")]);
    on_root_bus(xml, at::NETWORK);
    xml.close();
}

/// Random numbers, guest agent and panics; and none of what libvirt adds unless it is told not to.
fn basics(xml: &mut Writer) {
    xml.open("controller", &[("type", "virtio-serial"), ("index", "0")]);
    on_root_bus(xml, at::SERIAL);
    xml.close();
    // Without a path of ours: libvirt's QEMU runs as another user, who may not write to Persona's folder.
    xml.open("channel", &[("type", "unix")]).leaf("target", &[("type", "virtio"), ("name", "org.qemu.guest_agent.0")]).close();
    xml.open("rng", &[("model", "virtio")]).text("backend", &[("model", "builtin")], "");
    on_root_bus(xml, at::RANDOM);
    xml.close();
    xml.leaf("panic", &[("model", "isa")]);
    xml.leaf("controller", &[("type", "usb"), ("model", "none")]);
    xml.leaf("memballoon", &[("model", "none")]);
    xml.open("video", &[]).leaf("model", &[("type", "none")]).close();
}

/// Every slot of the host becomes one multifunction device behind a root port of its own, as on the command line.
fn passthrough(xml: &mut Writer, machine: &Machine<'_>) {
    let mut functions = machine.devices.to_vec();
    functions.sort_unstable();
    functions.dedup();
    xml.leaf("controller", &[("type", "pci"), ("index", "0"), ("model", "pcie-root")]);
    for (port, slot) in functions.chunk_by(|a, b| a.same_slot(*b)).enumerate() {
        let number = (port + 1).to_string();
        xml.open("controller", &[("type", "pci"), ("index", &number), ("model", "pcie-root-port")]);
        xml.leaf("target", &[("chassis", &number), ("port", &number)]);
        let place = Place { bus: 0, slot: at::ROOT_PORTS + port / 8, function: port % 8, several: port.is_multiple_of(8) };
        place.write(xml);
        xml.close();
        for (function, host) in slot.iter().enumerate() {
            xml.open("hostdev", &[("mode", "subsystem"), ("type", "pci"), ("managed", "no")]).open("source", &[]);
            let [domain, bus, device] = [format!("{:#06x}", host.domain), format!("{:#04x}", host.bus), format!("{:#04x}", host.device)];
            let source = [("domain", &*domain), ("bus", &bus), ("slot", &device), ("function", &format!("{:#x}", host.function))];
            xml.leaf("address", &source).close();
            Place { bus: port + 1, slot: 0, function, several: function == 0 && slot.len() > 1 }.write(xml);
            xml.close();
        }
    }
}

/// A PCI address in the guest.
struct Place {
    bus: usize,
    slot: usize,
    function: usize,
    /// Whether the guest is to look for further functions.
    several: bool,
}

impl Place {
    fn write(&self, xml: &mut Writer) {
        let [bus, slot] = [self.bus, self.slot].map(|number| format!("{number:#04x}"));
        let function = format!("{:#x}", self.function);
        let multifunction = if self.several { "on" } else { "off" };
        xml.leaf(
            "address",
            &[
                ("type", "pci"),
                ("domain", "0x0000"),
                ("bus", &bus),
                ("slot", &slot),
                ("function", &function),
                ("multifunction", multifunction),
            ],
        );
    }
}

fn on_root_bus(xml: &mut Writer, slot: &str) {
    xml.leaf("address", &[("type", "pci"), ("domain", "0x0000"), ("bus", "0x00"), ("slot", slot), ("function", "0x0")]);
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

#[cfg(test)]
#[path = "domain_tests.rs"]
mod tests;
