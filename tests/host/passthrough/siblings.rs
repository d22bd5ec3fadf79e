//! What the host needs, in the ways that machines in use have it: each case is one machine, what of it must stay, and what is free.

use super::{Tree, listing, read};
use persona::passthrough::{Plan, PlanStage};

const DISK: &str = "pci0000:00/0000:01:00.0";
const SECOND: &str = "pci0000:00/0000:02:00.0";
const USB: &str = "pci0000:00/0000:03:00.0";
const NIC: &str = "pci0000:00/0000:04:00.0";
const OTHER_NIC: &str = "pci0000:00/0000:05:00.0";

const SATA: &str = "0000:02:00.0";
const CONTROLLER: &str = "0000:03:00.0";
const CARD: &str = "0000:05:00.0";

/// Disk controllers, a USB controller and network cards, without anything on them.
fn bare(build: impl FnOnce(&Tree)) -> (tempfile::TempDir, Tree) {
    super::build(|tree| {
        tree.pci(DISK, "144d:a808", 0x01_0802, Some(1), "nvme");
        tree.pci(SECOND, "1022:7901", 0x01_0601, Some(2), "ahci");
        tree.pci(USB, "1022:149c", 0x0c_0330, Some(3), "xhci_hcd");
        tree.pci(NIC, "8086:1539", 0x02_0000, Some(4), "igb");
        tree.pci(OTHER_NIC, "8086:1572", 0x02_0000, Some(5), "i40e");
        tree.nvme(DISK, 0, 3);
        tree.input("platform/i8042/serio0/input/input0", true);
        build(tree);
    })
}

/// The same with `/` on the NVMe disk, and the default route over the first network card.
fn installed(build: impl FnOnce(&Tree)) -> (tempfile::TempDir, Tree) {
    bare(|tree| {
        tree.mount("259:2", "/", "ext4", "/dev/nvme0n1p2");
        tree.interface("eno1", NIC);
        tree.default_route("eno1");
        build(tree);
    })
}

fn sata_disk(tree: &Tree) {
    tree.block(&format!("{SECOND}/ata1/host0/target0:0:0/0:0:0:0/block/sda"), "8:0");
    tree.block(&format!("{SECOND}/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1"), "8:1");
    tree.file(&format!("sys/devices/{SECOND}/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1/partition"), "1\n");
}

fn usb_disk(tree: &Tree) {
    let disk = format!("{USB}/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0/block/sdb");
    tree.block(&disk, "8:16");
    tree.block(&format!("{disk}/sdb1"), "8:17");
    tree.file(&format!("sys/devices/{disk}/sdb1/partition"), "1\n");
}

/// The codes of why a device stays; none if it is free.
fn refused(tree: &Tree, device: &str) -> Vec<&'static str> {
    let plan = Plan::new(&listing(&[device]), &read(tree), PlanStage::Launch);
    assert_eq!(plan.refused.is_empty(), !plan.bind.is_empty(), "{plan:#?}");
    plan.refused.iter().map(|refusal| refusal.code).collect()
}

/// A machine on which a device stays for this one reason, and others are free.
fn stays(name: &str, (_folder, tree): (tempfile::TempDir, Tree), device: &str, code: &str, free: &[&str]) {
    assert_eq!(refused(&tree, device), [code], "{name}");
    for device in free {
        assert_eq!(refused(&tree, device), Vec::<&str>::new(), "{name}: {device}");
    }
}

#[test]
fn disk_below_an_encryption_a_volume_or_an_array_stays() {
    let home = installed(|tree| {
        usb_disk(tree);
        tree.mapped(0, "home", &["sdb1"]);
        tree.mount("254:0", "/home", "ext4", "/dev/mapper/home");
    });
    stays("dm-crypt on a USB disk", home, CONTROLLER, "disk-used-by-host", &[SATA, CARD]);
    let volume = installed(|tree| {
        sata_disk(tree);
        tree.mapped(3, "data-srv", &["nvme0n1p3", "sda"]);
        tree.mount("254:3", "/srv", "xfs", "/dev/mapper/data-srv");
    });
    stays("LVM on two disks", volume, SATA, "disk-used-by-host", &[CONTROLLER]);
    let paths = installed(|tree| {
        sata_disk(tree);
        usb_disk(tree);
        tree.mapped(0, "mpatha", &["sda", "sdb"]);
        tree.mapped(1, "mpatha1", &["dm-0"]);
        tree.mount("254:1", "/srv", "ext4", "/dev/mapper/mpatha1");
    });
    stays("multipath", paths, CONTROLLER, "disk-used-by-host", &[CARD]);
    let unlocked = installed(|tree| {
        usb_disk(tree);
        tree.mapped(0, "backup", &["sdb1"]);
        let partition = format!("sys/devices/{USB}/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0/block/sdb/sdb1");
        tree.link(&format!("{partition}/holders/dm-0"), "sys/devices/virtual/block/dm-0");
    });
    stays("unlocked by crypttab, and not mounted", unlocked, CONTROLLER, "disk-used-by-host", &[SATA]);
    let locked = installed(|tree| {
        usb_disk(tree);
        tree.file("etc/crypttab", "backup UUID=0a1b none noauto\n");
    });
    assert_eq!(refused(&locked.1, CONTROLLER), Vec::<&str>::new(), "not unlocked");
}

#[test]
fn swap_stays_wherever_it_is_written_to() {
    let file = installed(|tree| {
        sata_disk(tree);
        usb_disk(tree);
        tree.btrfs("8c1f", &["sda1", "sdb1"]);
        tree.mount("0:44", "/swap", "btrfs", "/dev/sda1");
        tree.swap("/swap/file");
    });
    stays("a swap file on Btrfs of two disks", file, CONTROLLER, "disk-used-by-host", &[CARD]);
    let memory = |backing: &str| {
        installed(|tree| {
            sata_disk(tree);
            tree.block("virtual/block/zram0", "253:0");
            tree.file("sys/devices/virtual/block/zram0/backing_dev", format!("{backing}\n"));
            tree.swap("/dev/zram0");
        })
    };
    stays("zram with a disk behind it", memory("/dev/sda1"), SATA, "disk-used-by-host", &[CONTROLLER]);
    assert_eq!(refused(&memory("none").1, SATA), Vec::<&str>::new(), "zram in memory alone");
}

#[test]
fn card_of_the_default_route_stays_whatever_is_built_on_it() {
    let route = |build: &dyn Fn(&Tree)| {
        bare(|tree| {
            tree.mount("259:2", "/", "ext4", "/dev/nvme0n1p2");
            tree.interface("eno1", NIC);
            tree.interface("enp5s0", OTHER_NIC);
            build(tree);
        })
    };
    let layered = route(&|tree| {
        tree.interface_above("bond0", &["enp5s0"]);
        tree.interface_above("bond0.7", &["bond0"]);
        tree.bridge("br0", &["bond0.7"]);
        tree.default_route("br0");
    });
    stays("a bridge on a VLAN on a bond", layered, CARD, "network-used-by-host", &["0000:04:00.0"]);
    for kind in ["macvlan0", "team0", "ipvlan0"] {
        let above = route(&|tree| {
            tree.interface_above(kind, &["enp5s0"]);
            tree.default_route_v6(kind);
        });
        stays(kind, above, CARD, "network-used-by-host", &["0000:04:00.0"]);
    }
    for kind in ["wg0", "ppp0", "tun0"] {
        let tunnel = route(&|tree| {
            tree.interface(kind, "");
            tree.default_route(kind);
        });
        stays(kind, tunnel, CARD, "device-may-be-route", &[CONTROLLER]);
    }
}

#[test]
fn virtual_function_in_use_keeps_its_physical_one() {
    let machine = |route: &str| {
        bare(|tree| {
            tree.mount("259:2", "/", "ext4", "/dev/nvme0n1p2");
            for (number, group) in [(0, 20), (1, 21)] {
                let path = format!("pci0000:00/0000:05:02.{number}");
                tree.pci(&path, "8086:154c", 0x02_0000, Some(group), "iavf");
                tree.link(&format!("sys/devices/{path}/physfn"), &format!("sys/devices/{OTHER_NIC}"));
            }
            tree.interface("enp5s0", OTHER_NIC);
            tree.interface("enp5s0v0", "pci0000:00/0000:05:02.0");
            tree.interface("eno1", NIC);
            tree.default_route(route);
        })
    };
    stays("the route is on a virtual function", machine("enp5s0v0"), CARD, "network-used-by-host", &["0000:05:02.1", "0000:04:00.0"]);
    assert_eq!(refused(&machine("eno1").1, CARD), Vec::<&str>::new());
}

#[test]
fn root_on_another_machine_keeps_every_network_card() {
    let over = |build: &dyn Fn(&Tree)| {
        bare(|tree| {
            build(tree);
            tree.interface("eno1", NIC);
            tree.default_route("eno1");
            // The server may be here: an adapter on USB, and a card with no default route.
            tree.interface("enx0", &format!("{USB}/usb2/2-2/2-2:1.0"));
            tree.interface("enp5s0", OTHER_NIC);
        })
    };
    let nfs = over(&|tree| tree.mount("0:30", "/", "nfs4", "10.0.0.2:/roots/pc"));
    let iscsi = over(&|tree| {
        tree.block("platform/host7/session1/target7:0:0/7:0:0:0/block/sdc", "8:32");
        tree.mapped(0, "vg-root", &["sdc"]);
        tree.mount("254:0", "/", "ext4", "/dev/mapper/vg-root");
    });
    let nbd = over(&|tree| {
        tree.block("virtual/block/nbd0", "43:0");
        tree.mount("43:0", "/", "ext4", "/dev/nbd0");
    });
    for (name, (_folder, tree)) in [("NFS", nfs), ("iSCSI", iscsi), ("NBD", nbd)] {
        assert_eq!(refused(&tree, "0000:04:00.0"), ["network-used-by-host"], "{name}");
        for device in [CONTROLLER, CARD] {
            assert_eq!(refused(&tree, device), ["device-may-be-route"], "{name} {device}");
        }
        assert_eq!(refused(&tree, SATA), Vec::<&str>::new(), "{name}: no disk of this machine has anything of it");
    }
}

#[test]
fn boot_partition_that_is_mounted_on_demand_stays() {
    for source in ["UUID=0A1B-2C3D", "/dev/sda1", "PARTLABEL=\"EFI\\040disk\""] {
        let (_folder, tree) = installed(|tree| {
            sata_disk(tree);
            tree.file("dev/sda1", "");
            tree.link("dev/disk/by-uuid/0A1B-2C3D", "dev/sda1");
            tree.link("dev/disk/by-partlabel/EFI\\x20disk", "dev/sda1");
            tree.file(
                "etc/fstab",
                format!("# the boot partition\n{source} /boot vfat noauto,x-systemd.automount 0 2\n/dev/sdz1 /mnt/old ext4 noauto 0 0\n"),
            );
            tree.mount("0:40", "/boot", "autofs", "systemd-1");
        });
        assert_eq!(refused(&tree, SATA), ["disk-used-by-host"], "{source}");
        assert_eq!(refused(&tree, CONTROLLER), Vec::<&str>::new(), "{source}");
    }
    let (_folder, another_system) = installed(|tree| {
        sata_disk(tree);
        tree.file("etc/fstab", "/dev/sda1 /mnt/windows ntfs3 noauto,nofail,x-systemd.automount 0 0\n");
        tree.mount("0:41", "/mnt/windows", "autofs", "systemd-1");
    });
    assert_eq!(refused(&another_system, SATA), Vec::<&str>::new(), "a disk for data or another system");
    let (_folder, by_hand) = installed(|tree| {
        sata_disk(tree);
        tree.file("etc/fstab", "/dev/sda1 /mnt/games ext4 noauto 0 0\n");
    });
    assert_eq!(refused(&by_hand, SATA), Vec::<&str>::new(), "mounted by hand only, and not now");
}

#[test]
fn disk_behind_a_volume_management_device_keeps_that() {
    let vmd = "pci0000:00/0000:00:0e.0";
    let machine = bare(|tree| {
        tree.pci(vmd, "8086:467f", 0x01_0400, Some(9), "vmd");
        tree.block(&format!("{vmd}/pci10000:e0/10000:e0:06.0/10000:e1:00.0/nvme/nvme1/nvme1n1"), "259:9");
        tree.mount("259:9", "/", "ext4", "/dev/nvme1n1");
        tree.interface("eno1", NIC);
        tree.default_route("eno1");
    });
    stays("Intel VMD", machine, "0000:00:0e.0", "disk-used-by-host", &[SATA, CONTROLLER]);
}

#[test]
fn devices_of_a_dock_stay_one_by_one() {
    let dock = "pci0000:00/0000:00:07.0/0000:20:00.0";
    let build = |tree: &Tree| {
        tree.pci("pci0000:00/0000:00:07.0", "8086:9a23", 0x06_0400, Some(30), "pcieport");
        tree.pci(dock, "8086:15ef", 0x06_0400, Some(31), "pcieport");
        for (number, id, class, driver) in
            [(1, "8086:15f0", 0x0c_0330, "xhci_hcd"), (2, "144d:a80a", 0x01_0802, "nvme"), (4, "8086:15f2", 0x02_0000, "igc")]
        {
            tree.pci(&format!("{dock}/0000:21:0{number}.0"), "8086:15ef", 0x06_0400, Some(30 + number), "pcieport");
            tree.pci(&format!("{dock}/0000:21:0{number}.0/0000:2{}:00.0", number + 1), id, class, Some(40 + number), driver);
        }
        tree.interface("enx1", &format!("{dock}/0000:21:01.0/0000:22:00.0/usb6/6-1/6-1:2.0"));
        tree.block(&format!("{dock}/0000:21:02.0/0000:23:00.0/nvme/nvme4/nvme4n1"), "259:40");
    };
    let (usb, disk, card) = ("0000:22:00.0", "0000:23:00.0", "0000:25:00.0");
    let by_usb = bare(|tree| {
        build(tree);
        tree.mount("259:2", "/", "ext4", "/dev/nvme0n1p2");
        tree.default_route("enx1");
    });
    stays("the route is on the dock's USB", by_usb, usb, "network-used-by-host", &[disk, card]);
    let games = installed(|tree| {
        build(tree);
        tree.mount("259:40", "/home/anna/games", "ext4", "/dev/nvme4n1");
    });
    stays("a mounted disk in the dock", games, disk, "disk-used-by-host", &[usb, card]);
}

#[test]
fn root_that_is_not_mounted_yet_reserves_no_disk_and_no_card() {
    let (_folder, tree) = bare(|tree| {
        tree.file("proc/cmdline", "root=/dev/sda1 rw\n");
        tree.file("etc/initrd-release", "");
        tree.mount("0:2", "/", "rootfs", "rootfs");
        sata_disk(tree);
    });
    for device in [SATA, "0000:01:00.0", CARD] {
        let plan = Plan::new(&listing(&[device]), &read(&tree), PlanStage::Boot);
        assert!(plan.reserve.is_empty() && plan.steps.is_empty(), "{device}: {plan:#?}");
        assert!(!refused(&tree, device).is_empty(), "{device}");
    }
}
