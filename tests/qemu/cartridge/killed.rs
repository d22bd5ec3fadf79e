//! `persona` killed at the system calls that change cartridges and the slot, and its children at theirs.
//! Nothing half-made remains that the list does not name and the next command does not clear.

use super::bench::{Bench, Victim};
use persona::legion::cartridge::slot;
use persona::legion::{Cartridge, LegionLock};
use persona::sys::paths::Paths;
use std::fs;
use std::path::Path;
use std::process::Command;

/// At how many steps one command is killed.
const MAX_STEPS: usize = 60;

/// Kills `command` at each of its steps, on a fresh copy of `before` each time. `check` judges what is left, repeats the
/// command and judges again.
fn kill_at_every_step(before: &Bench, command: impl Fn(&Bench) -> Command, check: impl Fn(&Bench, &str)) {
    for victim in [Victim::Persona, Victim::Any] {
        let bench = before.copy();
        let steps = bench.steps(victim, &command(&bench));
        // Of many, some, evenly: most are within qemu-img's work on files that do not count yet.
        let steps: Vec<_> = steps.iter().step_by(steps.len().div_ceil(MAX_STEPS).max(1)).collect();
        let mut kills = 0;
        for step in steps.iter().copied() {
            let bench = before.copy();
            kills += usize::from(bench.kill_at(victim, step, &command(&bench)));
            let when = format!("{victim:?} killed at {step:?}");
            bench.ensure_named(&when);
            check(&bench, &when);
            assert_eq!(bench.half_made(), [] as [&Path; 0], "{when}: something is left after the command was repeated");
        }
        assert!(kills > 5 && kills * 2 > steps.len(), "{victim:?}: {kills} kills at {} steps", steps.len());
    }
}

const CREATE: [&str; 6] = ["create", "mordor", "--size", "1M", "--format", "raw"];

#[test]
fn creating() {
    kill_at_every_step(
        &Bench::new(),
        |bench| bench.persona(&CREATE),
        |bench, when| {
            if bench.path("shelf/mordor").exists() {
                assert!(bench.is_well("mordor"), "{when}: {}", bench.entry("mordor"));
            } else {
                bench.succeeds(&CREATE);
            }
            assert_eq!(fs::read(bench.path("shelf/mordor/nvram.fd")).unwrap(), vec![b'S'; 131_072], "{when}");
            assert!(bench.path("shelf/mordor/tpm").is_dir() && bench.is_well("mordor"), "{when}");
        },
    );
}

#[test]
fn importing() {
    let before = Bench::new();
    let mut disk = [7; 1 << 18];
    disk[510..512].copy_from_slice(b"\x55\xaa");
    fs::write(before.path("images/old.raw"), disk).unwrap();
    // Below the root, where `--root` looks for it.
    let import = ["import", "gondor", "/images/old.raw"];
    kill_at_every_step(
        &before,
        |bench| bench.persona(&import),
        |bench, when| {
            if !bench.path("shelf/gondor").exists() {
                bench.succeeds(&import);
            }
            assert!(bench.is_well("gondor"), "{when}: {}", bench.entry("gondor"));
            bench.qemu_io("shelf/gondor/disk.qcow2", "read -P 7 4k 252k");
        },
    );
}

#[test]
fn removing() {
    let before = Bench::new();
    before.succeeds(&CREATE);
    let remove = ["remove", "mordor", "--yes"];
    kill_at_every_step(
        &before,
        |bench| bench.persona(&remove),
        |bench, when| {
            if bench.path("shelf/mordor").exists() {
                assert!(bench.is_well("mordor"), "{when}: {}", bench.entry("mordor"));
            }
            if bench.path("shelf/mordor").exists() || !bench.half_made().is_empty() {
                bench.succeeds(&remove);
            }
            assert!(!bench.path("shelf/mordor").exists(), "{when}");
        },
    );
}

/// A cartridge whose disk, variables and TPM state say 1.
fn marked() -> Bench {
    let bench = Bench::new();
    bench.succeeds(&["create", "mordor", "--size", "1M"]);
    mark(&bench, 1);
    bench
}

fn mark(bench: &Bench, number: u8) {
    bench.qemu_io("shelf/mordor/disk.qcow2", &format!("write -P {number} 0 64k"));
    fs::write(bench.path("shelf/mordor/nvram.fd"), vec![number; 131_072]).unwrap();
    fs::write(bench.path("shelf/mordor/tpm/state"), vec![number; 100]).unwrap();
}

/// Disk, variables and TPM state all say the same, and this is it.
fn marked_with(bench: &Bench, when: &str) -> u8 {
    let variables = fs::read(bench.path("shelf/mordor/nvram.fd")).unwrap();
    assert_eq!(variables, vec![variables[0]; 131_072], "{when}");
    assert_eq!(fs::read(bench.path("shelf/mordor/tpm/state")).unwrap(), vec![variables[0]; 100], "{when}: the TPM's is another");
    let (disk, _) = bench.disk("mordor");
    bench.qemu_io(&disk.display().to_string(), &format!("read -P {} 0 64k", variables[0]));
    variables[0]
}

/// A disk with the name by which it boots has no error at any time.
fn ensure_sound(bench: &Bench, when: &str) {
    let (disk, boots) = bench.disk("mordor");
    let check = Command::new("qemu-img").args(["check", "-q"]).arg(disk).output().unwrap();
    assert!(!boots || check.status.success(), "{when}: {check:?}");
}

#[test]
fn saving() {
    let save = ["save", "mordor", "before"];
    kill_at_every_step(
        &marked(),
        |bench| bench.persona(&save),
        |bench, when| {
            assert!(bench.is_well("mordor"), "{when}: {}", bench.entry("mordor"));
            ensure_sound(bench, when);
            assert_eq!(marked_with(bench, when), 1);
            if !bench.path("shelf/mordor/snapshots/before").exists() {
                bench.succeeds(&save);
            }
            mark(bench, 2);
            bench.succeeds(&["restore", "mordor", "before"]);
            assert_eq!(marked_with(bench, when), 1);
            ensure_sound(bench, when);
        },
    );
}

#[test]
fn restoring() {
    let before = marked();
    before.succeeds(&["save", "mordor", "before"]);
    mark(&before, 2);
    let restore = ["restore", "mordor", "before"];
    kill_at_every_step(
        &before,
        |bench| bench.persona(&restore),
        |bench, when| {
            // What is neither the one nor the other does not start.
            ensure_sound(bench, when);
            let inspected = Cartridge::inspect(&Paths::new(bench.root(), None), Path::new("/shelf"), "mordor");
            match inspected {
                Ok(_) => assert!((1..=2).contains(&marked_with(bench, when)), "{when}"),
                Err(error) => {
                    assert_eq!(error.code(), Some("restore-interrupted"), "{when}: {error}");
                    // The command that ends it.
                    assert!(error.hint().unwrap().contains("persona cartridge restore mordor before"), "{when}: {error}");
                }
            }
            bench.succeeds(&restore);
            assert_eq!(marked_with(bench, when), 1);
            ensure_sound(bench, when);
        },
    );
}

#[test]
fn forgetting() {
    let before = marked();
    before.succeeds(&["save", "mordor", "before"]);
    let forget = ["forget", "mordor", "before"];
    kill_at_every_step(
        &before,
        |bench| bench.persona(&forget),
        |bench, when| {
            ensure_sound(bench, when);
            assert_eq!(marked_with(bench, when), 1);
            if bench.path("shelf/mordor/snapshots/before").exists() || !bench.half_made().is_empty() {
                bench.succeeds(&forget);
            }
            assert!(bench.is_well("mordor"), "{when}: {}", bench.entry("mordor"));
            let info = Command::new("qemu-img").arg("info").arg(bench.path("shelf/mordor/disk.qcow2")).output().unwrap();
            assert!(!super::bench::said(&info.stdout).contains("persona-before"), "{when}: {info:?}");
            ensure_sound(bench, when);
        },
    );
}

#[test]
fn inserting() {
    let before = Bench::new();
    before.succeeds(&CREATE);
    before.succeeds(&["create", "gondor", "--size", "1M", "--format", "raw"]);
    insert(&Paths::new(before.root(), None), "gondor");
    let process = |bench: &Bench| {
        let mut process = Command::new(std::env::current_exe().unwrap());
        process
            .args(["--exact", "cartridge::killed::the_inserting_process", "--ignored", "--test-threads=1"])
            .env("PERSONA_TEST_ROOT", bench.root());
        process
    };
    kill_at_every_step(&before, process, |bench, when| {
        let paths = Paths::new(bench.root(), None);
        let inserted = slot::inserted(&paths, Path::new("/slot")).unwrap();
        assert!(["gondor", "mordor"].contains(&inserted.as_deref().unwrap()), "{when}: {inserted:?}");
        assert!(bench.path("slot/disk.raw").is_file(), "{when}: what is in the slot is not whole");
        insert(&paths, "mordor");
        assert_eq!(slot::inserted(&paths, Path::new("/slot")).unwrap().as_deref(), Some("mordor"), "{when}");
    });
}

fn insert(paths: &Paths, name: &str) {
    let lock = LegionLock::take(paths).unwrap();
    let cartridge = Cartridge::inspect(paths, Path::new("/shelf"), name).unwrap();
    slot::insert(&lock, paths, Path::new("/slot"), &cartridge).unwrap();
    slot::expect(&lock, paths, Path::new("/slot"), &cartridge).unwrap();
}

#[test]
#[ignore = "the test of inserting runs it, as a process of its own"]
fn the_inserting_process() {
    let root = std::env::var_os("PERSONA_TEST_ROOT").expect("the test of inserting runs this one");
    insert(&Paths::new(root, None), "mordor");
}
