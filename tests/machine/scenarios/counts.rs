//! A default that never runs well is skipped, and a person can start it all the same. The power is cut in two boots.

use crate::common::{change_settings, empty_cartridges, is_chosen, menu_says, nothing_is_chosen, persona, stop_menu, text};
use crate::profiles::GONDOR;
use persona::error::Result;
use persona_machine::{Artifacts, Keyboard, Machine, STEP};
use serde_json::Value;
use toml_edit::value;

fn remembers(machine: &mut Machine, file: &str, line: &str) -> Result<()> {
    let script = format!("grep -x '{line}' /var/lib/persona/{file}.toml");
    machine.wait_until(&format!("{file} remembers {line}"), &script, STEP).map(drop)
}

/// What `persona list --json` says of Gondor.
fn gondor(machine: &mut Machine) -> Result<Value> {
    let list: Value = machine.persona_json("list")?;
    Ok(list.as_array().unwrap().iter().find(|persona| persona["name"] == "gondor").unwrap().clone())
}

pub(crate) fn counts(artifacts: &Artifacts) -> Result<()> {
    let mut machine = GONDOR.restore(artifacts, "counts")?;
    // A guest that comes to a bad end before it counts as one that runs.
    machine.run("pkill -KILL qemu-system")?;
    machine.wait_for_end("failed")?;
    remembers(&mut machine, "starts", "boots = 1")?;
    assert_eq!(machine.try_run("test -e /var/lib/persona/last.toml")?.status, 1, "it ran, but not well");
    // As if another boot had ended so, too. The next menu starts its default at once; Gondor never counts as running well,
    // Rivendale does after two seconds.
    machine.run("sed -i 's/^boots = 1/boots = 2/' /var/lib/persona/starts.toml")?;
    empty_cartridges(&mut machine)?;
    change_settings(&mut machine, |settings| {
        settings["menu"]["timeout"] = value("0s");
        settings["menu"]["default"] = value("gondor");
        persona(settings, "gondor")["running_well"] = value("60m");
        persona(settings, "rivendale")["running_well"] = value("2s");
    })?;
    machine.run("sync")?;

    // A boot in which it takes the machine along.
    machine.cut_power_and_boot("")?;
    is_chosen(&mut machine, "gondor", "timeout")?;
    remembers(&mut machine, "starts", "boots = 3")?;
    machine.wait_for_legion("running")?;

    machine.cut_power_and_boot("")?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    nothing_is_chosen(&mut machine)?;
    menu_says(&mut machine, "stage", "\"waiting\"")?;
    let status = machine.status()?;
    let failed_boots = &status["failed_boots"][0];
    assert_eq!((text(failed_boots, "/persona"), &failed_boots["boots"]), ("gondor", &3.into()), "{status:#}");
    assert!(failed_boots["skipped"].is_string() && status["choice"].is_null(), "{status:#}");
    let listed = gondor(&mut machine)?;
    assert_eq!((&listed["skipped"], &listed["failed_boots"]), (&true.into(), &3.into()), "{listed:#}");
    assert_ne!(machine.try_ssh("persona doctor")?.status, 0, "doctor warns");

    // A person can start it all the same.
    machine.press(Keyboard::Host, "ret")?;
    is_chosen(&mut machine, "gondor", "picked")?;
    machine.wait_for_legion("running")?;
    remembers(&mut machine, "starts", "boots = 4")?;
    // Stopped before it could show how it runs: that start is none.
    machine.ssh("persona switch rivendale")?;
    remembers(&mut machine, "starts", "boots = 3")?;
    machine.wait_until("rivendale runs well", "persona status --json | grep '\"runs_well\": true'", STEP)?;
    // The menu hears of it while the guest runs.
    remembers(&mut machine, "last", "persona = \"rivendale\"")?;
    machine.wait_until("nothing is held against rivendale", "! grep rivendale /var/lib/persona/starts.toml", STEP)?;

    // Naming a persona as the default clears its count.
    machine.ssh("persona default gondor")?;
    assert_eq!(machine.try_run("test -e /var/lib/persona/starts.toml")?.status, 1);
    machine.ssh("persona default last")?;
    machine.ssh("persona stop --force")?;
    stop_menu(&mut machine, "")?;
    machine.run("systemctl start persona-menu.service")?;
    is_chosen(&mut machine, "rivendale", "timeout")
}
