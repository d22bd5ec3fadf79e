#![allow(clippy::unwrap_used)]
use super::*;
use crate::config::document;
use serde::de::DeserializeOwned;

fn mordor(until_cleared: bool) -> Override {
    Override { persona: "mordor".into(), until_cleared, by: None, at: None, boot: Some("earlier".into()) }
}

fn after(until_cleared: bool, chosen: &str, reason: Reason) -> Option<Override> {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::new(root.path(), None);
    mordor(until_cleared).write(&paths).unwrap();
    Override::use_up(&paths, &Choice { persona: chosen.into(), reason, pin_asked: false }).unwrap();
    Override::read(&paths).unwrap()
}

#[test]
fn a_one_shot_override_is_spent_by_the_start_of_its_own_persona_only() {
    assert_eq!(after(false, "mordor", Reason::Override), None);
    assert!(after(true, "mordor", Reason::Override).is_some(), "until cleared");
    assert!(after(false, "gondor", Reason::Override).is_some(), "the kernel command line chose");
    assert!(after(false, "gondor", Reason::Picked).is_some(), "a person chose");
    assert_eq!(after(false, "mordor", Reason::Picked), None, "the intended persona has started, by any reason");
}

#[test]
fn override_set_while_another_is_spent_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::new(root.path(), None);
    mordor(false).write(&paths).unwrap();
    let lock = FileLock::try_take(&paths.override_lock()).unwrap().unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            Override::use_up(&paths, &Choice { persona: "mordor".into(), reason: Reason::Override, pin_asked: false }).unwrap();
            done.send(()).unwrap();
        });
        // Whether it has read the record by now or not: it removes nothing while another process changes it.
        assert!(is_done.recv_timeout(std::time::Duration::from_millis(200)).is_err());
        record::write_toml(&paths.override_file(), &Override { persona: "gondor".into(), ..mordor(false) }).unwrap();
        drop(lock);
        is_done.recv().unwrap();
    });
    assert_eq!(Override::read(&paths).unwrap().unwrap().persona, "gondor");
}

#[test]
fn what_is_set_for_the_next_boot_is_not_spent_in_this_one() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::new(root.path(), None);
    std::fs::create_dir_all(paths.boot_id().parent().unwrap()).unwrap();
    std::fs::write(paths.boot_id(), "this\n").unwrap();
    let again = Override { boot: boot_id(&paths), ..mordor(false) };
    again.write(&paths).unwrap();
    // legion is started a second time by hand, in a boot that an override began.
    Override::use_up(&paths, &Choice { persona: "mordor".into(), reason: Reason::Override, pin_asked: false }).unwrap();
    assert_eq!(Override::read(&paths).unwrap(), Some(again.clone()));
    assert!(!again.is_for(Some("this")) && again.is_for(Some("next")) && again.is_for(None));
    assert!(Override { boot: None, ..again }.is_for(Some("this")), "an older file");
}

/// Its file, and the record read back from it.
fn text_of<R: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(record: &R) -> String {
    let text = document::write(record).unwrap();
    assert_eq!(&document::read::<R>(&text, "x").unwrap(), record, "{text}");
    text
}

#[test]
fn every_file_looks_as_others_read_it() {
    assert_eq!(
        text_of(&Choice { persona: "mordor".into(), reason: Reason::Picked, pin_asked: false }),
        "persona = \"mordor\"\nreason = \"picked\"\n"
    );
    let next = Override { boot: None, ..mordor(true) };
    assert_eq!(text_of(&next), "persona = \"mordor\"\nuntil_cleared = true\n");
    let next = Override { by: Some("sam from 192.0.2.7".into()), at: Some(7), boot: Some("1-2".into()), ..next };
    let told = "by = \"sam from 192.0.2.7\"\nat = 7\nboot = \"1-2\"\n";
    assert_eq!(text_of(&next), format!("persona = \"mordor\"\nuntil_cleared = true\n{told}"));
    assert_eq!(text_of(&Last { persona: "mordor".into() }), "persona = \"mordor\"\n");
    let state = LegionState::new(Phase::Preparing, "mordor");
    assert_eq!(text_of(&state), "phase = \"preparing\"\npersona = \"mordor\"\n");
    let why = "\"a\"\nit's \u{1}é";
    let state = LegionState { why: Some(why.into()), outcome: Some(Outcome::GuestPoweroff), ran_s: Some(7), runs_well: true, ..state };
    assert_eq!(
        text_of(&state),
        "phase = \"preparing\"\npersona = \"mordor\"\nwhy = \"\"\"\n\"a\"\nit's \\u0001é\"\"\"\noutcome = \"guest-poweroff\"\nran_s = 7\nruns_well = true\n"
    );
    let device = |address: &str| BoundDevice {
        address: address.parse().unwrap(),
        id: "1002:73bf".into(),
        driver_before: String::new(),
        give_back: true,
    };
    let lines = "id = \"1002:73bf\"\ndriver_before = \"\"\ngive_back = true\n";
    assert_eq!(
        text_of(&BoundDevices { devices: ["0a:00.0", "0a:00.1"].map(device).into() }),
        format!("[[device]]\naddress = \"0000:0a:00.0\"\n{lines}\n[[device]]\naddress = \"0000:0a:00.1\"\n{lines}")
    );
    assert_eq!(text_of(&BoundDevices::default()), "device = []\n");
    let menu = MenuState { first_frame_ms: None, outputs: Vec::new(), keyboards: 0, trouble: None };
    assert_eq!(text_of(&menu), "outputs = []\nkeyboards = 0\n");
    let outputs = ["Virtual-1 1920x1080", "tty1"].map(str::to_owned).into();
    let menu = MenuState { first_frame_ms: Some(12), outputs, keyboards: 2, trouble: Some("\"no\" card".into()) };
    assert_eq!(
        text_of(&menu),
        "first_frame_ms = 12\noutputs = [\"Virtual-1 1920x1080\", \"tty1\"]\nkeyboards = 2\ntrouble = '\"no\" card'\n"
    );
}

#[test]
fn a_file_that_cannot_be_read_says_why_and_a_newer_ones_keys_do_no_harm() {
    let wrong = |text: &str| document::read::<Choice>(text, "/run/choice.toml").unwrap_err().to_string();
    for (text, words) in [
        ("persona = \"a\"\nreason = \"luck\"\n", "understanding /run/choice.toml:2: unknown variant `luck`, expected one of `picked`"),
        ("persona = 1\nreason = \"picked\"\n", "understanding /run/choice.toml:1: invalid type: integer `1`, expected a string"),
        ("reason = \"picked\"\n", "missing field `persona`"),
        ("persona = \"a\"\npersona = \"b\"\n", "understanding /run/choice.toml:2: duplicate key"),
        ("persona = \n", "understanding /run/choice.toml:1: "),
    ] {
        assert!(wrong(text).contains(words), "{text}\n=> {}", wrong(text));
    }
    assert!(document::read::<MenuState>("keyboards = -1", "x").unwrap_err().to_string().contains("`-1`"));
    let newer = document::read::<Override>("colour = 3\npersona = \"a\"\n[more]\nx = 1\n", "x").unwrap();
    assert_eq!(newer, Override { persona: "a".into(), until_cleared: false, by: None, at: None, boot: None });
}

#[test]
fn persona_with_a_pin_is_not_started_by_a_pick_without_it() {
    let settings = "[[persona]]\nname = \"a\"\npin = \"PIN\"\n[[persona]]\nname = \"b\"\n";
    let settings = settings.replace("PIN", &crate::config::pin::Pin::hash("1234", &[7; 16]).unwrap().to_string());
    let settings = crate::config::Settings::parse(&settings, "test").unwrap();
    let started = |persona: &str, reason, pin_asked| {
        let choice = Choice { persona: persona.into(), reason, pin_asked };
        choice.ensure_pin_was_asked(settings.persona(persona).unwrap()).map_err(|error| error.code())
    };
    assert_eq!(started("a", Reason::Picked, false), Err(Some("pin-not-asked")));
    assert_eq!(started("a", Reason::Picked, true), Ok(()));
    assert_eq!(started("a", Reason::Remote, false), Ok(()), "root asked");
    assert_eq!(started("b", Reason::Picked, false), Ok(()));
}

#[test]
fn report_of_the_supervisor_counts_only_for_what_root_has_started_and_tells_no_end() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::new(root.path(), None);
    let read = || LegionState::read(&paths).unwrap().map(|state| (state.phase, state.persona));
    let (gondor, mordor) = ("gondor", "mordor");
    let report = |phase, persona| LegionState::new(phase, persona).report(&paths).unwrap();
    report(Phase::Running, gondor);
    assert_eq!(read(), None, "without root's record");
    for phase in [Phase::Preparing, Phase::Inserting, Phase::Stopping, Phase::Ended, Phase::Failed] {
        LegionState::new(phase, gondor).write(&paths).unwrap();
        assert_eq!(read(), Some((phase, gondor.to_owned())));
    }
    LegionState::new(Phase::Starting, gondor).write(&paths).unwrap();
    assert_eq!(read(), Some((Phase::Running, gondor.to_owned())));
    for (phase, persona) in [(Phase::Running, mordor), (Phase::Ended, gondor), (Phase::Failed, gondor), (Phase::Preparing, gondor)] {
        report(phase, persona);
        assert_eq!(read(), Some((Phase::Starting, gondor.to_owned())), "{phase} {persona}");
    }
    std::fs::write(paths.legion_report(), "phase = [").unwrap();
    assert_eq!(read(), Some((Phase::Starting, gondor.to_owned())));
}
