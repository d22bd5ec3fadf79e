//! Machines on which the host's needs hide: several disks below one file system, disks that sysfs does not tell of, and lists with bytes
//! that are no text.

use super::{Tree, at, listing, read};
use persona::passthrough::{Along, Machine, Plan, PlanStage, Step};
use std::fs;

const DISK: &str = "pci0000:00/0000:01:00.0";
const SECOND: &str = "pci0000:00/0000:02:00.0";
const USB: &str = "pci0000:00/0000:03:00.0";
const NIC: &str = "pci0000:00/0000:04:00.0";

/// Two disk controllers, a USB controller and a network card; `/` is on the first.
fn machine(build: impl FnOnce(&Tree)) -> Machine {
    let (_folder, tree) = with_root(build);
    read(&tree)
}

fn with_root(build: impl FnOnce(&Tree)) -> (tempfile::TempDir, Tree) {
    let (folder, tree) = super::build(|_| ());
    tree.pci(DISK, "144d:a808", 0x010802, Some(1), "nvme");
    tree.pci(SECOND, "1022:7901", 0x010601, Some(2), "ahci");
    tree.pci(USB, "1022:149c", 0x0c0330, Some(3), "xhci_hcd");
    tree.pci(NIC, "8086:1539", 0x020000, Some(4), "igb");
    tree.block(&format!("{DISK}/nvme/nvme0/nvme0n1"), "259:0");
    tree.mount("259:0", "/", "ext4", "/dev/nvme0n1");
    tree.interface("eno1", NIC);
    tree.default_route("eno1");
    tree.file("sys/class/input/.keep", "");
    build(&tree);
    (folder, tree)
}

/// A stick on the USB controller.
fn stick(tree: &Tree) {
    tree.block(&format!("{USB}/usb1/1-1/1-1:1.0/host4/target4:0:0/4:0:0:0/block/sdb"), "8:16");
}

fn plan(machine: &Machine, device: &str) -> Plan {
    Plan::new(&listing(&[device]), machine, PlanStage::Launch)
}

/// The only reason against giving it away.
fn refused(machine: &Machine, device: &str) -> (&'static str, String) {
    let plan = plan(machine, device);
    assert!(plan.bind.is_empty() && plan.steps.is_empty(), "{plan:#?}");
    assert_eq!(plan.refused.len(), 1, "{:#?}", plan.refused);
    (plan.refused[0].code, plan.refused[0].reason.clone())
}

/// What is different on a machine.
type Change<'a> = &'a dyn Fn(&Tree);

const SATA: &str = "0000:02:00.0";
const CONTROLLER: &str = "0000:03:00.0";

#[test]
fn every_device_of_a_bcachefs_counts() {
    let by_source = |tree: &Tree| {
        tree.block(&format!("{SECOND}/ata1/sda"), "8:0");
        tree.mount("0:40", "/srv", "bcachefs", "/dev/nvme0n1:/dev/sda");
    };
    let by_members = |tree: &Tree| {
        tree.block(&format!("{SECOND}/ata1/sda"), "8:0");
        tree.link("sys/fs/bcachefs/0f9e/dev-0/block", &format!("sys/devices/{DISK}/nvme/nvme0/nvme0n1"));
        tree.link("sys/fs/bcachefs/0f9e/dev-1/block", &format!("sys/devices/{SECOND}/ata1/sda"));
    };
    for build in [&by_source as Change, &by_members] {
        let (code, reason) = refused(&machine(build), SATA);
        assert!(code == "disk-used-by-host" && reason.contains("holds the file system at /"), "{reason}");
    }
}

#[test]
fn what_cannot_be_traced_makes_every_disk_count_whatever_it_hangs_on() {
    let untraceable: [(&str, Change); 6] = [
        ("ZFS mounted", &|tree| tree.mount("0:50", "/srv", "zfs", "tank/srv")),
        ("ZFS pool", &|tree| tree.file("proc/spl/kstat/zfs/tank/state", "ONLINE\n")),
        ("a device that is gone", &|tree| tree.mount("0:51", "/srv", "ext4", "/dev/mapper/gone")),
        ("an unknown file system", &|tree| tree.mount("0:52", "/srv", "newfs", "pool")),
        ("swap on a ZFS volume", &|tree| {
            tree.block("virtual/block/zd0", "230:0");
            tree.swap("/dev/zd0");
        }),
        ("mounts that cannot be read", &|tree| {
            fs::remove_file(tree.at("proc/self/mountinfo")).unwrap();
            fs::create_dir(tree.at("proc/self/mountinfo")).unwrap();
        }),
    ];
    for (name, build) in untraceable {
        let doubtful = machine(|tree| {
            stick(tree);
            build(tree);
        });
        assert!(doubtful.storage_doubt.is_some(), "{name}");
        assert_eq!(refused(&doubtful, CONTROLLER).0, "device-may-hold-root", "{name}");
        assert_eq!(refused(&doubtful, SATA).0, "device-may-hold-root", "{name}");
        // Without a disk below it, it cannot hold anything.
        assert!(plan(&machine(build), CONTROLLER).refused.is_empty(), "{name}");
    }
    let known = machine(|tree| {
        stick(tree);
        for (number, kind, source) in [("0:60", "tmpfs", "tmpfs"), ("0:61", "nfs4", "nas:/srv"), ("0:62", "fuse.sshfs", "nas:")] {
            tree.mount(number, &format!("/srv/{kind}"), kind, source);
        }
    });
    assert_eq!(known.storage_doubt, None);
    assert!(plan(&known, CONTROLLER).refused.is_empty());
}

#[test]
fn file_behind_a_loop_device_counts() {
    let machine = machine(|tree| {
        stick(tree);
        tree.mount("8:16", "/run/media/anna/stick", "ext4", "/dev/sdb");
        tree.block("virtual/block/loop0", "7:0");
        tree.file("sys/devices/virtual/block/loop0/loop/backing_file", "/run/media/anna/stick/root.img\n");
        tree.mount("7:0", "/srv", "ext4", "/dev/loop0");
    });
    let (code, reason) = refused(&machine, CONTROLLER);
    assert!(code == "disk-used-by-host" && reason.contains("/srv"), "{reason}");
}

#[test]
fn stick_below_a_joined_file_system_is_none() {
    let on_stick = |tree: &Tree| {
        stick(tree);
        tree.mount("8:16", "/media/big", "ext4", "/dev/sdb");
    };
    let alone = machine(on_stick);
    let notes = plan(&alone, CONTROLLER).notes;
    assert!(notes.iter().any(|note| note.code == "stick-goes-along" && note.what.contains("/media/big")), "{notes:#?}");
    let joined = machine(|tree| {
        on_stick(tree);
        tree.mount("0:70", "/srv/all", "fuse.mergerfs", "big:small");
    });
    assert_eq!(refused(&joined, CONTROLLER).0, "disk-used-by-host");
}

#[test]
fn disk_that_something_is_built_on_counts_though_nothing_of_it_is_mounted() {
    let machine = machine(|tree| {
        stick(tree);
        tree.block("virtual/block/md127", "9:127");
        let disk = format!("sys/devices/{USB}/usb1/1-1/1-1:1.0/host4/target4:0:0/4:0:0:0/block/sdb");
        tree.link(&format!("{disk}/holders/md127"), "sys/devices/virtual/block/md127");
    });
    let (code, reason) = refused(&machine, CONTROLLER);
    assert!(code == "disk-used-by-host" && reason.contains("sdb") && reason.contains("md127"), "{reason}");
}

#[test]
fn cartridges_and_the_boot_partition_stay_with_the_host() {
    let settings = "[legion]\ncartridges = \"/media/games/cartridges\"\n[[persona]]\nname = \"gondor\"\n";
    let (_folder, tree) = with_root(|tree| {
        stick(tree);
        tree.mount("8:16", "/media/games", "ext4", "/dev/sdb");
        tree.file("etc/persona/persona.toml", settings);
    });
    assert!(refused(&read(&tree), CONTROLLER).1.contains("legion's cartridges"));

    let (_folder, tree) = with_root(|tree| {
        stick(tree);
        tree.file("etc/persona/persona.toml", "[[persona]]\nname = \"gondor\"\n");
        fs::create_dir_all(tree.at("var/lib/legion/cartridges/gondor")).unwrap();
        std::os::unix::fs::symlink("/dev/sdb", tree.at("var/lib/legion/cartridges/gondor/disk")).unwrap();
    });
    assert!(refused(&read(&tree), CONTROLLER).1.contains("legion's cartridges"));

    let booted = machine(|tree| {
        stick(tree);
        tree.file("dev/sdb", "");
        tree.link("dev/disk/by-partuuid/0a1b-2c", "dev/sdb");
        let variable: Vec<u8> = "0A1B-2C\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let name = "sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
        tree.file(name, [&[6, 0, 0, 0][..], &variable].concat());
    });
    assert!(refused(&booted, CONTROLLER).1.contains("EFI partition"));
}

#[test]
fn network_adapter_on_usb_is_a_network_card() {
    let adapter = |tree: &Tree| {
        tree.interface("enx0", &format!("{USB}/usb1/1-2/1-2:1.0"));
    };
    assert!(plan(&machine(adapter), CONTROLLER).refused.is_empty(), "the route is known, and goes elsewhere");
    let tunnel = machine(|tree| {
        adapter(tree);
        let table = tree.at("proc/net/route");
        fs::write(&table, fs::read_to_string(&table).unwrap().lines().next().unwrap().to_owned() + "\n").unwrap();
        tree.interface("wg0", "");
        tree.default_route("wg0");
    });
    assert_eq!(refused(&tunnel, CONTROLLER).0, "device-may-be-route");
}

#[test]
fn one_foreign_byte_hides_nothing() {
    let (_folder, tree) = with_root(|tree| tree.mount("0:33", "/srv/caf\u{e9}", "tmpfs", "tmpfs"));
    let path = tree.at("proc/self/mountinfo");
    let mounts: Vec<u8> = fs::read_to_string(&path).unwrap().chars().map(|letter| letter as u8).collect();
    assert!(String::from_utf8(mounts.clone()).is_err());
    fs::write(&path, mounts).unwrap();
    assert_eq!(refused(&read(&tree), "0000:01:00.0").0, "disk-used-by-host");
}

#[test]
fn disks_below_a_device_are_opened_before_it_is_taken() {
    let plan = plan(&machine(stick), CONTROLLER);
    assert!(matches!(&plan.steps[0], Step::CheckDisk(_, disk) if disk == "sdb"), "{:#?}", plan.steps);
}

#[test]
fn virtual_function_goes_alone() {
    let card = "pci0000:00/0000:05:00.0";
    let machine = machine(|tree| {
        tree.pci(card, "8086:56a0", 0x030000, Some(5), "i915");
        tree.pci("pci0000:00/0000:05:00.1", "8086:56a0", 0x030000, Some(6), "i915");
        tree.link("sys/devices/pci0000:00/0000:05:00.1/physfn", &format!("sys/devices/{card}"));
    });
    let plan = plan(&machine, "0000:05:00.1");
    let members: Vec<_> = plan.members().map(|member| (member.address, member.along)).collect();
    assert_eq!(members, [(at("0000:05:00.1"), Along::Listed)]);
}

#[test]
fn device_with_memory_of_the_firmware_is_refused() {
    let regions = |kind: &str| format!("0x00000000fee00000 0x00000000feefffff msi\n0x00000000000e0000 0x00000000000effff {kind}\n");
    let with = |kind: &str| machine(|tree| tree.file("sys/kernel/iommu_groups/3/reserved_regions", regions(kind)));
    assert_eq!(refused(&with("direct"), CONTROLLER).0, "device-has-reserved-memory");
    assert!(plan(&with("direct-relaxable"), CONTROLLER).refused.is_empty());
}

#[test]
fn groups_that_only_look_apart_count_as_one() {
    let machine = |words: &str, has_acs: bool| {
        machine(|tree| {
            tree.file("proc/cmdline", format!("quiet {words}\n"));
            tree.pci("pci0000:00/0000:00:01.0", "1022:1483", 0x060400, Some(10), "pcieport");
            tree.pci("pci0000:00/0000:00:01.0/0000:06:00.0", "8086:1539", 0x020000, Some(11), "igb");
            tree.pci("pci0000:00/0000:00:01.0/0000:07:00.0", "1022:149c", 0x0c0330, Some(12), "xhci_hcd");
            tree.interface("eno2", "pci0000:00/0000:00:01.0/0000:06:00.0");
            tree.default_route("eno2");
            let mut config = vec![0; 4096];
            if has_acs {
                config[0x100] = 0x0d;
            }
            tree.file("sys/devices/pci0000:00/0000:00:01.0/config", config);
        })
    };
    let device = "0000:07:00.0";
    let (code, reason) = refused(&machine("pcie_acs_override=downstream,multifunction", false), device);
    assert!(code == "groups-only-look-apart" && reason.contains("0000:06:00.0") && reason.contains("eno2"), "{reason}");
    assert!(plan(&machine("pcie_acs_override=downstream", true), device).refused.is_empty(), "the port isolates");
    assert!(plan(&machine("", false), device).refused.is_empty(), "without the parameter the groups are right");
}
