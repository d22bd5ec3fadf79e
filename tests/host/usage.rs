//! What a person who asks for help, or mistypes, gets from the binary.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output, Stdio};

fn persona(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_persona")).args(arguments).output().unwrap()
}

#[test]
fn help_goes_to_standard_output_when_asked_for_and_else_to_standard_error() {
    let (asked, bare) = (persona(&["--help"]), persona(&[]));
    assert_eq!((asked.status.code(), bare.status.code()), (Some(0), Some(2)));
    let help = String::from_utf8(asked.stdout.clone()).unwrap();
    assert!(["list", "doctor", "switch", "cartridge"].iter().all(|command| help.contains(command)), "{help}");
    assert_eq!((asked.stdout, asked.stderr), (bare.stderr, bare.stdout));
}

#[test]
fn a_wrong_word_is_named_on_standard_error() {
    let output = persona(&["--root", "/nowhere", "doctr"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("error: ") && told.contains("doctr") && told.contains("doctor") && told.contains("Usage: "), "{told}");
}

#[test]
fn a_reader_of_the_help_may_go_away() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_persona")).arg("--help").stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/machines/reference");

#[test]
fn what_is_printed_may_find_no_reader_either() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for words in [["list", "--json"], ["plan", "gondor"]] {
        let mut list = Command::new(env!("CARGO_BIN_EXE_persona"));
        let list = list.args(["--root", REFERENCE]).args(words).stdout(writer.try_clone().unwrap()).stderr(Stdio::piped());
        let output = list.output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    }
}

/// Another machine's legion is not this one's.
#[test]
fn another_machines_root_starts_nothing_here() {
    for words in [&["start"][..], &["start", "gondor"], &["switch", "mordor"]] {
        let output = persona(&[&["--root", REFERENCE], words].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{told}");
        assert!(told.contains("--root"), "what is wrong: {told}");
    }
}

#[test]
fn settings_that_cannot_be_read_have_a_hint_that_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("persona.toml");
    let told = |code: i32| {
        let output = persona(&["--root", REFERENCE, "--config", file.to_str().unwrap(), "list"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{told}");
        told
    };
    let missing = told(1);
    assert!(missing.contains("`persona detect > "), "what makes one: {missing}");
    std::fs::write(&file, b"# \xff\n").unwrap();
    let binary = told(2);
    assert!(binary.contains("UTF-8") && !binary.contains("detect"), "{binary}");
}
