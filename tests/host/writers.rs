//! Two hundred processes that write what Persona remembers, all at once: what is left is one of the values that were written, whole;
//! what adds up has lost nothing; no unfinished file is left.
#![allow(clippy::unwrap_used)]

use persona::config::Settings;
use persona::state::operation::{Operation, OperationLock, OperationRecord, uptime};
use persona::state::{Choice, Override, Reason, StartCounts};
use persona::sys::paths::Paths;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

const PERSONA: &str = env!("CARGO_BIN_EXE_persona");

/// How many processes of each kind there are.
const OF_EACH: usize = 40;

/// What the library does; the command does `next` and `default`.
const LIBRARY: [&str; 3] = ["choice", "count", "operation"];

/// What a process of the library is to do.
const WHAT: &str = "PERSONA_TEST_WRITER";
const NUMBER: &str = "PERSONA_TEST_NUMBER";
const ROOT: &str = "PERSONA_TEST_ROOT";

fn name(number: usize) -> String {
    format!("p{number}")
}

fn machine() -> (tempfile::TempDir, Paths) {
    let root = tempfile::tempdir().unwrap();
    for folder in ["etc/persona", "proc/sys/kernel/random", "run/persona"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    symlink("/proc/locks", root.path().join("proc/locks")).unwrap();
    fs::write(root.path().join("proc/sys/kernel/random/boot_id"), "this\n").unwrap();
    let personas: String = (0..OF_EACH).map(|number| format!("[[persona]]\nname = \"{}\"\n", name(number))).collect();
    fs::write(root.path().join("etc/persona/persona.toml"), format!("# mine\n[menu]\ndefault = \"p0\" # for now\n{personas}")).unwrap();
    let paths = Paths::new(root.path(), None);
    (root, paths)
}

fn command(paths: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PERSONA);
    command.arg("--root").arg(paths).args(arguments);
    command
}

fn by_library(root: &Path, what: &str, number: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writers::the_writing_process", "--ignored", "--test-threads=1"]);
    command.env(ROOT, root).env(WHAT, what).env(NUMBER, number.to_string());
    command
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
#[ignore = "the test of many writers runs it, as a process of its own"]
fn the_writing_process() {
    let root = std::env::var_os(ROOT).expect("the test of many writers runs this one");
    let paths = Paths::new(root, None);
    let number: usize = std::env::var(NUMBER).unwrap().parse().unwrap();
    let choice = Choice { persona: name(number), reason: Reason::Timeout, pin_asked: false };
    match std::env::var(WHAT).unwrap().as_str() {
        "choice" => choice.write(&paths).unwrap(),
        "count" => StartCounts::count(&paths, &choice).unwrap(),
        "operation" => operation(&paths, number),
        other => unreachable!("{other}"),
    }
}

/// Takes the operation lock, however long that takes, and makes sure that no other process has it meanwhile.
fn operation(paths: &Paths, number: usize) {
    let lock = loop {
        match OperationLock::take(paths, uptime()) {
            Ok(lock) => break lock,
            Err(_) => sleep(Duration::from_millis(5)),
        }
    };
    let turn = lock.begin(Operation::Start { to: name(number) }, "a test", uptime()).unwrap();
    let doing = OperationRecord::read(paths).unwrap().unwrap();
    assert!(doing.pid == std::process::id() && doing.what == Operation::Start { to: name(number) }, "{doing:?}");
    // What adds up without a lock of its own: a number that each one reads, and writes one more.
    let counter = paths.run_dir().join("operations");
    let count: usize = fs::read_to_string(&counter).unwrap_or_default().parse().unwrap_or_default();
    sleep(Duration::from_millis(1));
    fs::write(&counter, (count + 1).to_string()).unwrap();
    drop(turn);
}

fn succeeded(child: Child, what: &str) {
    let output: Output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn two_hundred_writers_leave_whole_records_and_lose_nothing() {
    let (root, paths) = machine();
    let mut children = Vec::new();
    for number in 0..OF_EACH {
        let name = name(number);
        children.push(("next", start(command(root.path(), &["next", &name, "--until-cleared"]))));
        children.push(("default", start(command(root.path(), &["default", &name]))));
        children.extend(LIBRARY.map(|what| (what, start(by_library(root.path(), what, number)))));
    }
    assert_eq!(children.len(), 200);
    for (what, child) in children {
        succeeded(child, what);
    }

    let names: BTreeSet<String> = (0..OF_EACH).map(name).collect();
    let next = Override::read(&paths).unwrap().unwrap();
    assert!(names.contains(&next.persona) && next.until_cleared && next.by.is_some(), "{next:?}");
    assert!(names.contains(&Choice::read(&paths).unwrap().unwrap().persona));
    let settings = fs::read_to_string(paths.settings()).unwrap();
    assert!(settings.starts_with("# mine\n[menu]\ndefault = \"p") && settings.contains("\" # for now\n"), "{settings}");
    assert_eq!(Settings::load(&paths).unwrap().personas.len(), OF_EACH);
    assert_eq!(fs::read_to_string(paths.run_dir().join("operations")).unwrap(), OF_EACH.to_string(), "one operation at a time");
    assert_eq!(OperationRecord::read(&paths).unwrap(), None);
    // `next` and `default` forget a persona's failed boots, so each is counted once or not at all; nothing else is there.
    let starts = StartCounts::read(&paths).unwrap().unwrap_or_default();
    assert!(starts.personas.iter().all(|start| start.boots == 1 && names.contains(&start.persona)), "{starts:?}");
    assert_eq!(
        files(root.path()),
        [
            "etc/persona/persona.toml",
            "run/persona/choice.toml",
            "run/persona/operations",
            "run/persona/settings.lock",
            "run/persona/switch.lock",
            "var/lib/persona/override.lock",
            "var/lib/persona/override.toml",
            "var/lib/persona/starts.lock",
        ]
        .into_iter()
        .chain((!starts.personas.is_empty()).then_some("var/lib/persona/starts.toml"))
        .collect::<Vec<_>>()
    );
    for (file, mode) in [("run/persona/choice.toml", 0o644), ("var/lib/persona/override.toml", 0o644), ("run/persona/switch.lock", 0o600)] {
        assert_eq!(fs::metadata(root.path().join(file)).unwrap().permissions().mode() & 0o7777, mode, "{file}");
    }
}

#[test]
fn two_hundred_counts_are_all_counted() {
    let (root, paths) = machine();
    let children: Vec<Child> = (0..200).map(|number| start(by_library(root.path(), "count", number))).collect();
    for child in children {
        succeeded(child, "count");
    }
    let starts = StartCounts::read(&paths).unwrap().unwrap();
    let counted: BTreeSet<&str> = starts.personas.iter().map(|start| start.persona.as_str()).collect();
    assert_eq!((counted.len(), starts.personas.len()), (200, 200));
    assert!(starts.personas.iter().all(|start| start.boots == 1));
    assert_eq!(files(&paths.state_dir()), ["starts.lock", "starts.toml"]);
}

/// All files below a folder that the test or Persona has made, by their paths in it.
fn files(folder: &Path) -> Vec<String> {
    fn collect(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() { collect(&entry.path(), found) } else { found.push(entry.path()) }
        }
    }
    let mut found = Vec::new();
    collect(folder, &mut found);
    let names = found.iter().map(|path| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with("proc/")).collect();
    names.sort();
    names
}
