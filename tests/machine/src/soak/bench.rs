//! A machine below a temporary folder, on a small disk of its own if root makes it, and what must be on it.

use crate::folders;
use crate::tool::Tool;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;
use persona::error::{Context, Error, Result};
use persona::sys::paths::Paths;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Cartridges that there may be.
pub(super) const NAMES: [&str; 3] = ["arnor", "gondor", "mordor"];
/// The disk, in bytes.
const DISK: u64 = 96 << 20;
const NVRAM: usize = 131_072;

/// What must be in a cartridge.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// The byte that fills its disk's start, its variables and its TPM state.
    pub(super) mark: u8,
    /// The same of each snapshot.
    pub(super) snapshots: BTreeMap<String, u8>,
}

/// The machine.
pub(super) struct Bench {
    root: TempDir,
    own_disk: bool,
    pub(super) paths: Paths,
    pub(super) expected: BTreeMap<String, Expected>,
    /// The personas that may be the default, the override, and in the slot; one unless a command was broken off.
    pub(super) default: String,
    pub(super) next: Option<String>,
    pub(super) slot: Option<String>,
    /// How long each command takes.
    pub(super) takes: BTreeMap<&'static str, Duration>,
}

impl Bench {
    pub(super) fn new() -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let root = root.context(|| "making a temporary folder".to_owned())?;
        let own_disk = Uid::effective().is_root();
        if own_disk {
            let options = format!("size={DISK}");
            // The disk is gone with this process, however that ends.
            unshare(CloneFlags::CLONE_NEWNS).context(|| "leaving the host's mounts alone".to_owned())?;
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
                .context(|| "leaving the host's mounts alone".to_owned())?;
            mount(Some("soak"), root.path(), Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
                .context(|| format!("mounting a disk at {}", root.path().display()))?;
        }
        let paths = Paths::new(root.path(), None);
        let bench = Self {
            root,
            own_disk,
            paths,
            expected: BTreeMap::new(),
            default: NAMES[0].to_owned(),
            next: None,
            slot: None,
            takes: BTreeMap::new(),
        };
        bench.furnish().context(|| "furnishing the machine".to_owned())?;
        Ok(bench)
    }

    fn furnish(&self) -> std::io::Result<()> {
        for folder in ["etc/persona", "usr/share/OVMF", "images", "run/persona", "proc", "var/lib/persona"] {
            fs::create_dir_all(self.path(folder))?;
        }
        std::os::unix::fs::symlink("/proc/locks", self.path("proc/locks"))?;
        let personas: String = NAMES.iter().map(|name| format!("[[persona]]\nname = \"{name}\"\n")).collect();
        let legion = "[legion]\ncartridges = \"/shelf\"\nslot = \"/slot\"\n";
        fs::write(self.path("etc/persona/persona.toml"), format!("[menu]\ndefault = \"{}\" # mine\n{legion}{personas}", self.default))?;
        for file in ["OVMF_VARS.fd", "OVMF_VARS.ms.fd"] {
            fs::write(self.path("usr/share/OVMF").join(file), vec![b'-'; NVRAM])?;
        }
        // Code and variables together fill the flash of one build.
        for file in ["OVMF_CODE.fd", "OVMF_CODE.secboot.fd"] {
            File::create(self.path("usr/share/OVMF").join(file))?.set_len((2 << 20) - NVRAM as u64)?;
        }
        let mut image = vec![7; 1 << 20];
        image[510..512].copy_from_slice(b"\x55\xaa");
        fs::write(self.path("images/old.raw"), image)
    }

    pub(super) fn has_own_disk(&self) -> bool {
        self.own_disk
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// The command, as built beside this program.
    pub(super) fn persona<A: AsRef<str>>(&self, arguments: &[A]) -> Result<Command> {
        let here = std::env::current_exe().context(|| "finding this program".to_owned())?;
        let mut command = Command::new(here.with_file_name("persona"));
        command.arg("--root").arg(self.root.path()).args(arguments.iter().map(AsRef::as_ref)).stdin(Stdio::null());
        Ok(command)
    }

    /// `persona cartridge list --json`.
    pub(super) fn list(&self) -> Result<Value> {
        let output = self.persona(&["cartridge", "list", "--json"])?.output().context(|| "running persona".to_owned())?;
        succeeded(&output, "persona cartridge list")?;
        serde_json::from_slice(&output.stdout).context(|| "reading the list of cartridges".to_owned())
    }

    fn disk(&self, name: &str) -> PathBuf {
        self.path("shelf").join(name).join("disk.qcow2")
    }

    /// Whether `qemu-io` does this with a cartridge's disk.
    pub(super) fn qemu_io(&self, name: &str, command: &str) -> Result<()> {
        let output = Command::new("qemu-io").args(["-f", "qcow2", "-c", command]).arg(self.disk(name)).output();
        let output = output.context(|| "running qemu-io".to_owned())?;
        // Older versions tell of a wrong pattern, and succeed.
        let is_wrong = String::from_utf8_lossy(&output.stdout).contains("verification failed");
        if is_wrong { Err(Error::new(format!("{command}: the data differs"))) } else { succeeded(&output, command) }
    }

    /// Writes the mark to all parts of a cartridge, as a guest would.
    pub(super) fn mark(&mut self, name: &str, mark: u8) -> Result<()> {
        self.qemu_io(name, &format!("write -P {mark} 0 64k"))?;
        let folder = self.path("shelf").join(name);
        let write = || {
            fs::write(folder.join("nvram.fd"), vec![mark; NVRAM])?;
            fs::create_dir_all(folder.join("tpm"))?;
            fs::write(folder.join("tpm/state"), vec![mark; 100])
        };
        write().context(|| format!("marking {name}"))?;
        self.expected.entry(name.to_owned()).or_default().mark = mark;
        Ok(())
    }

    /// Checks that all parts have this mark.
    pub(super) fn ensure_marked(&self, name: &str, mark: u8) -> Result<()> {
        let folder = self.path("shelf").join(name);
        for (file, length) in [("nvram.fd", NVRAM), ("tpm/state", 100)] {
            let found = fs::read(folder.join(file)).context(|| format!("reading {file} of {name}"))?;
            if found != vec![mark; length] {
                return Err(Error::new(format!("{file} of {name} is not {mark} but {:?}", found.first())));
            }
        }
        self.qemu_io(name, &format!("read -P {mark} 0 64k"))
    }

    /// Checks that the image is consistent; leaked clusters are allowed.
    pub(super) fn ensure_consistent(&self, name: &str) -> Result<()> {
        let output = Command::new("qemu-img").args(["check", "-f", "qcow2"]).arg(self.disk(name)).output();
        let output = output.context(|| "running qemu-img".to_owned())?;
        match output.status.code() {
            Some(0 | 3) => Ok(()),
            _ => succeeded(&output, "qemu-img check"),
        }
    }

    /// Mounts the disk anew, for reading only or not.
    pub(super) fn remount(&self, flags: MsFlags) -> Result<()> {
        mount(None::<&str>, self.root.path(), None::<&str>, MsFlags::MS_REMOUNT | flags, None::<&str>)
            .context(|| "mounting the disk anew".to_owned())
    }

    /// Keeps what is left of a fault.
    pub(super) fn keep(&self, number: usize) -> Result<PathBuf> {
        let folder = folders::target().join("soak");
        fs::create_dir_all(&folder).context(|| format!("creating {}", folder.display()))?;
        let kept = folder.join(format!("fault-{number}"));
        // Of an earlier run.
        let _ = fs::remove_dir_all(&kept);
        Tool::new("cp").args(["-a", "--sparse=always", "-T"]).args([self.root.path(), &kept]).run()?;
        Ok(kept)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.own_disk {
            // A process that hangs may still use it.
            let _ = umount2(self.root.path(), MntFlags::MNT_DETACH);
        }
    }
}

/// Checks that a command succeeded.
pub(super) fn succeeded(output: &Output, what: &str) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    Err(Error::new(format!("{what} failed ({}): {}", output.status, said.join(" "))))
}
