//! `persona pin` at a terminal, in a pipe, and against the settings.
#![allow(clippy::unwrap_used)]

use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

const PERSONA: &str = env!("CARGO_BIN_EXE_persona");

fn piped(arguments: &[&str], input: &str) -> Output {
    let mut persona =
        Command::new(PERSONA).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What has nothing to ask may be gone already.
    let _ = persona.stdin.take().unwrap().write_all(input.as_bytes());
    persona.wait_with_output().unwrap()
}

fn said(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

#[test]
fn the_line_it_prints_is_understood_by_the_settings_and_checked() {
    let made = piped(&["pin"], "2580\n");
    assert!(made.status.success(), "{}", said(&made.stderr));
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("persona.toml");
    std::fs::write(&settings, format!("[[persona]]\nname = \"a\"\n{}[[persona]]\nname = \"b\"\n", said(&made.stdout))).unwrap();
    let root = folder.path().to_str().unwrap();
    let check = |name, digits| piped(&["--root", root, "--config", settings.to_str().unwrap(), "pin", "--check", name], digits);
    assert!(check("a", "2580\n").status.success());
    // A PIN that is wrong or missing, a persona without one, and no persona.
    for (name, digits, code) in [("a", "2581\n", 1), ("a", "", 1), ("b", "1\n", 2), ("c", "1\n", 2)] {
        let output = check(name, digits);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{name} {digits}");
        assert!(!output.stderr.is_empty(), "{name} {digits}: it does not say why");
    }
}

#[test]
fn wrong_pins_of_other_processes_slow_down_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let made = piped(&["pin"], "2580\n");
    std::fs::create_dir_all(folder.path().join("etc/persona")).unwrap();
    std::fs::write(folder.path().join("etc/persona/persona.toml"), format!("[[persona]]\nname = \"a\"\n{}", said(&made.stdout))).unwrap();
    let check = |digits: &str| piped(&["--root", folder.path().to_str().unwrap(), "pin", "--check", "a"], digits);
    let record = folder.path().join("var/lib/persona/pin-tries.toml");
    assert!(check("2580\n").status.success() && !record.exists(), "a right one is not counted");
    assert!(!check("2581\n").status.success() && record.exists());
    // As if there had been many, in the future of this clock.
    std::fs::write(&record, "wrong = 9\nat = 9000000000\n").unwrap();
    let held = check("2580\n");
    assert_eq!((held.status.code(), said(&held.stderr).contains("128 s")), (Some(1), true), "{}", said(&held.stderr));
    assert!(std::fs::read_to_string(&record).unwrap().contains("wrong = 9\n"), "what was not tried does not count");
    std::fs::write(&record, "wrong = 9\nat = 1000000000\n").unwrap();
    assert!(check("2580\n").status.success() && !record.exists());
}

#[test]
fn what_is_no_pin_is_refused() {
    for input in ["123\n", "abcd\n", "1234567890123\n"] {
        let output = piped(&["pin"], input);
        assert_eq!((output.status.code(), said(&output.stdout)), (Some(2), String::new()), "{input}");
        assert!(["4", "12"].iter().all(|limit| said(&output.stderr).contains(limit)), "how many digits: {}", said(&output.stderr));
    }
    assert_eq!(piped(&["pin"], "").status.code(), Some(1));
}

/// Runs `persona pin` at a terminal that a person types `lines` on, after each prompt; returns how it ended, what the
/// terminal showed and what standard output got.
fn typed(lines: &[&str], then: Option<Signal>) -> (Output, String, bool) {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let mut persona =
        // A test that runs in the background may be deaf to signals, and its children with it.
        Command::new("env")
            .args(["--default-signal=INT,TERM,HUP", PERSONA, "pin"])
            .stdin(slave.try_clone().unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let mut person = File::from(master);
    let mut prompts = persona.stderr.take().unwrap();
    for line in lines {
        // Asked for, so hidden already.
        while prompts.read(&mut [0; 64]).unwrap() == 64 {}
        assert!(!tcgetattr(&slave).unwrap().local_flags.contains(LocalFlags::ECHO));
        person.write_all(line.as_bytes()).unwrap();
    }
    if let Some(signal) = then {
        while prompts.read(&mut [0; 64]).unwrap() == 64 {}
        kill(Pid::from_raw(persona.id().try_into().unwrap()), signal).unwrap();
    }
    let mut output = persona.wait_with_output().unwrap();
    prompts.read_to_end(&mut output.stderr).unwrap();
    let echoes = tcgetattr(&slave).unwrap().local_flags.contains(LocalFlags::ECHO);
    // A mark, so that reading what was shown ends.
    File::from(slave).write_all(b"!").unwrap();
    let mut shown = Vec::new();
    while shown.last() != Some(&b'!') {
        let mut byte = [0];
        person.read_exact(&mut byte).unwrap();
        shown.push(byte[0]);
    }
    (output, said(&shown), echoes)
}

#[test]
fn a_terminal_asks_twice_and_shows_nothing() {
    let (output, shown, echoes) = typed(&["2580\n", "2580\n"], None);
    assert!(output.status.success() && said(&output.stdout).starts_with("pin = \"$argon2id$"), "{output:?}");
    assert!(echoes && !shown.contains("25"), "{shown}");
    let (output, _, echoes) = typed(&["2580\n", "2581\n"], None);
    assert_eq!((output.status.code(), output.stdout.len(), echoes), (Some(1), 0, true), "{output:?}");
}

#[test]
fn whatever_ends_it_the_terminal_echoes_again() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (output, _, echoes) = typed(&["2580\n"], Some(signal));
        assert_eq!((output.status.signal(), echoes), (Some(signal as i32), true));
    }
    let (output, _, echoes) = typed(&["\x04"], None);
    assert_eq!((output.status.code(), echoes), (Some(1), true), "Ctrl-D");
}
