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
    assert!(String::from_utf8(asked.stdout.clone()).unwrap().contains("Exit codes:"));
    assert_eq!((asked.stdout, asked.stderr), (bare.stderr, bare.stdout));
}

#[test]
fn a_wrong_word_is_named_on_standard_error() {
    let output = persona(&["--root", "/nowhere", "doctr"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("persona: `persona` has no command `doctr`\n  mend: did you mean `doctor`?\nUsage: "), "{told}");
}

#[test]
fn a_reader_of_the_help_may_go_away() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_persona")).arg("--help").stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}
