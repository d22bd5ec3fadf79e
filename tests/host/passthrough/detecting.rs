//! What `persona detect` proposes on machines with a catch, and what it says of what it leaves.

use super::{Tree, paths};
use persona::commands;
use persona::config::Settings;
use persona::passthrough::{Plan, PlanStage};

const INTEGRATED: &str = "pci0000:00/0000:00:02.0";
const CARD: &str = "pci0000:00/0000:00:01.0/0000:01:00";
const USB: &str = "pci0000:00/0000:00:14.0";
const NIC: &str = "pci0000:00/0000:00:1f.6";
const DISK: &str = "pci0000:00/0000:00:17.0";

/// A computer with the processor's graphics, a card, a USB controller with a keyboard, a disk with `/` and a network card.
fn computer(tree: &Tree, card_group: u32, keyboard_on: &str) {
    tree.pci("pci0000:00/0000:00:01.0", "8086:1901", 0x060400, Some(1), "pcieport");
    tree.pci(INTEGRATED, "8086:4680", 0x030000, Some(2), "i915");
    tree.pci(&format!("{CARD}.0"), "1002:73bf", 0x030000, Some(card_group), "amdgpu");
    tree.pci(&format!("{CARD}.1"), "1002:ab28", 0x040300, Some(card_group), "snd_hda_intel");
    tree.pci(&format!("{CARD}.2"), "1002:73a6", 0x0c0330, Some(card_group), "xhci_hcd");
    tree.pci(USB, "8086:7ae0", 0x0c0330, Some(4), "xhci_hcd");
    tree.pci(DISK, "8086:7ae2", 0x010601, Some(5), "ahci");
    tree.pci(NIC, "8086:1a1c", 0x020000, Some(6), "e1000e");
    tree.block(&format!("{DISK}/ata1/sda"), "8:0");
    tree.mount("8:0", "/", "ext4", "/dev/sda");
    tree.interface("eno1", NIC);
    tree.default_route("eno1");
    tree.keyboard_and_mouse(keyboard_on, 1);
}

fn detected(build: impl FnOnce(&Tree)) -> (String, Settings) {
    let (_folder, tree) = super::build(build);
    let mut out = Vec::new();
    commands::detect::detect(&paths(&tree), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let settings = Settings::parse(&text, "detected").unwrap();
    // A sentence may be broken anywhere.
    (text.replace("\n#", ""), settings)
}

fn proposed(settings: &Settings) -> Vec<String> {
    settings.passthrough.iter().map(|entry| entry.device.to_string()).collect()
}

#[test]
fn card_with_the_only_keyboard_on_its_own_usb_is_taken_at_the_launch() {
    let (text, settings) = detected(|tree| computer(tree, 3, &format!("{CARD}.2")));
    assert_eq!(proposed(&settings)[0], "0000:01:00.0", "{text}");
    assert_eq!(settings.passthrough[0].bind, Some(persona::config::BindTime::Launch), "{text}");
}

#[test]
fn two_cards_in_one_group_are_told_in_one_sentence() {
    let (text, settings) = detected(|tree| computer(tree, 2, USB));
    assert!(settings.passthrough.is_empty(), "{text}");
    assert_eq!(text.matches("are both in IOMMU group 2").count(), 1, "{text}");
    assert!(text.contains("0000:00:02.0") && text.contains("0000:01:00.0"), "{text}");
}

#[test]
fn disks_that_would_go_along_are_named_and_left() {
    let (text, settings) = detected(|tree| {
        computer(tree, 3, USB);
        // In the group of the USB controller, and not mounted now.
        tree.pci("pci0000:00/0000:00:18.0", "1b21:0612", 0x010601, Some(4), "ahci");
        tree.block("pci0000:00/0000:00:18.0/ata5/sdb", "8:16");
    });
    assert_eq!(proposed(&settings), ["0000:01:00.0"], "{text}");
    assert!(text.contains("USB controller 0000:00:14.0: ") && text.contains("sdb"), "the controller that was meant: {text}");
}

#[test]
fn card_without_outputs_is_the_last_choice() {
    let (text, settings) = detected(|tree| {
        computer(tree, 3, USB);
        tree.pci("pci0000:00/0000:00:06.0/0000:02:00.0", "10de:1bb3", 0x030200, Some(9), "nvidia");
    });
    assert_eq!(proposed(&settings)[0], "0000:01:00.0", "{text}");
}

#[test]
fn machine_with_one_card_says_what_to_change() {
    let (text, settings) = detected(|tree| {
        tree.pci(&format!("{CARD}.0"), "10de:1e84", 0x030000, Some(3), "nouveau");
        tree.pci(USB, "8086:7ae0", 0x0c0330, Some(4), "xhci_hcd");
        tree.keyboard_and_mouse(USB, 1);
    });
    assert!(settings.passthrough.is_empty() && text.contains("Add a second card"), "{text}");
}

#[test]
fn bluetooth_keyboard_is_no_keyboard_of_the_menu_or_of_legion() {
    const HID: &str = "0005:046D:B35B.0005/input/input20";
    // bluetoothd's own driver makes a virtual device, the kernel's one below the adapter.
    for keyboard in [format!("virtual/misc/uhid/{HID}"), format!("{USB}/usb1/1-14/1-14:1.0/bluetooth/hci0/hci0:11/{HID}")] {
        let (_folder, tree) = super::build(|tree| {
            computer(tree, 3, USB);
            std::fs::remove_dir_all(tree.at("sys/class/input")).unwrap();
            tree.link("sys/class/bluetooth/hci0", &format!("sys/devices/{USB}/usb1/1-14/1-14:1.0/bluetooth/hci0"));
            tree.input(&keyboard, true);
            // A program that makes keys is neither.
            tree.input("virtual/input/input30", true);
        });
        let machine = super::read(&tree);
        assert_eq!((machine.keyboards(), machine.bluetooth_keyboards), (0, 1), "{keyboard}");
        let notes = |devices: &[&str]| {
            let plan = Plan::new(&super::listing(devices), &machine, PlanStage::Launch);
            let notes = plan.notes.into_iter().filter(|note| note.code == "bluetooth-keyboard");
            notes.map(|note| (note.address, note.what.contains("0000:00:14.0"))).collect::<Vec<_>>()
        };
        assert_eq!(notes(&["0000:01:00.0"]), [(None, true)], "it stays");
        assert_eq!(notes(&["0000:00:14.0"]), [(Some(super::at("0000:00:14.0")), true)], "it goes along");
        assert_eq!(notes(&[]), []);
    }
    let (text, _) = detected(|tree| {
        computer(tree, 3, USB);
        tree.input(&format!("virtual/misc/uhid/{HID}"), true);
    });
    assert!(text.contains("Bluetooth keyboard"), "{text}");
}
