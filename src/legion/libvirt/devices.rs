//! The devices of legion's domain, at the same addresses as on the command line.

use super::escape::escape;
use crate::config::value::{Audio, Network};
use crate::config::{DiskBus, GuestDisplay};
use crate::error::Result;
use crate::legion::cartridge::DiskKind;
use crate::legion::identity;
use crate::legion::qemu::argv::at;
use crate::legion::virtual_machine::VirtualMachine;
use crate::sys::paths::Paths;
use std::fmt::Write as _;
use std::path::Path;

/// Guest agent and panic notifier, and none of libvirt's default devices. libvirt chooses the agent's socket: its QEMU runs as another
/// user, who may not write to Persona's folder.
const BASICS: &str = "
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <panic model='isa'/>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <controller type='pci' index='0' model='pcie-root'/>";

/// libvirt starts swtpm itself, and keeps its state with the domain.
const TPM: &str = "
    <!-- Its state is libvirt's own, whichever cartridge is in. From libvirt 10.10 on <source type='dir' path='.../tpm'/> inside
         the backend can have it in the slot. -->
    <tpm model='tpm-crb'>
      <backend type='emulator' version='2.0'/>
    </tpm>";

/// Adds all devices.
pub(super) fn add(xml: &mut String, paths: &Paths, machine: &VirtualMachine<'_>) -> Result<()> {
    disks(xml, paths, machine)?;
    network(xml, machine);
    let _ = write!(
        xml,
        "
    <rng model='virtio'>
      <backend model='builtin'/>
      <address type='pci' slot='{}'/>
    </rng>
    <controller type='virtio-serial' index='0'>
      <address type='pci' slot='{}'/>
    </controller>{BASICS}",
        at::RANDOM,
        at::SERIAL
    );
    display(xml, machine.legion.display);
    sound(xml, &machine.legion.audio)?;
    if machine.legion.tpm {
        *xml += TPM;
    }
    passthrough(xml, paths, machine)
}

/// A file of the machine as an attribute value.
fn file(paths: &Paths, file: &Path) -> Result<String> {
    escape(&paths.at(file).to_string_lossy())
}

/// The disk is opened through the slot: the inserted cartridge is what boots.
fn disks(xml: &mut String, paths: &Paths, machine: &VirtualMachine<'_>) -> Result<()> {
    let disk = machine.cartridge.disk;
    let (kind, source, format) = match disk.kind {
        DiskKind::Qcow2 => ("file", "file", "qcow2"),
        DiskKind::Raw => ("file", "file", "raw"),
        DiskKind::BlockDevice => ("block", "dev", "raw"),
    };
    let cache = if disk.direct { "cache='none' io='native'" } else { "cache='writeback' io='threads'" };
    let (thread, name) = match machine.legion.disk {
        DiskBus::Virtio => (" iothread='1'", ""),
        DiskBus::Nvme => ("", "\n      <alias name='ua-disk'/>"),
    };
    let _ = write!(
        xml,
        "
    <disk type='{kind}' device='disk'>
      <driver name='qemu' type='{format}' {cache} discard='unmap'{thread}/>
      <source {source}='{}'/>
      <backingStore/>
      <target dev='vda' bus='virtio'/>
      <serial>{}</serial>
      <boot order='1'/>{name}
      <address type='pci' slot='{}'/>
    </disk>",
        file(paths, &machine.legion.slot.join(disk.kind.file_name()))?,
        identity::serial(&machine.cartridge.name),
        at::DISK
    );
    if let Some(iso) = machine.iso {
        let _ = write!(
            xml,
            "
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='{}'/>
      <target dev='sda' bus='sata'/>
      <readonly/>
      <boot order='2'/>
    </disk>",
            file(paths, iso)?
        );
    }
    Ok(())
}

fn network(xml: &mut String, machine: &VirtualMachine<'_>) {
    // libvirt creates its own tap. The settings accept no character that needs escaping in XML.
    let (kind, source) = match &machine.legion.network {
        Network::None => return,
        Network::User => ("user", String::new()),
        Network::Macvtap(card) => ("direct", format!("\n      <source dev='{card}' mode='bridge'/>")),
        Network::Bridge(bridge) => ("bridge", format!("\n      <source bridge='{bridge}'/>")),
    };
    let _ = write!(
        xml,
        "
    <interface type='{kind}'>{source}
      <mac address='{}'/>
      <model type='virtio'/>
      <rom enabled='no'/>
      <address type='pci' slot='{}'/>
    </interface>",
        identity::mac(&machine.cartridge.name),
        at::NETWORK
    );
}

/// libvirt chooses VNC's socket, for the same reason as the agent's: `virsh domdisplay` shows it.
fn display(xml: &mut String, display: GuestDisplay) {
    match display {
        GuestDisplay::None => *xml += "\n    <video>\n      <model type='none'/>\n    </video>",
        GuestDisplay::Vnc => {
            let _ = write!(
                xml,
                "
    <graphics type='vnc'>
      <listen type='socket'/>
    </graphics>
    <video>
      <model type='vga'/>
      <address type='pci' slot='{}'/>
    </video>",
                at::DISPLAY
            );
        }
    }
}

fn sound(xml: &mut String, audio: &Audio) -> Result<()> {
    let _ = match audio {
        Audio::None => return Ok(()),
        Audio::Alsa(device) => {
            let device = escape(device)?;
            write!(xml, "\n    <audio id='1' type='alsa'>\n      <input dev='{device}'/>\n      <output dev='{device}'/>\n    </audio>")
        }
        Audio::Pulse(server) => write!(xml, "\n    <audio id='1' type='pulseaudio' serverName='{}'/>", escape(server)?),
    };
    let _ = write!(
        xml,
        "
    <sound model='ich9'>
      <codec type='duplex'/>
      <audio id='1'/>
      <address type='pci' slot='{}'/>
    </sound>",
        at::SOUND
    );
    Ok(())
}

/// Each slot of the host becomes one multifunction device behind its own root port, as on the command line.
fn passthrough(xml: &mut String, paths: &Paths, machine: &VirtualMachine<'_>) -> Result<()> {
    let mut functions = machine.devices.to_vec();
    functions.sort_unstable();
    functions.dedup();
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
      <address type='pci' bus='{number:#04x}' slot='0x0' function='{function:#x}'{}/>",
                host.domain,
                host.bus,
                host.device,
                host.function,
                multifunction(function == 0 && slot.len() > 1)
            );
            if let Some(entry) = machine.passthrough.iter().find(|entry| entry.device == *host) {
                let bar = match entry.rombar {
                    Some(true) => " bar='on'",
                    Some(false) => " bar='off'",
                    None => "",
                };
                let image = entry.romfile.as_ref().map_or(Ok(String::new()), |image| Ok(format!(" file='{}'", file(paths, image)?)))?;
                if !bar.is_empty() || !image.is_empty() {
                    let _ = write!(xml, "\n      <rom{bar}{image}/>");
                }
            }
            *xml += "\n    </hostdev>";
        }
    }
    Ok(())
}
