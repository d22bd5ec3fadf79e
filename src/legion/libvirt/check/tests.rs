#![allow(clippy::unwrap_used)]
use super::*;

const OURS: [&str; 2] = ["0000:0a:00.0", "0000:0a:00.1"];

fn hostdev(bus: &str, function: &str, managed: &str) -> String {
    format!(
        "<hostdev mode='subsystem' type='pci' managed='{managed}'><driver name='vfio'/><source><address domain='0x0000' bus='{bus}' \
         slot='0x00' function='{function}'/></source><address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/></hostdev>"
    )
}

/// The notes for a domain with these devices besides a disk in the slot.
fn noted(devices: &str) -> Result<Vec<Warning>> {
    let xml = format!(
        "<domain type='kvm'><name>legion</name><os><nvram template='/x'>/var/lib/legion/slot/nvram.fd</nvram></os><devices>\
         <disk type='file' device='disk'><source file='/var/lib/legion/slot/disk.qcow2' index='1'/></disk>\
         <controller type='pci'><address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/></controller>\
         <hostdev mode='subsystem' type='usb'><source><address bus='3' device='2'/></source></hostdev>{devices}</devices></domain>\n"
    );
    check_domain(&xml, &OURS.map(|address| address.parse().unwrap()), Path::new("/var/lib/legion/slot"))
}

#[test]
fn a_domain_as_it_should_be_gives_no_cause_for_words() {
    assert_eq!(noted(&(hostdev("0x0a", "0x0", "no") + &hostdev("10", "1", "no"))).unwrap(), []);
}

#[test]
fn a_device_that_is_not_legions_is_refused_wherever_it_hides() {
    let ours = hostdev("0x0a", "0x0", "no") + &hostdev("0x0a", "0x1", "no");
    let interface = "<interface type='hostdev' managed='yes'><source><address type='pci' domain='0' bus='0x0b' slot='0' function='0'/></source></interface>";
    let nvme = "<disk type='nvme' device='disk'><source type='pci' managed='yes' namespace='1'><address domain='0x0000' bus='0x0b' slot='0x00' function='0x0'/></source></disk>";
    for stranger in [&hostdev("0x0b", "0x0", "no"), interface, nvme] {
        let error = noted(&(ours.clone() + stranger)).unwrap_err();
        assert_eq!(error.code(), Some("domain-takes-host-device"), "{error}");
        assert!(error.reason().contains("0000:0b:00.0") && error.hint().is_some(), "which one: {error}");
    }
}

#[test]
fn an_address_that_cannot_be_read_is_refused() {
    for hostdev in [hostdev("0x1234567", "0x0", "no"), hostdev("0x0a", "8", "no"), hostdev("", "0x0", "no")] {
        assert_eq!(noted(&hostdev).unwrap_err().code(), Some("domain-unreadable"), "{hostdev}");
    }
    for xml in ["", "<domain/>", "<network><devices/></network>"] {
        assert!(check_domain(xml, &[], Path::new("/slot")).is_err(), "{xml}");
    }
}

#[test]
fn what_the_owner_should_know() {
    let notes = noted(&(hostdev("0x0a", "0x0", "yes")
        + "<disk type='block' device='disk'><source dev='/dev/sdz'/></disk><disk type='file' device='cdrom'><source file='/x.iso'/></disk>"))
    .unwrap();
    let codes: Vec<_> = notes.iter().map(|note| (note.code, note.address.map(|address| address.to_string()))).collect();
    let [first, second] = OURS.map(|address| Some(address.to_owned()));
    assert_eq!(codes, [("domain-manages-device", first), ("domain-lacks-device", second), ("domain-disk-outside-slot", None)]);
    assert!(notes[2].what.contains("/dev/sdz"), "which disk: {notes:?}");
}

#[test]
fn what_dominfo_says_is_found() {
    let information = "Id:             -\nName:           legion\nState:          shut off\nAutostart:      disable\nManaged save:   no\n";
    assert_eq!(value(information, "State"), Some("shut off"));
    assert_eq!(value(information, "Managed save"), Some("no"));
    assert_eq!(value(information, "Auto"), None);
}
