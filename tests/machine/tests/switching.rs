//! legion in charge from afar: two people switch at once, one breaks off half-way, and the story of it all is told afterwards, also after a
//! restart.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::error::Result;
use persona_machine::wire::{REPORT_FILE, Report};
use persona_machine::{Artifacts, Hardware, Keyboard, Log, Machine, STEP, Scenario, trial};
use serde_json::Value;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use toml_edit::{DocumentMut, Item, value};

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

/// The guest reads its keyboard, and from now on does not care about its power button.
fn ignores_the_button(machine: &mut Machine) -> Result<()> {
    machine.wait_for_guest_keyboard()?;
    machine.press(Keyboard::Legion, "i")?;
    let heard = |report: &Report| matches!(report, Report::Key { code } if code == "KEY_I");
    machine.wait_for_report("the guest has heard i", STEP, heard).map(drop)
}

fn from_afar() -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let mut settings: DocumentMut = artifacts.settings.parse().unwrap();
    settings["menu"]["timeout"] = value("never");
    // Long enough for everything that is to happen while a guest does not stop.
    settings["legion"]["stop"] = "{ again = \"1s\", quit = \"15m\", kill = \"16m\" }".parse::<Item>().unwrap();
    // A journal that outlives the boot, as Arch's does; Debian's image has none.
    let scenario = Scenario::new("switching").settings(&settings.to_string()).script("mkdir -p /var/log/journal");
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_ssh()?;

    let told = machine.ssh("persona start gondor")?;
    assert!(told.ends_with("gondor: starting\ngondor: running\n"), "{told}");
    ignores_the_button(&mut machine)?;

    // Two at once: one is told who and what, and has changed nothing.
    machine.run(&format!("rm -f {REPORT_FILE}"))?;
    let done = at_once(&machine, &["persona switch mordor", "persona switch rivendale"]);
    let lost = done.recv().unwrap();
    let (wins, loses) = if lost.command.ends_with("mordor") { ("rivendale", "mordor") } else { ("mordor", "rivendale") };
    let told = format!("persona: root from 10.0.2.2 is switching gondor to {wins}, since ");
    assert!(lost.status == Some(1) && lost.stderr.starts_with(&told) && lost.stdout.is_empty(), "{:?}: {}", lost.status, lost.stderr);
    let status = machine.ssh("persona status")?;
    assert!(status.contains(&format!("switch    root from 10.0.2.2 is switching gondor to {wins}, since ")), "{status}");
    let refused = machine.try_ssh("persona stop")?;
    assert!(refused.status == 1 && refused.stderr.contains("`persona stop --force` stops legion all the same"), "{refused:?}");

    // The plug is everybody's; the switch gets what it waits for.
    machine.ssh("persona stop --force")?;
    let won = done.recv().unwrap();
    assert!(won.status == Some(0) && won.stdout.ends_with(&format!("{wins}: running\n")), "{:?}: {}{}", won.status, won.stdout, won.stderr);
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), format!("cartridges/{wins}"));
    assert!(!machine.ssh("persona status")?.contains("switch "));
    ignores_the_button(&mut machine)?;

    // Ctrl-C before legion is off: nobody starts the other one, and everybody can see why.
    let done = at_once(&machine, &[&format!("persona switch {loses}")]);
    machine.wait_until("the power button is pressed", "grep 'pressing its power button again' /run/persona/legion.toml", STEP)?;
    machine.run("kill -INT $(sed -n 's/^pid = //p' /run/persona/switch.toml)")?;
    let broken_off = done.recv().unwrap();
    let told = format!("persona: interrupted: legion.service goes on stopping {wins}, and nobody starts {loses} after it\n");
    assert!(broken_off.status == Some(1) && broken_off.stderr.starts_with(&told), "{:?}: {}", broken_off.status, broken_off.stderr);
    let explained = format!(
        "switch    from {wins} to {loses}: root from 10.0.2.2 was interrupted, and nobody starts {loses}\n            mend: persona start {loses}\n"
    );
    let status = machine.ssh("persona status")?;
    assert!(status.contains(&format!("legion    running: {wins}\n")) && status.contains(&explained), "{status}");
    machine.ssh("persona stop --force")?;
    let status = machine.ssh("persona status")?;
    assert!(status.contains(&format!("legion    ended: {wins}")), "{status}");
    machine.run(&format!("rm -f {REPORT_FILE}"))?;
    machine.ssh(&format!("persona start {loses}"))?;
    assert!(!machine.ssh("persona status")?.contains("switch "), "it was mended");
    machine.wait_for_guest_keyboard()?;
    machine.press(Keyboard::Legion, "p")?;
    machine.wait_for_end("ended")?;

    is_told(&mut machine, wins, loses)
}

/// The log tells all of it, in this boot and after the next one.
fn is_told(machine: &mut Machine, wins: &str, loses: &str) -> Result<()> {
    let story = machine.ssh("persona log")?;
    machine.run("journalctl -b -t persona -o json > /root/journal.json")?;
    let mut rest = story.as_str();
    for part in [
        "This boot, which began on 20",
        "2 devices reserved for legion\n",
        "the menu is on ",
        "choice: gondor, from afar by root from 10.0.2.2\n",
        "the devices are legion's\n",
        "the cartridge is in, QEMU starts\n",
        "gondor runs\n",
        &format!("root from 10.0.2.2 asked to switch gondor to {wins}\n"),
        "gondor: stopping it by pressing its power button\n",
        "root from 10.0.2.2 asked to stop gondor\n",
        "gondor's plug is pulled\n",
        "gondor is over: it was stopped by telling QEMU to quit\n",
        "gondor has ended, its devices are back\n",
        &format!("choice: {wins}, from afar by root from 10.0.2.2\n"),
        &format!("{wins} runs\n"),
        &format!("! root from 10.0.2.2 asked to switch {wins} to {loses}, and that was interrupted on the way\n"),
        &format!("choice: {loses}, from afar by root from 10.0.2.2\n"),
        &format!("{loses} is over: the guest powered off\n"),
    ] {
        let Some(at) = rest.find(part) else { panic!("`{part}` is missing, or not in its place:\n{story}") };
        rest = &rest[at + part.len()..];
    }
    let stories: Value = machine.persona_json("log")?;
    let runs = stories[0]["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(|run| run["end"].as_str().unwrap()).collect::<Vec<_>>(), ["ended"; 3], "{stories:#}");
    for took in ["devices_took_ms", "cartridge_took_ms", "qemu_took_ms", "ran_ms"] {
        assert!(runs.iter().all(|run| run[took].is_u64()), "{took}: {stories:#}");
    }

    machine.ssh("systemctl reboot --no-block")?;
    machine.wait_for_reboot()?;
    machine.wait_for_ssh()?;
    let before = machine.ssh("persona log --boot -1")?;
    // Numbered anew, the same story to the last line, and then perhaps the menu's end.
    let lines = |story: &str| story.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    assert!(before.starts_with("The boot before this one, which began on "), "{before}");
    assert!(lines(&before).starts_with(&lines(&story)), "{before}\n{story}");
    let all = machine.ssh("persona log --all")?;
    assert!(all.contains(loses) && all.lines().any(|line| line.starts_with("-1 ")), "{all}");
    Ok(())
}

#[test]
fn two_switch_at_once_one_breaks_off_and_the_log_tells_all_of_it() {
    trial(from_afar);
}
