//! legion's access to the host's network: a tap or a macvtap that root creates and QEMU uses without privileges.

use crate::config::value::Network;
use crate::error::{Context, Error, Result};
use crate::legion::identity::mac;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::tree;
use nix::libc::O_NONBLOCK;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

/// The name of the tap or macvtap.
pub const TAP: &str = "legion0";

/// Creates the interface through which the unprivileged QEMU accesses the host's network: a tap in a bridge, or a macvtap with the address
/// of the cartridge's network card. Other networks need nothing. A leftover interface is recreated.
///
/// # Errors
/// When there is no such bridge or interface, or iproute2's `ip` is missing or fails.
pub fn attach(paths: &Paths, network: &Network, cartridge: &str, user: u32) -> Result<()> {
    let missing = |what: String| {
        Error::new(what).with_code("network-missing").with_hint("set it up on the host, or write `network = \"user\"` in the settings")
    };
    match network {
        Network::User | Network::None => Ok(()),
        Network::Bridge(bridge) => {
            if !paths.network_interfaces().join(bridge).join("bridge").is_dir() {
                return Err(missing(format!("there is no bridge {bridge} for legion's network card")));
            }
            detach(paths)?;
            ip(&["tuntap", "add", "dev", TAP, "mode", "tap", "user", &user.to_string()])?;
            ip(&["link", "set", "dev", TAP, "master", bridge, "up"])
        }
        Network::Macvtap(interface) => {
            if !paths.network_interfaces().join(interface).exists() {
                return Err(missing(format!("there is no network interface {interface} for legion's network card")));
            }
            detach(paths)?;
            // The macvtap receives packets by address: it must be the guest's.
            ip(&["link", "add", "link", interface, "name", TAP, "address", &mac(cartridge), "type", "macvtap", "mode", "bridge"])?;
            ip(&["link", "set", "dev", TAP, "up"])?;
            let node = node(paths)?;
            chown(tree::followed(&node), Some(user), None)
                .context(|| format!("changing the owner of {} to the user legion", node.display()))
        }
    }
}

/// Opens the macvtap for QEMU, which cannot open it itself.
///
/// # Errors
/// When `prepare` has not created it, or it was created for another user.
pub fn open(paths: &Paths) -> Result<File> {
    let node = node(paths)?;
    let open = OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open(&node);
    open.context(|| format!("opening legion's network card {}", node.display()))
}

/// The macvtap's node, named after the interface index (`drivers/net/macvtap.c`).
fn node(paths: &Paths) -> Result<PathBuf> {
    let file = paths.network_interfaces().join(TAP).join("ifindex");
    let index = file::read_text(&file).context(|| format!("reading the index of legion's network card from {}", file.display()))?;
    Ok(paths.tap(index.trim()))
}

/// Removes the tap; a missing one is fine.
///
/// # Errors
/// When it exists and cannot be removed.
pub fn detach(paths: &Paths) -> Result<()> {
    if paths.network_interfaces().join(TAP).exists() { ip(&["link", "delete", "dev", TAP]) } else { Ok(()) }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let doing = || format!("running `ip {}`", arguments.join(" "));
    let output = Command::new("ip").args(arguments).output().context(doing).map_err(|error| error.with_hint("install iproute2"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::caused_by(doing(), String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn without_the_hosts_side_nothing_is_made() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        for (network, name) in [("bridge:br0", "br0"), ("macvtap:eth0", "eth0")] {
            let error = attach(&paths, &network.parse().unwrap(), "a", 0).unwrap_err();
            assert!(error.code() == Some("network-missing") && error.reason().contains(name), "which: {error}");
        }
        attach(&paths, &Network::User, "a", 0).unwrap();
    }

    #[test]
    fn a_macvtap_is_opened_by_its_number() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        assert!(open(&paths).is_err());
        fs::create_dir_all(paths.network_interfaces().join(TAP)).unwrap();
        fs::write(paths.network_interfaces().join(TAP).join("ifindex"), "7\n").unwrap();
        assert!(open(&paths).unwrap_err().to_string().contains("/dev/tap7"));
        fs::create_dir_all(paths.at("/dev")).unwrap();
        fs::write(paths.at("/dev/tap7"), "").unwrap();
        open(&paths).unwrap();
    }
}
