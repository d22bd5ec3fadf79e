//! legion's way into a bridge of the host: a tap that root makes and QEMU, without any privilege, opens.

use crate::error::{Context, Error, Result};
use crate::paths::Paths;
use std::process::Command;

/// The tap's name.
pub const TAP: &str = "legion0";

/// Makes the tap for the user that QEMU runs as, and puts it into the bridge. A tap that is left over is made anew.
///
/// # Errors
/// When there is no such bridge, or iproute2's `ip` is missing or refuses.
pub fn attach(paths: &Paths, bridge: &str, user: u32) -> Result<()> {
    if !paths.network_interfaces().join(bridge).join("bridge").is_dir() {
        return Err(Error::new(format!("there is no bridge {bridge} for legion's network card"))
            .mend("set the bridge up on the host, or write `network = \"user\"` in the settings"));
    }
    detach(paths)?;
    ip(&["tuntap", "add", "dev", TAP, "mode", "tap", "user", &user.to_string()])?;
    ip(&["link", "set", "dev", TAP, "master", bridge, "up"])
}

/// Removes the tap; none is fine.
///
/// # Errors
/// When it is there and stays.
pub fn detach(paths: &Paths) -> Result<()> {
    if paths.network_interfaces().join(TAP).exists() { ip(&["link", "delete", "dev", TAP]) } else { Ok(()) }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let doing = || format!("running `ip {}`", arguments.join(" "));
    let output = Command::new("ip").args(arguments).output().doing(doing).map_err(|error| error.mend("install iproute2"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::because(doing(), String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn without_the_bridge_nothing_is_made() {
        let root = tempfile::tempdir().unwrap();
        let message = attach(&Paths::new(root.path(), None), "br0", 0).unwrap_err().to_string();
        assert!(message.contains("no bridge br0") && message.contains("mend: "), "{message}");
    }
}
