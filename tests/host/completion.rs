//! Names complete on Tab: the shipped scripts in the shells themselves, with the binary that they ask.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

const SETTINGS: &str =
    "[[persona]]\nname = \"gondor\"\ntitle = \"Gondor\"\n[[persona]]\nname = \"mordor\"\n[[persona]]\nname = \"minas-tirith\"\n";

/// A recorded machine with three personas, and cartridges.
fn machine() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    fs::create_dir_all(at("etc/persona")).unwrap();
    fs::write(at("etc/persona/persona.toml"), SETTINGS).unwrap();
    fs::create_dir_all(at("var/lib/legion/cartridges/gondor/snapshots/clean")).unwrap();
    fs::create_dir_all(at("var/lib/legion/cartridges/old-one")).unwrap();
    root
}

fn script(shell: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/completions/persona").with_extension(shell).display().to_string()
}

/// Runs a shell's own words. `make setup` installs the shells.
fn shell(name: &str, words: &str, arguments: &[&str]) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_persona")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = Command::new(name).args(["-c", words]).args(arguments).env("PATH", path).output();
    let output = output.unwrap_or_else(|error| panic!("running {name}: {error}"));
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the shell offers at the end of a line, and whether it would offer files.
fn offers(name: &str, root: &Path, line: &str) -> Vec<String> {
    let typed = format!("persona --root {} {line}", root.display());
    let told = match name {
        "bash" => shell(
            name,
            // As readline calls it: `=` stands for itself among the words.
            r#"source "$1"
            [[ $(complete -p persona) == 'complete -F _persona persona' ]] || exit 1
            compopt() { echo FILES; }
            read -ra COMP_WORDS <<<"${2//=/ = }"
            [[ $2 == *' ' || $2 == *= ]] && COMP_WORDS+=("")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _persona
            printf '%s\n' "${COMPREPLY[@]}""#,
            &["bash", &script(name), &typed],
        ),
        "zsh" => shell(
            name,
            // In the place of the completion system, what it would be given.
            r#"_files() { print FILES }
            _describe() { print -l -- "${(@)${(P@)2}%%:*}" }
            words=("${(@s. .)2}")
            CURRENT=${#words}
            source "$1""#,
            &["zsh", &script(name), &typed],
        ),
        _ => shell(name, "source $argv[1]; complete --do-complete $argv[2]", &[&script(name), &typed]),
    };
    told.lines().map(|line| line.split('\t').next().unwrap().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn completes(name: &str) {
    let root = machine();
    for (line, wanted) in [
        ("sw", &["switch"][..]),
        ("switch ", &["gondor", "mordor", "minas-tirith"]),
        ("switch m", &["mordor", "minas-tirith"]),
        ("cartridge remove ", &["gondor", "minas-tirith", "mordor", "old-one"]),
        ("cartridge restore gondor ", &["clean"]),
        ("list --js", &["--json"]),
        ("export l", &["libvirt"]),
    ] {
        let mut offered = offers(name, root.path(), line);
        let mut wanted: Vec<&str> = wanted.to_vec();
        offered.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(offered, wanted, "{name}: persona {line}");
    }
}

#[test]
fn bash_completes_names_options_and_values() {
    completes("bash");
    let root = machine();
    assert_eq!(offers("bash", root.path(), "preview --live=ki"), ["kitty"], "readline keeps what is before `=`");
    assert!(offers("bash", root.path(), "--config ").contains(&"FILES".to_owned()));
}

#[test]
fn zsh_completes_them_too() {
    completes("zsh");
    let root = machine();
    assert_eq!(offers("zsh", root.path(), "preview --live=ki"), ["--live=kitty"]);
    assert_eq!(offers("zsh", root.path(), "--config "), ["FILES"]);
}

#[test]
fn fish_completes_them_too() {
    completes("fish");
    let root = machine();
    assert_eq!(offers("fish", root.path(), "preview --live=ki"), ["--live=kitty"]);
    fs::write(root.path().join("one-file.toml"), "").unwrap();
    let files = offers("fish", root.path(), &format!("--config {}/one-", root.path().display()));
    assert_eq!(files.len(), 1, "{files:?}");
}
