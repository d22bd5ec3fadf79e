//! Which devices the host is found to need.

use super::{Tree, at, read};
use persona::passthrough::{HostUse, Machine};

const DISK: &str = "pci0000:00/0000:01:00.0";
const SECOND: &str = "pci0000:00/0000:02:00.0";
const USB: &str = "pci0000:00/0000:03:00.0";
const NIC: &str = "pci0000:00/0000:04:00.0";

/// Two disk controllers, a USB controller and a network card.
fn machine(build: impl FnOnce(&Tree)) -> Machine {
    let (_folder, tree) = super::build(|_| ());
    tree.pci(DISK, "144d:a808", 0x010802, Some(1), "nvme");
    tree.pci(SECOND, "1022:7901", 0x010601, Some(2), "ahci");
    tree.pci(USB, "1022:149c", 0x0c0330, Some(3), "xhci_hcd");
    tree.pci(NIC, "8086:1539", 0x020000, Some(4), "igb");
    build(&tree);
    read(&tree)
}

fn holders(machine: &Machine) -> Vec<(String, String)> {
    let duties = machine.functions.values().flat_map(|function| function.duties.iter().map(|duty| (function.address, duty)));
    duties.map(|(address, duty)| (address.to_string(), duty.to_string())).collect()
}

fn root_on(devices: &[&str]) -> Vec<(String, String)> {
    devices.iter().map(|device| ((*device).to_owned(), "holds the file system at /".to_owned())).collect()
}

#[test]
fn root_on_encrypted_lvm_over_a_mirror() {
    let machine = machine(|tree| {
        tree.block(&format!("{DISK}/nvme/nvme0/nvme0n1"), "259:0");
        tree.block(&format!("{SECOND}/ata1/host0/target0:0:0/0:0:0:0/block/sda"), "8:0");
        for (name, number, below) in [("md0", "9:0", "nvme0n1"), ("dm-0", "254:0", "md0"), ("dm-1", "254:1", "dm-0")] {
            tree.block(&format!("virtual/block/{name}"), number);
            tree.file(&format!("sys/devices/virtual/block/{name}/slaves/.keep"), "");
            let target = match below {
                "nvme0n1" => format!("sys/devices/{DISK}/nvme/nvme0/nvme0n1"),
                below => format!("sys/devices/virtual/block/{below}"),
            };
            tree.link(&format!("sys/devices/virtual/block/{name}/slaves/{below}"), &target);
        }
        let sda = format!("sys/devices/{SECOND}/ata1/host0/target0:0:0/0:0:0:0/block/sda");
        tree.link("sys/devices/virtual/block/md0/slaves/sda", &sda);
        tree.mount("254:1", "/", "ext4", "/dev/mapper/vg-root");
    });
    assert_eq!(holders(&machine), root_on(&["0000:01:00.0", "0000:02:00.0"]));
}

#[test]
fn btrfs_has_no_block_number_and_several_devices() {
    let machine = machine(|tree| {
        tree.block(&format!("{DISK}/nvme/nvme0/nvme0n1"), "259:0");
        tree.block(&format!("{SECOND}/ata1/sda"), "8:0");
        tree.link("sys/fs/btrfs/0f9e/devices/nvme0n1", &format!("sys/devices/{DISK}/nvme/nvme0/nvme0n1"));
        tree.link("sys/fs/btrfs/0f9e/devices/sda", &format!("sys/devices/{SECOND}/ata1/sda"));
        tree.mount("0:24", "/", "btrfs", "/dev/sda");
    });
    assert_eq!(holders(&machine), root_on(&["0000:01:00.0", "0000:02:00.0"]));
    assert!(machine.storage_doubt.is_none());
}

#[test]
fn btrfs_on_a_mapped_device_is_found_by_its_mapped_name() {
    let machine = machine(|tree| {
        tree.block(&format!("{DISK}/nvme/nvme0/nvme0n1"), "259:0");
        tree.block("virtual/block/dm-0", "254:0");
        tree.file("sys/devices/virtual/block/dm-0/dm/name", "cryptroot\n");
        tree.link("sys/devices/virtual/block/dm-0/slaves/nvme0n1", &format!("sys/devices/{DISK}/nvme/nvme0/nvme0n1"));
        tree.mount("0:24", "/", "btrfs", "/dev/mapper/cryptroot");
    });
    assert_eq!(holders(&machine), root_on(&["0000:01:00.0"]));
}

#[test]
fn an_nvme_disk_with_multipath_hides_its_controller() {
    let machine = machine(|tree| {
        tree.file("sys/devices/virtual/nvme-subsystem/nvme-subsys0/subsysnqn", "nqn\n");
        tree.link("sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0", &format!("sys/devices/{DISK}/nvme/nvme0"));
        tree.block("virtual/nvme-subsystem/nvme-subsys0/nvme0n1", "259:0");
        tree.mount("259:0", "/", "ext4", "/dev/nvme0n1");
    });
    assert_eq!(holders(&machine), root_on(&["0000:01:00.0"]));
}

#[test]
fn root_on_a_usb_stick_makes_its_controller_count() {
    let machine = machine(|tree| {
        tree.block(&format!("{USB}/usb1/1-1/1-1:1.0/host4/target4:0:0/4:0:0:0/block/sdb/sdb2"), "8:18");
        tree.mount("8:18", "/", "ext4", "/dev/sdb2");
    });
    assert_eq!(holders(&machine), root_on(&["0000:03:00.0"]));
}

#[test]
fn with_an_untraceable_root_every_mounted_disk_counts() {
    let build = |tree: &Tree| {
        tree.block(&format!("{USB}/usb1/1-1/sdb1"), "8:17");
        tree.mount("8:17", "/run/media/stick", "iso9660", "/dev/sdb1");
    };
    let live = machine(|tree| {
        build(tree);
        tree.mount("0:30", "/", "overlay", "airootfs");
    });
    assert!(live.storage_doubt.is_some());
    assert_eq!(live.function(at("0000:03:00.0")).unwrap().duties, [HostUse::Mount("/run/media/stick".into())]);
    let installed = machine(|tree| {
        build(tree);
        tree.block(&format!("{DISK}/nvme/nvme0/nvme0n1"), "259:0");
        tree.mount("259:0", "/", "ext4", "/dev/nvme0n1");
    });
    assert_eq!(holders(&installed), root_on(&["0000:01:00.0"]));
}

#[test]
fn every_mounted_disk_counts_but_a_stick_where_sticks_are_mounted() {
    let mounted = |disk: &str, point: &str| {
        let machine = machine(|tree| {
            tree.block(&format!("{DISK}/nvme/nvme0/nvme0n1"), "259:0");
            tree.mount("259:0", "/", "ext4", "/dev/nvme0n1");
            tree.block(&format!("{disk}/sda"), "8:0");
            tree.mount("8:0", point, "ext4", "/dev/sda");
        });
        assert!(machine.storage_doubt.is_none());
        let held = holders(&machine).into_iter().find(|(_, duty)| *duty == format!("holds the file system at {point}"));
        held.map(|(address, _)| address)
    };
    for point in ["/mnt", "/mnt/games", "/media/anna/games", "/run/media/anna/games", "/run/archiso", "/srv"] {
        assert_eq!(mounted(SECOND, point).as_deref(), Some("0000:02:00.0"), "{point}");
    }
    for point in ["/mnt", "/mnt/games", "/run/archiso", "/run/live/medium", "/mntx/stick", "/srv"] {
        assert_eq!(mounted(USB, point).as_deref(), Some("0000:03:00.0"), "{point}");
    }
    for point in ["/media/stick", "/run/media/anna/stick"] {
        assert_eq!(mounted(USB, point), None, "{point}");
    }
}

#[test]
fn a_file_system_on_a_stick_and_a_disk_is_no_stick() {
    let machine = machine(|tree| {
        tree.block(&format!("{DISK}/nvme/nvme0/nvme0n1"), "259:0");
        tree.mount("259:0", "/", "ext4", "/dev/nvme0n1");
        tree.block(&format!("{SECOND}/ata1/sda"), "8:0");
        tree.block(&format!("{USB}/usb1/1-1/sdb"), "8:16");
        tree.link("sys/fs/btrfs/0f9e/devices/sda", &format!("sys/devices/{SECOND}/ata1/sda"));
        tree.link("sys/fs/btrfs/0f9e/devices/sdb", &format!("sys/devices/{USB}/usb1/1-1/sdb"));
        tree.mount("0:40", "/mnt/both", "btrfs", "/dev/sdb");
    });
    let both = [HostUse::Mount("/mnt/both".into())];
    assert_eq!(machine.function(at("0000:02:00.0")).unwrap().duties, both);
    assert_eq!(machine.function(at("0000:03:00.0")).unwrap().duties, both);
}

#[test]
fn a_swap_file_lies_on_the_disk_of_its_file_system() {
    let machine = machine(|tree| {
        tree.block(&format!("{DISK}/nvme/nvme0/nvme0n1"), "259:0");
        tree.block(&format!("{SECOND}/ata1/sda"), "8:0");
        tree.mount("259:0", "/", "ext4", "/dev/nvme0n1");
        tree.mount("8:0", "/mnt/big\\040disk", "ext4", "/dev/sda");
        tree.swap("/mnt/big\\040disk/swapfile");
    });
    assert_eq!(machine.function(at("0000:02:00.0")).unwrap().duties, [HostUse::Mount("/mnt/big disk".into()), HostUse::Swap]);
}

#[test]
fn the_default_route_leads_through_bridge_vlan_and_bond_to_the_card() {
    let machine = machine(|tree| {
        for name in ["br0", "bond0.7", "bond0"] {
            tree.interface(name, "");
        }
        tree.interface("eno1", NIC);
        tree.link("sys/devices/virtual/net/br0/brif/bond0.7", "sys/devices/virtual/net/bond0.7/brport");
        tree.link("sys/devices/virtual/net/bond0.7/lower_bond0", "sys/devices/virtual/net/bond0");
        tree.link("sys/devices/virtual/net/bond0/lower_eno1", &format!("sys/devices/{NIC}/net/eno1"));
        tree.default_route("br0");
    });
    assert!(machine.route_is_known);
    assert_eq!(machine.function(at("0000:04:00.0")).unwrap().duties, [HostUse::DefaultRoute("br0".into())]);
}

#[test]
fn a_route_into_a_tunnel_or_none_at_all_leaves_the_card_unknown() {
    let tunnel = machine(|tree| {
        tree.interface("tun0", "");
        tree.default_route("tun0");
    });
    assert!(!tunnel.route_is_known && !machine(|_| ()).route_is_known);
}

#[test]
fn an_ipv6_default_route_counts_and_a_rejecting_one_does_not() {
    let route = |flags: &str, interface: &str| {
        let zero = "0".repeat(32);
        format!("{zero} 00 {zero} 00 fe80000000000000000000000000fffe 00000400 00000001 00000000 {flags} {interface}\n")
    };
    let machine = machine(|tree| {
        tree.interface("eno1", NIC);
        tree.interface("usb0", USB);
        tree.file("proc/net/ipv6_route", format!("{}{}", route("00450003", "eno1"), route("00200203", "usb0")));
    });
    assert_eq!(machine.function(at("0000:04:00.0")).unwrap().duties, [HostUse::DefaultRoute("eno1".into())]);
    assert!(machine.function(at("0000:03:00.0")).unwrap().duties.is_empty());
}

#[test]
fn a_file_system_that_is_bound_elsewhere_too_is_told_by_its_first_place() {
    let (_folder, tree) = super::reference();
    tree.mount("259:2", "/var/lib/legion", "ext4", "/dev/nvme0n1p2");
    assert_eq!(read(&tree).function(at("0000:01:00.0")).unwrap().duties, [HostUse::Mount("/".into()), HostUse::Swap]);
}
