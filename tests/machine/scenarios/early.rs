//! The menu begins in the initramfs and lives on in the host, in both kinds of image.

use crate::common::{is_chosen, nothing_is_chosen, with_timeout, without_motion};
use persona::error::Result;
use persona_machine::{Artifacts, Hardware, Head, ImageKind, Keyboard, Machine, Picture, STEP, Scenario};
use std::time::Duration;
use toml_edit::{DocumentMut, value};

/// The menu's process as its unit sees it.
fn main_process(machine: &mut Machine) -> Result<String> {
    Ok(machine.run("systemctl show -P MainPID persona-menu.service")?.trim().to_owned())
}

/// Seconds since power-on at which a process started, from /proc/PID/stat (proc(5), field 22).
fn started_s(machine: &mut Machine, process: &str) -> Result<f64> {
    let ticks = machine.run(&format!("sed 's/.*) //' /proc/{process}/stat | cut -d' ' -f20; getconf CLK_TCK"))?;
    let numbers: Vec<f64> = ticks.split_whitespace().map(|word| word.parse().unwrap()).collect();
    Ok(numbers[0] / numbers[1])
}

/// Waits until the unit looks after the menu, and makes sure that it is the one of the initramfs: it is older than the host's udev,
/// for which a menu that begins in the host waits, and has its root in the host.
fn is_the_same_menu(machine: &mut Machine) -> Result<String> {
    let script = "pid=$(systemctl show -P MainPID persona-menu.service); test $pid -gt 1 && test -e /proc/$pid/exe && echo $pid";
    machine.wait_until("the unit has a menu", script, STEP)?;
    let process = main_process(machine)?;
    let udev = machine.run("systemctl show -P MainPID systemd-udevd.service")?;
    let (menu, host) = (started_s(machine, &process)?, started_s(machine, udev.trim())?);
    assert!(menu < host, "the menu began {menu} s after power-on, the host's udev {host} s");
    assert_eq!(
        machine.run(&format!("readlink /proc/{process}/root; cat /proc/{process}/cgroup"))?,
        "/\n0::/system.slice/persona-menu.service\n"
    );
    assert_eq!(machine.run("systemctl show -P NRestarts -P ActiveState persona-menu.service | sort | xargs")?.trim(), "0 active");
    Ok(process)
}

/// Waits until the menu goes by the settings of the host.
fn has_settled(machine: &mut Machine) -> Result<()> {
    machine.wait_until("the menu knows that the host is there", "test -e /run/persona/host", STEP).map(drop)
}

pub(crate) fn lives_on(artifacts: &Artifacts, kind: ImageKind) -> Result<()> {
    let settings = with_timeout(&without_motion(&artifacts.settings), "never");
    let scenario = Scenario::new(format!("early-{}", kind.name())).image(kind).settings(&settings);
    let mut machine = Machine::power_on(artifacts, &Hardware::small(), &scenario)?;

    // A key before there is a host. How soon it is heard depends on the keyboard's driver.
    let menu = machine.wait_for_screen(Head::Display, "the menu is on the screen", Picture::is_painted)?;
    let gondor = loop {
        machine.press(Keyboard::Host, "2")?;
        let picture = machine.picture(Head::Display)?;
        if picture.difference(&menu) > 0.02 && picture.is_painted() {
            break picture;
        }
    };
    machine.log().step("a key moves the highlight");
    machine.wait_for_probe()?;
    has_settled(&mut machine)?;
    let process = is_the_same_menu(&mut machine)?;

    // On the screen before there was a host, and still there as it was left.
    machine.wait_for_screen(Head::Display, "the highlight is where it was", |picture| picture.difference(&gondor) < 0.02)?;
    machine.wait_for_ssh()?;
    nothing_is_chosen(&mut machine)?;

    machine.wait_for_keyboards(2)?;
    machine.press(Keyboard::Legion, "ret")?;
    is_chosen(&mut machine, "gondor", "picked")?;
    machine.wait_for_legion("running")?;
    machine.ssh("persona stop --force")?;
    machine.wait_for_end("ended")?;
    machine.wait_for_keyboards(2)?;
    assert_eq!(main_process(&mut machine)?, process);

    // Its end is the unit's, and the console is back.
    machine.run("systemctl stop persona-menu.service")?;
    assert_eq!(machine.run(&format!("test -e /proc/{process} || cat /sys/class/tty/tty0/active"))?, "tty1\n");
    Ok(())
}

/// Where the initramfs ends in a shell, what is typed goes there, and starts no persona.
pub(crate) fn emergency(artifacts: &Artifacts, kind: ImageKind, words: &str) -> Result<()> {
    let settings = with_timeout(&without_motion(&artifacts.settings), "never");
    let scenario = Scenario::new("emergency").image(kind).settings(&settings).cmdline(words);
    let mut machine = Machine::power_on(artifacts, &Hardware::small(), &scenario)?;
    machine.wait_for_screen(Head::Display, "the menu is on the screen", Picture::is_painted)?;
    machine.wait_for_screen(Head::Display, "the shell is on the screen", |picture| !picture.is_painted())?;
    // The menu gives the screen back before the keyboard: the first letters may be lost, and a person types them again. The first key
    // enters systemd's shell.
    for _ in 0..4 {
        for key in "ret b u s y b o x spc p o w e r o f f spc minus f ret".split(' ') {
            machine.press(Keyboard::Host, key)?;
        }
        if machine.wait_for_power_off(Duration::from_secs(20)).is_ok() {
            return Ok(());
        }
    }
    machine.wait_for_power_off(Duration::ZERO).map(drop)
}

/// The image has an older copy of the settings; the host's hold, and so does the host's override.
pub(crate) fn settles(artifacts: &Artifacts, kind: ImageKind) -> Result<()> {
    let mut old: DocumentMut = artifacts.settings.parse().unwrap();
    old["menu"]["default"] = value("gondor");
    old["menu"]["timeout"] = value("0s");
    let scenario = Scenario::new(format!("settles-{}", kind.name())).image(kind).initramfs_settings(&old.to_string());
    // As if it had been set in the boot before.
    let scenario = scenario.script("mkdir -p /var/lib/persona; echo 'persona = \"mordor\"' > /var/lib/persona/override.toml");
    let mut machine = Machine::power_on(artifacts, &Hardware::small(), &scenario)?;
    machine.wait_for_probe()?;
    is_chosen(&mut machine, "mordor", "override")?;
    is_the_same_menu(&mut machine)?;
    machine.wait_for_legion("running")?;
    assert_eq!(machine.try_run("test -e /var/lib/persona/override.toml")?.status, 1, "the override is used up");
    // That the image has another copy is told.
    machine.run("journalctl -b -t persona -o cat | grep initramfs").map(drop)
}

/// An image that was built before Persona was installed.
pub(crate) fn without_our_part(artifacts: &Artifacts) -> Result<()> {
    let settings = with_timeout(&artifacts.settings, "never");
    let scenario = Scenario::new("bare").image(ImageKind::Systemd).bare_initramfs().settings(&settings);
    let mut machine = Machine::power_on(artifacts, &Hardware::small(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    let process = main_process(&mut machine)?;
    assert_eq!(machine.run(&format!("readlink /proc/{process}/exe"))?, "/usr/bin/persona\n", "it began in the host");
    machine.wait_for_ssh()?;
    machine.press(Keyboard::Host, "ret")?;
    is_chosen(&mut machine, "rivendale", "picked")?;
    machine.wait_for_legion("running")
}
