//! Overrides set over SSH, over real reboots.

use crate::common::{change_settings, is_chosen, tell_guest, text};
use crate::profiles::GONDOR;
use persona::error::Result;
use persona_machine::{Artifacts, STEP, address};
use serde_json::{Value, json};
use toml_edit::value;

/// The host reboots under a guest that does not care; the override lasts one boot; the boot after that is the default's again.
pub(crate) fn an_override(artifacts: &Artifacts) -> Result<()> {
    let mut machine = GONDOR.restore(artifacts, "override")?;
    change_settings(&mut machine, |settings| settings["menu"]["timeout"] = value("1s"))?;
    tell_guest(&mut machine, "i")?;

    machine.ssh("persona next host")?;
    let list: Value = machine.persona_json("list")?;
    let next: Vec<&str> =
        list.as_array().unwrap().iter().filter(|persona| persona["next"] == true).map(|persona| text(persona, "/name")).collect();
    assert_eq!(next, ["host"]);
    let plan: Value = machine.persona_json("plan gondor")?;
    assert_eq!(plan["refused"], json!([]), "{plan:#}");
    assert_eq!(plan["reserve"], json!([address::CARD, address::CARD_AUDIO]));
    assert_eq!(plan["bind"][2], json!({ "address": address::LEGION_USB, "at": "launch" }));
    let passes = plan["qemu"].as_array().unwrap().iter().any(|word| word == "vfio-pci,host=0000:02:00.0,bus=port2,addr=0x0.0x0");
    assert!(passes, "{plan:#}");
    machine.ssh("persona preview mordor --size 800x600 --out /tmp/menu.png")?;
    // A PNG's width and height are two big-endian numbers from byte 16 on.
    assert_eq!(machine.ssh("od -An -tx1 -j16 -N8 /tmp/menu.png")?.trim(), "00 00 03 20 00 00 02 58");
    let wrong = machine.try_ssh("persona next morder")?;
    assert!(wrong.status == 2 && wrong.stderr.contains("`mordor`"), "{wrong:?}");

    machine.ssh("systemctl reboot --no-block")?;
    machine.wait_for_reboot()?;
    is_chosen(&mut machine, "host", "override")?;
    machine.wait_until("the console has the screen", "grep -qx tty1 /sys/class/tty/tty0/active", STEP)?;
    assert_eq!(machine.try_run("test -e /var/lib/persona/override.toml")?.status, 1, "the override is used up");
    machine.wait_until("legion has looked", "systemctl show -P Result legion.service | grep -qx exec-condition", STEP)?;
    assert_eq!(text(&machine.status()?, "/legion/state"), "off");
    // The guest was stopped, and its end recorded, before the host went down.
    let log: Value = machine.persona_json("log --boot -1")?;
    let run = log[0]["runs"].as_array().unwrap().last().unwrap();
    assert_eq!((text(run, "/persona"), text(run, "/end")), ("gondor", "ended"), "{log:#}");

    machine.wait_for_ssh()?;
    machine.ssh("systemctl reboot --no-block")?;
    machine.wait_for_reboot()?;
    is_chosen(&mut machine, "rivendale", "timeout")?;
    machine.wait_for_legion("running")
}
