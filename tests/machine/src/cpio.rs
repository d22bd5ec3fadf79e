//! The "newc" archive format, as the kernel unpacks it (`Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::collections::BTreeSet;

/// An archive being written. Folders appear by themselves before what lies in them.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    inodes: u32,
}

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;

impl Archive {
    /// Adds a file by its absolute path.
    pub(crate) fn file(&mut self, path: &str, mode: u32, contents: &[u8]) {
        let path = path.trim_start_matches('/');
        self.parents(path);
        self.entry(path, FILE | mode, contents);
    }

    /// Adds an empty folder.
    pub(crate) fn folder(&mut self, path: &str) {
        let path = path.trim_matches('/');
        self.parents(path);
        if self.folders.insert(path.to_owned()) {
            self.entry(path, FOLDER, &[]);
        }
    }

    /// The finished archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.folder(parent);
        }
    }

    fn entry(&mut self, name: &str, mode: u32, contents: &[u8]) {
        self.inodes += 1;
        let links = if mode & FOLDER == FOLDER { 2 } else { 1 };
        let fields = [self.inodes, mode, 0, 0, links, 0, contents.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tool::Tool;

    #[test]
    fn cpio_reads_it() {
        let mut archive = Archive::default();
        archive.file("/etc/persona/persona.toml", 0o644, b"[menu]\n");
        archive.file("/etc/persona/odd", 0o600, b"x");
        archive.folder("/dev");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), archive.finish()).unwrap();
        let listing = Tool::new("cpio").args(["-itv", "--quiet", "-F"]).arg(file.path()).output().unwrap();
        let names: Vec<&str> = listing.lines().filter_map(|line| line.split_whitespace().last()).collect();
        assert_eq!(names, ["etc", "etc/persona", "etc/persona/persona.toml", "etc/persona/odd", "dev"]);
        assert!(listing.lines().any(|line| line.starts_with("-rw-------") && line.ends_with("odd")), "{listing}");
    }
}
