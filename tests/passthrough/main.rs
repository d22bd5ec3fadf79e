//! Passthrough against trees that look like sysfs and procfs: reading, deciding, binding, undoing.
#![allow(clippy::unwrap_used)]

mod any_machine;
mod binding;
mod duties;
mod kernel;
mod plan;
mod recorded;
mod tree;

use persona::passthrough::Machine;
use persona::pci::PciAddress;
use persona::settings::Settings;
use tree::Tree;

const SHIPPED: &str = include_str!("../../config/persona.toml");

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

/// The reference machine in a folder of its own.
fn reference() -> (tempfile::TempDir, Tree) {
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::new(folder.path());
    recorded::reference(&tree);
    (folder, tree)
}

fn read(tree: &Tree) -> Machine {
    Machine::read(&tree.paths()).unwrap()
}
