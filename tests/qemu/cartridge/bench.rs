//! A machine below a temporary folder, on which the real command makes cartridges, and is killed at it.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) const PERSONA: &str = env!("CARGO_BIN_EXE_persona");

/// The system calls that change something. A process that is killed at any other is, for those who come after, one that was
/// killed at the next of these.
const CHANGES: &str = "mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,\
    write,pwrite64,pwritev,pwritev2,ftruncate,fallocate,copy_file_range,sendfile,chmod,fchmod,fchmodat,chown,fchown,fchownat,\
    fsync,fdatasync,utimensat,ioctl,flock";

/// What the command does while another program changes something for it.
const WAITS: &str = "poll,wait4,waitid";

pub(crate) const SETTINGS: &str = "[legion]\ncartridges = \"/shelf\"\nslot = \"/slot\"\n[[persona]]\nname = \"gondor\"\n[[persona]]\nname = \"mordor\"\nguest = \"windows\"\n";

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The command itself, at the calls that change something or wait for a program.
    Persona,
    /// Whichever of its processes comes first to that step, at the calls that change something.
    Any,
}

/// The so many-th call of that kind in one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) call: String,
    pub(crate) number: usize,
}

/// Runs `command` under strace.
fn strace(victim: Victim, log: &Path, calls: &str, arguments: &[&str], command: &Command) -> Output {
    let mut strace = Command::new("strace");
    strace.args(["-qqq", "-e", &format!("trace={calls}"), "-o"]).arg(log).args(arguments);
    if victim == Victim::Any {
        strace.arg("-f");
    }
    strace.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        strace.env(name, value.unwrap());
    }
    // All of the command's processes inherit the one end: the other ends when the last of them, killed with the first, is gone.
    let (mut gone, held) = nix::unistd::pipe().map(|(read, write)| (fs::File::from(read), write)).unwrap();
    let child = strace.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("strace is to be installed");
    drop(held);
    let output = child.wait_with_output().unwrap();
    gone.read_to_end(&mut Vec::new()).unwrap();
    output
}

pub(crate) struct Bench {
    root: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { root: tempfile::tempdir().unwrap() };
        for folder in ["etc/persona", "usr/share/OVMF", "images", "run/persona"] {
            fs::create_dir_all(bench.path(folder)).unwrap();
        }
        fs::write(bench.path("etc/persona/persona.toml"), SETTINGS).unwrap();
        // Any user but root will do, and this one is on every system.
        fs::write(bench.path("etc/passwd"), "persona-image:x:65534:65534::/:/bin/false\n").unwrap();
        for (file, mark) in [("OVMF_VARS.fd", b'-'), ("OVMF_VARS.ms.fd", b'S')] {
            fs::write(bench.path("usr/share/OVMF").join(file), vec![mark; 131_072]).unwrap();
        }
        // Code and variables together fill the flash of one build.
        for file in ["OVMF_CODE.fd", "OVMF_CODE.secboot.fd"] {
            File::create(bench.path("usr/share/OVMF").join(file)).unwrap().set_len((2 << 20) - 131_072).unwrap();
        }
        bench
    }

    /// The same machine again, for as long as the original is there.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { root: tempfile::tempdir().unwrap() };
        let status = Command::new("cp").args(["-a", "--sparse=always", "-T"]).args([self.root.path(), copy.root.path()]).status().unwrap();
        assert!(status.success());
        copy
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// `persona cartridge ...`
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        Command::new(PERSONA).args(self.command(arguments)).stdin(Stdio::null()).output().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Vec<String> {
        let root = ["--root".to_owned(), self.root.path().display().to_string(), "cartridge".to_owned()];
        root.into_iter().chain(arguments.iter().map(|argument| (*argument).to_owned())).collect()
    }

    pub(crate) fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output.stderr));
        said(&output.stdout)
    }

    /// What it says when it cannot; always with a hint.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let message = said(&output.stderr);
        assert!(!output.status.success() && message.contains("hint: "), "{arguments:?}: {message}");
        message
    }

    pub(crate) fn list(&self) -> Value {
        serde_json::from_str(&self.succeeds(&["list", "--json"])).unwrap()
    }

    /// What the list says about one cartridge.
    pub(crate) fn entry(&self, name: &str) -> Value {
        self.list()["cartridges"].as_array().unwrap().iter().find(|entry| entry["name"] == name).cloned().unwrap_or(Value::Null)
    }

    /// Whether that cartridge is there and nothing is wrong with it.
    pub(crate) fn is_well(&self, name: &str) -> bool {
        let entry = self.entry(name);
        entry != Value::Null && entry["trouble"] == Value::Null
    }

    pub(crate) fn qemu_io(&self, disk: &str, command: &str) {
        let output = Command::new("qemu-io").args(["-c", command]).arg(self.path(disk)).output().unwrap();
        assert!(output.status.success(), "{command}: {}", said(&output.stderr));
    }

    /// The qcow2 disk of a cartridge, and whether it is one that boots: a change that counts may not be complete.
    pub(crate) fn disk(&self, name: &str) -> (PathBuf, bool) {
        let folder = self.path("shelf").join(name);
        let (usual, changing) = (folder.join("disk.qcow2"), folder.join("disk.changing"));
        if changing.exists() { (changing, false) } else { (usual, true) }
    }

    /// All that has a name by which half-made things are known.
    pub(crate) fn half_made(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(self.root.path(), &mut |path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with(".partial-")
                || name.ends_with(".new")
                || name.ends_with(".persona-new")
                || ["restoring", "disk.changes", "disk.changing"].contains(&name.as_str())
            {
                found.push(path.strip_prefix(self.root.path()).unwrap().to_owned());
            }
        });
        found
    }

    /// Makes sure that the list names all that a kill has left.
    pub(crate) fn ensure_named(&self, when: &str) {
        let list = self.list();
        let leftovers: Vec<&str> = list["leftovers"].as_array().unwrap().iter().map(|left| left["path"].as_str().unwrap()).collect();
        let restored = |entry: &Value| entry["trouble_code"] == "restore-interrupted";
        for path in self.half_made() {
            // What is half restored is told of the whole cartridge.
            let restoring = path.ancestors().find(|folder| self.root.path().join(folder).join("restoring").is_symlink());
            let told = match restoring {
                Some(_) => list["cartridges"].as_array().unwrap().iter().any(restored) || path.ends_with("restoring"),
                None => leftovers.contains(&format!("/{}", path.display()).as_str()),
            };
            assert!(told, "{when}: {} is not named in\n{list:#}", path.display());
        }
    }

    /// Runs `command` and kills the victim at a step. Says whether something was killed: threads share their calls out anew
    /// each time.
    pub(crate) fn kill_at(&self, victim: Victim, step: &Step, command: &Command) -> bool {
        let inject = format!("inject={}:signal=KILL:when={}", step.call, step.number);
        let output = strace(victim, Path::new("/dev/null"), &step.call, &["-e", &inject], command);
        output.status.signal().is_some() || !output.status.success()
    }

    /// The steps at which `command`, which does its work meanwhile, can be killed.
    pub(crate) fn steps(&self, victim: Victim, command: &Command) -> Vec<Step> {
        let log = self.path("strace.log");
        let calls = if victim == Victim::Any { CHANGES.to_owned() } else { format!("{CHANGES},{WAITS}") };
        let output = strace(victim, &log, &calls, &[], command);
        assert!(output.status.success(), "{}", said(&output.stderr));
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut steps = Vec::new();
        let mut has_changed = false;
        for line in fs::read_to_string(log).unwrap().lines() {
            // With `-f`, the process comes first.
            let (process, line) = line.split_once(' ').filter(|_| victim == Victim::Any).unwrap_or(("", line));
            let Some((call, _)) = line.trim_start().split_once('(').filter(|(call, _)| call.starts_with(|c: char| c.is_ascii_lowercase()))
            else {
                continue;
            };
            has_changed |= call != "ioctl" && CHANGES.split(',').any(|change| change == call);
            let number = counts.entry((process.to_owned(), call.to_owned())).or_default();
            *number += 1;
            let step = Step { call: call.to_owned(), number: *number };
            if has_changed && !steps.contains(&step) {
                steps.push(step);
            }
        }
        steps
    }

    /// The command on this machine, to be killed.
    pub(crate) fn persona(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PERSONA);
        command.args(self.command(arguments));
        command
    }
}

pub(crate) fn said(bytes: &[u8]) -> String {
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
