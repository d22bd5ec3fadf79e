#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use clap::error::ErrorKind;
use clap::{Command as Definition, CommandFactory};
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn words(line: &str) -> impl Iterator<Item = &str> {
    std::iter::once("persona").chain(line.split_whitespace())
}

fn parse(line: &str) -> std::result::Result<Cli, clap::Error> {
    Cli::try_parse_from(words(line))
}

/// The command that a line means, in its debug form.
fn command(line: &str) -> String {
    format!("{:?}", parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).command)
}

/// Every command, with the words that lead to it.
fn commands() -> Vec<(String, Definition)> {
    let mut found = vec![(String::new(), Cli::command())];
    let mut done = 0;
    while let Some((way, definition)) = found.get(done).cloned() {
        found.extend(definition.get_subcommands().map(|command| (format!("{way} {}", command.get_name()), command.clone())));
        done += 1;
    }
    found
}

#[test]
fn definition_of_the_command_line_is_consistent() {
    Cli::command().debug_assert();
    let leaves = commands().iter().filter(|(_, definition)| !definition.has_subcommands()).count();
    assert_eq!(leaves, 32);
}

#[test]
fn help_of_every_command_names_all_of_it_in_plain_lines() {
    for (way, definition) in commands() {
        let help = parse(&format!("{way} --help")).unwrap_err();
        assert_eq!(help.kind(), ErrorKind::DisplayHelp, "{way}");
        for width in [60, 80, 100] {
            let narrow = Cli::command().term_width(width).try_get_matches_from(words(&format!("{way} --help"))).unwrap_err().to_string();
            // clap does not wrap the usage.
            let too_long = narrow.lines().find(|line| !line.starts_with("Usage: ") && line.chars().count() > width);
            assert_eq!(too_long, None, "{width}: {narrow}");
        }
        let help = help.to_string();
        assert!(help.contains(&format!("Usage: persona{way}")), "{help}");
        for option in definition.get_arguments().filter_map(|argument| argument.get_long()).chain(["root", "config", "verbose"]) {
            assert!(help.contains(&format!("--{option}")), "{way}: {option} is missing in\n{help}");
        }
        for command in definition.get_subcommands().filter(|command| !command.is_hide_set()) {
            let about = command.get_about().unwrap().to_string();
            assert!(!about.is_empty() && !about.ends_with('.'), "{way} {}: {about}", command.get_name());
            assert!(help.lines().any(|line| line.trim_start().starts_with(command.get_name())), "{help}");
        }
    }
}

#[test]
fn commands_of_units_are_hidden_but_named() {
    let help = parse("--help").unwrap_err().to_string();
    assert!(!help.contains("write-attributes"), "{help}");
    assert!(help.lines().all(|line| !line.trim_start().starts_with("reserve ")), "{help}");
    assert!(help.contains("needs, reserve, menu, prepare, run, release"), "{help}");
}

#[test]
fn help_and_version_can_be_asked_for_everywhere() {
    for line in [
        "help",
        "--help",
        "-h",
        "-v --help list --nonsense",
        "help cartridge create",
        "cartridge help create",
        "cartridge create --help",
        "cartridge create x -h",
    ] {
        assert_eq!(parse(line).unwrap_err().kind(), ErrorKind::DisplayHelp, "{line}");
    }
    assert!(parse("help cartridge create").unwrap_err().to_string().contains("persona cartridge create"));
    for line in ["-V", "--version", "list --version", "export libvirt -V"] {
        assert_eq!(parse(line).unwrap_err().kind(), ErrorKind::DisplayVersion, "{line}");
    }
    for line in ["", "cartridge", "export"] {
        assert_eq!(parse(line).unwrap_err().kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, "{line}");
    }
}

#[test]
fn options_of_all_commands_go_before_and_after_the_command() {
    for line in
        ["--root /x --config=y -vv list --json", "list -v --json --root=/x --verbose --config y", "--root /x list --config y --json -vv"]
    {
        let cli = parse(line).unwrap();
        assert_eq!((cli.global.root, cli.global.config, cli.global.verbose), ("/x".into(), Some("y".into()), 2), "{line}");
        assert!(matches!(cli.command, Command::List { format: Format { json: true } }), "{line}");
    }
    let cli = parse("list").unwrap();
    assert_eq!((cli.global.root, cli.global.config, cli.global.verbose), ("/".into(), None, 0));
    assert!(matches!(cli.command, Command::List { format: Format { json: false } }));
}

#[test]
fn line_becomes_the_command_that_it_names() {
    for (line, means) in [
        ("start", "Start { name: None }"),
        ("start mordor", "Start { name: Some(\"mordor\") }"),
        ("switch -- --mordor", "Switch { name: \"--mordor\" }"),
        ("status --watch --json", "Status { format: Format { json: true }, watch: true }"),
        ("log --boot -1", "Log { boot: -1, all: false, format: Format { json: false } }"),
        ("log --all", "Log { boot: 0, all: true, format: Format { json: false } }"),
        ("choose mordor", "Choose { name: \"mordor\" }"),
        ("hold", "Hold"),
        ("next", "Next { name: None, until_cleared: false, clear: false }"),
        ("next mordor", "Next { name: Some(\"mordor\"), until_cleared: false, clear: false }"),
        ("next --until-cleared mordor", "Next { name: Some(\"mordor\"), until_cleared: true, clear: false }"),
        ("next --clear", "Next { name: None, until_cleared: false, clear: true }"),
        ("default", "Default { name: None }"),
        ("default last", "Default { name: Some(\"last\") }"),
        ("stop --force", "Stop { force: true }"),
        ("pin --check mordor", "Pin { check: Some(\"mordor\") }"),
        ("export libvirt", "Export { to: Libvirt { persona: PersonaOrDefault { name: None } } }"),
        ("prepare --is-wanted", "Prepare { is_wanted: true }"),
        ("preview", "Preview(PreviewArgs { name: None, state: Countdown, size: (1920, 1080), out: None, text: false, live: None })"),
        (
            "preview --size 640x480 --state=power mordor --out a/b.png",
            "Preview(PreviewArgs { name: Some(\"mordor\"), state: Power, size: (640, 480), out: Some(\"a/b.png\"), text: false, live: None })",
        ),
        (
            "preview --live mordor",
            "Preview(PreviewArgs { name: Some(\"mordor\"), state: Countdown, size: (1920, 1080), out: None, text: false, live: Some(None) })",
        ),
        (
            "preview --live=kitty",
            "Preview(PreviewArgs { name: None, state: Countdown, size: (1920, 1080), out: None, text: false, live: Some(Some(Kitty)) })",
        ),
    ] {
        assert_eq!(command(line), means, "{line}");
    }
    for (line, means) in [
        (
            "cartridge create mordor --size 2G",
            "Create(Create { name: \"mordor\", size: DiskSize(2147483648), format: Qcow2, install: None, firmware: Uefi })",
        ),
        (
            "cartridge import mordor /dev/sdx --link --firmware bios",
            "Import(Import { name: \"mordor\", source: \"/dev/sdx\", becomes: BlockDevice, firmware: Some(Bios), flatten: false })",
        ),
        ("cartridge save mordor clean", "Save(SnapshotName { name: \"mordor\", label: \"clean\" })"),
    ] {
        let Command::Cartridge { command } = parse(line).unwrap().command else { panic!("{line}") };
        assert_eq!(format!("{:?}", run::cartridge::CartridgeOperation::from(command)), means, "{line}");
    }
}

/// What was typed wrong is named, with the nearest word or the possible ones.
#[test]
fn wrong_line_names_what_is_wrong_and_what_is_possible() {
    let cases: [(&str, &[&str]); 33] = [
        ("statu", &["'statu'", "'status'", "Usage: persona"]),
        ("list --jsn", &["'--jsn'", "'--json'", "Usage: persona list"]),
        ("--json list", &["'--json'"]),
        ("list -x", &["'-x'"]),
        ("list a", &["'a'"]),
        ("list --json=yes", &["'--json'"]),
        ("list --json --json", &["'--json'"]),
        ("--root", &["'--root <DIR>'"]),
        ("--config --json list", &["'--json'"]),
        ("--root= list", &["--root"]),
        ("log --boot 1", &["'1'", "--boot"]),
        ("log --boot -1 --all", &["--boot", "--all"]),
        ("next --until-cleared", &["<NAME>"]),
        ("next mordor --clear", &["'--clear'", "'[NAME]'"]),
        ("next --clear --until-cleared", &["--clear"]),
        ("next --clear --until-cleared x", &["--until-cleared", "'--clear'"]),
        ("switch", &["<NAME>"]),
        ("preview --size 1x1", &["'--size <WIDTHxHEIGHT>'", "1x1", "1920x1080"]),
        ("preview --state off", &["'--state <STATE>'", "'off'", "countdown, waiting,"]),
        ("preview --live=ascii", &["--live", "'ascii'", "kitty, blocks"]),
        ("preview --text --out x", &["'--text'", "--out"]),
        ("preview --live --text", &["--live", "--text"]),
        ("preview --live --state pin", &["--live", "--state"]),
        ("export qemu", &["'qemu'"]),
        ("cartridge creat", &["'creat'", "'create'"]),
        ("cartridge create", &["--size <SIZE>", "<NAME>"]),
        ("cartridge create mordor --size 0", &["'--size <SIZE>'", "0"]),
        ("cartridge create mordor --size 2G --format vmdk", &["'--format <FORMAT>'", "'vmdk'", "qcow2, raw"]),
        ("cartridge create Mordor --size 2G", &["<NAME>", "'Mordor'"]),
        ("cartridge import mordor x --link --format raw", &["--format", "--link"]),
        ("cartridge save mordor ../clean", &["<LABEL>", "'../clean'"]),
        ("help nonsense", &["'nonsense'"]),
        ("help list more", &["'more'"]),
    ];
    for (line, names) in cases {
        let error = parse(line).map(|_| ()).unwrap_err();
        assert!(error.use_stderr() && error.exit_code() == 2, "{line}: {error}");
        let told = error.to_string();
        assert!(names.iter().all(|name| told.contains(name)), "{line}:\n{told}");
    }
}

/// Words of the command line, values, and anything else.
fn any_word() -> impl Strategy<Value = OsString> {
    let mut known: Vec<String> = Vec::new();
    for (_, definition) in commands() {
        known.push(definition.get_name().to_owned());
        let options = definition.get_arguments().filter_map(|argument| argument.get_long());
        known.extend(options.flat_map(|option| [format!("--{option}"), format!("--{option}="), format!("--{option}=3G")]));
    }
    known.extend(["--", "-", "help", "-vh", "-v=", "1x1", "3G"].map(str::to_owned));
    prop_oneof![
        4 => proptest::sample::select(known).prop_map(OsString::from),
        1 => proptest::collection::vec(any::<u8>(), 0..8).prop_map(OsString::from_vec),
    ]
}

proptest! {
    #[test]
    fn any_words_are_a_command_or_refused_with_a_message(line in proptest::collection::vec(any_word(), 0..8)) {
        if let Err(error) = Cli::try_parse_from(std::iter::once(OsString::from("persona")).chain(line)) {
            let told = error.to_string();
            prop_assert!(!error.use_stderr() || told.starts_with("error: ") || told.contains("Usage: persona"), "{}", told);
        }
    }
}
