//! Images as `qemu-img` creates, copies and compares them.

use super::layers::Layer;
use super::qemu_img::{Given, QemuImg, Share, Task};
use crate::error::{Context, Error, Result};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;

/// Disables copy-on-write below the guest's own on Btrfs, where it would fragment the disk; elsewhere it has no effect.
const NO_COPY_ON_WRITE: &str = "nocow=on";

/// Receives the progress of a long task: what is being done, and how much of it, from 0 to 1.
pub type Progress<'a> = dyn FnMut(&str, f64) + 'a;

/// What `qemu-img info` says about an image.
#[derive(Debug)]
pub(super) struct Info {
    /// The disk's size in bytes.
    pub(super) size: u64,
    /// The names of the snapshots inside.
    pub(super) snapshots: Vec<String>,
}

impl Info {
    fn read(said: &str, doing: &str) -> Result<Self> {
        let snapshots = answer(said, doing)?["snapshots"].as_array().cloned().unwrap_or_default();
        let names = snapshots.iter().filter_map(|snapshot| snapshot["name"].as_str().map(str::to_owned));
        Ok(Self { size: number(said, "virtual-size", doing)?, snapshots: names.collect() })
    }
}

fn answer(said: &str, doing: &str) -> Result<Value> {
    serde_json::from_slice(said.as_bytes()).context(|| format!("{doing}: reading the answer of qemu-img"))
}

fn number(said: &str, key: &str, doing: &str) -> Result<u64> {
    answer(said, doing)?[key].as_u64().ok_or_else(|| Error::new(format!("{doing}: qemu-img does not tell {key}")))
}

/// A blank image of `size` bytes.
pub(super) fn create(path: &Path, format: &str, size: u64) -> Result<()> {
    let (doing, size) = (format!("making {}", path.display()), size.to_string());
    let arguments = ["create", "-q", "-f", format, "-o", NO_COPY_ON_WRITE];
    QemuImg::unconfined().run(&doing, Task::Write, &arguments, &[path.as_os_str(), size.as_ref()], &[]).map(drop)
}

/// Copies a small qcow2 image of the distribution's, byte by byte as a disk stores them.
pub(super) fn flatten(from: &Path, to: &Path) -> Result<()> {
    let doing = format!("copying {} to {}", from.display(), to.display());
    let arguments = ["convert", "-q", "-f", "qcow2", "-O", "raw"];
    QemuImg::unconfined().run(&doing, Task::Write, &arguments, &[from.as_os_str(), to.as_os_str()], &[]).map(drop)
}

/// An image of a known format. The format is never detected: what a guest wrote to a raw disk may look like another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Image<'a> {
    pub(super) qemu_img: QemuImg,
    pub(super) file: &'a Given,
    pub(super) format: &'a str,
    /// What it is a difference to, the next one first.
    pub(super) below: &'a [Layer],
}

impl<'a> Image<'a> {
    fn doing(self, verb: &str) -> String {
        format!("{verb} {}", self.file.path().display())
    }

    /// No file is opened because a header names it.
    fn operand(self) -> String {
        let none = "null".to_owned();
        let backing = self.below.iter().rev().fold(none, |backing, layer| node(layer.format, &layer.file.node(), &backing));
        operand(&node(self.format, &self.file.node(), &backing))
    }

    fn files(self) -> impl Iterator<Item = &'a Given> {
        std::iter::once(self.file).chain(self.below.iter().map(|layer| &layer.file))
    }

    fn ask(self, verb: &str, arguments: &[&str]) -> Result<String> {
        let files: Vec<_> = self.files().collect();
        self.qemu_img.run(&self.doing(verb), Task::Look, arguments, &[self.operand().as_ref()], &files)
    }

    pub(super) fn info(self) -> Result<Info> {
        // This opens no backing file, and refuses a description of one.
        let said = Image { below: &[], ..self }.ask("looking at the image", &["info", "--output=json"])?;
        Info::read(&said, &self.doing("looking at the image"))
    }

    /// Checks that it is consistent and whole.
    pub(super) fn check(self) -> Result<()> {
        self.ask("checking", &["check", "-q"]).map(drop)
    }

    /// How many bytes a copy in another format takes at most, not counting zero blocks.
    pub(super) fn measure(self, wanted: &str) -> Result<u64> {
        let said = self.ask("measuring the image", &["measure", "--output=json", "-O", wanted])?;
        number(&said, "required", &self.doing("measuring the image"))
    }

    /// Copies it into an empty file, leaving out zero blocks.
    pub(super) fn convert(self, to: Self, progress: &mut Share<'_>) -> Result<()> {
        let doing = format!("{} to {}", self.doing("copying"), to.file.path().display());
        let arguments = ["convert", "-p", "-O", to.format, "-o", NO_COPY_ON_WRITE];
        let (from, name) = (self.operand(), to.file.name());
        let files: Vec<_> = self.files().chain(to.files()).collect();
        self.qemu_img.watched(&doing, Task::Write, &arguments, &[from.as_ref(), name.as_ref()], &files, progress)
    }

    /// Checks that two images contain the same disk.
    pub(super) fn compare(self, to: Self, progress: &mut Share<'_>) -> Result<()> {
        let doing = format!("{} with its copy", self.doing("comparing"));
        let operands = [self.operand(), to.operand()];
        let operands = [operands[0].as_ref(), operands[1].as_ref()];
        let files: Vec<_> = self.files().chain(to.files()).collect();
        self.qemu_img.watched(&doing, Task::Read, &["compare", "-p"], &operands, &files, progress)
    }
}

/// A qcow2 image together with changes to its bytes that are in a file of their own, a difference image in qcow2. The image is only read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Difference<'a> {
    pub(super) qemu_img: QemuImg,
    pub(super) image: &'a Given,
    pub(super) changes: &'a Given,
}

impl Difference<'_> {
    /// The bytes of the changed image. What the headers say about other files is not followed.
    fn bytes(self) -> String {
        node("qcow2", &self.changes.node(), &node("raw", &self.image.node(), "null"))
    }

    fn doing(self) -> String {
        format!("changing the snapshots of {}", self.image.path().display())
    }

    fn run(self, arguments: &[&str], operands: &[&OsStr]) -> Result<String> {
        self.qemu_img.run(&self.doing(), Task::Write, arguments, operands, &[self.image, self.changes])
    }

    fn on_changed(self, arguments: &[&str]) -> Result<String> {
        self.run(arguments, &[operand(&node("qcow2", &self.bytes(), "null")).as_ref()])
    }

    /// Changes the snapshots: `-c` creates, `-a` restores, `-d` deletes.
    pub(super) fn snapshot(self, action: &str, name: &str) -> Result<()> {
        self.on_changed(&["snapshot", "-q", action, name]).map(drop)
    }

    /// Whether the changed image contains a snapshot of that name.
    pub(super) fn has_snapshot(self, name: &str) -> Result<bool> {
        let Info { snapshots, .. } = Info::read(&self.on_changed(&["info", "--output=json"])?, &self.doing())?;
        Ok(snapshots.iter().any(|snapshot| snapshot == name))
    }

    /// Frees clusters that nothing references, and checks that the changed image is consistent. Returns how many bytes of it are in use.
    pub(super) fn check(self) -> Result<u64> {
        let said = self.on_changed(&["check", "--output=json", "-r", "leaks"])?;
        number(&said, "image-end-offset", &self.doing())
    }

    /// Sets the length of the changed image, in bytes: what is beyond is not in use.
    pub(super) fn set_length(self, length: u64) -> Result<()> {
        let (name, length) = (self.changes.name(), length.to_string());
        self.run(&["resize", "-q", "-f", "qcow2", "--shrink"], &[name.as_ref(), length.as_ref()]).map(drop)
    }

    /// Copies the changes into the image. The changes stay: when this was interrupted, the same again completes it.
    pub(super) fn commit(self) -> Result<()> {
        self.run(&["commit", "-q", "-d"], &[operand(&self.bytes()).as_ref()]).map(drop)
    }
}

/// QEMU's description of an image as a block device, in JSON. `file` and `backing` are descriptions too; nothing in them needs escapes.
fn node(format: &str, file: &str, backing: &str) -> String {
    format!(r#"{{"driver":"{format}","file":{file},"backing":{backing}}}"#)
}

/// Such a description as an argument of `qemu-img`.
fn operand(node: &str) -> String {
    format!("json:{node}")
}
