//! The folder itself: files and links below a root.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A folder that is written to look like a machine. Paths are relative to it, without a slash in front. It is for tests: what
/// cannot be written panics, naming the file.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    /// Where the next 32-bit and 64-bit memory windows of PCI functions begin.
    pub(crate) free: [Cell<u64>; 2],
}

const ROUTE_HEADER: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

impl Tree {
    /// A machine without any hardware.
    pub fn new(root: &Path) -> Self {
        let tree = Self::at_folder(root);
        tree.file("sys/bus/pci/drivers_probe", "");
        tree.file("proc/net/route", ROUTE_HEADER);
        tree.file("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
        tree.file("proc/self/mountinfo", "");
        tree
    }

    /// One that is there already.
    pub fn at_folder(root: &Path) -> Self {
        Self { root: root.to_owned(), free: [Cell::new(0xc000_0000), Cell::new(0x70_0000_0000)] }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The real path of a path in the tree.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file, and the folders above it.
    pub fn file(&self, path: &str, contents: impl AsRef<[u8]>) {
        self.make(path, |place| fs::write(place, contents.as_ref()));
    }

    /// Adds a line to a file that is there.
    pub fn append(&self, path: &str, line: &str) {
        let place = self.at(path);
        let text = done(fs::read_to_string(&place), &place);
        self.file(path, format!("{text}{line}\n"));
    }

    /// A link as sysfs has them: relative, so that the tree can lie anywhere. Both are paths in the tree; the target is made a
    /// folder if it is not there.
    pub fn link(&self, path: &str, target: &str) {
        if !self.at(target).exists() {
            done(fs::create_dir_all(self.at(target)), &self.at(target));
        }
        let relative = format!("{}{target}", "../".repeat(path.matches('/').count()));
        self.make(path, |place| symlink(&relative, place));
    }

    /// Every file with its text and every link with its target.
    pub fn contents(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in done(fs::read_dir(&folder), &folder) {
                let entry = done(entry, &folder);
                let path = entry.path();
                let kind = done(entry.file_type(), &path);
                let name = path.strip_prefix(&self.root).unwrap_or(&path).to_owned();
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_symlink() {
                    found.insert(name, format!("-> {}", done(fs::read_link(&path), &path).display()));
                } else {
                    found.insert(name, String::from_utf8_lossy(&done(fs::read(&path), &path)).into_owned());
                }
            }
        }
        found
    }

    /// Makes something, and the folders above it where they are missing.
    fn make(&self, path: &str, make: impl Fn(&Path) -> io::Result<()>) {
        let place = self.at(path);
        let made = make(&place).or_else(|error| match place.parent() {
            Some(folder) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(folder).and_then(|()| make(&place)),
            _ => Err(error),
        });
        done(made, &place);
    }
}

/// What cannot be done ends the test, naming the file.
#[allow(clippy::panic)]
pub(crate) fn done<T>(result: io::Result<T>, path: &Path) -> T {
    result.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The last part of a path.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
