//! Passthrough against trees that look like sysfs and procfs: reading, deciding, binding, undoing.
#![allow(clippy::unwrap_used)]

mod any_failure;
mod any_machine;
mod any_tree;
mod binding;
mod detecting;
mod doubt;
mod host_use;
mod kernel;
mod machines;
mod plan;
mod random_layers;
mod random_tree;
mod recorded;
mod siblings;

use persona::config::Settings;
use persona::passthrough::Machine;
use persona::sys::paths::Paths;
use persona::sys::pci::PciAddress;
use persona_recorded::Tree;
use persona_recorded::machines::{SHIPPED, unreserved};

fn at(address: &str) -> PciAddress {
    address.parse().unwrap()
}

/// Settings with these lines for menu and passthrough.
fn settings(text: &str) -> Settings {
    Settings::parse(&format!("{text}\n[[persona]]\nname = \"a\"\n"), "persona.toml").unwrap()
}

/// Settings that list these devices and nothing about them.
fn listing(devices: &[&str]) -> Settings {
    settings(&devices.iter().map(|device| format!("[[legion.passthrough]]\ndevice = \"{device}\"\n")).collect::<String>())
}

/// The reference machine before its devices are reserved, in a folder of its own. Its USB controllers are alone in their slots,
/// so that a test that lists one is about that one.
fn reference() -> (tempfile::TempDir, Tree) {
    let (folder, tree) = build(unreserved);
    for (group, address) in [(16, "0000:06:00.0"), (16, "0000:06:00.1"), (27, "0000:0c:00.0"), (28, "0000:0c:00.1"), (30, "0000:0c:00.4")] {
        std::fs::remove_file(tree.at(&format!("sys/bus/pci/devices/{address}"))).unwrap();
        std::fs::remove_file(tree.at(&format!("sys/kernel/iommu_groups/{group}/devices/{address}"))).unwrap();
    }
    (folder, tree)
}

/// A machine in a folder of its own.
fn build(machine: impl FnOnce(&Tree)) -> (tempfile::TempDir, Tree) {
    // In memory where that can be had: a machine is hundreds of small files.
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let tree = Tree::new(folder.path());
    machine(&tree);
    (folder, tree)
}

fn paths(tree: &Tree) -> Paths {
    Paths::new(tree.root(), None)
}

fn read(tree: &Tree) -> Machine {
    Machine::read(&paths(tree)).unwrap()
}
