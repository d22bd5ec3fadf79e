//! The kernel's own device events, as they happen: no udev, no settling (`netlink(7)`, `NETLINK_KOBJECT_UEVENT`).

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt, socket, sockopt::RcvBuf,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The multicast group of events from the kernel; group 2 is udev's.
const KERNEL_GROUP: u32 = 1;

/// A subscription to device events.
pub struct Uevents(OwnedFd);

/// The kinds of device that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// A graphics card or one of its outputs.
    pub graphics: bool,
    /// A keyboard or another input device.
    pub input: bool,
    /// The inputs of a plan: PCI devices, disks, network cards.
    pub machine: bool,
}

impl Uevents {
    /// Subscribes; existing devices are not reported, so subscribe first and scan then.
    ///
    /// # Errors
    /// The system call's.
    pub fn subscribe() -> nix::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, SockProtocol::NetlinkKObjectUEvent)?;
        // Coldplug comes in bursts of thousands; a lost event is noticed (ENOBUFS), but costs a scan.
        let _ = setsockopt(&socket, RcvBuf, &(1 << 20));
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self(socket))
    }

    /// What changed since the last call.
    pub fn changes(&self) -> Changes {
        let mut changes = Changes::default();
        let mut message = [0; 8192];
        loop {
            match recv(self.0.as_raw_fd(), &mut message, MsgFlags::empty()) {
                Ok(length) => changes.note(&message[..length]),
                // Events were lost: anything may have changed.
                Err(Errno::ENOBUFS) => changes = Changes { graphics: true, input: true, machine: true },
                Err(Errno::EINTR) => {}
                Err(_) => return changes,
            }
        }
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Changes {
    /// A message is `ACTION@DEVPATH` and then `KEY=VALUE` strings, all ended by NUL (lib/kobject_uevent.c). Coldplug makes the kernel
    /// repeat thousands of events; those are marked (`SYNTH_UUID`), and contain nothing new.
    pub fn note(&mut self, message: &[u8]) {
        if message.split(|&byte| byte == 0).any(|field| field.starts_with(b"SYNTH_UUID=")) {
            return;
        }
        for field in message.split(|&byte| byte == 0) {
            match field {
                b"SUBSYSTEM=drm" => self.graphics = true,
                b"SUBSYSTEM=input" => self.input = true,
                b"SUBSYSTEM=pci" | b"SUBSYSTEM=block" | b"SUBSYSTEM=net" => self.machine = true,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_subsystem_counts() {
        let mut changes = Changes::default();
        changes.note(b"add@/devices/x/SUBSYSTEM=drm\0ACTION=add\0SUBSYSTEM=input\0DEVNAME=input/event3\0");
        assert_eq!(changes, Changes { input: true, ..Changes::default() });
        changes.note(b"change@/devices/y\0SUBSYSTEM=drm\0HOTPLUG=1");
        assert_eq!(changes, Changes { graphics: true, input: true, machine: false });
        changes.note(b"\xff\xfe");
        let mut changes = Changes::default();
        changes.note(b"add@/devices/z\0ACTION=add\0SUBSYSTEM=drm\0SYNTH_UUID=0\0SEQNUM=9\0");
        assert_eq!(changes, Changes::default(), "udev asked for it");
    }
}
