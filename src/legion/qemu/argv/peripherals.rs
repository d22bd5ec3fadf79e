//! Sockets, network card, display, sound and TPM.

use super::{Line, at, value};
use crate::config::GuestDisplay;
use crate::config::value::{Audio, Network};
use crate::legion::identity;
use crate::legion::network;
use crate::legion::virtual_machine::VirtualMachine;
use crate::sys::paths::Paths;

/// The name of the network card's peer.
pub(super) const NETWORK: &str = "network";

pub(super) fn sockets(line: &mut Line, paths: &Paths) {
    line.add("-chardev", format!("socket,id=qmp,path={},server=on,wait=off", value(paths.qmp_socket())));
    line.add("-mon", "chardev=qmp,mode=control");
    line.add("-chardev", format!("socket,id=agent,path={},server=on,wait=off", value(paths.guest_agent_socket())));
    line.add("-device", format!("virtio-serial-pci,id=serial,addr={}", at::SERIAL));
    line.add("-device", "virtserialport,bus=serial.0,chardev=agent,name=org.qemu.guest_agent.0");
}

/// Where the kernel cannot move packets itself (`vhost_net`), QEMU logs that and does it.
pub(super) fn network(line: &mut Line, machine: &VirtualMachine<'_>) {
    match &machine.legion.network {
        Network::None => return,
        Network::User => _ = line.add("-netdev", format!("user,id={NETWORK}")),
        // QEMU's own bridge helper needs extra privileges, which both the sandbox and the unit forbid.
        Network::Bridge(_) => {
            line.add("-netdev", format!("tap,id={NETWORK},ifname={},script=no,downscript=no,vhost=on", network::TAP));
        }
        // Only by a descriptor, which `connected` adds.
        Network::Macvtap(_) => {}
    }
    let mac = identity::mac(&machine.cartridge.name);
    // No boot ROM: it is a separate package on some distributions, and legion boots its cartridge.
    line.add("-device", format!("virtio-net-pci,netdev={NETWORK},mac={mac},romfile=,addr={}", at::NETWORK));
}

/// Keyboard and mouse of the emulated display are the chipset's PS/2 ones.
pub(super) fn display(line: &mut Line, paths: &Paths, display: GuestDisplay) {
    line.add("-display", "none").add("-vga", "none");
    if display == GuestDisplay::Vnc {
        line.add("-device", format!("VGA,addr={}", at::DISPLAY));
        line.add("-vnc", format!("unix:{}", value(paths.vnc_socket())));
    }
}

pub(super) fn sound(line: &mut Line, audio: &Audio) {
    let backend = match audio {
        Audio::None => return,
        Audio::Alsa(device) => format!("alsa,id=audio,out.dev={0},in.dev={0}", value(device)),
        Audio::Pulse(server) => format!("pa,id=audio,server={}", value(server)),
    };
    line.add("-audiodev", backend);
    line.add("-device", format!("ich9-intel-hda,id=sound,addr={}", at::SOUND)).add("-device", "hda-duplex,bus=sound.0,audiodev=audio");
}

pub(super) fn tpm(line: &mut Line, paths: &Paths) {
    line.add("-chardev", format!("socket,id=tpm-socket,path={}", value(paths.tpm_socket())));
    line.add("-tpmdev", "emulator,id=tpm,chardev=tpm-socket").add("-device", "tpm-crb,tpmdev=tpm");
}
