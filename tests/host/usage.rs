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

#[test]
fn preview_speaks_the_language_of_the_settings_or_else_of_the_host() {
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc/persona");
    std::fs::create_dir_all(&etc).unwrap();
    std::fs::write(root.path().join("etc/locale.conf"), "LANG=de_DE.UTF-8\n").unwrap();
    for (language, says) in [("auto", "Gondor startet in 10 s"), ("en", "Gondor starts in 10 s")] {
        let settings = format!("[menu]\nlanguage = \"{language}\"\n[[persona]]\nname = \"gondor\"\n");
        std::fs::write(etc.join("persona.toml"), settings).unwrap();
        let output = persona(&["--root", root.path().to_str().unwrap(), "preview", "--text"]);
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains(says), "{told}");
    }
}

#[test]
fn list_status_and_plan_agree_on_what_cannot_start() {
    let root = REFERENCE.replace("reference", "no-iommu");
    let json = |words: &[&str]| -> serde_json::Value {
        let output = persona(&[&["--root", &root], words, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let refused = json(&["plan", "gondor"])["refused"].clone();
    assert_eq!(refused[0]["code"], "iommu-missing");
    let list = json(&["list"]);
    let gondor = list.as_array().unwrap().iter().find(|persona| persona["name"] == "gondor").unwrap();
    assert_eq!(gondor["refused"], refused);
    let start = &json(&["status"])["start"];
    assert_eq!((&start["persona"], &start["refused"][0]["code"]), (&"rivendale".into(), &refused[0]["code"]));
    let host = list.as_array().unwrap().iter().find(|persona| persona["name"] == "host").unwrap();
    assert_eq!(host["refused"], serde_json::json!([]));
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
    assert!(missing.contains("`persona detect --write`"), "what makes one: {missing}");
    std::fs::write(&file, b"# \xff\n").unwrap();
    let binary = told(2);
    assert!(binary.contains("UTF-8") && !binary.contains("detect"), "{binary}");
}

#[test]
fn detected_settings_are_written_for_root_only_and_never_over_others() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    persona_recorded::machines::reference(&persona_recorded::Tree::new(folder.path()));
    let file = folder.path().join("etc/persona/persona.toml");
    let _ = std::fs::remove_file(&file);
    let detect = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_persona");
        std::process::Command::new(program).arg("--root").arg(folder.path()).arg("detect").args(arguments).output().unwrap()
    };
    let printed = detect(&[]).stdout;
    assert!(!file.exists());
    assert!(detect(&["--write"]).status.success());
    assert_eq!(std::fs::read(&file).unwrap(), printed);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    std::fs::write(&file, "# mine\n").unwrap();
    assert_eq!(detect(&["--write"]).status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine\n");
}
