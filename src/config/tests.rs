#![allow(clippy::unwrap_used)]
use super::*;

const SHIPPED: &str = include_str!("../../config/persona.toml");

fn message(text: &str) -> String {
    Settings::parse(text, "persona.toml").unwrap_err().to_string()
}

#[test]
fn the_shipped_example_is_understood() {
    let settings = Settings::parse(SHIPPED, "persona.toml").unwrap();
    let names: Vec<_> = settings.personas.iter().map(|persona| persona.name.as_str()).collect();
    assert_eq!(names, ["rivendale", "gondor", "mordor", "host"]);
    assert_eq!(settings.passthrough[1].bind, Some(BindTime::Launch));
    let mordor = settings.persona("mordor").unwrap().legion().unwrap();
    assert_eq!((mordor.memory.mebibytes(), mordor.guest), (16 * 1024, Guest::Windows));
    assert_eq!(mordor.cpus, Cpus::Count(12));
    assert_eq!(settings.default_persona(None).name, "rivendale");
}

#[test]
fn a_persona_may_stop_and_count_as_well_in_its_own_way() {
    let text = "[legion]\nstop = { quit = \"1m\", kill = \"70s\" }\n[[persona]]\nname = \"a\"\n\
        [[persona]]\nname = \"b\"\nstop = { again = \"5s\" }\nrunning_well = \"5m\"\n[[persona]]\nname = \"c\"\nrunning_well = \"agent\"\n";
    let settings = Settings::parse(text, "persona.toml").unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| settings.persona(name).unwrap().legion().unwrap());
    let seconds = Duration::from_secs;
    assert_eq!(a.stop, Ladder { again: seconds(10), quit: seconds(60), kill: seconds(70) });
    assert_eq!(b.stop, Ladder { again: seconds(5), ..Ladder::default() }, "a table of its own, not a mixture");
    assert_eq!(
        [a.running_well, b.running_well, c.running_well],
        [RunningWell::USUAL, RunningWell::After(seconds(300)), RunningWell::Agent]
    );
}

#[test]
fn an_unknown_key_names_its_line_and_the_nearest_known_key() {
    let message = message("[menu]\ntimout = \"10s\"\n");
    assert!(message.starts_with("persona.toml:2: ") && message.contains("`timout`"), "{message}");
    assert!(message.contains("2 | timout = \"10s\"") && message.contains("  | ^^^^^^"), "{message}");
    assert!(message.ends_with("`timeout`?"), "{message}");
}

#[test]
fn what_means_nothing_is_named_with_its_line() {
    // The file and the line, and what a reader needs to put it right: the nearest key or value, or those that there are.
    for (text, line, words) in [
        ("[[persona]]\nname = \"Größe\"", 2, ""),
        ("[[persona]]\nname = \"a\"\n[[persona]]\nname = \"a\"", 4, ""),
        ("[[persona]]\nname = \"a\"\nemblem = \"leav\"", 3, "`leaf`"),
        ("[[persona]]\nname = \"a\"\nstarts = \"rm -rf\"", 3, ""),
        ("[[persona]]\nname = \"a\"\nguest = \"window\"", 3, "`windows`"),
        ("[[persona]]\nname = \"a\"\ncpus = 0", 3, ""),
        ("[[persona]]\nname = \"a\"\ncpus = true", 3, ""),
        ("[[persona]]\nname = \"a\"\nslot = \"slot\"", 3, ""),
        ("[[persona]]\nname = \"a\"\nslot = \"/a\\nb\"", 3, ""),
        ("[[persona]]\nname = \"a\"\nextra_args = [\"-a\",\n\"\\u0000\"]", 4, ""),
        ("[[persona]]\nname = \"a\"\ndisk = \"scsi\"", 3, ""),
        ("[[persona]]\nname = \"a\"\naudio = \"alsa\"", 3, ""),
        ("[[persona]]\nname = \"a\"\ndisplay = \"vcn\"", 3, "`vnc`"),
        ("[[persona]]\nname = \"a\"\nnetwork = \"macvtap:\"", 3, "macvtap:eth0"),
        ("[[legion.passthrough]]\ndevice = \"0a:00.0\"\nromfile = \"vbios.rom\"\n[[persona]]\nname = \"a\"", 3, ""),
        ("[menu]\ndefault = \"rivendell\"\n[[persona]]\nname = \"rivendale\"", 2, "`rivendale`"),
        ("[menu]\ndisplay = \"card0\"\n[[persona]]\nname = \"a\"", 2, ""),
        (
            "[[legion.passthrough]]\ndevice = \"0a:00.0\"\n[[legion.passthrough]]\ndevice = \"0000:0a:00.0\"\n[[persona]]\nname = \"a\"",
            4,
            "",
        ),
        ("[[persona]]\nname = \"a\"\nbackend = \"libvrt\"", 3, "`libvirt`"),
        ("[[persona]]\nname = \"a\"\ndomain = \"--all\"", 3, ""),
        ("[[persona]]\nname = \"a\"\ndomain = \"7\"", 3, ""),
        ("[[persona]]\nname = \"a\"\ndomain = \"a/b\"", 3, ""),
        ("[[persona]]\nname = \"a\"\ndomain = \"a b\"", 3, ""),
        ("[menu]\ntimeout = 10\n", 2, ""),
        ("[menu]\nscale = 0.1\n[[persona]]\nname = \"a\"", 2, "0.5 to 3"),
        ("[menu]\nscale = \"big\"\n[[persona]]\nname = \"a\"", 2, "0.5 to 3"),
        ("[menu]\nrotation = 45\n[[persona]]\nname = \"a\"", 2, "0, 90, 180, 270"),
        ("[menu]\ntheme = \"high-contrst\"\n[[persona]]\nname = \"a\"", 2, "`high-contrast`"),
        ("[[persona]]\nname = \"a\"\npin = \"1234\"", 3, "`persona pin`"),
        ("[legion]\nstop = { quit = \"30s\", kill = \"31s\" }\n[[persona]]\nname = \"a\"", 2, ""),
        ("[legion]\nstop = { again = \"31s\" }\n[[persona]]\nname = \"a\"", 2, ""),
        ("[legion]\nstop = { kill = \"never\" }\n[[persona]]\nname = \"a\"", 2, ""),
        ("[menu]\nmotion = \"no\"", 2, ""),
        ("menu = 3", 1, ""),
        ("[persona]\nname = \"a\"", 1, ""),
        ("[[persona]]\nname = \"a\"\nextra_args = [\"-a\",\n1]", 4, ""),
        ("[[persona]]\nnmae = \"a\"", 2, "`name`"),
        ("[menu]\n[[persona]]\ntitle = \"a\"", 2, "`name`"),
        ("[[persona]]\nname = \"a\"\nmemroy = \"1G\"", 3, "`memory`"),
        ("[[persona]]\nname = \"a\"\nname = \"b\"", 3, ""),
        ("[legoin]\ncpus = 1", 1, "`legion`"),
        ("[menu\n", 1, ""),
    ] {
        let message = message(text);
        assert!(message.starts_with(&format!("persona.toml:{line}: ")) && message.contains(words), "{text}\n=> {message}");
    }
    assert!(message("").contains("[[persona]]"));
}

#[test]
fn a_locked_persona_starts_unattended_only_if_the_owner_says_so() {
    let pin = "pin = \"$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQ$JKOB01VuKJ2tIB4TSD4Ral+5P1JSjH8P8g2VzptYyms\"\n";
    for (keys, locked, unattended) in
        [(String::new(), false, true), (pin.to_owned(), true, false), (format!("{pin}unattended = true\n"), true, true)]
    {
        let settings = Settings::parse(&format!("[[persona]]\nname = \"a\"\n{keys}"), "x").unwrap();
        let persona = &settings.personas[0];
        assert_eq!((persona.pin.is_some(), persona.starts_unattended()), (locked, unattended), "{keys}");
    }
    let two = |first: &str, second: &str| format!("[[persona]]\nname = \"a\"\n{first}[[persona]]\nname = \"b\"\n{second}");
    let default = |text: &str| Settings::parse(text, "x").unwrap().default_persona(None).name.clone();
    assert_eq!(default(&two(pin, "")), "b", "the first that may takes its place");
    assert_eq!(default(&two(pin, pin)), "a", "shown first, though nothing starts by itself");
}

#[test]
fn a_persona_may_be_another_domain() {
    let text = "[legion]\nbackend = \"libvirt\"\n[[persona]]\nname = \"a\"\n[[persona]]\nname = \"b\"\ndomain = \"Win_11.games\"\n\
                [[persona]]\nname = \"c\"\nbackend = \"qemu\"";
    let settings = Settings::parse(text, "x").unwrap();
    let of = |name: &str| settings.persona(name).unwrap().legion().map(|legion| (legion.backend, legion.domain.clone())).unwrap();
    assert_eq!(of("a"), (Backend::Libvirt, "legion".to_owned()));
    assert_eq!(of("b"), (Backend::Libvirt, "Win_11.games".to_owned()));
    assert_eq!(of("c").0, Backend::Qemu);
}

#[test]
fn settings_larger_than_any_are_not_read() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::new(root.path(), None);
    std::fs::create_dir_all(root.path().join("etc/persona")).unwrap();
    let persona = "[[persona]]\nname = \"a\"\n";
    let with_comment = |length: usize| format!("{persona}#{}\n", "-".repeat(length - persona.len() - 2));
    std::fs::write(paths.settings(), with_comment(MAX_SETTINGS as usize)).unwrap();
    assert_eq!(Settings::load(&paths).unwrap().personas.len(), 1);
    std::fs::write(paths.settings(), with_comment(MAX_SETTINGS as usize + 1)).unwrap();
    assert_eq!(Settings::load(&paths).unwrap_err().exit_code(), 1);
}

#[test]
fn a_vanished_default_falls_back_to_the_first() {
    let settings = Settings::parse("[menu]\ndefault = \"last\"\n[[persona]]\nname = \"a\"\n[[persona]]\nname = \"b\"", "x").unwrap();
    assert_eq!(settings.default_persona(Some("b")).name, "b");
    assert_eq!(settings.default_persona(Some("gone")).name, "a");
    assert_eq!(settings.default_persona(None).name, "a");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = Settings::parse(&text, "x");
    }

    #[test]
    fn no_mangled_example_panics(at in 0..SHIPPED.len(), insert in "\\PC{0,3}") {
        let at = (0..=at).rev().find(|&at| SHIPPED.is_char_boundary(at)).unwrap_or(0);
        let _ = Settings::parse(&format!("{}{insert}{}", &SHIPPED[..at], &SHIPPED[at..]), "x");
        let _ = Settings::parse(&SHIPPED[..at], "x");
    }
}
