//! KVM: loads its module before QEMU needs it.
//!
//! udev loads the processor's module during coldplug, but an override starts legion as soon as the menu is up, which may be earlier.

use crate::error::{Context, Error, Result};
use crate::sys::account::group_id;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::poll;
use crate::sys::tree;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The group that may use KVM, by udev's default rules; `legion.service` is in it.
pub(super) const GROUP: &str = "kvm";
/// How long udev may take to open the node where there is no such group.
const UDEV_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes sure that `/dev/kvm` exists and is open to its group.
///
/// # Errors
/// When the processor does not support it, the firmware disables it, or there is no module for it.
pub fn ensure(paths: &Paths) -> Result<()> {
    let node = paths.kvm();
    if !node.exists() {
        let cpu = file::read_text(paths.cpu_info()).context(|| "reading the processor's features".into())?;
        let module = module(&cpu).ok_or_else(unsupported)?;
        log::info!("loading {module}");
        let status = Command::new("modprobe").arg(module).status().context(|| format!("loading {module}"))?;
        if !status.success() || !node.exists() {
            return Err(Error::new(format!("there is no {} after loading {module} ({status})", node.display())).with_hint(format!(
                "see the kernel's messages: dmesg | grep {module}; virtualisation may be disabled in the firmware setup"
            )));
        }
    }
    if group_may_open(&node)? {
        return Ok(());
    }
    // udev is busy with all other devices when a machine boots into legion. Its rule does the same, whenever it comes to that.
    if let Some(group) = group_id(paths, GROUP) {
        log::info!("opening {} to the group {GROUP}, as udev has not done it yet", node.display());
        return open_to(&node, group);
    }
    if poll::until(UDEV_TIMEOUT, || group_may_open(&node).ok().filter(|may| *may)).is_none() {
        // QEMU's own message follows if that matters.
        log::warn!("{} is not open to its group: udev has not set it up", node.display());
    }
    Ok(())
}

/// Checks that KVM is there, or that the processor supports it. Changes nothing.
///
/// # Errors
/// When the processor's features are known and virtualisation is not among them.
pub fn ensure_supported(paths: &Paths) -> Result<()> {
    if paths.kvm().exists() {
        return Ok(());
    }
    let cpu = file::read_text(paths.cpu_info()).unwrap_or_default();
    let is_known = cpu.lines().any(|line| line.starts_with("flags"));
    if is_known && module(&cpu).is_none() { Err(unsupported()) } else { Ok(()) }
}

fn unsupported() -> Error {
    Error::new("this processor's virtualisation is missing or switched off")
        .with_code("kvm-missing")
        .with_hint("switch on SVM (AMD) or VT-x (Intel) in the firmware setup")
}

/// As udev's default rules do it (`50-udev-default.rules`). The owner comes first: the mode must not let another group in.
fn open_to(node: &Path, group: u32) -> Result<()> {
    let node = &tree::followed(node);
    let doing = || format!("opening {} to the group {GROUP}", node.display());
    chown(node, None, Some(group)).context(doing)?;
    fs::set_permissions(node, fs::Permissions::from_mode(0o660)).context(doing)
}

fn group_may_open(node: &Path) -> Result<bool> {
    let mode = fs::metadata(node).context(|| format!("looking at {}", node.display()))?.mode();
    Ok(mode & 0o060 == 0o060)
}

/// The module for a processor with these `/proc/cpuinfo` flags.
pub(crate) fn module(cpu_info: &str) -> Option<&'static str> {
    let flags = cpu_info.lines().find(|line| line.starts_with("flags"))?;
    flags.split_whitespace().find_map(|flag| match flag {
        "svm" => Some("kvm_amd"),
        "vmx" => Some("kvm_intel"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn node_that_udev_has_not_opened_is_opened_to_the_group() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let group = fs::metadata(root.path()).unwrap().gid();
        for folder in ["dev", "etc"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(paths.groups(), format!("root:x:0:\nkvmish:x:7:\nkvm:x:{group}:legion\n")).unwrap();
        fs::write(paths.kvm(), "").unwrap();
        fs::set_permissions(paths.kvm(), fs::Permissions::from_mode(0o600)).unwrap();
        ensure(&paths).unwrap();
        let node = fs::metadata(paths.kvm()).unwrap();
        assert_eq!((node.mode() & 0o777, node.gid()), (0o660, group));
    }

    #[test]
    fn node_that_is_open_is_left_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        fs::create_dir(root.path().join("dev")).unwrap();
        fs::write(paths.kvm(), "").unwrap();
        fs::set_permissions(paths.kvm(), fs::Permissions::from_mode(0o666)).unwrap();
        ensure(&paths).unwrap();
        assert_eq!(fs::metadata(paths.kvm()).unwrap().mode() & 0o777, 0o666);
    }

    #[test]
    fn the_processor_decides_the_module() {
        assert_eq!(module("processor\t: 0\nflags\t\t: fpu svm nx\n"), Some("kvm_amd"));
        assert_eq!(module("flags\t\t: fpu vmx\nvmx flags\t: ept\n"), Some("kvm_intel"));
        assert_eq!(module("flags\t\t: fpu svm_lock\n"), None);
        assert_eq!(module(""), None);
    }
}
