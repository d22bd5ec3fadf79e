//! The machines under `tests/machines`, and what their settings mean on them.
//!
//! `PERSONA_BLESS=1 cargo test --test passthrough` writes trees and golden files anew.

use super::{SHIPPED, at, paths, read};
use persona::commands::{self, Output};
use persona::passthrough::{Duty, Plan, Stage};
use persona::paths::Paths;
use persona::settings::Settings;
use persona_recorded::{MACHINES, Recorded, Tree};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

fn machines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines")
}

/// The machine's own settings.
fn own_settings(tree: &Tree) -> Settings {
    Settings::load(&paths(tree)).unwrap()
}

fn plans(tree: &Tree) -> (Plan, Plan) {
    let (settings, machine) = (own_settings(tree), read(tree));
    (Plan::new(&settings, &machine, Stage::Boot), Plan::new(&settings, &machine, Stage::Launch))
}

/// What is done at boot and at launch, line by line.
fn steps(tree: &Tree) -> String {
    let (boot, launch) = plans(tree);
    format!("{}\n{}", told(&boot), told(&launch))
}

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

/// What `persona plan --json` prints.
fn json(tree: &Tree) -> String {
    printed(tree, |paths, out| commands::plan::plan(paths, None, Output::Json, out))
}

/// What a command prints, without the folder's own name.
fn printed(tree: &Tree, command: impl FnOnce(&Paths, &mut dyn std::io::Write) -> persona::error::Result<()>) -> String {
    let mut out = Vec::new();
    command(&paths(tree), &mut out).unwrap();
    String::from_utf8(out).unwrap().replace(&tree.root().display().to_string(), "ROOT")
}

/// Each is compared with `tests/machines/NAME.EXTENSION`.
const GOLDENS: [(&str, fn(&Tree) -> String); 2] = [("plan", steps), ("plan.json", json)];

/// A recorded machine, from its folder, after all folders and golden files have been written anew if that is wanted.
fn recorded(name: &str) -> Tree {
    static BLESSED: Once = Once::new();
    BLESSED.call_once(|| {
        if std::env::var_os("PERSONA_BLESS").is_some() {
            MACHINES.iter().for_each(write_anew);
        }
    });
    Tree::at_folder(&machines().join(name))
}

fn write_anew(recorded: &Recorded) {
    let folder = machines().join(recorded.name);
    let _ = fs::remove_dir_all(&folder);
    let tree = Tree::new(&folder);
    (recorded.build)(&tree);
    for (extension, tell) in GOLDENS {
        fs::write(machines().join(format!("{}.{extension}", recorded.name)), tell(&tree)).unwrap();
    }
}

#[test]
fn every_machine_is_recorded_and_understood_as_before() {
    for Recorded { name, build } in MACHINES {
        let (_folder, built) = super::build(build);
        let tree = recorded(name);
        assert_eq!(tree.contents(), built.contents(), "tests/machines/{name} is not what is built");
        for (extension, tell) in GOLDENS {
            let golden = machines().join(format!("{name}.{extension}"));
            assert_eq!(tell(&tree), fs::read_to_string(&golden).unwrap(), "compare with {}", golden.display());
        }
    }
}

#[test]
fn the_reference_machine_is_planned_as_designed() {
    let (boot, launch) = plans(&recorded("reference"));
    let card = ["0000:0a:00.0", "0000:0a:00.1", "0000:0a:00.2", "0000:0a:00.3"].map(at);
    assert_eq!(boot.reserve, card);
    assert_eq!(boot.display, Some(at("0000:09:00.0")));
    assert_eq!(launch.refusal_text(), None);
    // The USB controller brings the other functions of its slot.
    assert_eq!(launch.bind.len(), 8);
    assert_eq!(launch.groups().into_iter().collect::<Vec<_>>(), [25, 27, 28, 29, 30]);
}

#[test]
fn without_an_iommu_nothing_happens() {
    let (boot, launch) = plans(&recorded("no-iommu"));
    for plan in [boot, launch] {
        assert!(plan.reserve.is_empty() && plan.bind.is_empty() && plan.steps.is_empty());
        assert!(plan.refusal_text().unwrap().starts_with("no IOMMU"));
    }
}

#[test]
fn the_reference_machine_is_read() {
    let machine = read(&recorded("reference"));
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
    let message = persona::passthrough::Machine::read(&Paths::new(folder.path(), None)).unwrap_err().to_string();
    assert!(message.contains("sys/bus/pci/devices"), "{message}");
}

#[test]
fn a_machine_can_be_made_as_large_as_is_wanted() {
    for (devices, groups) in [(14, 5), (60, 12)] {
        let (_folder, tree) = super::build(|tree| persona_recorded::synthetic(tree, devices, groups));
        let machine = read(&tree);
        assert_eq!(machine.functions.len(), devices as usize);
        let found: std::collections::BTreeSet<u32> = machine.functions.values().filter_map(|function| function.iommu_group).collect();
        assert_eq!(found.len(), groups as usize);
        let plan = Plan::new(&Settings::parse(SHIPPED, "persona.toml").unwrap(), &machine, Stage::Launch);
        assert_eq!((plan.refusal_text(), plan.bind.len()), (None, 5));
    }
}
