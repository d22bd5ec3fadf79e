#![allow(clippy::unwrap_used)]
use super::*;

const OURS: [&str; 2] = ["0000:0a:00.0", "0000:0a:00.1"];

fn hostdev(bus: &str, function: &str, managed: &str) -> String {
    format!(
        "<hostdev mode='subsystem' type='pci' managed='{managed}'><driver name='vfio'/><source><address domain='0x0000' bus='{bus}' \
         slot='0x00' function='{function}'/></source><address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/></hostdev>"
    )
}

/// What is said about a domain with these devices besides a disk in the slot.
fn said(devices: &str) -> Result<Vec<String>> {
    let xml = format!(
        "<domain type='kvm'><name>legion</name><os><nvram template='/x'>/var/lib/legion/slot/nvram.fd</nvram></os><devices>\
         <disk type='file' device='disk'><source file='/var/lib/legion/slot/disk.qcow2' index='1'/></disk>\
         <controller type='pci'><address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/></controller>\
         <hostdev mode='subsystem' type='usb'><source><address bus='3' device='2'/></source></hostdev>{devices}</devices></domain>\n"
    );
    let notes = check_domain(&xml, &OURS.map(|address| address.parse().unwrap()), Path::new("/var/lib/legion/slot"))?;
    Ok(notes.iter().map(ToString::to_string).collect())
}

#[test]
fn a_domain_as_it_should_be_gives_no_cause_for_words() {
    assert_eq!(said(&(hostdev("0x0a", "0x0", "no") + &hostdev("10", "1", "no"))).unwrap(), [""; 0]);
}

#[test]
fn a_device_that_is_not_legions_is_refused_wherever_it_hides() {
    let ours = hostdev("0x0a", "0x0", "no") + &hostdev("0x0a", "0x1", "no");
    let interface = "<interface type='hostdev' managed='yes'><source><address type='pci' domain='0' bus='0x0b' slot='0' function='0'/></source></interface>";
    let nvme = "<disk type='nvme' device='disk'><source type='pci' managed='yes' namespace='1'><address domain='0x0000' bus='0x0b' slot='0x00' function='0x0'/></source></disk>";
    for stranger in [&hostdev("0x0b", "0x0", "no"), interface, nvme] {
        let message = said(&(ours.clone() + stranger)).unwrap_err().to_string();
        assert!(message.contains("0000:0b:00.0, which is not legion's") && message.contains("mend: "), "{message}");
    }
}

#[test]
fn an_address_that_cannot_be_read_is_refused() {
    for hostdev in [hostdev("0x1234567", "0x0", "no"), hostdev("0x0a", "8", "no"), hostdev("", "0x0", "no")] {
        assert!(said(&hostdev).unwrap_err().to_string().contains("cannot be read"), "{hostdev}");
    }
    for xml in ["", "<domain/>", "<network><devices/></network>"] {
        assert!(check_domain(xml, &[], Path::new("/slot")).is_err(), "{xml}");
    }
}

#[test]
fn what_the_owner_should_know() {
    let notes = said(&(hostdev("0x0a", "0x0", "yes")
        + "<disk type='block' device='disk'><source dev='/dev/sdz'/></disk><disk type='file' device='cdrom'><source file='/x.iso'/></disk>"))
    .unwrap();
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].contains("0000:0a:00.0 with managed='yes'") && notes[0].contains("mend: write managed='no'"), "{notes:?}");
    assert!(notes[1].contains("0000:0a:00.1 is legion's, but the domain does not have it"), "{notes:?}");
    assert!(notes[2].contains("/dev/sdz does not lie in the slot"), "{notes:?}");
}

#[test]
fn what_dominfo_says_is_found() {
    let information = "Id:             -\nName:           legion\nState:          shut off\nAutostart:      disable\nManaged save:   no\n";
    assert_eq!(value(information, "State"), Some("shut off"));
    assert_eq!(value(information, "Managed save"), Some("no"));
    assert_eq!(value(information, "Auto"), None);
}
