//! Computes QEMU's command line.
//!
//! [`argv()`] is the line to show and to record. The inherited descriptors, which only the process that starts QEMU knows, are added by
//! [`supervised`] and [`connected`].

mod disk;
mod passthrough;
mod peripherals;
mod platform;

use crate::legion::virtual_machine::VirtualMachine;
use crate::sys::paths::Paths;
use serde_json::{Value, json};
use std::path::Path;

/// The program, found in `PATH`.
pub const QEMU: &str = "qemu-system-x86_64";

/// The guest's PCI slots. They are explicit, so that a guest finds its hardware at the same address whatever else is enabled, and does not
/// take its network card for a new one.
pub(in crate::legion) mod at {
    pub(in crate::legion) const DISPLAY: &str = "0x1";
    pub(in crate::legion) const DISK: &str = "0x2";
    pub(in crate::legion) const NETWORK: &str = "0x3";
    pub(in crate::legion) const RANDOM: &str = "0x4";
    pub(in crate::legion) const SERIAL: &str = "0x5";
    pub(in crate::legion) const SOUND: &str = "0x6";
    /// Root ports, eight a slot, from here up.
    pub(in crate::legion) const ROOT_PORTS: usize = 0x10;
}

/// QEMU's command line, program first.
pub fn argv(paths: &Paths, machine: &VirtualMachine<'_>) -> Vec<String> {
    let mut line = Line(vec![QEMU.to_owned()]);
    platform::basics(&mut line, machine);
    platform::memory(&mut line, machine);
    peripherals::sockets(&mut line, paths);
    disk::disk(&mut line, paths, machine);
    disk::cd(&mut line, paths, machine.iso);
    platform::flash(&mut line, paths, machine);
    peripherals::network(&mut line, machine);
    peripherals::display(&mut line, paths, machine.legion.display);
    peripherals::sound(&mut line, &machine.legion.audio);
    if machine.legion.tpm {
        peripherals::tpm(&mut line, paths);
    }
    passthrough::slots(&mut line, paths, machine);
    line.0.extend(machine.legion.extra_args.iter().cloned());
    line.0
}

/// The same line under supervision: QEMU inherits `descriptor` for its supervisor's QMP, and if it is to be `held`, the guest starts only
/// when QMP says so.
pub fn supervised(argv: &[String], descriptor: i32, held: bool) -> Vec<String> {
    let mut line = Line::default();
    line.add("-chardev", format!("socket,id=supervisor,fd={descriptor}"));
    line.add("-mon", "chardev=supervisor,mode=control");
    if held {
        line.flag("-S");
    }
    with(argv, line)
}

/// The line with the network card's peer on the descriptor that QEMU inherits: the node of a macvtap
/// ([`crate::legion::network::open`]).
pub fn connected(argv: &[String], descriptor: i32) -> Vec<String> {
    let mut line = Line::default();
    line.add("-netdev", format!("tap,id={},fd={descriptor},vhost=on", peripherals::NETWORK));
    with(argv, line)
}

/// At the front, so that the owner's own arguments cannot absorb it.
fn with(argv: &[String], line: Line) -> Vec<String> {
    let mut argv = argv.to_vec();
    argv.splice(argv.len().min(1)..argv.len().min(1), line.0);
    argv
}

#[derive(Debug, Default)]
struct Line(Vec<String>);

impl Line {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.to_owned());
        self
    }

    fn add(&mut self, option: &str, value: impl Into<String>) -> &mut Self {
        self.flag(option);
        self.0.push(value.into());
        self
    }

    /// A block device of this name: an image of this format in a file, with more options.
    ///
    /// A qcow2 image has no backing file, whatever its header says: a guest that has taken over QEMU can write any name there. The null that
    /// says so exists only in JSON.
    fn block(&mut self, name: &str, format: &str, file: Value, options: Value) -> &mut Self {
        let mut node = options;
        node["node-name"] = name.into();
        node["driver"] = format.into();
        node["file"] = file;
        if format == "qcow2" {
            node["backing"] = Value::Null;
        }
        self.add("-blockdev", node.to_string())
    }
}

/// A file as QEMU describes a block device.
fn file(path: impl AsRef<Path>) -> Value {
    json!({ "driver": "file", "filename": path.as_ref().to_string_lossy() })
}

/// A text as a value inside a QEMU option: a comma would end the value, so it is doubled.
fn value(text: impl AsRef<Path>) -> String {
    text.as_ref().to_string_lossy().replace(',', ",,")
}

/// A command line as one would type it into a shell.
pub fn shell_line(argv: &[String]) -> String {
    argv.iter().map(|argument| shell_quote(argument)).collect::<Vec<_>>().join(" ")
}

fn shell_quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=,./:+@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
