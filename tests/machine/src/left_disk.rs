//! The disk that a machine left when its power was cut, read without booting it.

use crate::artifacts::Artifacts;
use crate::machine::Machine;
use crate::tool::Tool;
use persona::error::{Context, Result};
use std::path::{Path, PathBuf};

/// What of the disk is looked at: Persona's own files, and where cartridges and settings are.
const FOLDERS: [&str; 3] = ["/var/lib/persona", "/var/lib/legion", "/etc/persona"];

/// The folders of a machine's root file system that Persona keeps things in, as the next boot would find them.
pub struct LeftDisk {
    tree: tempfile::TempDir,
    persona: PathBuf,
}

impl LeftDisk {
    /// Reads the disk of a machine whose power is off: its journal is replayed in a copy, as a boot would do it.
    ///
    /// # Errors
    /// When the file system is broken beyond what its journal hints, or a tool fails.
    pub fn of(machine: &Machine, artifacts: &Artifacts) -> Result<Self> {
        let raw = machine.folder().join("left.raw");
        let disk = machine.folder().join("disk.qcow2");
        Tool::new("qemu-img").args(["convert", "-f", "qcow2", "-O", "raw"]).arg(&disk).arg(&raw).run()?;
        // 1: something was corrected, such as the journal.
        Tool::new("sh").args(["-c", "e2fsck -p \"$1\" || test $? -eq 1", "sh"]).arg(&raw).run()?;
        let tree = tempfile::tempdir().context(|| "making a folder for what the disk holds".to_owned())?;
        for folder in FOLDERS {
            let to = tree.path().join(folder.trim_start_matches('/'));
            let above = to.parent().unwrap_or(tree.path());
            std::fs::create_dir_all(above).context(|| format!("making {}", above.display()))?;
            let request = format!("rdump {folder} {}", above.display());
            Tool::new("debugfs").args(["-R", &request]).arg(&raw).by_root().run()?;
        }
        std::fs::remove_file(&raw).context(|| format!("removing {}", raw.display()))?;
        Ok(Self { tree, persona: artifacts.persona.clone() })
    }

    /// What a command of Persona says of it.
    ///
    /// # Errors
    /// When the command fails.
    pub fn persona(&self, arguments: &[&str]) -> Result<String> {
        Tool::new(&self.persona).arg("--root").arg(self.tree.path()).args(arguments).output()
    }

    /// Where a symlink points.
    pub fn link(&self, path: &str) -> Option<String> {
        let target = std::fs::read_link(self.at(path)).ok()?;
        Some(target.to_string_lossy().into_owned())
    }

    /// The files right in a folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn files(&self, folder: &str) -> Result<Vec<PathBuf>> {
        let folder = self.at(folder);
        let entries = std::fs::read_dir(&folder).context(|| format!("reading {}", folder.display()))?;
        Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.tree.path().join(Path::new(path).strip_prefix("/").unwrap_or(Path::new(path)))
    }
}
