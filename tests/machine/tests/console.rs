//! The menu as a console: monitors, cards, keyboards and gamepads that come and go, a serial line, locks, the power menu,
//! and a menu that dies; each test is one machine.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{changes, without_early_menu, without_motion};
use persona::error::{Context, Error, Result};
use persona::pin::Pin;
use persona_machine::{Artifacts, CardModel, Display, Hardware, Head, Keyboard, Log, Machine, Picture, STEP, Scenario, address, trial};
use std::cell::Cell;
use std::process::Command;

fn power_on(hardware: &Hardware, scenario: &Scenario) -> Result<Machine> {
    Machine::power_on(&Artifacts::build(&Log::new("image"))?, hardware, scenario)
}

/// Waits until the menu says that it draws on outputs of exactly these sizes, text consoles left out. Their names count the
/// connectors of all cards.
fn draws_on(machine: &mut Machine, sizes: &str) -> Result<()> {
    let script = format!(
        "cat /run/persona/menu.toml
        pid=$(systemctl show -P MainPID persona-menu.service)
        echo menu: $(ps -o stat=,wchan= -p $pid) $(cat /proc/$pid/stack 2>/dev/null | xargs)
        journalctl -b -t persona -n 6 -o cat
        seen=$(sed -n '/^outputs = /,/]/p' /run/persona/menu.toml | grep -o '\"[^\"]*\"' | grep -v tty | grep -o '[0-9]*x[0-9]*' | sort | xargs)
        test \"$seen\" = '{sizes}'"
    );
    machine.wait_until(&format!("the menu draws on {sizes:?}"), &script, STEP).map(drop)
}

/// Waits until a monitor of this size shows the menu.
fn shows_the_menu(machine: &mut Machine, head: Head, size: (usize, usize)) -> Result<Picture> {
    machine.wait_for_screen(head, &format!("{head:?} shows the menu"), |picture| {
        (picture.width, picture.height) == size && picture.is_painted()
    })
}

/// The menu as it is designed for a size. Only host, address and the seconds left are others.
fn preview(artifacts: &Artifacts, machine: &Machine, size: &str) -> Result<Picture> {
    let (settings, file) = (machine.folder().join("preview.toml"), machine.folder().join("preview.png"));
    std::fs::write(&settings, &artifacts.settings).doing(|| "keeping the settings".to_owned())?;
    let mut command = Command::new(&artifacts.persona);
    command.arg("--config").arg(&settings).args(["preview", "rivendale", "--size", size, "--out"]).arg(&file);
    assert!(command.status().doing(|| "running persona preview".to_owned())?.success());
    Picture::read(&file)
}

/// Waits until a monitor shows the same twice in a row: what moved is at rest.
fn rests(machine: &mut Machine, head: Head) -> Result<Picture> {
    let last = Cell::new(None);
    machine.wait_for_screen(head, &format!("{head:?} is at rest"), |picture| {
        let fingerprint = picture.fingerprint();
        last.replace(Some(fingerprint)) == Some(fingerprint)
    })
}

/// Which process the menu is, and how often systemd had to start it again.
fn life(machine: &mut Machine) -> Result<String> {
    machine.run("systemctl show -P MainPID -P NRestarts persona-menu.service")
}

/// Takes a PCI function from its driver.
fn unbind(machine: &mut Machine, address: &str) -> Result<()> {
    machine.run(&format!("echo {address} > /sys/bus/pci/devices/{address}/driver/unbind")).map(drop)
}

/// Gives a PCI function the driver that wants it.
fn bind(machine: &mut Machine, address: &str) -> Result<()> {
    machine.run(&format!("echo {address} > /sys/bus/pci/drivers_probe")).map(drop)
}

fn screens() -> Result<()> {
    let display = Display { model: CardModel::Virtio, width: 1920, height: 1080, outputs: 2 };
    let hardware = Hardware { display: Some(display), spare: true, ..Hardware::standard() };
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let scenario = Scenario::new("screens").root_settings(&without_motion(&artifacts.settings)).cmdline("persona.timeout=30m");
    let mut machine = Machine::power_on(&artifacts, &hardware, &scenario)?;
    let mut second = machine.monitor(Head::Second)?;
    second.plug(1280, 1024)?;
    machine.wait_for_menu()?;
    let born = life(&mut machine)?;

    // Two monitors, each with a menu of its own size.
    draws_on(&mut machine, "1280x1024 1920x1080")?;
    let first = shows_the_menu(&mut machine, Head::Display, (1920, 1080))?;
    let second_shows = shows_the_menu(&mut machine, Head::Second, (1280, 1024))?;
    for (seen, size) in [(&first, "1920x1080"), (&second_shows, "1280x1024")] {
        let difference = seen.difference(&preview(&artifacts, &machine, size)?);
        assert!(difference < 0.03, "{difference} of the picture at {size} is not as designed");
    }
    machine.wait_for_screen(Head::Display, "the countdown goes on", |picture| picture.difference(&first) > 0.0)?;

    // One is unplugged: the menu goes on on the other.
    second.unplug()?;
    draws_on(&mut machine, "1920x1080")?;
    assert_eq!(machine.run("cat /sys/class/drm/card*-*/status | sort | uniq -c | xargs")?.trim(), "2 connected 1 disconnected");
    machine.wait_for_screen(Head::Second, "the unplugged monitor is dark", Picture::is_dark)?;
    let first = shows_the_menu(&mut machine, Head::Display, (1920, 1080))?;
    machine.press(Keyboard::Host, "right")?;
    let gondor = changes(&mut machine, Head::Display, &first)?;

    // Another one is plugged in.
    second.plug(1024, 768)?;
    draws_on(&mut machine, "1024x768 1920x1080")?;
    shows_the_menu(&mut machine, Head::Second, (1024, 768))?;
    let now = shows_the_menu(&mut machine, Head::Display, (1920, 1080))?;
    assert!(now.difference(&gondor) < 0.02, "the highlight stays");

    // The card loses its driver: the host's other card takes over.
    unbind(&mut machine, address::DISPLAY)?;
    draws_on(&mut machine, "1280x800")?;
    let there = shows_the_menu(&mut machine, Head::Spare, (1280, 800))?;
    machine.press(Keyboard::Host, "right")?;
    changes(&mut machine, Head::Spare, &there)?;

    // No card is left, the menu goes on as text; then one comes back.
    unbind(&mut machine, address::SPARE)?;
    draws_on(&mut machine, "")?;
    bind(&mut machine, address::DISPLAY)?;
    draws_on(&mut machine, "1024x768 1920x1080")?;
    shows_the_menu(&mut machine, Head::Display, (1920, 1080))?;
    assert_eq!(life(&mut machine)?, born, "it is the same menu");

    for key in ["right", "ret"] {
        machine.press(Keyboard::Host, key)?;
    }
    assert_eq!(machine.wait_for_choice()?, "persona = \"host\"\nreason = \"picked\"\n");
    the_console_listens(&mut machine, "pippin")?;
    assert_eq!(machine.run("persona list | grep running")?.split_whitespace().next(), Some("host"));

    // The menu can be stopped while there is no card: the kernel survives it, and the console is there again with the card.
    machine.run("systemctl stop persona-menu.service")?;
    start_the_menu(&mut machine)?;
    unbind(&mut machine, address::DISPLAY)?;
    draws_on(&mut machine, "")?;
    machine.run("! grep -q . /proc/fb && timeout 30 systemctl stop persona-menu.service")?;
    machine.run("! dmesg | grep -E 'BUG:|Oops'")?;
    bind(&mut machine, address::DISPLAY)?;
    machine.wait_until("the card is back", "grep -q . /proc/fb", STEP)?;
    start_the_menu(&mut machine)?;
    for key in ["esc", "ret"] {
        machine.press(Keyboard::Host, key)?;
    }
    the_console_listens(&mut machine, "boromir")?;
    let console = machine.picture(Head::Display)?;
    type_in(&mut machine, "faramir")?;
    machine.wait_for_screen(Head::Display, "the monitor shows what is typed", |picture| picture.difference(&console) > 0.0)?;
    Ok(())
}

#[test]
fn monitors_and_cards_come_and_go_under_the_menu() {
    trial(screens);
}

/// The menu's unit starts only when the test says so.
const WAITS: (&str, &str) = ("/etc/systemd/system/persona-menu.service.d/test.conf", "[Unit]\nConditionPathExists=/run/go\n");

/// A unit that a persona starts.
const LAB: (&str, &str) = ("/etc/systemd/system/lab.service", "[Service]\nExecStart=/bin/sleep infinity\n");

/// The settings with a persona more, behind a PIN.
fn with_a_locked_lab(settings: &str, pin: &Pin) -> String {
    format!("{settings}\n[[persona]]\nname = \"lab\"\ntitle = \"Lab\"\nstarts = \"lab.service\"\npin = \"{pin}\"\n")
}

/// Types characters, each named as its key is.
fn type_in(machine: &mut Machine, keys: &str) -> Result<()> {
    keys.chars().try_for_each(|key| machine.press(Keyboard::Host, &key.to_string()))
}

fn nothing_is_chosen(machine: &mut Machine) -> Result<()> {
    assert_eq!(machine.run("cat /run/persona/choice.toml 2>/dev/null || :")?, "");
    Ok(())
}

/// What opens the lab, and what does not.
const RIGHT: &str = "4711";
const WRONG: &str = "1111";

fn keys() -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let scenario = Scenario::new("keys").cmdline("persona.timeout=never").file(WAITS.0, WAITS.1).file(LAB.0, LAB.1);
    let pin = Pin::hash(RIGHT, b"the tests' salts").map_err(Error::new)?;
    let scenario = scenario
        .initramfs_settings(&without_early_menu(&artifacts.settings))
        .root_settings(&with_a_locked_lab(&without_motion(&artifacts.settings), &pin));
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;

    // Enter is down, and repeats, since before the menu is there.
    let node = format!("cd /sys/bus/pci/devices/{}/ && ls -d usb*/*/*/*/input/input*/event*", address::HOST_USB);
    let node = machine.wait_until("the host's keyboard is there", &node, STEP)?;
    let node = node.trim().rsplit('/').next().unwrap_or_default().to_owned();
    machine.key(Keyboard::Host, "ret", true)?;
    machine.wait_until("Enter repeats", &format!("timeout 5 head -c 24 /dev/input/{node} | grep -q ."), STEP)?;
    machine.run("touch /run/go; systemctl start persona-menu.service")?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    let rivendale = machine.picture(Head::Display)?;
    machine.press(Keyboard::Legion, "right")?;
    let gondor = changes(&mut machine, Head::Display, &rivendale)?;

    // A keyboard is unplugged, even one with a key down, and plugged in again.
    machine.unplug(Keyboard::Legion)?;
    machine.wait_for_keyboards(1)?;
    machine.plug(Keyboard::Legion)?;
    machine.wait_for_keyboards(2)?;
    machine.press(Keyboard::Legion, "left")?;
    let rivendale = changes(&mut machine, Head::Display, &gondor)?;
    nothing_is_chosen(&mut machine)?;
    machine.key(Keyboard::Host, "ret", false)?;

    // Enter that went down in the menu counts: the locked persona asks for its PIN.
    machine.press(Keyboard::Host, "5")?;
    let lab = changes(&mut machine, Head::Display, &rivendale)?;
    machine.press(Keyboard::Host, "ret")?;
    let asks = changes(&mut machine, Head::Display, &lab)?;
    type_in(&mut machine, WRONG)?;
    machine.press(Keyboard::Host, "ret")?;
    let said = "journalctl -b -t persona | grep -q 'a wrong PIN was entered'";
    machine.wait_until("the PIN is wrong", said, STEP)?;
    // A line of words.
    machine.wait_for_screen(Head::Display, "the menu says so", |picture| picture.difference(&asks) > 0.0)?;
    nothing_is_chosen(&mut machine)?;
    type_in(&mut machine, RIGHT)?;
    machine.press(Keyboard::Host, "ret")?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"lab\"\nreason = \"picked\"\n");
    machine.wait_until("the lab runs", "systemctl is-active lab.service", STEP)?;

    // Another menu, which knows of no lab and waits: Esc, and the last entry of three.
    machine.run("systemctl stop persona-menu.service lab.service; rm /run/persona/menu.toml /run/persona/choice.toml")?;
    machine.run("systemctl start persona-menu.service")?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    let waits = rests(&mut machine, Head::Display)?;
    machine.press(Keyboard::Host, "esc")?;
    let power = changes(&mut machine, Head::Display, &waits)?;
    machine.press(Keyboard::Host, "esc")?;
    changes(&mut machine, Head::Display, &power)?;
    for key in ["esc", "down", "down", "ret"] {
        machine.press(Keyboard::Host, key)?;
    }
    machine.wait_for_power_off(STEP)?;
    Ok(())
}

#[test]
fn keys_count_when_they_go_down_in_the_menu_and_open_its_locks() {
    trial(keys);
}

/// Waits until tty1 has the screen and shows what is typed on a keyboard.
fn the_console_listens(machine: &mut Machine, word: &str) -> Result<()> {
    machine.wait_until("tty1 has the screen", "grep -qx tty1 /sys/class/tty/tty0/active", STEP)?;
    machine.wait_until("there is a login prompt", "grep -aq 'login:' /dev/vcs1", STEP)?;
    type_in(machine, word)?;
    machine.wait_until("what is typed is on the screen", &format!("grep -aq '{word}' /dev/vcs1"), STEP)?;
    Ok(())
}

/// Starts the menu's unit, and waits until the menu has the screen.
fn start_the_menu(machine: &mut Machine) -> Result<()> {
    machine.run("rm -f /run/persona/menu.toml; systemctl reset-failed persona-menu.service; systemctl start persona-menu.service")?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    assert_eq!(machine.run("cat /sys/class/tty/tty0/active")?.trim(), "tty12");
    Ok(())
}

fn ends() -> Result<()> {
    let no_restart = "[Service]\nRestart=no\n";
    let scenario = Scenario::new("ends").cmdline("persona.timeout=never").file(WAITS.0, no_restart);
    let mut machine = power_on(&Hardware::standard(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;

    // The first entry of the power menu.
    for key in ["esc", "ret"] {
        machine.press(Keyboard::Host, key)?;
    }
    the_console_listens(&mut machine, "frodo")?;
    nothing_is_chosen(&mut machine)?;

    machine.run("systemctl stop persona-menu.service")?;
    start_the_menu(&mut machine)?;
    machine.run("systemctl kill -s KILL persona-menu.service")?;
    the_console_listens(&mut machine, "sam")?;

    // A menu without systemd to tidy up after it.
    machine.run("rm -f /run/persona/menu.toml; setsid persona menu > /run/menu.log 2>&1 & echo $! > /run/menu.pid")?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    machine.run("kill -SEGV $(cat /run/menu.pid)")?;
    machine.wait_until("that menu is gone", "! test -e /proc/$(cat /run/menu.pid)/exe", STEP)?;
    the_console_listens(&mut machine, "merry")?;
    Ok(())
}

#[test]
fn a_menu_that_ends_leaves_a_console_that_listens() {
    trial(ends);
}

fn launch() -> Result<()> {
    let scenario = Scenario::new("launch").cmdline("persona.timeout=never").script("mv /var/lib/legion/cartridges/mordor /root/");
    let mut machine = power_on(&Hardware::standard(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    machine.run("modprobe uinput && mkfifo /run/pad && systemd-run --quiet --unit=pad /usr/lib/machine/pad /run/pad")?;
    let pad = format!(
        "for input in /sys/class/input/event*; do grep -qx '{}' $input/device/name && node=/dev/input/${{input##*/}}; done
        ls -l /proc/$(systemctl show -P MainPID persona-menu.service)/fd | grep -q \" $node\\$\"",
        persona_machine::wire::PAD_NAME
    );
    machine.wait_until("the menu reads the gamepad", &pad, STEP)?;

    // East is Escape: it opens the power menu, and leaves it.
    let rivendale = rests(&mut machine, Head::Display)?;
    machine.run("echo east > /run/pad")?;
    changes(&mut machine, Head::Display, &rivendale)?;
    let power = rests(&mut machine, Head::Display)?;
    machine.run("echo east > /run/pad")?;
    changes(&mut machine, Head::Display, &power)?;
    let rivendale = rests(&mut machine, Head::Display)?;

    // A persona without its cartridge is dimmed, and cannot be started.
    machine.run("echo noise other-noise noise right stick-right noise other-noise > /run/pad")?;
    changes(&mut machine, Head::Display, &rivendale)?;
    let mordor = rests(&mut machine, Head::Display)?;
    machine.run("echo south > /run/pad")?;
    machine.run("echo left > /run/pad")?;
    changes(&mut machine, Head::Display, &mordor)?;
    nothing_is_chosen(&mut machine)?;

    // The cartridge appears.
    machine.run("echo stick-right > /run/pad; mv /root/mordor /var/lib/legion/cartridges/")?;
    let script = "echo south > /run/pad; grep -q mordor /run/persona/choice.toml";
    machine.wait_until("Mordor can be picked", script, STEP)?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"mordor\"\nreason = \"picked\"\n");
    machine.wait_for_legion("running")?;

    // The monitor says where to look, and goes dark; a key brings the picture back.
    machine.wait_for_screen(Head::Display, "the monitor is dark", Picture::is_dark)?;
    machine.press(Keyboard::Host, "f2")?;
    machine.wait_for_screen(Head::Display, "a key brings the picture back", Picture::is_painted)?;
    machine.wait_for_picture()?;
    machine.press(Keyboard::Legion, "p")?;
    machine.wait_for_legion("ended")?;
    machine.wait_for_screen(Head::Display, "the menu is back", Picture::is_painted)?;
    Ok(())
}

#[test]
fn a_gamepad_picks_what_can_start_and_the_screen_sleeps_until_a_key() {
    trial(launch);
}

fn serial() -> Result<()> {
    let hardware = Hardware { display: None, ..Hardware::standard() };
    let scenario = Scenario::new("serial").cmdline("persona.timeout=never machine.serial-login");
    let mut machine = power_on(&hardware, &scenario)?;
    let mut line = machine.serial_line()?;
    machine.wait_for_line(&line, "the menu is on the serial line", |heard| heard.contains("Rivendale") && heard.contains("Gondor"))?;
    nothing_is_chosen(&mut machine)?;
    line.type_in("\x1b[C")?;
    line.type_in("\r")?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"gondor\"\nreason = \"picked\"\n");
    machine.wait_for_legion("running")?;
    machine.wait_for_line(&line, "there is a login prompt on the serial line", |heard| heard.contains("hypervisor login:"))?;
    line.type_in("root\r")?;
    machine.wait_for_line(&line, "it listens", |heard| heard.contains("Password:"))?;
    Ok(())
}

#[test]
fn without_a_card_the_menu_is_text_on_the_serial_line() {
    trial(serial);
}
