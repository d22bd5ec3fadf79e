//! legion in charge from afar: two people switch at once, one is interrupted, and the log tells it afterwards, also after a restart.

use crate::common::{change_settings, empty_cartridges, text};
use crate::profiles::MENU;
use persona::error::Result;
use persona_machine::{Artifacts, Machine, STEP};
use serde_json::Value;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use toml_edit::Item;

/// How somebody's command over SSH came out.
struct Done {
    command: String,
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs commands over SSH beside the test, all at once; each tells when it is over.
fn at_once(machine: &Machine, commands: &[&str]) -> Receiver<Done> {
    let (sender, done) = channel();
    for command in commands {
        let (sender, ssh, command) = (sender.clone(), machine.ssh_command(), (*command).to_owned());
        std::thread::spawn(move || {
            let output = Command::new("sh").args(["-c", &format!("exec {ssh} '{command}'")]).output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let _ = sender.send(Done { command, status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) });
        });
    }
    done
}

pub(crate) fn from_afar(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "switching")?;
    // Guests that do not care about the power button, and long enough for everything that is to happen meanwhile.
    empty_cartridges(&mut machine)?;
    change_settings(&mut machine, |settings| {
        settings["legion"]["stop"] = "{ again = \"1s\", quit = \"15m\", kill = \"16m\" }".parse::<Item>().unwrap();
    })?;
    machine.ssh("persona start gondor")?;

    // Two at once: one is told who and what, and has changed nothing.
    let done = at_once(&machine, &["persona switch mordor", "persona switch rivendale"]);
    let lost = done.recv().unwrap();
    let (wins, loses) = if lost.command.ends_with("mordor") { ("rivendale", "mordor") } else { ("mordor", "rivendale") };
    assert!(lost.status == Some(1) && lost.stderr.contains("10.0.2.2") && lost.stderr.contains(wins), "{:?}: {}", lost.status, lost.stderr);
    let switch = machine.status()?["switch"].clone();
    assert_eq!((text(&switch, "/what"), &switch["goes_on"]), (format!("switch gondor to {wins}").as_str(), &true.into()), "{switch:#}");
    assert!(text(&switch, "/who").ends_with(" from 10.0.2.2"), "{switch:#}");
    let refused = machine.try_ssh("persona stop")?;
    assert!(refused.status == 1 && refused.stderr.contains("`persona stop --force`"), "{refused:?}");

    // The plug is everybody's; the switch gets what it waits for.
    machine.ssh("persona stop --force")?;
    let won = done.recv().unwrap();
    assert_eq!(won.status, Some(0), "{}{}", won.stdout, won.stderr);
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), format!("cartridges/{wins}"));
    assert!(machine.status()?["switch"].is_null());

    // Ctrl-C before legion is off: the other persona is not started, and `status` says why.
    let done = at_once(&machine, &[&format!("persona switch {loses}")]);
    machine.wait_until("the switch waits for the guest", "grep -q '^stage = \"stopping\"' /run/persona/switch.toml", STEP)?;
    machine.wait_until("legion is being stopped", "systemctl show -P ActiveState legion.service | grep -qx deactivating", STEP)?;
    machine.run("kill -INT $(sed -n 's/^pid = //p' /run/persona/switch.toml)")?;
    let interrupted = done.recv().unwrap();
    assert!(interrupted.status == Some(1) && interrupted.stderr.contains(loses), "{:?}: {}", interrupted.status, interrupted.stderr);
    let status = machine.status()?;
    assert_eq!((text(&status, "/legion/state"), text(&status, "/legion/persona")), ("running", wins));
    let switch = &status["switch"];
    assert_eq!((text(switch, "/what"), &switch["goes_on"]), (format!("switch {wins} to {loses}").as_str(), &false.into()), "{switch:#}");
    machine.ssh("persona stop --force")?;
    assert_eq!(text(&machine.status()?, "/legion/state"), "ended");
    machine.ssh(&format!("persona start {loses}"))?;
    assert!(machine.status()?["switch"].is_null(), "what was interrupted is done by another command");
    machine.ssh("persona stop --force")?;

    is_told(&mut machine, wins, loses)
}

/// The log tells all of it, in this boot and after the next one.
fn is_told(machine: &mut Machine, wins: &str, loses: &str) -> Result<()> {
    let log: Value = machine.persona_json("log")?;
    let runs = runs(&log);
    let told: Vec<[&str; 3]> = runs.iter().map(|run| [text(run, "/persona"), text(run, "/reason"), text(run, "/end")]).collect();
    let expected = ["gondor", wins, loses].map(|persona| [persona, "remote", "ended"]);
    assert_eq!(told, expected, "{log:#}");
    for took in ["devices_took_ms", "cartridge_took_ms", "qemu_took_ms", "ran_ms"] {
        assert!(runs.iter().all(|run| run[took].is_u64()), "{took}: {log:#}");
    }
    assert!(runs.iter().all(|run| text(run, "/by").ends_with(" from 10.0.2.2")), "{log:#}");
    let troubles = log[0]["lines"].as_array().unwrap().iter().filter(|line| line["trouble"] == true).count();
    assert!(troubles >= 1, "the interruption is a trouble: {log:#}");
    assert!(machine.ssh("persona log")?.lines().count() > runs.len() * 4, "each step has a line");

    machine.ssh("systemctl reboot --no-block")?;
    machine.wait_for_reboot()?;
    machine.wait_for_ssh()?;
    let before: Value = machine.persona_json("log --boot -1")?;
    assert_eq!(before[0]["number"], -1, "{before:#}");
    assert_eq!(crate::switching::runs(&before), runs, "the same after a restart");
    let all: Value = machine.persona_json("log --all")?;
    assert!(all.as_array().unwrap().iter().any(|boot| boot["number"] == -1), "{all:#}");
    Ok(())
}

/// What was chosen in the boot of a log.
fn runs(log: &Value) -> Vec<Value> {
    log[0]["runs"].as_array().unwrap().clone()
}
