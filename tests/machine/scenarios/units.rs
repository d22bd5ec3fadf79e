//! A persona that is a unit of its own, such as a container: shown, picked, seen running, and missed when it ends or fails.

use crate::common::{change_settings, changes, is_chosen, menu_says, settings, start_menu, stop_menu, text};
use crate::profiles::MENU;
use persona::error::Result;
use persona_machine::{Artifacts, Head, Keyboard, Machine, Picture, STEP};

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

/// Waits until `persona status --json` says this of the unit's `state` or `why`.
fn status_says(machine: &mut Machine, field: &str, words: &str) -> Result<()> {
    let script = format!("persona status --json | sed -n '/\"unit\": {{/,/}}/p' | tee /dev/stderr | grep -q '\"{field}\": .*{words}'");
    machine.wait_until(&format!("status says {words:?}"), &script, STEP).map(drop)
}

/// The personas that run, as `persona list --json` says.
fn running(machine: &mut Machine) -> Result<Vec<String>> {
    let list: serde_json::Value = machine.persona_json("list")?;
    let runs = list.as_array().unwrap().iter().filter(|persona| persona["running"] == true);
    Ok(runs.map(|persona| text(persona, "/name").to_owned()).collect())
}

/// Waits until the monitor shows what it showed before.
fn shows_again(machine: &mut Machine, before: &Picture) -> Result<()> {
    machine.wait_for_screen(Head::Display, "the menu is as before", |picture| picture.difference(before) < 0.01).map(drop)
}

/// Whether anything on it is as bright as a picture that is not dimmed.
fn is_bright(picture: &Picture) -> bool {
    (0..picture.height).any(|y| (0..picture.width).any(|x| picture.at(x, y).green > 180))
}

pub(crate) fn container(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "units")?;
    stop_menu(&mut machine, &format!("cat > {} << 'END_OF_UNIT'\n{}END_OF_UNIT\nsystemctl daemon-reload", LAB.0, LAB.1))?;
    let more = settings(&mut machine)? + PERSONAS;
    change_settings(&mut machine, |settings| *settings = more.parse().unwrap())?;
    start_menu(&mut machine, 2)?;
    machine.wait_for_screen(Head::Display, "the menu is painted", Picture::is_painted)?;
    let rivendale = machine.picture(Head::Display)?;
    machine.press(Keyboard::Host, "5")?;
    let lab = changes(&mut machine, Head::Display, &rivendale)?;

    // It is picked, and runs: nobody needs to look any more.
    machine.press(Keyboard::Host, "ret")?;
    is_chosen(&mut machine, "lab", "picked")?;
    status_says(&mut machine, "state", "\"active\"")?;
    assert_eq!(running(&mut machine)?, ["lab"]);
    machine.wait_for_screen(Head::Display, "the monitor is dark", Picture::is_dark)?;

    // A menu that was killed finds its way back to it.
    machine.run("rm /run/persona/menu.toml; systemctl kill -s KILL persona-menu.service")?;
    machine.wait_for_menu()?;
    menu_says(&mut machine, "stage", "\"running\"")?;
    machine.wait_for_screen(Head::Display, "the monitor is dim again", |picture| !is_bright(picture))?;

    // It ends from inside: the menu is back.
    machine.run("echo 0 > /run/lab")?;
    shows_again(&mut machine, &lab)?;
    status_says(&mut machine, "state", "\"inactive\"")?;
    assert_eq!(running(&mut machine)?, [""; 0]);

    // It runs again and fails: the menu says why.
    machine.press(Keyboard::Host, "ret")?;
    status_says(&mut machine, "state", "\"active\"")?;
    machine.wait_for_screen(Head::Display, "the monitor is dim", |picture| !is_bright(picture))?;
    machine.run("echo 3 > /run/lab")?;
    status_says(&mut machine, "state", "\"failed\"")?;
    menu_says(&mut machine, "stage", "\"failed\"")?;
    let told = |picture: &Picture| is_bright(picture) && picture.difference(&lab) > 0.02;
    machine.wait_for_screen(Head::Display, "the menu says why", told)?;
    machine.press(Keyboard::Host, "ret")?;
    shows_again(&mut machine, &lab)?;

    // What does not exist does not start, and the menu says that.
    machine.press(Keyboard::Host, "right")?;
    let nowhere = changes(&mut machine, Head::Display, &lab)?;
    machine.press(Keyboard::Host, "ret")?;
    status_says(&mut machine, "why", "nowhere.service")?;
    menu_says(&mut machine, "stage", "\"failed\"")?;
    changes(&mut machine, Head::Display, &nowhere)?;
    machine.press(Keyboard::Host, "ret")?;
    shows_again(&mut machine, &nowhere)
}
