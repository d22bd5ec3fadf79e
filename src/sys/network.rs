//! How the host can be reached: its default routes, its addresses, and notifications of changes (`rtnetlink(7)`).

use crate::error::Result;
use crate::sys::file;
use crate::sys::paths::Paths;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR` and `RTMGRP_IPV6_ROUTE` of linux/rtnetlink.h.
const ADDRESSES_AND_ROUTES: u32 = 0x10 | 0x40 | 0x100 | 0x400;

/// A subscription to changes of addresses and routes.
pub struct AddressChanges(OwnedFd);

impl AddressChanges {
    /// Subscribes; subscribe first and read the state then.
    ///
    /// # Errors
    /// The system call's.
    pub fn subscribe() -> nix::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, ADDRESSES_AND_ROUTES))?;
        Ok(Self(socket))
    }

    /// Discards the pending notifications: the caller reads the state itself.
    pub fn drain(&self) {
        let mut message = [0; 8192];
        loop {
            match recv(self.0.as_raw_fd(), &mut message, MsgFlags::empty()) {
                // Lost messages (ENOBUFS) count as changes.
                Ok(_) | Err(Errno::EINTR | Errno::ENOBUFS) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for AddressChanges {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The address by which this host can be reached, if it has one yet.
pub fn address(paths: &Paths) -> Option<IpAddr> {
    let usable = getifaddrs().ok()?.filter(|entry| entry.flags.contains(InterfaceFlags::IFF_UP));
    let addresses = usable.filter_map(|entry| {
        let storage = entry.address?;
        let v4 = storage.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
        let address = v4.or_else(|| storage.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())))?;
        Some((entry.interface_name, address))
    });
    let routes = default_interfaces(paths).unwrap_or_default();
    best(addresses, |interface| routes.contains(interface))
}

/// The interfaces of all default routes, IPv4 and IPv6, without reject routes.
///
/// # Errors
/// When there is a table that cannot be read.
pub fn default_interfaces(paths: &Paths) -> Result<BTreeSet<String>> {
    const REJECT: u32 = 0x200;
    let leads_out = |flags: &str| u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 != 0 && flags & REJECT == 0);
    let zero = |digits: &str| digits.bytes().all(|digit| digit == b'0');
    let mut found = BTreeSet::new();
    for line in file::read_text_if_there(&paths.routes())?.unwrap_or_default().lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [interface, destination, _, flags, _, _, _, mask, ..] = fields[..]
            && (zero(destination) && zero(mask) && leads_out(flags))
        {
            found.insert(interface.to_owned());
        }
    }
    for line in file::read_text_if_there(&paths.routes_v6())?.unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [destination, length, _, _, _, _, _, _, flags, interface] = fields[..]
            && (zero(destination) && length == "00" && leads_out(flags) && interface != "lo")
        {
            found.insert(interface.to_owned());
        }
    }
    Ok(found)
}

/// The address on the interface of a default route, IPv4 before IPv6; never a loopback or link-local one.
fn best(addresses: impl Iterator<Item = (String, IpAddr)>, has_default_route: impl Fn(&str) -> bool) -> Option<IpAddr> {
    let is_known_elsewhere = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local() && !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local() && !address.is_unspecified(),
    };
    addresses
        .filter(|(_, address)| is_known_elsewhere(address))
        .min_by_key(|(interface, address)| (!has_default_route(interface), address.is_ipv6()))
        .map(|(_, address)| address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(addresses: &[(&str, &str)]) -> Option<String> {
        let addresses = addresses.iter().map(|(interface, address)| ((*interface).to_owned(), address.parse().unwrap()));
        best(addresses, |interface| interface == "enp6s0").map(|address| address.to_string())
    }

    #[test]
    fn the_address_of_the_default_route_is_told() {
        let all = [("lo", "127.0.0.1"), ("virbr0", "192.168.122.1"), ("enp6s0", "fd00::2"), ("enp6s0", "192.168.1.20")];
        assert_eq!(of(&all).as_deref(), Some("192.168.1.20"));
        assert_eq!(of(&all[..3]).as_deref(), Some("fd00::2"));
        assert_eq!(of(&all[..2]).as_deref(), Some("192.168.122.1"), "better than none");
    }

    #[test]
    fn addresses_that_nobody_else_knows_are_none() {
        assert_eq!(of(&[("lo", "127.0.0.1"), ("lo", "::1"), ("enp6s0", "fe80::1"), ("enp6s0", "169.254.3.4")]), None);
    }

    #[test]
    fn a_default_route_is_one_to_everywhere() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        std::fs::create_dir_all(paths.routes().parent().unwrap()).unwrap();
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                     eno1\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                     eno2\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        std::fs::write(paths.routes(), table).unwrap();
        assert_eq!(default_interfaces(&paths).unwrap(), BTreeSet::from(["eno1".to_owned()]));
    }
}
