//! Machines and settings in which something is missing: the host is fine, legion stays off or starts all the same, and it is said why.

use crate::common::{
    change_settings, changes, choice, highlights, is_chosen, menu_says, nothing_is_chosen, start_menu, stop_menu, text, with_timeout,
    without_motion,
};
use crate::profiles::MENU;
use persona::error::Result;
use persona_machine::{Artifacts, Hardware, Head, Keyboard, Machine, Picture, STEP, Scenario, address};
use serde_json::Value;
use toml_edit::value;

/// legion stays off, the host is fine, and the reason is in `persona status`.
fn stays_off(machine: &mut Machine) -> Result<Value> {
    machine.wait_until("the reason is known", "grep -q why /run/persona/legion.toml && grep -q failed /run/persona/legion.toml", STEP)?;
    let status: Value = serde_json::from_str(&machine.ssh("persona status --json")?).unwrap();
    assert_eq!((text(&status, "/legion/state"), text(&status, "/legion/persona")), ("failed", "rivendale"), "{status:#}");
    assert_eq!(machine.run("pgrep -c qemu-system || :")?.trim(), "0");
    assert_eq!(machine.driver(address::LEGION_USB)?.as_deref(), Some("xhci_hcd"), "what the host had it still has");
    assert_eq!(machine.run("systemctl is-active persona-menu.service")?.trim(), "active");
    Ok(status)
}

pub(crate) fn no_iommu(artifacts: &Artifacts) -> Result<()> {
    let hardware = Hardware { iommu: false, ..Hardware::small() };
    let mut machine = Machine::power_on(artifacts, &hardware, &Scenario::new("no-iommu"))?;
    machine.wait_for_menu()?;
    machine.wait_for_ssh()?;
    let status = stays_off(&mut machine)?;
    assert!(text(&status, "/legion/why").contains("IOMMU"), "{status:#}");
    assert_eq!(text(&status, "/start/refused/0/code"), "iommu-missing", "{status:#}");
    assert_eq!(machine.driver(address::CARD)?.as_deref(), Some("bochs-drm"), "nothing is reserved that legion cannot have");
    // The shelf moves up, and the reason is below it until a key is pressed.
    menu_says(&mut machine, "stage", "\"failed\"")?;
    let reason = machine.wait_for_screen(Head::Display, "the reason is on the screen", Picture::is_painted)?;
    machine.press(Keyboard::Host, "a")?;
    menu_says(&mut machine, "stage", "\"waiting\"")?;
    changes(&mut machine, Head::Display, &reason).map(drop)
}

pub(crate) fn no_cartridge(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "no-cartridge")?;
    stop_menu(&mut machine, "rm -r /var/lib/legion/cartridges/rivendale")?;
    change_settings(&mut machine, |settings| settings["menu"]["timeout"] = value("1s"))?;
    start_menu(&mut machine, 2)?;
    is_chosen(&mut machine, "rivendale", "timeout")?;
    let status = stays_off(&mut machine)?;
    assert!(text(&status, "/legion/why").contains("`rivendale`"), "{status:#}");
    // The others are as good as ever.
    machine.press(Keyboard::Host, "2")?;
    highlights(&mut machine, "gondor")?;
    machine.press(Keyboard::Host, "ret")?;
    machine.wait_for_legion("running")
}

pub(crate) fn unreadable_settings(artifacts: &Artifacts) -> Result<()> {
    let scenario = Scenario::new("settings").settings("[menu]\ntimout = \"10s\"\n");
    let mut machine = Machine::power_on(artifacts, &Hardware::small(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_ssh()?;
    let status: Value = serde_json::from_str(&machine.ssh("persona status --json")?).unwrap();
    let trouble = text(&status, "/settings_trouble");
    assert!(trouble.contains("/etc/persona/persona.toml:2:") && trouble.contains("`timeout`"), "{status:#}");
    assert_eq!(text(&status, "/legion/state"), "off");
    assert_eq!(machine.try_ssh("persona list")?.status, 2);
    assert!(machine.run("dmesg | grep persona:")?.contains("/etc/persona/persona.toml:2:"), "the kernel log says it too");
    assert_eq!(machine.driver(address::CARD)?.as_deref(), Some("bochs-drm"));
    // The reason is on the screen until a key is pressed; then the console is back and listens.
    assert_eq!(machine.run("cat /sys/class/tty/tty0/active")?.trim(), "tty12");
    machine.wait_for_keyboards(2)?;
    machine.press(Keyboard::Host, "a")?;
    let script = "! systemctl is-active -q persona-menu.service && grep -qx tty1 /sys/class/tty/tty0/active";
    machine.wait_until("the console is back", script, STEP).map(drop)
}

pub(crate) fn no_keyboard(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "no-keyboard")?;
    stop_menu(&mut machine, "")?;
    machine.unplug(Keyboard::Host)?;
    machine.unplug(Keyboard::Legion)?;
    machine.wait_until("no keyboard is left", "! grep -q 'USB Keyboard' /proc/bus/input/devices", STEP)?;
    change_settings(&mut machine, |settings| settings["menu"]["timeout"] = value("1s"))?;
    start_menu(&mut machine, 0)?;
    is_chosen(&mut machine, "rivendale", "timeout")?;
    machine.wait_for_legion("running")
}

/// Without a card the menu is text, on the console and on the serial line. A persona is picked there; then the default starts after its
/// timeout.
pub(crate) fn no_card(artifacts: &Artifacts) -> Result<()> {
    let hardware = Hardware { display: None, ..Hardware::small() };
    let settings = with_timeout(&without_motion(&artifacts.settings), "never");
    let scenario = Scenario::new("no-card").settings(&settings).cmdline("machine.serial-login");
    let mut machine = Machine::power_on(artifacts, &hardware, &scenario)?;
    let mut line = machine.serial_line()?;
    machine.wait_for_line(&line, "the menu is on the serial line", |heard| heard.contains("Rivendale") && heard.contains("Gondor"))?;
    nothing_is_chosen(&mut machine)?;
    line.type_in("\x1b[C")?;
    line.type_in("\r")?;
    is_chosen(&mut machine, "gondor", "picked")?;
    machine.wait_for_legion("running")?;
    machine.wait_for_line(&line, "there is a login prompt on the serial line", |heard| heard.contains("hypervisor login:"))?;
    line.type_in("root\r")?;
    machine.wait_for_line(&line, "it listens", |heard| heard.contains("Password:"))?;
    assert!(machine.status()?.pointer("/menu/outputs").unwrap().to_string().contains("tty12"));
    machine.ssh("persona stop --force")?;
    machine.wait_for_end("ended")?;

    stop_menu(&mut machine, "")?;
    change_settings(&mut machine, |settings| settings["menu"]["timeout"] = value("1s"))?;
    machine.run("systemctl start persona-menu.service")?;
    assert_eq!(choice(&mut machine)?, ("rivendale".to_owned(), "timeout".to_owned()));
    machine.wait_for_legion("running")
}
