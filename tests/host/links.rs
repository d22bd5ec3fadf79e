//! `--root DIR` with a tree whose links lead out of it: nothing outside is read or changed.
#![allow(clippy::unwrap_used)]

use persona_recorded::Tree;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PERSONAS: &str =
    "# mine\n[menu]\ndefault = \"a\"\n[[persona]]\nname = \"a\"\nstarts = \"host\"\n[[persona]]\nname = \"b\"\nstarts = \"host\"\n";
const CARD: &str = "pci0000:00/0000:0a:00.0";

/// A tree, and beside it a folder that its links lead to, by absolute paths and by relative ones.
fn machine() -> (tempfile::TempDir, Tree, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    for inner in ["persona", "run", "cartridges/gondor", "0000:0a:00.0"] {
        fs::create_dir_all(outside.join(inner)).unwrap();
    }
    fs::write(outside.join("persona.toml"), PERSONAS.replace("\"a\"", "\"outside\"")).unwrap();
    fs::write(outside.join("0000:0a:00.0/driver_override"), "(null)\n").unwrap();
    fs::write(outside.join("cartridges/gondor/disk.raw"), vec![0; 512]).unwrap();
    fs::create_dir(folder.path().join("tree")).unwrap();
    let tree = Tree::new(&folder.path().join("tree"));
    tree.file("proc/sys/kernel/random/boot_id", "this\n");
    (folder, tree, outside)
}

/// A link in the tree to a place outside, as an absolute path if `is_absolute`.
fn lead_out(tree: &Tree, link: &str, outside: &Path, is_absolute: bool) {
    let up = "../".repeat(link.matches('/').count() + 1);
    let target = if is_absolute { outside.to_owned() } else { Path::new(&up).join("outside").join(outside.file_name().unwrap()) };
    fs::create_dir_all(tree.at(link).parent().unwrap()).unwrap();
    symlink(&target, tree.at(link)).unwrap();
    assert!(tree.at(link).exists(), "{link} leads out");
}

fn persona(tree: &Tree, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_persona")).arg("--root").arg(tree.root()).args(arguments).output().unwrap()
}

/// Every file and its contents.
fn contents(folder: &Path) -> BTreeMap<PathBuf, String> {
    Tree::at_folder(folder).contents()
}

#[test]
fn writers_leave_what_is_outside_as_it_is() {
    for is_absolute in [true, false] {
        let (_folder, tree, outside) = machine();
        tree.file("etc/persona/persona.toml", PERSONAS);
        lead_out(&tree, "var/lib/persona", &outside.join("persona"), is_absolute);
        lead_out(&tree, "run/persona", &outside.join("run"), is_absolute);
        let before = contents(&outside);
        for arguments in [&["next", "b"][..], &["next", "--clear"], &["default", "b"], &["pin", "--check", "a"], &["release"]] {
            let _ = persona(&tree, arguments);
            assert_eq!(contents(&outside), before, "{arguments:?}");
        }
    }
}

#[test]
fn link_to_a_place_of_the_machine_leads_to_that_place_in_the_tree() {
    let (_folder, tree, _) = machine();
    tree.file("data/persona.toml", PERSONAS);
    fs::create_dir_all(tree.at("data/state")).unwrap();
    fs::create_dir_all(tree.at("etc/persona")).unwrap();
    fs::create_dir_all(tree.at("var/lib")).unwrap();
    symlink("/data/persona.toml", tree.at("etc/persona/persona.toml")).unwrap();
    symlink("/data/state", tree.at("var/lib/persona")).unwrap();
    let set = persona(&tree, &["next", "b"]);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    assert!(fs::read_to_string(tree.at("data/state/override.toml")).unwrap().contains("\"b\""));
    assert!(String::from_utf8_lossy(&persona(&tree, &["next"]).stdout).contains('b'));
    assert!(persona(&tree, &["default", "b"]).status.success());
    assert_eq!(fs::read_to_string(tree.at("data/persona.toml")).unwrap(), PERSONAS.replace("default = \"a\"", "default = \"b\""));
}

#[test]
fn settings_outside_are_neither_read_nor_changed() {
    for is_absolute in [true, false] {
        let (_folder, tree, outside) = machine();
        lead_out(&tree, "etc/persona/persona.toml", &outside.join("persona.toml"), is_absolute);
        let before = contents(&outside);
        for arguments in [&["list"][..], &["default", "b"]] {
            let output = persona(&tree, arguments);
            assert!(!output.status.success(), "{arguments:?}");
            assert!(!String::from_utf8_lossy(&output.stdout).contains("outside"), "{arguments:?}");
        }
        assert_eq!(contents(&outside), before);
    }
}

#[test]
fn device_outside_is_not_reserved() {
    for is_absolute in [true, false] {
        let (_folder, tree, outside) = machine();
        tree.pci(CARD, "10de:1e84", 0x03_0000, Some(1), "");
        tree.file("etc/persona/persona.toml", format!("{PERSONAS}[[legion.passthrough]]\ndevice = \"0000:0a:00.0\"\n"));
        fs::remove_dir_all(tree.at("sys/devices").join(CARD)).unwrap();
        fs::write(outside.join("0000:0a:00.0/vendor"), "0x10de\n").unwrap();
        fs::write(outside.join("0000:0a:00.0/device"), "0x1e84\n").unwrap();
        fs::write(outside.join("0000:0a:00.0/class"), "0x030000\n").unwrap();
        symlink(tree.at("sys/kernel/iommu_groups/1"), outside.join("0000:0a:00.0/iommu_group")).unwrap();
        fs::remove_file(tree.at("sys/bus/pci/devices/0000:0a:00.0")).unwrap();
        lead_out(&tree, "sys/bus/pci/devices/0000:0a:00.0", &outside.join("0000:0a:00.0"), is_absolute);
        let before = contents(&outside);
        let _ = persona(&tree, &["reserve"]);
        assert_eq!(contents(&outside), before);
    }
}

#[test]
fn cartridges_outside_stay_as_they_are() {
    for is_absolute in [true, false] {
        let (_folder, tree, outside) = machine();
        tree.file("etc/persona/persona.toml", PERSONAS);
        lead_out(&tree, "var/lib/legion/cartridges", &outside.join("cartridges"), is_absolute);
        tree.file("disk.raw", [&[0; 510][..], b"\x55\xaa"].concat());
        let before = contents(&outside);
        for arguments in [&["create", "other", "--size", "1G"][..], &["import", "new", "/disk.raw"], &["remove", "gondor", "--yes"]] {
            let _ = persona(&tree, &[&["cartridge"], arguments].concat());
            assert_eq!(contents(&outside), before, "{arguments:?}");
        }
    }
}
