//! In charge from afar: the menu's control socket and the commands that speak to it, over real SSH, while the countdown runs
//! and while others do their worst to the socket.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{changes, without_motion};
use persona::error::{Context, Result};
use persona_machine::{Artifacts, Hardware, Head, Keyboard, Log, Machine, STEP, Scenario, trial};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// `persona status --watch --json` in an SSH session of its own, as long as this is there.
struct Watcher {
    ssh: Child,
    lines: BufReader<ChildStdout>,
}

impl Watcher {
    fn begin(machine: &Machine) -> Result<Self> {
        let login = machine.ssh_command();
        let mut words = login.split(' ');
        // When nothing comes that is waited for, the lines end.
        let mut ssh = Command::new(words.next().unwrap())
            .args(words)
            .arg("timeout 900 persona status --watch --json")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .doing(|| "watching over SSH".to_owned())?;
        let lines = BufReader::new(ssh.stdout.take().unwrap());
        Ok(Self { ssh, lines })
    }

    /// The next line that is as `wanted`.
    fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = String::new();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the watcher never told of {what}; last it said\n{last}");
            let status = serde_json::from_str(&line).unwrap();
            if wanted(&status) {
                return status;
            }
            last = line;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.ssh.kill();
        let _ = self.ssh.wait();
    }
}

/// What the menu says that it shows.
fn live(machine: &Machine) -> Result<Value> {
    let status: Value = serde_json::from_str(&machine.ssh("persona status --json")?).doing(|| "reading persona status".to_owned())?;
    Ok(status["live"].clone())
}

/// What a command says that fails.
fn fails(machine: &Machine, command: &str) -> Result<String> {
    let output = machine.try_ssh(command)?;
    assert_ne!(output.status, 0, "`{command}` says {}", output.stdout);
    Ok(output.stderr)
}

fn says(told: &str, words: &[&str]) {
    for word in words {
        assert!(told.contains(word), "{word:?} is missing in\n{told}");
    }
}

fn remote() -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let scenario = Scenario::new("remote").cmdline("persona.timeout=20m").root_settings(&without_motion(&artifacts.settings));
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    machine.wait_for_ssh()?;
    let seen = live(&machine)?;
    assert_eq!((&seen["stage"], &seen["highlighted"], &seen["keyboards"]), (&"countdown".into(), &"rivendale".into(), &2.into()));
    let mut watcher = Watcher::begin(&machine)?;
    let left = |status: &Value| status["live"]["left_ms"].as_u64();
    let first = left(&watcher.wait_for("the countdown", |status| left(status).is_some()));
    watcher.wait_for("its going on", |status| left(status) < first && left(status).is_some());

    // Root's alone: by the socket's permissions, and by asking the kernel who speaks.
    assert_eq!(machine.run("stat -c '%a %U' /run/persona/menu.sock")?.trim(), "600 root");
    let as_legion = "setpriv --reuid legion --regid legion --clear-groups persona hold";
    says(&fails(&machine, as_legion)?, &["Permission denied", "become root"]);
    machine.run("chmod 666 /run/persona/menu.sock")?;
    says(&fails(&machine, as_legion)?, &["only root may speak to the menu"]);
    machine.run("chmod 600 /run/persona/menu.sock")?;

    // A thousand connections, garbage and half lines, while a person picks, and another one asks.
    let rivendale = machine.picture(Head::Display)?;
    machine.run("systemd-run --quiet --unit=crowd -p StandardOutput=file:/run/crowd /usr/lib/machine/crowd /run/persona/menu.sock")?;
    machine.wait_until("a thousand have connected", "grep -q 1000 /run/crowd", STEP)?;
    machine.press(Keyboard::Legion, "right")?;
    let gondor = changes(&mut machine, Head::Display, &rivendale)?;
    says(&machine.ssh("persona hold")?, &["The countdown is stopped."]);
    let held = watcher.wait_for("the hold", |status| status["live"]["stage"] == "waiting");
    assert_eq!(held["live"]["highlighted"], "gondor");
    says(held["live"]["held"].as_str().unwrap(), &["root from 10.0.2.2"]);
    says(&fails(&machine, "persona hold")?, &["nothing counts down: the menu waits for a choice already"]);
    machine.press(Keyboard::Host, "4")?;
    changes(&mut machine, Head::Display, &gondor)?;
    assert_eq!(live(&machine)?["highlighted"], "host");
    machine.press(Keyboard::Host, "ret")?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"host\"\nreason = \"picked\"\n");
    machine.run("systemctl is-active crowd.service && systemctl stop crowd.service")?;
    watcher.wait_for("the console", |status| status["live"]["stage"] == "console" && status["choice"]["reason"] == "picked");

    // Another menu counts down, and the watcher finds it.
    machine.run("systemctl stop persona-menu.service; rm /run/persona/menu.toml /run/persona/choice.toml")?;
    watcher.wait_for("the menu's end", |status| status["live"].is_null() && status["choice"].is_null());
    says(&fails(&machine, "persona choose gondor")?, &["no menu is on the screen", "`persona start gondor`", "`persona next gondor`"]);
    says(&fails(&machine, "persona hold")?, &["no menu is on the screen"]);
    machine.run("test ! -e /run/persona/menu.sock; systemctl start persona-menu.service")?;
    watcher.wait_for("another countdown", |status| status["live"]["stage"] == "countdown");
    says(&fails(&machine, "persona choose gondr")?, &["the menu has no persona `gondr`", "did you mean `gondor`?"]);
    says(&machine.ssh("persona choose gondor")?, &["Gondor was chosen, by root from 10.0.2.2"]);
    assert_eq!(machine.wait_for_choice()?, "persona = \"gondor\"\nreason = \"remote\"\n");
    let chosen = watcher.wait_for("the choice", |status| status["choice"]["reason"] == "remote");
    assert_eq!(chosen["choice"]["persona"], "gondor");
    machine.wait_for_legion("running")?;
    let runs = watcher.wait_for("legion", |status| status["live"]["stage"] == "running" && status["legion"]["state"] == "running");
    assert_eq!(runs["live"]["choice"], serde_json::json!({"persona": "gondor", "reason": "remote", "who": "root from 10.0.2.2"}));
    says(&fails(&machine, "persona choose mordor")?, &["Gondor was chosen already", "`persona switch mordor`"]);
    machine.run("journalctl -b -t persona -o cat | grep -q 'choice: gondor (remote), by root from 10.0.2.2'")?;
    Ok(())
}

#[test]
fn whoever_is_at_a_shell_does_what_a_person_at_the_keyboard_does() {
    trial(remote);
}
