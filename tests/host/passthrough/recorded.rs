//! The machines under `tests/recorded/machines`, and what their settings mean on them.
//!
//! `PERSONA_BLESS=1 cargo test --test host passthrough` writes trees and golden files anew.

use super::{paths, read};
use persona::commands::{self, OutputFormat};
use persona::config::Settings;
use persona::passthrough::{Plan, PlanStage};
use persona::sys::paths::Paths;
use persona::sys::pci::PciAddress;
use persona_recorded::{MACHINES, Recorded, Tree};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

fn machines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/machines")
}

/// The machine's own settings.
fn own_settings(tree: &Tree) -> Settings {
    Settings::load(&paths(tree)).unwrap()
}

pub(crate) fn plans(tree: &Tree) -> (Plan, Plan) {
    let (settings, machine) = (own_settings(tree), read(tree));
    (Plan::new(&settings, &machine, PlanStage::Boot), Plan::new(&settings, &machine, PlanStage::Launch))
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
    let about = |address: Option<PciAddress>| address.map_or("the machine".into(), |address| address.to_string());
    plan.refused.iter().for_each(|refusal| writeln!(text, "refused {} {}", about(refusal.address), refusal.code).unwrap());
    plan.notes.iter().for_each(|note| writeln!(text, "note {} {}", about(note.address), note.code).unwrap());
    plan.steps.iter().for_each(|step| writeln!(text, "step {step}").unwrap());
    text
}

/// What `persona plan --json` prints. QEMU's command line has golden files of its own, and depends on the file system below the
/// disk.
fn json(tree: &Tree) -> String {
    let printed = printed(tree, |paths, out| commands::plan::plan(paths, None, OutputFormat::Json, out));
    let mut plan: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let qemu = plan.as_object_mut().unwrap().remove("qemu").unwrap();
    assert!(!qemu.as_array().unwrap().is_empty(), "{printed}");
    // Words may change.
    for told in ["refused", "notes"].into_iter().flat_map(|list| plan[list].as_array().unwrap().clone()) {
        assert!(told["reason"].is_string() && told["code"].is_string(), "{told}");
    }
    for list in ["refused", "notes"] {
        for told in plan[list].as_array_mut().unwrap() {
            told.as_object_mut().unwrap().retain(|key, _| key == "code" || key == "address");
        }
    }
    format!("{plan:#}\n")
}

/// What `persona detect` prints.
fn detected(tree: &Tree) -> String {
    printed(tree, commands::detect::detect)
}

/// What a command prints, without the folder's own name.
fn printed(tree: &Tree, command: impl FnOnce(&Paths, &mut dyn std::io::Write) -> persona::error::Result<()>) -> String {
    let mut out = Vec::new();
    command(&paths(tree), &mut out).unwrap();
    String::from_utf8(out).unwrap().replace(&tree.root().display().to_string(), "ROOT")
}

/// Each is compared with `tests/recorded/machines/NAME.EXTENSION`.
type Golden = (&'static str, fn(&Tree) -> String);

const GOLDENS: [Golden; 3] = [("plan", steps), ("plan.json", json), ("detect", detected)];

/// A recorded machine, from its folder, after all folders and golden files have been written anew if that is wanted.
pub(crate) fn recorded(name: &str) -> Tree {
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
        assert_eq!(tree.contents(), built.contents(), "tests/recorded/machines/{name} is not what is built");
        for (extension, tell) in GOLDENS {
            let golden = machines().join(format!("{name}.{extension}"));
            assert_eq!(tell(&tree), fs::read_to_string(&golden).unwrap(), "compare with {}", golden.display());
        }
    }
}

/// Whatever is proposed parses, and is refused by nothing but a reboot that is due.
#[test]
fn what_is_detected_would_be_launched() {
    for Recorded { name, .. } in MACHINES {
        let tree = recorded(name);
        let settings = Settings::parse(&detected(&tree), name).unwrap();
        let machine = read(&tree);
        let plan = Plan::new(&settings, &machine, PlanStage::Launch);
        assert!(plan.refused.iter().all(|refusal| refusal.reboot_helps), "{name}: {:#?}", plan.refused);
        let proposed: Vec<String> = settings.passthrough.iter().map(|entry| entry.device.to_string()).collect();
        let expected: &[&str] = match name {
            "reference" => &["0000:0a:00.0", "0000:0c:00.3"],
            "moved" => &["0000:0b:00.0", "0000:0d:00.3"],
            "two-identical" => &["0000:0a:00.0", "0000:0c:00.3"],
            "threadripper" => &["0000:21:00.0", "0000:63:00.3"],
            "laptop" => &["0000:01:00.0", "0000:00:14.0"],
            "vfio-built-in" => &["0000:01:00.0", "0000:05:00.0"],
            _ => &[],
        };
        assert_eq!(proposed, expected, "{name}");
    }
}
