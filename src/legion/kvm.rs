//! KVM: loads its module before QEMU needs it.
//!
//! udev loads the processor's module during coldplug, but an override starts legion as soon as the menu is up, which may be earlier.

use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long udev may take to give the node its group.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// Makes sure that `/dev/kvm` exists and is open to its group.
///
/// # Errors
/// When the processor does not support it, the firmware disables it, or there is no module for it.
pub fn ensure(paths: &Paths) -> Result<()> {
    let node = paths.kvm();
    if !node.exists() {
        let cpu = std::fs::read_to_string(paths.cpu_info()).context(|| "reading the processor's features".into())?;
        let module = module(&cpu).ok_or_else(|| {
            Error::new("this processor's virtualisation is missing or switched off")
                .with_hint("switch on SVM (AMD) or VT-x (Intel) in the firmware setup")
        })?;
        log::info!("loading {module}");
        let status = Command::new("modprobe").arg(module).status().context(|| format!("loading {module}"))?;
        if !status.success() || !node.exists() {
            return Err(Error::new(format!("there is no {} after loading {module} ({status})", node.display())).with_hint(format!(
                "see the kernel's messages: dmesg | grep {module}; virtualisation may be disabled in the firmware setup"
            )));
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while !group_may_open(&node)? {
        if Instant::now() >= deadline {
            // QEMU's own message follows if that matters.
            log::warn!("{} is not open to its group: udev has not set it up", node.display());
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn group_may_open(node: &std::path::Path) -> Result<bool> {
    let mode = std::fs::metadata(node).context(|| format!("looking at {}", node.display()))?.mode();
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
    use super::*;

    #[test]
    fn the_processor_decides_the_module() {
        assert_eq!(module("processor\t: 0\nflags\t\t: fpu svm nx\n"), Some("kvm_amd"));
        assert_eq!(module("flags\t\t: fpu vmx\nvmx flags\t: ept\n"), Some("kvm_intel"));
        assert_eq!(module("flags\t\t: fpu svm_lock\n"), None);
        assert_eq!(module(""), None);
    }
}
