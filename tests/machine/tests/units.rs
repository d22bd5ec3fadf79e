//! A persona that is a unit of its own, such as a container: shown, picked, seen running, and missed when it ends or fails.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{changes, without_motion};
use persona::error::Result;
use persona_machine::{Artifacts, Hardware, Head, Keyboard, Log, Machine, Picture, STEP, Scenario, trial};

/// A container of its own processes, which ends, well or not, as it is told from inside.
const LAB: (&str, &str) = (
    "/etc/systemd/system/lab.service",
    "[Service]
Type=exec
ExecStartPre=/bin/sh -c 'test -p /run/lab || mkfifo /run/lab'
ExecStart=/usr/bin/unshare --fork --pid --mount-proc --kill-child /bin/sh -c 'read how < /run/lab; exit $$how'
",
);

/// Personas number 5 and 6, one of them without a unit to start.
const PERSONAS: &str = r#"
[[persona]]
name = "lab"
starts = "lab.service"
[[persona]]
name = "nowhere"
starts = "nowhere.service"
"#;

/// Waits until `persona status` says this of the unit.
fn status_says(machine: &mut Machine, words: &str) -> Result<()> {
    let script = format!("persona status | grep -A2 ^unit; persona status | grep -A2 ^unit | grep -q '{words}'");
    machine.wait_until(&format!("status says {words:?}"), &script, STEP).map(drop)
}

/// Waits until the monitor shows what it showed before.
fn shows_again(machine: &mut Machine, before: &Picture) -> Result<()> {
    machine.wait_for_screen(Head::Display, "the menu is as before", |picture| picture.difference(before) < 0.01).map(drop)
}

/// Whether anything on it is as bright as a picture that is not dimmed.
fn is_bright(picture: &Picture) -> bool {
    (0..picture.height).any(|y| (0..picture.width).any(|x| picture.at(x, y).green > 180))
}

fn container() -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let settings = without_motion(&artifacts.settings) + PERSONAS;
    let scenario = Scenario::new("units").root_settings(&settings).cmdline("persona.timeout=never").file(LAB.0, LAB.1);
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    let rivendale = machine.picture(Head::Display)?;
    machine.press(Keyboard::Host, "5")?;
    let lab = changes(&mut machine, Head::Display, &rivendale)?;

    // It is picked, and runs: nobody needs to look any more.
    machine.press(Keyboard::Host, "ret")?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"lab\"\nreason = \"picked\"\n");
    status_says(&mut machine, "lab.service: active")?;
    assert_eq!(machine.run("persona list | grep running")?.split_whitespace().next(), Some("lab"));
    machine.wait_for_screen(Head::Display, "the monitor is dark", Picture::is_dark)?;

    // A menu that was killed finds its way back to it.
    machine.run("rm /run/persona/menu.toml; systemctl kill -s KILL persona-menu.service")?;
    machine.wait_for_menu()?;
    machine.wait_for_screen(Head::Display, "the monitor is dark again", Picture::is_dark)?;

    // It ends from inside: the menu is back.
    machine.run("echo 0 > /run/lab")?;
    shows_again(&mut machine, &lab)?;
    status_says(&mut machine, "lab.service: inactive")?;
    assert_eq!(machine.run("persona list | grep -c running || :")?.trim(), "0");

    // It runs again and fails: the menu says why.
    machine.press(Keyboard::Host, "ret")?;
    status_says(&mut machine, "lab.service: active")?;
    machine.wait_for_screen(Head::Display, "the monitor is dark", Picture::is_dark)?;
    machine.run("echo 3 > /run/lab")?;
    status_says(&mut machine, "exit-code, exit status 3")?;
    let told = |picture: &Picture| is_bright(picture) && picture.difference(&lab) > 0.02;
    machine.wait_for_screen(Head::Display, "the menu says why", told)?;
    machine.press(Keyboard::Host, "ret")?;
    shows_again(&mut machine, &lab)?;

    // What does not exist does not start, and the menu says that.
    machine.press(Keyboard::Host, "right")?;
    let nowhere = changes(&mut machine, Head::Display, &lab)?;
    machine.press(Keyboard::Host, "ret")?;
    status_says(&mut machine, "Unit nowhere.service not found.")?;
    changes(&mut machine, Head::Display, &nowhere)?;
    machine.wait_until("it is in the journal", "journalctl -b -t persona | grep -q 'nowhere.service not found'", STEP)?;
    machine.press(Keyboard::Host, "ret")?;
    shows_again(&mut machine, &nowhere)
}

#[test]
fn a_container_is_a_persona_like_the_others() {
    trial(container);
}
