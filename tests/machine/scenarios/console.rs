//! The menu as a console: monitors, cards, keyboards and gamepads that come and go, locks, the power menu, and a menu that dies.

use crate::common::{
    change_settings, changes, highlights, is_chosen, menu_says, nothing_is_chosen, start_menu, stop_menu, text, with_timeout,
    without_motion,
};
use crate::profiles::{GONDOR, MENU};
use persona::config::pin::Pin;
use persona::error::{Context, Error, Result};
use persona_machine::{Artifacts, CardModel, Display, Hardware, Head, Keyboard, Machine, Picture, STEP, Scenario, address};
use std::cell::Cell;
use std::process::Command;

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
    std::fs::write(&settings, &artifacts.settings).context(|| "keeping the settings".to_owned())?;
    let mut command = Command::new(&artifacts.persona);
    command.arg("--config").arg(&settings).args(["preview", "rivendale", "--size", size, "--out"]).arg(&file);
    assert!(command.status().context(|| "running persona preview".to_owned())?.success());
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

pub(crate) fn screens(artifacts: &Artifacts) -> Result<()> {
    let display = Display { model: CardModel::Virtio, width: 1920, height: 1080, outputs: 2 };
    let hardware = Hardware { display: Some(display), spare: true, ..Hardware::small() };
    let scenario = Scenario::new("screens").settings(&with_timeout(&without_motion(&artifacts.settings), "30m"));
    let mut machine = Machine::power_on(artifacts, &hardware, &scenario)?;
    let mut second = machine.monitor(Head::Second)?;
    second.plug(1280, 1024)?;
    machine.wait_for_menu()?;
    let born = life(&mut machine)?;

    // Two monitors, each with a menu of its own size.
    draws_on(&mut machine, "1280x1024 1920x1080")?;
    let first = shows_the_menu(&mut machine, Head::Display, (1920, 1080))?;
    let second_shows = shows_the_menu(&mut machine, Head::Second, (1280, 1024))?;
    for (seen, size) in [(&first, "1920x1080"), (&second_shows, "1280x1024")] {
        let difference = seen.difference(&preview(artifacts, &machine, size)?);
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
    is_chosen(&mut machine, "host", "picked")?;
    the_console_listens(&mut machine, "pippin")?;
    let list: serde_json::Value = machine.persona_json("list")?;
    let runs: Vec<&str> =
        list.as_array().unwrap().iter().filter(|persona| persona["running"] == true).map(|persona| text(persona, "/name")).collect();
    assert_eq!(runs, ["host"]);

    // The menu can be stopped while there is no card: the kernel survives it, and the console is there again with the card.
    machine.run("systemctl stop persona-menu.service")?;
    start_menu(&mut machine, 2)?;
    unbind(&mut machine, address::DISPLAY)?;
    draws_on(&mut machine, "")?;
    machine.run("! grep -q . /proc/fb && timeout 30 systemctl stop persona-menu.service")?;
    machine.run("! dmesg | grep -E 'BUG:|Oops'")?;
    bind(&mut machine, address::DISPLAY)?;
    machine.wait_until("the card is back", "grep -q . /proc/fb", STEP)?;
    start_menu(&mut machine, 2)?;
    for key in ["esc", "ret"] {
        machine.press(Keyboard::Host, key)?;
    }
    the_console_listens(&mut machine, "boromir")?;
    let console = machine.picture(Head::Display)?;
    type_in(&mut machine, "faramir")?;
    machine.wait_for_screen(Head::Display, "the monitor shows what is typed", |picture| picture.difference(&console) > 0.0)?;
    Ok(())
}

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

/// What opens the lab, and what does not.
const RIGHT: &str = "4711";
const WRONG: &str = "1111";

pub(crate) fn keys(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "keys")?;
    let pin = Pin::hash(RIGHT, b"the tests' salts").map_err(Error::new)?;
    machine.run(&format!("printf '{}' > {}; systemctl daemon-reload", LAB.1.replace('\n', "\\n"), LAB.0))?;
    let before = crate::common::settings(&mut machine)?;
    change_settings(&mut machine, |settings| *settings = with_a_locked_lab(&before, &pin).parse().unwrap())?;
    stop_menu(&mut machine, "")?;

    // Enter is down, and repeats, since before the menu is there.
    let node = format!("cd /sys/bus/pci/devices/{}/ && ls -d usb*/*/*/*/input/input*/event*", address::HOST_USB);
    let node = machine.wait_until("the host's keyboard is there", &node, STEP)?;
    let node = node.trim().rsplit('/').next().unwrap_or_default().to_owned();
    machine.key(Keyboard::Host, "ret", true)?;
    machine.wait_until("Enter repeats", &format!("timeout 5 head -c 24 /dev/input/{node} | grep -q ."), STEP)?;
    start_menu(&mut machine, 2)?;
    let rivendale = machine.wait_for_screen(Head::Display, "the menu is painted", Picture::is_painted)?;
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
    highlights(&mut machine, "lab")?;
    machine.press(Keyboard::Host, "ret")?;
    let asks = changes(&mut machine, Head::Display, &lab)?;
    menu_says(&mut machine, "over", "\"pin\"")?;
    type_in(&mut machine, WRONG)?;
    machine.press(Keyboard::Host, "ret")?;
    // Checking takes a moment, in which keys count for nothing.
    machine.wait_until("the PIN was checked", "journalctl -b -t persona -o cat | grep 'wrong PIN'", STEP)?;
    // A line of words.
    machine.wait_for_screen(Head::Display, "the menu says so", |picture| picture.difference(&asks) > 0.0)?;
    nothing_is_chosen(&mut machine)?;
    type_in(&mut machine, RIGHT)?;
    machine.press(Keyboard::Host, "ret")?;
    is_chosen(&mut machine, "lab", "picked")?;
    machine.wait_until("the lab runs", "systemctl is-active lab.service", STEP)?;

    // Another menu, which waits: Esc, and the last entry of three.
    stop_menu(&mut machine, "systemctl stop lab.service")?;
    start_menu(&mut machine, 2)?;
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

/// Waits until tty1 has the screen and shows what is typed on a keyboard.
fn the_console_listens(machine: &mut Machine, word: &str) -> Result<()> {
    machine.wait_until("tty1 has the screen", "grep -qx tty1 /sys/class/tty/tty0/active", STEP)?;
    machine.wait_until("there is a login prompt", "grep -aq 'login:' /dev/vcs1", STEP)?;
    type_in(machine, word)?;
    machine.wait_until("what is typed is on the screen", &format!("grep -aq '{word}' /dev/vcs1"), STEP)?;
    Ok(())
}

pub(crate) fn ends(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "ends")?;
    machine.run(
        "mkdir -p /etc/systemd/system/persona-menu.service.d
        printf '[Service]\nRestart=no\n' > /etc/systemd/system/persona-menu.service.d/test.conf; systemctl daemon-reload",
    )?;

    // The first entry of the power menu.
    for key in ["esc", "ret"] {
        machine.press(Keyboard::Host, key)?;
    }
    the_console_listens(&mut machine, "frodo")?;
    nothing_is_chosen(&mut machine)?;

    machine.run("systemctl stop persona-menu.service")?;
    start_menu(&mut machine, 2)?;
    machine.run("systemctl kill -s KILL persona-menu.service")?;
    the_console_listens(&mut machine, "sam")?;

    // A menu without systemd to tidy up after it.
    machine.run("rm -f /run/persona/menu.toml; setsid persona menu > /run/menu.log 2>&1 & echo $! > /run/menu.pid")?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    machine.run("kill -SEGV $(cat /run/menu.pid)")?;
    machine.wait_until("that menu is gone", "! test -e /proc/$(cat /run/menu.pid)/exe", STEP)?;
    the_console_listens(&mut machine, "merry")?;

    // Emergency and rescue mode. Their shells are systemd's own: it matters that they have the console.
    for unit in ["emergency", "rescue"] {
        let shell = "[Unit]\\nDefaultDependencies=no\\n[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=true\\n";
        machine.run(&format!("printf '{shell}' > /run/systemd/system/{unit}.service; systemctl daemon-reload"))?;
        start_menu(&mut machine, 2)?;
        machine.run(&format!("systemctl start {unit}.target"))?;
        machine.wait_until("tty1 has the screen", "grep -qx tty1 /sys/class/tty/tty0/active", STEP)?;
        let is_gone = "systemctl show -P ActiveState persona-menu.service | grep -qx inactive && ! pgrep -x persona";
        machine.wait_until("the menu is gone", is_gone, STEP)?;
    }
    Ok(())
}

/// A menu that is killed while legion runs gives the console back, is started again and does not ask twice.
pub(crate) fn killed(artifacts: &Artifacts) -> Result<()> {
    let mut machine = GONDOR.restore(artifacts, "menu-killed")?;
    machine.wait_until("the menu has the screen", "grep -qx tty12 /sys/class/tty/tty0/active", STEP)?;
    let before = machine.wait_for_choice()?;
    machine.run("systemctl kill -s KILL persona-menu.service")?;
    machine.wait_until("the menu runs again", "systemctl show -P NRestarts persona-menu.service | grep -qx 1", STEP)?;
    menu_says(&mut machine, "stage", "\"running\"")?;
    machine.wait_until("it has the screen again", "grep -qx tty12 /sys/class/tty/tty0/active", STEP)?;
    assert_eq!(machine.wait_for_choice()?, before, "nothing is chosen anew");
    let status = machine.status()?;
    assert_eq!((text(&status, "/legion/state"), text(&status, "/legion/persona")), ("running", "gondor"), "legion does not notice");
    machine.run("systemctl stop persona-menu.service")?;
    machine.wait_until("the console is back", "grep -qx tty1 /sys/class/tty/tty0/active", STEP).map(drop)
}

pub(crate) fn launch(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "gamepad")?;
    stop_menu(&mut machine, "mv /var/lib/legion/cartridges/mordor /root/")?;
    start_menu(&mut machine, 2)?;
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
    highlights(&mut machine, "mordor")?;
    machine.run("echo south > /run/pad")?;
    machine.run("echo left > /run/pad")?;
    highlights(&mut machine, "gondor")?;
    nothing_is_chosen(&mut machine)?;

    // The cartridge appears.
    machine.run("echo stick-right > /run/pad; mv /root/mordor /var/lib/legion/cartridges/")?;
    let script = "echo south > /run/pad; grep -q mordor /run/persona/choice.toml";
    machine.wait_until("Mordor can be picked", script, STEP)?;
    is_chosen(&mut machine, "mordor", "picked")?;
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
