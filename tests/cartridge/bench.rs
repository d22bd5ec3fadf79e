//! A machine below a temporary folder, on which the real command makes cartridges, and is killed at it.

use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PERSONA: &str = env!("CARGO_BIN_EXE_persona");

/// The system calls that change something. A process that is killed at any other is, for those who come after, one that was
/// killed at the next of these.
const CHANGES: &str = "mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,\
    write,pwrite64,pwritev,pwritev2,ftruncate,fallocate,copy_file_range,sendfile,chmod,fchmod,fchmodat,chown,fchown,fchownat,\
    fsync,fdatasync,utimensat,ioctl,flock";

pub const SETTINGS: &str = "[legion]\ncartridges = \"/shelf\"\nslot = \"/slot\"\n[[persona]]\nname = \"gondor\"\n[[persona]]\nname = \"mordor\"\nguest = \"windows\"\n";

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The command itself, at any system call.
    Persona,
    /// Whichever of its processes comes first to that many changes.
    Any,
}

pub struct Bench {
    root: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self { root: tempfile::tempdir().unwrap() };
        for folder in ["etc/persona", "usr/share/OVMF", "images", "run/persona"] {
            fs::create_dir_all(bench.path(folder)).unwrap();
        }
        fs::write(bench.path("etc/persona/persona.toml"), SETTINGS).unwrap();
        for (file, mark) in [("OVMF_VARS.fd", b'-'), ("OVMF_VARS.ms.fd", b'S')] {
            fs::write(bench.path("usr/share/OVMF").join(file), vec![mark; 131_072]).unwrap();
        }
        bench
    }

    /// The same machine again, for as long as the original is there.
    pub fn copy(&self) -> Self {
        let copy = Self { root: tempfile::tempdir().unwrap() };
        let status = Command::new("cp").args(["-a", "--sparse=always", "-T"]).args([self.root.path(), copy.root.path()]).status().unwrap();
        assert!(status.success());
        copy
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// `persona cartridge ...`
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(PERSONA).args(self.command(arguments)).stdin(Stdio::null()).output().unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Vec<String> {
        let root = ["--root".to_owned(), self.root.path().display().to_string(), "cartridge".to_owned()];
        root.into_iter().chain(arguments.iter().map(|argument| (*argument).to_owned())).collect()
    }

    pub fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output.stderr));
        said(&output.stdout)
    }

    /// What it says when it cannot; always with a mend.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let message = said(&output.stderr);
        assert!(!output.status.success() && message.contains("mend: "), "{arguments:?}: {message}");
        message
    }

    pub fn list(&self) -> Value {
        serde_json::from_str(&self.succeeds(&["list", "--json"])).unwrap()
    }

    /// What the list says about one cartridge.
    pub fn entry(&self, name: &str) -> Value {
        self.list()["cartridges"].as_array().unwrap().iter().find(|entry| entry["name"] == name).cloned().unwrap_or(Value::Null)
    }

    /// Whether that cartridge is there and nothing is wrong with it.
    pub fn is_well(&self, name: &str) -> bool {
        let entry = self.entry(name);
        entry != Value::Null && entry["trouble"] == Value::Null
    }

    pub fn qemu_io(&self, disk: &str, command: &str) {
        let output = Command::new("qemu-io").args(["-c", command]).arg(self.path(disk)).output().unwrap();
        assert!(output.status.success(), "{command}: {}", said(&output.stderr));
    }

    /// All that has a name by which half-made things are known.
    pub fn half_made(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(self.root.path(), &mut |path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with(".partial-") || name.ends_with(".new") || name == "restoring" {
                found.push(path.strip_prefix(self.root.path()).unwrap().to_owned());
            }
        });
        found
    }

    /// Makes sure that the list names all that a kill has left.
    pub fn ensure_named(&self, when: &str) {
        let list = self.succeeds(&["list"]);
        for path in self.half_made() {
            // What is half restored is told of the whole cartridge.
            let restoring = path.ancestors().find(|folder| self.root.path().join(folder).join("restoring").is_symlink());
            let told = match restoring {
                Some(_) => list.contains("that was interrupted") || path.ends_with("restoring"),
                None => list.contains(&format!("left /{}", path.display())),
            };
            assert!(told, "{when}: {} is not named in\n{list}", path.display());
        }
    }

    /// Runs `command` and kills it, or one of its children, at the `number`th system call. `None` if it was killed, else
    /// whether it was well.
    pub fn killed_at(&self, victim: Victim, number: usize, command: &mut Command) -> Option<bool> {
        let calls = if victim == Victim::Any { CHANGES } else { "all" };
        let inject = format!("inject={calls}:signal=KILL:when={number}");
        let mut strace = Command::new("strace");
        strace.args(["-qqq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &inject]);
        if victim == Victim::Any {
            strace.args(["-f", "--seccomp-bpf"]);
        }
        strace.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            strace.env(name, value.unwrap());
        }
        let output = strace.stdin(Stdio::null()).output().expect("strace is to be installed");
        match output.status.signal() {
            Some(_) => None,
            None => Some(output.status.success()),
        }
    }

    /// The number of the first system call at which `command` changes something. It does its work meanwhile.
    pub fn first_change(&self, command: &mut Command) -> usize {
        let log = self.path("strace.log");
        let mut strace = Command::new("strace");
        strace.args(["-qqq", "-o"]).arg(&log).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            strace.env(name, value.unwrap());
        }
        let output = strace.stdin(Stdio::null()).output().expect("strace is to be installed");
        assert!(output.status.success(), "{}", said(&output.stderr));
        let text = fs::read_to_string(log).unwrap();
        let calls = text.lines().filter(|line| line.starts_with(|letter: char| letter.is_ascii_lowercase()));
        let changes =
            |line: &str| line.split_once('(').is_some_and(|(call, _)| call != "ioctl" && CHANGES.split(',').any(|change| change == call));
        1 + calls.into_iter().position(changes).unwrap()
    }

    /// The command on this machine, to be killed.
    pub fn persona(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PERSONA);
        command.args(self.command(arguments));
        command
    }
}

pub fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn collect(folder: &Path, see: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        see(&path);
        if path.is_dir() && !path.is_symlink() {
            collect(&path, see);
        }
    }
}
