//! The test machine is what it claims to be, with either kind of initramfs.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::error::Result;
use persona_machine::{Artifacts, Hardware, ImageKind, Log, Machine, Scenario, address, trial};
use std::sync::OnceLock;

fn artifacts() -> &'static Artifacts {
    static ARTIFACTS: OnceLock<Artifacts> = OnceLock::new();
    ARTIFACTS.get_or_init(|| Artifacts::build(&Log::new("image")).unwrap_or_else(|error| panic!("{error}")))
}

/// The IOMMU group of every PCI function, as `address group` lines.
const GROUPS: &str = r#"for d in /sys/bus/pci/devices/*; do g=$(readlink $d/iommu_group); echo "${d##*/} ${g##*/}"; done"#;

/// The functions that share an IOMMU group with `address`.
fn companions(groups: &str, address: &str) -> Vec<String> {
    let rows: Vec<(&str, &str)> = groups.lines().filter_map(|line| line.split_once(' ')).collect();
    let group = rows.iter().find(|(device, _)| *device == address).map(|(_, group)| *group);
    let group = group.unwrap_or_else(|| panic!("{address} is not there:\n{groups}"));
    assert!(!group.is_empty(), "{address} is in no IOMMU group");
    rows.iter().filter(|(_, other)| *other == group).map(|(device, _)| (*device).to_owned()).collect()
}

fn boots(kind: ImageKind) -> Result<()> {
    let scenario =
        Scenario::new(kind.name()).image(kind).cmdline("persona=off").file("/etc/scenario", "here").script("touch /etc/script-ran");
    let mut machine = Machine::power_on(artifacts(), &Hardware::standard(), &scenario)?;
    machine.wait_for_ssh()?;
    assert_eq!(machine.ssh("cat /etc/hostname")?.trim(), "hypervisor");

    // What the reservation prevents, and `path.rs` shows not to happen.
    assert_eq!(machine.driver(address::CARD)?.as_deref(), Some("bochs-drm"), "persona=off leaves every device to its driver");
    assert!(machine.run("dmesg")?.contains("Initialized bochs-drm"), "the kernel log tells of the card's driver");

    let groups = machine.run(GROUPS)?;
    assert_eq!(companions(&groups, address::CARD), [address::CARD, address::CARD_AUDIO]);
    assert_eq!(companions(&groups, address::LEGION_USB), [address::LEGION_USB]);
    assert_eq!(companions(&groups, address::DISK), [address::DISK]);

    // udev finds the processor's virtualisation by itself, when it gets there.
    machine.wait_until("virtualisation for legion", "test -c /dev/kvm", std::time::Duration::from_secs(60))?;
    assert_eq!(machine.run("cat /etc/scenario; ls /etc/script-ran")?, "here/etc/script-ran\n");
    let keyboards = machine.run("grep -c 'QEMU USB Keyboard' /proc/bus/input/devices")?;
    assert_eq!(keyboards.trim(), "2");

    machine.run("echo kept > /etc/scenario; sync")?;
    machine.reset()?;
    machine.wait_for_reboot()?;
    assert_eq!(machine.run("cat /etc/scenario")?.trim(), "kept", "the scenario's files are put in place once only");
    Ok(())
}

#[test]
fn a_busybox_image_boots() {
    trial(|| boots(ImageKind::Busybox));
}

#[test]
fn a_systemd_image_boots() {
    trial(|| boots(ImageKind::Systemd));
}
