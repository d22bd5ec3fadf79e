//! The menu begins in the initramfs and lives on in the host, in both kinds of image; each test is one machine.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::without_motion;
use persona::error::Result;
use persona_machine::{Artifacts, Hardware, Head, ImageKind, Keyboard, Log, Machine, Picture, STEP, Scenario, trial};

/// The menu's process as its unit sees it.
fn main_process(machine: &mut Machine) -> Result<String> {
    Ok(machine.run("systemctl show -P MainPID persona-menu.service")?.trim().to_owned())
}

/// Waits until the unit looks after the menu, and makes sure that it is the one of the initramfs: its program is gone from the disk.
fn is_the_same_menu(machine: &mut Machine) -> Result<String> {
    let script = "pid=$(systemctl show -P MainPID persona-menu.service); readlink /proc/$pid/exe | grep deleted";
    machine.wait_until("the unit has the menu of the initramfs", script, STEP)?;
    let process = main_process(machine)?;
    assert_eq!(
        machine.run(&format!("readlink /proc/{process}/root; cat /proc/{process}/cgroup"))?,
        "/\n0::/system.slice/persona-menu.service\n"
    );
    assert_eq!(machine.run("systemctl show -P NRestarts -P ActiveState persona-menu.service | sort | xargs")?.trim(), "0 active");
    Ok(process)
}

/// When a line was logged, in seconds since power-on.
fn logged(machine: &mut Machine, what: &str) -> Result<f64> {
    let line = machine.run(&format!("journalctl -b -o short-monotonic | grep -m1 '{what}'"))?;
    Ok(line.split(']').next().unwrap_or_default().trim_start_matches('[').trim().parse().unwrap_or_else(|_| panic!("no time in {line}")))
}

fn lives_on(kind: ImageKind) -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let scenario = Scenario::new(format!("early-{}", kind.name())).image(kind).cmdline("persona.timeout=never");
    let scenario = scenario.settings(&without_motion(&artifacts.settings));
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;

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
    let process = is_the_same_menu(&mut machine)?;
    machine.wait_until("the menu has settled", "journalctl -b -t persona | grep 'goes on by the settings of the host'", STEP)?;

    // On the screen before there was a host, and still there as it was left.
    let first_frame = logged(&mut machine, "first frame after")?;
    let host = logged(&mut machine, "systemd.*running in system mode.*")?.max(logged(&mut machine, "the menu is in the host")?);
    assert!(first_frame < host, "{first_frame} {host}");
    machine.wait_for_screen(Head::Display, "the highlight is where it was", |picture| picture.difference(&gondor) < 0.02)?;
    machine.wait_for_ssh()?;
    assert_eq!(machine.run("cat /run/persona/choice.toml 2>/dev/null || :")?, "");

    machine.wait_for_keyboards(2)?;
    machine.press(Keyboard::Legion, "ret")?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"gondor\"\nreason = \"picked\"\n");
    machine.wait_for_legion("running")?;
    machine.wait_for_guest_keyboard()?;
    machine.press(Keyboard::Legion, "p")?;
    machine.wait_for_end("ended")?;
    machine.wait_for_keyboards(2)?;
    assert_eq!(main_process(&mut machine)?, process);

    // Its end is the unit's, and the console is back.
    machine.run("systemctl stop persona-menu.service")?;
    assert_eq!(machine.run(&format!("test -e /proc/{process} || cat /sys/class/tty/tty0/active"))?, "tty1\n");
    Ok(())
}

#[test]
fn a_menu_of_a_busybox_image_lives_on() {
    trial(|| lives_on(ImageKind::Busybox));
}

#[test]
fn a_menu_of_a_systemd_image_lives_on() {
    trial(|| lives_on(ImageKind::Systemd));
}

/// The initramfs has an older copy of the settings, whose countdown is over before the host is there.
fn settles(kind: ImageKind) -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let old =
        artifacts.settings.replace("default = \"rivendale\"", "default = \"gondor\"").replace("timeout = \"10s\"", "timeout = \"1s\"");
    assert_ne!(old, artifacts.settings);
    let scenario = Scenario::new(format!("settles-{}", kind.name())).image(kind).initramfs_settings(&old);
    // As if it had been set in the boot before.
    let scenario = scenario.script("mkdir -p /var/lib/persona; echo 'persona = \"mordor\"' > /var/lib/persona/override.toml");
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;
    machine.wait_for_probe()?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"mordor\"\nreason = \"override\"\n");
    is_the_same_menu(&mut machine)?;
    machine.wait_for_legion("running")?;
    machine.run("journalctl -b -t persona | grep 'the settings in the initramfs are not those of the host'")?;

    machine.ssh("systemctl reboot --no-block")?;
    machine.wait_for_reboot()?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"rivendale\"\nreason = \"timeout\"\n");
    is_the_same_menu(&mut machine)?;
    machine.wait_for_legion("running")?;
    Ok(())
}

#[test]
fn the_hosts_settings_and_override_hold() {
    trial(|| settles(ImageKind::Systemd));
}

#[test]
fn the_hosts_settings_and_override_hold_in_a_busybox_image_too() {
    trial(|| settles(ImageKind::Busybox));
}

/// An image that was built before Persona was installed.
fn without_our_part() -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let scenario = Scenario::new("bare").image(ImageKind::Systemd).bare_initramfs().cmdline("persona.timeout=never");
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    let process = main_process(&mut machine)?;
    assert_eq!(machine.run(&format!("readlink /proc/{process}/exe"))?, "/usr/bin/persona\n", "it began in the host");
    machine.wait_for_ssh()?;
    machine.press(Keyboard::Host, "ret")?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"rivendale\"\nreason = \"picked\"\n");
    machine.wait_for_legion("running")?;
    Ok(())
}

#[test]
fn without_its_part_in_the_initramfs_the_menu_begins_in_the_host() {
    trial(without_our_part);
}
