//! Persona set up on a recorded machine as README says: initramfs, units, SSH.

use persona_recorded::{Tree, archive};
use std::fs;
use std::os::unix::fs::symlink;

pub(crate) const IMAGE: &str = "boot/initramfs-linux.img";
const UNITS: [(&str, &str); 5] = [
    ("legion.service", include_str!("../../../systemd/legion.service")),
    ("legion.path", include_str!("../../../systemd/legion.path")),
    ("persona-menu.service", include_str!("../../../systemd/persona-menu.service")),
    ("persona-host.service", include_str!("../../../systemd/persona-host.service")),
    ("persona-reserve.service", include_str!("../../../systemd/persona-reserve.service")),
];

/// Adds what an Arch Linux with these settings has after README's steps.
pub(crate) fn set_up(tree: &Tree) {
    let settings = fs::read_to_string(tree.at("etc/persona/persona.toml")).unwrap();
    tree.file("usr/lib/initcpio/install/persona", include_str!("../../../initcpio/install/persona"));
    tree.file("etc/mkinitcpio.conf", "MODULES=(amdgpu)\nHOOKS=(base persona udev microcode modconf keyboard block filesystems fsck)\n");
    tree.file("etc/mkinitcpio.d/linux.preset", "PRESETS=('default')\ndefault_image=\"/boot/initramfs-linux.img\"\n");
    tree.file(IMAGE, image(tree, &settings));
    for (name, text) in UNITS {
        tree.file(&format!("usr/lib/systemd/system/{name}"), text);
    }
    for (unit, target) in [
        ("legion.path", "multi-user.target"),
        ("persona-menu.service", "multi-user.target"),
        ("persona-host.service", "multi-user.target"),
        ("sshd.service", "multi-user.target"),
        ("persona-reserve.service", "sysinit.target"),
    ] {
        let folder = tree.at(&format!("etc/systemd/system/{target}.wants"));
        fs::create_dir_all(&folder).unwrap();
        symlink(format!("/usr/lib/systemd/system/{unit}"), folder.join(unit)).unwrap();
    }
}

/// The host's own card shows the text console, not legion's.
pub(crate) fn console_on_the_hosts_card(tree: &Tree) {
    tree.file("sys/devices/virtual/vtconsole/vtcon1/bind", "0\n");
}

/// Microcode, then the image itself; not compressed (`COMPRESSION="cat"`).
pub(crate) fn image(tree: &Tree, settings: &str) -> Vec<u8> {
    let release = fs::read_to_string(tree.at("proc/sys/kernel/osrelease")).unwrap();
    let module = |path: &str| format!("usr/lib/modules/{}/kernel/drivers/{path}.ko.zst", release.trim());
    let (vfio, keyboard) = (module("vfio/pci/vfio-pci"), module("usb/host/xhci-pci"));
    let program = fs::read(tree.at("usr/bin/persona")).unwrap();
    let mut image = archive(&[("kernel/x86/microcode/AuthenticAMD.bin", b"microcode")]);
    image.resize(image.len().next_multiple_of(512), 0);
    image.extend(archive(&[
        ("usr/bin/persona", &program),
        ("etc/persona/persona.toml", settings.as_bytes()),
        (&vfio, b"module"),
        (&keyboard, b"module"),
    ]));
    image
}
