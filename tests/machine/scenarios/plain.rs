//! The test machine is what it claims to be, with either kind of initramfs, and `persona=off` leaves it alone.

use crate::common::nothing_is_chosen;
use persona::error::Result;
use persona_machine::{Artifacts, Hardware, ImageKind, Machine, STEP, Scenario, address};

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

pub(crate) fn boots(artifacts: &Artifacts, kind: ImageKind) -> Result<()> {
    let scenario = Scenario::new(format!("plain-{}", kind.name()))
        .image(kind)
        .cmdline("persona=off")
        .file("/etc/scenario", "here")
        .script("touch /etc/script-ran");
    let mut machine = Machine::power_on(artifacts, &Hardware::small(), &scenario)?;
    machine.wait_for_ssh()?;
    assert_eq!(machine.ssh("cat /etc/hostname")?.trim(), "hypervisor");

    // What the reservation prevents, and `pick` shows not to happen.
    machine.wait_until("the card has its own driver", &format!("readlink /sys/bus/pci/devices/{}/driver", address::CARD), STEP)?;
    assert_eq!(machine.driver(address::CARD)?.as_deref(), Some("bochs-drm"), "persona=off leaves every device to its driver");
    assert_eq!(machine.run("cat /sys/bus/pci/devices/*/driver_override | sort -u")?.trim(), "(null)", "nothing is reserved");
    machine.run("! pgrep -f '[p]ersona menu'")?;
    nothing_is_chosen(&mut machine)?;

    let groups = machine.run(GROUPS)?;
    assert_eq!(companions(&groups, address::CARD), [address::CARD, address::CARD_AUDIO]);
    assert_eq!(companions(&groups, address::LEGION_USB), [address::LEGION_USB]);
    assert_eq!(companions(&groups, address::DISK), [address::DISK]);

    // udev finds the processor's virtualisation by itself, when it gets there.
    machine.wait_until("virtualisation for legion", "test -c /dev/kvm", STEP)?;
    assert_eq!(machine.run("cat /etc/scenario; ls /etc/script-ran")?, "here/etc/script-ran\n");
    let keyboards = machine.run("grep -c 'QEMU USB Keyboard' /proc/bus/input/devices")?;
    assert_eq!(keyboards.trim(), "2");
    // What the test machine is to stand for.
    let versions = artifacts.versions()?;
    assert_eq!(machine.run("uname -r")?.trim(), versions.kernel);
    Ok(())
}
