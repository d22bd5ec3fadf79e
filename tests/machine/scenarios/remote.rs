//! In charge from afar: the menu's control socket and the commands that speak to it, over real SSH, while the countdown runs
//! and while others do their worst to the socket.

use crate::common::{change_settings, changes, highlights, is_chosen, start_menu, stop_menu};
use crate::profiles::MENU;
use persona::error::{Context, Result};
use persona_machine::{Artifacts, Head, Keyboard, Machine, STEP};
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
            .context(|| "watching over SSH".to_owned())?;
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
    let status: Value = serde_json::from_str(&machine.ssh("persona status --json")?).context(|| "reading persona status".to_owned())?;
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

pub(crate) fn remote(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "remote")?;
    stop_menu(&mut machine, "")?;
    change_settings(&mut machine, |settings| settings["menu"]["timeout"] = toml_edit::value("20m"))?;
    start_menu(&mut machine, 2)?;
    let seen = live(&machine)?;
    assert_eq!((&seen["stage"], &seen["highlighted"], &seen["keyboards"]), (&"countdown".into(), &"rivendale".into(), &2.into()));
    let mut watcher = Watcher::begin(&machine)?;
    let left = |status: &Value| status["live"]["left_ms"].as_u64();
    let first = left(&watcher.wait_for("the countdown", |status| left(status).is_some()));
    watcher.wait_for("its going on", |status| left(status) < first && left(status).is_some());

    // Root's alone: by the socket's permissions, and by asking the kernel who speaks.
    assert_eq!(machine.run("stat -c '%a %U' /run/persona/menu.sock")?.trim(), "600 root");
    let as_legion = "setpriv --reuid legion --regid legion --clear-groups persona hold";
    fails(&machine, as_legion)?;
    machine.run("chmod 666 /run/persona/menu.sock")?;
    fails(&machine, as_legion)?;
    assert!(live(&machine)?["held"].is_null(), "the countdown goes on");
    machine.run("chmod 600 /run/persona/menu.sock")?;

    // A thousand connections, garbage and half lines, while a person picks, and another one asks.
    let rivendale = machine.picture(Head::Display)?;
    machine.run("systemd-run --quiet --unit=crowd -p StandardOutput=file:/run/crowd /usr/lib/machine/crowd /run/persona/menu.sock")?;
    machine.wait_until("a thousand have connected", "grep -q 1000 /run/crowd", STEP)?;
    machine.press(Keyboard::Legion, "right")?;
    let gondor = changes(&mut machine, Head::Display, &rivendale)?;
    machine.ssh("persona hold")?;
    let held = watcher.wait_for("the hold", |status| status["live"]["stage"] == "waiting");
    assert_eq!(held["live"]["highlighted"], "gondor");
    says(held["live"]["held"].as_str().unwrap(), &["root from 10.0.2.2"]);
    fails(&machine, "persona hold")?;
    machine.press(Keyboard::Host, "4")?;
    changes(&mut machine, Head::Display, &gondor)?;
    highlights(&mut machine, "host")?;
    machine.press(Keyboard::Host, "ret")?;
    is_chosen(&mut machine, "host", "picked")?;
    machine.run("systemctl is-active crowd.service && systemctl stop crowd.service")?;
    watcher.wait_for("the console", |status| status["live"]["stage"] == "console" && status["choice"]["reason"] == "picked");

    // Another menu counts down, and the watcher finds it.
    machine.run("systemctl stop persona-menu.service; rm /run/persona/menu.toml /run/persona/choice.toml")?;
    watcher.wait_for("the menu's end", |status| status["live"].is_null() && status["choice"].is_null());
    says(&fails(&machine, "persona choose gondor")?, &["`persona start gondor`", "`persona next gondor`"]);
    fails(&machine, "persona hold")?;
    machine.run("test ! -e /run/persona/menu.sock; systemctl start persona-menu.service")?;
    watcher.wait_for("another countdown", |status| status["live"]["stage"] == "countdown");
    says(&fails(&machine, "persona choose gondr")?, &["`gondr`", "`gondor`"]);
    machine.ssh("persona choose gondor")?;
    is_chosen(&mut machine, "gondor", "remote")?;
    let chosen = watcher.wait_for("the choice", |status| status["choice"]["reason"] == "remote");
    assert_eq!(chosen["choice"]["persona"], "gondor");
    machine.wait_for_legion("running")?;
    let runs = watcher.wait_for("legion", |status| status["live"]["stage"] == "running" && status["legion"]["state"] == "running");
    assert_eq!(runs["live"]["choice"], serde_json::json!({"persona": "gondor", "reason": "remote", "who": "root from 10.0.2.2"}));
    says(&fails(&machine, "persona choose mordor")?, &["`persona switch mordor`"]);
    let log: Value = machine.persona_json("log")?;
    let run = log[0]["runs"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&run["persona"], &run["reason"], &run["by"]),
        (&"gondor".into(), &"remote".into(), &"root from 10.0.2.2".into()),
        "{log:#}"
    );
    Ok(())
}
