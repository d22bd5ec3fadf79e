//! What is fed to each reader: one function for each, which takes any bytes and must neither panic nor take long nor much memory.
//!
//! The binaries of `fuzz_targets` call them with libFuzzer, and `tests/host/seeds.rs` with the inputs in `seeds`.

mod files;
mod menu;
mod texts;

use std::path::{Path, PathBuf};

/// A reader under test.
pub struct Target {
    /// The name of its binary and of its folder in `seeds`.
    pub name: &'static str,
    /// Feeds it.
    pub feed: fn(&[u8]),
}

/// All readers.
pub const TARGETS: &[Target] = &[
    Target { name: "emblem", feed: texts::emblem },
    Target { name: "firmware", feed: files::firmware },
    Target { name: "foreign_image", feed: files::foreign_image },
    Target { name: "guest_agent", feed: texts::guest_agent },
    Target { name: "host_use", feed: files::host_use },
    Target { name: "initramfs", feed: files::initramfs },
    Target { name: "input_events", feed: menu::input_events },
    Target { name: "journal", feed: texts::journal },
    Target { name: "kernel_command_line", feed: texts::kernel_command_line },
    Target { name: "libvirt_domain", feed: texts::libvirt_domain },
    Target { name: "menu", feed: menu::menu },
    Target { name: "option_rom", feed: files::option_rom },
    Target { name: "pci_config", feed: files::pci_config },
    Target { name: "pci_ids", feed: files::pci_ids },
    Target { name: "processors", feed: files::processors },
    Target { name: "qcow2", feed: files::qcow2 },
    Target { name: "qmp", feed: texts::qmp },
    Target { name: "records", feed: files::records },
    Target { name: "request", feed: texts::request },
    Target { name: "settings", feed: texts::settings },
    Target { name: "terminal_keys", feed: menu::terminal_keys },
    Target { name: "uevent", feed: texts::uevent },
    Target { name: "unit", feed: texts::unit },
];

/// The top of the repository, for this crate and for the tests of the host.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|folder| folder.join("fuzz").is_dir()).unwrap_or(here).to_owned()
}

/// A number from the front of the bytes; zero where they end.
fn take<const SIZE: usize>(data: &mut &[u8]) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let (front, rest) = data.split_at(data.len().min(SIZE));
    bytes[..front.len()].copy_from_slice(front);
    *data = rest;
    bytes
}
