//! The machines under `tests/machines`, and what the shipped settings mean on them.
//!
//! `PERSONA_BLESS=1 cargo test --test passthrough` writes trees and plans anew.

use super::tree::Tree;
use super::{SHIPPED, at, read};
use persona::passthrough::{Duty, Plan, Stage};
use persona::settings::Settings;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The machine that DESIGN describes, on an X570 board, before Persona was set up on it: nobody drives the RTX 2070.
pub(crate) fn reference(tree: &Tree) {
    board(tree, true);
    tree.file("proc/cmdline", "root=/dev/nvme0n1p2 rw amd_iommu=on iommu=pt\n");
}

/// The same with the IOMMU off in the firmware setup.
fn no_iommu(tree: &Tree) {
    board(tree, false);
    tree.file("proc/cmdline", "root=/dev/nvme0n1p2 rw\n");
}

fn board(tree: &Tree, iommu: bool) {
    let group = |number| iommu.then_some(number);
    let pci = |path: &str, id, class, number, driver| tree.pci(&format!("pci0000:00/{path}"), id, class, group(number), driver);
    pci("0000:00:00.0", "1022:1480", 0x060000, 0, "");
    pci("0000:00:01.1", "1022:1483", 0x060400, 1, "pcieport");
    pci("0000:00:01.1/0000:01:00.0", "144d:a808", 0x010802, 14, "nvme");
    pci("0000:00:01.2", "1022:1483", 0x060400, 2, "pcieport");
    pci("0000:00:01.2/0000:05:00.0", "8086:1539", 0x020000, 15, "igb");
    pci("0000:00:01.2/0000:07:00.3", "1022:149c", 0x0c0330, 16, "xhci_hcd");
    pci("0000:00:03.1", "1022:1483", 0x060400, 4, "pcieport");
    pci("0000:00:03.1/0000:09:00.0", "1002:67ef", 0x030000, 24, "amdgpu");
    pci("0000:00:03.1/0000:09:00.1", "1002:aae0", 0x040300, 24, "snd_hda_intel");
    pci("0000:00:03.2", "1022:1483", 0x060400, 5, "pcieport");
    pci("0000:00:03.2/0000:0a:00.0", "10de:1e84", 0x030000, 25, "");
    pci("0000:00:03.2/0000:0a:00.1", "10de:10f8", 0x040300, 25, "");
    pci("0000:00:03.2/0000:0a:00.2", "10de:1ad8", 0x0c0330, 25, "");
    pci("0000:00:03.2/0000:0a:00.3", "10de:1ad9", 0x0c8000, 25, "");
    pci("0000:00:07.1", "1022:1484", 0x060400, 9, "pcieport");
    pci("0000:00:07.1/0000:0c:00.3", "1022:149c", 0x0c0330, 29, "xhci_hcd");
    // The firmware posted the passthrough card: the hint must not decide.
    tree.file("sys/devices/pci0000:00/0000:00:03.2/0000:0a:00.0/boot_vga", "1\n");
    tree.file("sys/devices/pci0000:00/0000:00:03.1/0000:09:00.0/boot_vga", "0\n");

    let disk = "pci0000:00/0000:00:01.1/0000:01:00.0/nvme/nvme0/nvme0n1";
    tree.block(disk, "259:0");
    tree.block(&format!("{disk}/nvme0n1p2"), "259:2");
    tree.block(&format!("{disk}/nvme0n1p3"), "259:3");
    tree.mount("259:2", "/", "ext4", "/dev/nvme0n1p2");
    tree.mount("0:21", "/proc", "proc", "proc");
    tree.swap("/dev/nvme0n1p3");
    tree.interface("enp5s0", "pci0000:00/0000:00:01.2/0000:05:00.0");
    tree.default_route("enp5s0");
    let hub = "pci0000:00/0000:00:07.1/0000:0c:00.3/usb3";
    tree.input(&format!("{hub}/3-1/3-1:1.0/0003:046D:C31C.0001/input/input3"), true);
    tree.input(&format!("{hub}/3-2/3-2:1.0/0003:046D:C077.0002/input/input4"), false);
    tree.input("virtual/input/input9", true);
}

fn machines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines")
}

fn bless() -> bool {
    std::env::var_os("PERSONA_BLESS").is_some()
}

/// A plan as a person reads it.
fn told(plan: &Plan) -> String {
    let mut text = format!("# {:?}\n", plan.stage);
    writeln!(text, "display {}", plan.display.map_or("none".into(), |address| address.to_string())).unwrap();
    plan.reserve.iter().for_each(|address| writeln!(text, "reserve {address}").unwrap());
    plan.bind.iter().for_each(|(address, time)| writeln!(text, "bind {address} {time:?}").unwrap());
    plan.refused.iter().for_each(|refusal| writeln!(text, "refused {refusal}").unwrap());
    plan.notes.iter().for_each(|note| writeln!(text, "note {note}").unwrap());
    plan.steps.iter().for_each(|step| writeln!(text, "step {step}").unwrap());
    text
}

fn compare(name: &str, build: fn(&Tree)) -> (Plan, Plan) {
    let recorded = machines().join(name);
    if bless() {
        let _ = fs::remove_dir_all(&recorded);
        build(&Tree::new(&recorded));
    }
    let folder = tempfile::tempdir().unwrap();
    let built = Tree::new(folder.path());
    build(&built);
    let recorded = Tree::at_folder(&recorded);
    assert_eq!(recorded.contents(), built.contents(), "tests/machines/{name} is not what recorded.rs says");

    let settings = Settings::parse(SHIPPED, "persona.toml").unwrap();
    let machine = read(&recorded);
    let plans = (Plan::new(&settings, &machine, Stage::Boot), Plan::new(&settings, &machine, Stage::Launch));
    let told = format!("{}\n{}", told(&plans.0), told(&plans.1));
    let golden = machines().join(format!("{name}.plan"));
    if bless() {
        fs::write(&golden, &told).unwrap();
    }
    assert_eq!(told, fs::read_to_string(&golden).unwrap(), "compare with {}", golden.display());
    plans
}

#[test]
fn the_reference_machine_is_planned_as_designed() {
    let (boot, launch) = compare("reference", reference);
    let card = ["0000:0a:00.0", "0000:0a:00.1", "0000:0a:00.2", "0000:0a:00.3"].map(at);
    assert_eq!(boot.reserve, card);
    assert_eq!(boot.display, Some(at("0000:09:00.0")));
    assert_eq!(launch.refusal_text(), None);
    assert_eq!(launch.bind.len(), 5);
    assert_eq!(launch.groups().into_iter().collect::<Vec<_>>(), [25, 29]);
}

#[test]
fn without_an_iommu_nothing_happens() {
    let (boot, launch) = compare("no-iommu", no_iommu);
    for plan in [boot, launch] {
        assert!(plan.reserve.is_empty() && plan.bind.is_empty() && plan.steps.is_empty());
        assert!(plan.refusal_text().unwrap().starts_with("no IOMMU"));
    }
}

#[test]
fn the_reference_machine_is_read() {
    let (_folder, tree) = super::reference();
    let machine = read(&tree);
    let function = |address| machine.function(at(address)).unwrap();
    assert!(machine.iommu && !machine.vfio.is_ready() && machine.root_is_known && machine.route_is_known);
    assert_eq!((machine.keyboards(), machine.other_keyboards, function("0000:0c:00.3").keyboards), (1, 0, 1));
    assert_eq!(function("0000:01:00.0").duties, [Duty::Mount("/".into()), Duty::Swap]);
    assert_eq!(function("0000:05:00.0").duties, [Duty::DefaultRoute("enp5s0".into())]);
    assert!(function("0000:09:00.0").duties.is_empty());
    assert_eq!(function("0000:09:00.0").driver.as_deref(), Some("amdgpu"));
    assert_eq!(function("0000:0a:00.2").to_string(), "USB controller 0000:0a:00.2");
    assert_eq!((function("0000:0a:00.0").iommu_group, function("0000:0a:00.0").boot_vga), (Some(25), true));
}

#[test]
fn a_root_without_a_pci_bus_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let message = persona::passthrough::Machine::read(&persona::paths::Paths::new(folder.path(), None)).unwrap_err().to_string();
    assert!(message.contains("sys/bus/pci/devices"), "{message}");
}
