//! legion runs nested inside the machine and owns what was passed through: it draws on the card and hears the keyboard.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::error::Result;
use persona::settings::value::Color;
use persona_machine::wire::Report;
use persona_machine::{Artifacts, Hardware, Head, Keyboard, Log, Machine, Picture, Scenario};
use std::time::Duration;

/// From the choice to a guest that has drawn, nested and emulated.
const GUEST: Duration = Duration::from_secs(240);

fn plays() -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let scenario = Scenario::new("legion");
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;
    machine.wait_for_report(
        "legion reports",
        GUEST,
        |report| matches!(report, Report::Started { cartridge, .. } if cartridge == "rivendale"),
    )?;
    machine.wait_for_report("legion has drawn", GUEST, |report| matches!(report, Report::Drawn { .. }))?;
    machine.wait_for_report("legion sees its keyboard", GUEST, |report| matches!(report, Report::Keyboard { .. }))?;
    let reports = machine.reports()?;
    for id in ["1234:1111", "1033:0194"] {
        assert!(reports.iter().any(|report| matches!(report, Report::Pci { id: seen, .. } if seen == id)), "no {id} in {reports:?}");
    }

    let picture = artifacts.folder.join("legion.png");
    machine.screendump(Head::Card, &picture)?;
    let picture = Picture::read(&picture)?;
    assert_eq!(picture.at(1, 1), Color::rgb(0x7f, 0xb0, 0x69), "the passed-through card shows the accent of Rivendale");
    assert!(picture.colours() > 8, "its name is written there");

    machine.press(Keyboard::Host, "a")?;
    machine.press(Keyboard::Legion, "b")?;
    machine.wait_for_report("a key of legion's keyboard", GUEST, |report| matches!(report, Report::Key { code } if code == "KEY_B"))?;
    let foreign = machine.reports()?.into_iter().find(|report| matches!(report, Report::Key { code } if code == "KEY_A"));
    assert_eq!(foreign, None, "legion hears only its own keyboard");

    machine.press(Keyboard::Legion, "p")?;
    machine.wait_for_report(
        "legion powers off",
        GUEST,
        |report| matches!(report, Report::PoweringOff { because } if because == "KEY_P"),
    )?;
    machine.wait_until(
        "the host has its USB controller again",
        "readlink /sys/bus/pci/devices/0000:02:00.0/driver | grep xhci_hcd",
        GUEST,
    )?;
    Ok(())
}

#[test]
fn legion_owns_its_card_and_keyboard() {
    plays().unwrap_or_else(|error| panic!("{error}"));
}
