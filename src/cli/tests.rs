#![allow(clippy::unwrap_used, clippy::panic)]

use super::commands::PERSONA;
use super::given::Given;
use super::help::{help, shown, typed};
use super::parse::{Read, read};
use super::table::{Choice, Entry, Need, Takes, Then};
use super::*;
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn parsed(line: &str) -> Cli {
    parse(words(line)).unwrap()
}

/// The command that a line means, as it is written for debugging.
fn command(line: &str) -> String {
    format!("{:?}", parsed(line).command)
}

/// What a person is told.
fn told(line: &str) -> String {
    parse(words(line)).unwrap_err().text(100)
}

/// Every command, as the way from `persona` to it.
fn ways() -> Vec<Vec<&'static Entry>> {
    let mut ways: Vec<Vec<&'static Entry>> = vec![vec![&PERSONA]];
    let mut done = 0;
    while let Some(way) = ways.get(done).cloned() {
        ways.extend(way[way.len() - 1].commands().map(|entry| [way.clone(), vec![entry]].concat()));
        done += 1;
    }
    ways
}

/// An option with a value that it takes.
fn example(option: &Choice) -> String {
    let value = option.default.or_else(|| option.words.map(|words| words()[0].0));
    match (option.takes, value) {
        (Takes::Nothing | Takes::Again, _) => option.name.to_owned(),
        (Takes::Value("SIZE"), None) => format!("{}=3G", option.name),
        (_, value) => format!("{}={}", option.name, value.unwrap_or("thing")),
    }
}

/// The shortest line that a command takes.
fn shortest(way: &[&Entry]) -> String {
    let entry = way.last().unwrap();
    let arguments = entry.arguments.iter().filter(|argument| argument.need != Need::May).map(|_| "thing".to_owned());
    let options = entry.options.iter().filter(|option| option.required).map(example);
    let commands = way[1..].iter().map(|entry| entry.name.to_owned());
    commands.chain(arguments).chain(options).collect::<Vec<_>>().join(" ")
}

/// The words of a line that its command made nothing of.
fn unused(line: &str) -> Vec<&'static str> {
    let Read::Command(mut given, make) = read(lexopt::Parser::from_args(words(line))).unwrap() else { panic!("{line} is no command") };
    make(&mut given).unwrap();
    let Given { words, .. } = given;
    words.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn every_command_reads_all_that_its_entry_names_and_nothing_is_unused() {
    let leaves = ways().into_iter().filter(|way| matches!(way[way.len() - 1].then, Then::Do(_)));
    let mut read = 0;
    for way in leaves {
        let (entry, line) = (way[way.len() - 1], shortest(&way));
        assert_eq!(unused(&line), Vec::<&str>::new(), "{line}");
        if entry.arguments.iter().any(|argument| argument.need == Need::May) {
            let line = format!("{line} thing");
            assert_eq!(unused(&line), Vec::<&str>::new(), "{line}");
        }
        for option in entry.options.iter().filter(|option| !option.required) {
            let instead = entry.arguments.iter().any(|argument| argument.need == Need::MayOr(option.name));
            let line = format!("{} {}", if instead { way[1].name } else { &line }, example(option));
            assert_eq!(unused(&line), Vec::<&str>::new(), "{line}");
        }
        read += 1;
    }
    assert_eq!(read, 32);
}

#[test]
fn the_table_names_only_what_is_in_it_and_nothing_twice() {
    for way in ways() {
        let entry = way[way.len() - 1];
        let own = if way.len() > 1 { entry.options } else { &[] };
        let mut names: Vec<&str> = PERSONA.options.iter().chain(own).map(|option| option.name).collect();
        names.extend(entry.arguments.iter().map(|argument| argument.name));
        names.extend(entry.commands().map(|command| command.name));
        for other in entry.options.iter().flat_map(|option| option.not_with) {
            assert!(names.contains(other), "{} {other}", typed(&way));
        }
        for argument in entry.arguments {
            assert!(!matches!(argument.need, Need::MayOr(other) if !names.contains(&other)), "{}", typed(&way));
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{}", typed(&way));
    }
}

#[test]
fn every_command_has_help_that_names_all_of_it_and_keeps_to_the_width() {
    for way in ways() {
        let entry = way[way.len() - 1];
        for width in [60, 80, 100] {
            let help = help(&way, width);
            assert!(help.contains("Usage: persona"), "{help}");
            assert!(help.lines().all(|line| line.chars().count() <= width), "{help}");
            let options = PERSONA.options.iter().chain(entry.options).map(|option| option.name);
            for name in options.chain(entry.arguments.iter().map(|argument| argument.name)) {
                assert!(help.contains(name), "{name} is missing in\n{help}");
            }
        }
        for command in shown(entry) {
            let line = format!("  {:9}", command.name);
            let help = help(&way, 80);
            assert!(
                help.lines().any(|row| row.starts_with(line.trim_end()) && row.ends_with(command.about)),
                "{} has no line of its own in\n{help}",
                command.name
            );
        }
        assert!(!entry.about.is_empty() && !entry.about.ends_with('.'), "{}", typed(&way));
    }
    assert!(!help(&[&PERSONA], 80).contains("write-attributes"));
}

#[test]
fn help_and_version_can_be_asked_for_everywhere() {
    for line in ["help", "--help", "-h", "-v --help list --nonsense"] {
        assert_eq!(command(line), "Help(persona)", "{line}");
    }
    for line in ["help cartridge create", "cartridge help create", "cartridge create --help", "cartridge create x -h"] {
        assert_eq!(command(line), "Help(persona cartridge create)", "{line}");
    }
    for line in ["-V", "--version", "list --version", "export libvirt -V"] {
        assert_eq!(command(line), "Version", "{line}");
    }
}

#[test]
fn options_of_all_commands_go_before_and_after_the_command() {
    for line in
        ["--root /x --config=y -vv list --json", "list -v --json --root=/x --verbose --config y", "-v --root /x list --config y --json -v"]
    {
        let cli = parsed(line);
        assert_eq!((cli.global.root, cli.global.config, cli.global.verbose), ("/x".into(), Some("y".into()), 2), "{line}");
        assert!(matches!(cli.command, Command::List(Output::Json)), "{line}");
    }
    let cli = parsed("list");
    assert_eq!((cli.global.root, cli.global.config, cli.global.verbose), ("/".into(), None, 0));
    assert!(matches!(cli.command, Command::List(Output::Text)));
}

#[test]
fn words_mean_what_they_say() {
    for (line, means) in [
        ("start", "Start(None)"),
        ("start mordor", "Start(Some(\"mordor\"))"),
        ("switch -- --mordor", "Switch(\"--mordor\")"),
        ("status --watch --json", "Status { output: Json, watch: true }"),
        ("choose mordor", "Choose(\"mordor\")"),
        ("hold", "Hold"),
        ("next", "Next(None)"),
        ("next mordor", "Next(Some((\"mordor\", false)))"),
        ("next --until-cleared mordor", "Next(Some((\"mordor\", true)))"),
        ("default", "Default(None)"),
        ("default last", "Default(Some(\"last\"))"),
        ("next --clear", "Clear"),
        ("stop --force", "Stop { force: true }"),
        ("pin --check mordor", "Pin { check: Some(\"mordor\") }"),
        ("export libvirt", "Libvirt(None)"),
        ("prepare --is-wanted", "Prepare { is_wanted: true }"),
        ("preview", "Preview(Preview { name: None, state: Countdown, size: (1920, 1080), out: None, text: false, live: None })"),
        (
            "preview --size 640x480 --state=power mordor --out a/b.png",
            "Preview(Preview { name: Some(\"mordor\"), state: Power, size: (640, 480), out: Some(\"a/b.png\"), text: false, live: None })",
        ),
        (
            "preview --live mordor",
            "Preview(Preview { name: Some(\"mordor\"), state: Countdown, size: (1920, 1080), out: None, text: false, live: Some(None) })",
        ),
        (
            "preview --live=sixel",
            "Preview(Preview { name: None, state: Countdown, size: (1920, 1080), out: None, text: false, live: Some(Some(Sixel)) })",
        ),
        (
            "cartridge create mordor --size 2G",
            "Cartridge(Create(Create { name: \"mordor\", size: DiskSize(2147483648), format: Qcow2, install: None, firmware: Uefi }))",
        ),
        (
            "cartridge import mordor /dev/sdx --link --firmware bios",
            "Cartridge(Import(Import { name: \"mordor\", source: \"/dev/sdx\", becomes: BlockDevice, firmware: Some(Bios) }))",
        ),
        ("cartridge save mordor clean", "Cartridge(Save(Snapshot { name: \"mordor\", label: \"clean\" }))"),
    ] {
        assert_eq!(command(line), means, "{line}");
    }
}

/// What was typed wrong is named, and the nearest word or the words that there are, and where to read on.
#[test]
fn what_is_wrong_is_named_with_the_nearest_word_and_the_usage() {
    let cases: [(&str, &[&str]); 30] = [
        ("statu", &["`statu`", "`status`", "Usage: persona", "`persona --help`"]),
        ("list --jsn", &["`--jsn`", "`--json`", "Usage: persona list", "`persona list --help`"]),
        ("--json list", &["`--json`"]),
        ("list -x", &["`-x`"]),
        ("list a", &["`a`"]),
        ("list --json=yes", &["`--json`"]),
        ("list --json --json", &["`--json`"]),
        ("--root", &["`--root`", "DIR"]),
        ("--config --json list", &["`--config`", "FILE"]),
        ("--root= list", &["`--root`"]),
        ("next --until-cleared", &["NAME", "Usage: persona next"]),
        ("next mordor --clear", &["`--clear`", "NAME"]),
        ("next --clear --until-cleared", &["`--until-cleared`", "`--clear`"]),
        ("switch", &["NAME"]),
        ("preview --size 1x1", &["`--size`", "`1x1`", "1920x1080"]),
        ("preview --state off", &["`--state`", "`off`", "countdown, waiting,"]),
        ("preview --live=ascii", &["`--live`", "`ascii`", "kitty, sixel, blocks"]),
        ("preview --text --out x", &["`--text`", "`--out`"]),
        ("preview --live --text", &["`--live`", "`--text`"]),
        ("preview --live --state pin", &["`--live`", "`--state`"]),
        ("export qemu", &["`qemu`"]),
        ("cartridge creat", &["`creat`", "`create`"]),
        ("cartridge create", &["`--size SIZE`", "NAME"]),
        ("cartridge create mordor --size 0", &["`--size`", "`0`"]),
        ("cartridge create mordor --size 2G --format vmdk", &["`--format`", "`vmdk`", "qcow2, raw"]),
        ("cartridge create Mordor --size 2G", &["NAME", "`Mordor`"]),
        ("cartridge import mordor x --link --format raw", &["`--format`", "`--link`"]),
        ("cartridge save mordor ../clean", &["LABEL", "`../clean`"]),
        ("help nonsense", &["`nonsense`"]),
        ("help list more", &["`more`"]),
    ];
    for (line, names) in cases {
        let told = told(line);
        assert!(names.iter().all(|name| told.contains(name)), "{line}:\n{told}");
    }
}

#[test]
fn without_a_command_the_help_is_told() {
    assert_eq!(told(""), help(&[&PERSONA], 100));
    assert!(told("cartridge").contains("Usage: persona cartridge [OPTIONS] COMMAND"), "{}", told("cartridge"));
}

/// Words of the table, values, and anything else.
fn any_word() -> impl Strategy<Value = OsString> {
    let ways = ways();
    let mut known: Vec<String> = ways.iter().map(|way| way[way.len() - 1].name.to_owned()).collect();
    let options = ways.iter().flat_map(|way| way[way.len() - 1].options);
    known.extend(options.flat_map(|option| [option.name.to_owned(), example(option), format!("{}=", option.name)]));
    known.extend(["--", "-", "help", "-vh", "-v=", "1x1", "3G"].map(str::to_owned));
    prop_oneof![
        4 => proptest::sample::select(known).prop_map(OsString::from),
        1 => proptest::collection::vec(any::<u8>(), 0..8).prop_map(OsString::from_vec),
    ]
}

proptest! {
    #[test]
    fn any_words_mean_something_or_are_refused_in_words(line in proptest::collection::vec(any_word(), 0..8)) {
        if let Err(wrong) = parse(line) {
            let told = wrong.text(80);
            prop_assert!(told.contains("Usage: persona"), "{}", told);
        }
    }
}
