//! The whole path, from power-on to legion and back, on a real boot; each test is one machine.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::error::Result;
use persona::settings::value::Color;
use persona_machine::wire::Report;
use persona_machine::{Artifacts, Hardware, Head, ImageKind, Keyboard, LEGIONS, Log, Machine, Picture, STEP, Scenario, address, trial};
use serde_json::Value;
use std::path::PathBuf;

const GONDOR: Color = Color::rgb(0x6b, 0xa4, 0xe8);

fn power_on(hardware: &Hardware, scenario: &Scenario) -> Result<Machine> {
    Machine::power_on(&Artifacts::build(&Log::new("image"))?, hardware, scenario)
}

fn drivers(machine: &mut Machine) -> Result<Vec<String>> {
    LEGIONS.into_iter().map(|address| Ok(machine.driver(address)?.unwrap_or_else(|| "none".to_owned()))).collect()
}

fn picture(machine: &mut Machine, head: Head) -> Result<Picture> {
    let file: PathBuf = machine.folder().join("picture.png");
    machine.screendump(head, &file)?;
    Picture::read(&file)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}

fn a_pick() -> Result<()> {
    let mut machine = power_on(&Hardware::standard(), &Scenario::new("pick").cmdline("persona.timeout=10m"))?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;

    // The card's own driver is loaded, and was kept off: `boot.rs` shows that it binds when it may.
    machine.run("lsmod | grep -q ^bochs")?;
    let card = machine.driver(address::CARD)?;
    assert!(card.is_none() || card.as_deref() == Some("vfio-pci"), "{card:?}");
    assert_eq!(machine.driver(address::LEGION_USB)?.as_deref(), Some("xhci_hcd"));

    // Arrows and digits, on either keyboard.
    let dump = machine.folder().join("menu.png");
    machine.screendump(Head::Display, &dump)?;
    let menu = Picture::read(&dump)?;
    assert_eq!((menu.width, menu.height), (1920, 1080));
    assert!(menu.colours() > 1000, "the menu is no text console");
    for (keyboard, key) in [(Keyboard::Legion, "right"), (Keyboard::Host, "1"), (Keyboard::Host, "right")] {
        machine.press(keyboard, key)?;
        machine.wait_for_change(Head::Display, &dump)?;
    }
    machine.press(Keyboard::Legion, "ret")?;

    let choice = machine.wait_for_choice()?;
    assert_eq!(choice, "persona = \"gondor\"\nreason = \"picked\"\n");
    machine.wait_for_legion("running")?;
    assert_eq!(drivers(&mut machine)?, ["vfio-pci"; 3]);
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), "cartridges/gondor");
    assert_eq!(machine.run("systemctl is-active legion.service")?.trim(), "active");
    assert_eq!(machine.run("ps -o user= -C qemu-system-x86_64")?.trim(), "legion", "QEMU is not root");

    // What the guest says of itself, and what a person sees on both monitors.
    let reports = machine.wait_for_picture()?;
    for id in ["1234:1111", "8086:2668", "1033:0194"] {
        assert!(reports.iter().any(|report| matches!(report, Report::Pci { id: seen, .. } if seen == id)), "no {id} in {reports:?}");
    }
    machine.wait_for_report(
        "the guest sees its keyboard",
        STEP,
        |report| matches!(report, Report::Keyboard { name, .. } if name.contains("USB")),
    )?;
    let second = picture(&mut machine, Head::Card)?;
    assert_eq!(second.at(1, 1), GONDOR, "the passed-through card shows the accent of Gondor");
    assert!(second.colours() > 8, "its name is written there");
    // By now it may have gone dark: a key brings the picture back.
    machine.press(Keyboard::Host, "a")?;
    let says = |picture: &Picture| picture.difference(&menu) > 0.02 && picture.colours() > 50;
    machine.wait_for_screen(Head::Display, "monitor 1 says what runs", says)?;
    machine.screendump(Head::Display, &dump)?;
    machine.press(Keyboard::Legion, "b")?;
    machine.wait_for_report("a key of its own keyboard", STEP, |report| matches!(report, Report::Key { code } if code == "KEY_B"))?;
    assert!(
        !machine.reports()?.iter().any(|report| matches!(report, Report::Key { code } if code == "KEY_A")),
        "it hears only its own keyboard"
    );

    let log = machine.run("dmesg")?;
    let reserved = log.find(&format!("persona: reserved {}", address::CARD)).unwrap_or_else(|| panic!("nothing reserved in\n{log}"));
    let loaded = log.find("virtio_gpu").unwrap_or_else(|| panic!("no graphics driver in\n{log}"));
    assert!(reserved < loaded, "reserved before coldplug");
    // `boot.rs` shows that the log tells when it binds.
    assert!(!log.contains("Initialized bochs-drm"), "the host's driver has never bound:\n{log}");

    // The guest powers itself off: devices and menu are back, and the next pick works.
    machine.press(Keyboard::Legion, "p")?;
    machine.wait_for_legion("ended")?;
    assert_eq!(drivers(&mut machine)?, ["vfio-pci", "vfio-pci", "xhci_hcd"]);
    let status = machine.status()?;
    assert_eq!(text(&status, "/legion/why"), "the guest powered off");
    machine.wait_until("legion.service is over", "! systemctl is-active -q legion.service", STEP)?;
    machine.wait_for_keyboards(2)?;
    machine.wait_for_change(Head::Display, &dump)?;
    machine.press(Keyboard::Legion, "3")?;
    machine.press(Keyboard::Legion, "spc")?;
    machine.wait_until("Mordor is chosen", "grep -q mordor /run/persona/choice.toml", STEP)?;
    machine.wait_for_legion("running")?;
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), "cartridges/mordor");
    Ok(())
}

#[test]
fn a_pick_gives_legion_its_hardware_and_its_end_brings_the_menu_back() {
    trial(a_pick);
}

fn an_override() -> Result<()> {
    let mut machine = power_on(&Hardware::standard(), &Scenario::new("override").image(ImageKind::Systemd))?;
    machine.wait_for_probe()?;
    machine.wait_for_ssh()?;
    assert_eq!(machine.ssh("persona next mordor")?, "Mordor starts at the next boot, once.\n");
    let list = machine.ssh("persona list")?;
    assert!(list.contains("mordor     legion  next boot "), "{list}");
    let plan: Value = machine.persona_json("plan gondor")?;
    assert_eq!(plan["refused"], Value::Array(Vec::new()), "{plan:#}");
    assert_eq!(plan["reserve"], serde_json::json!([address::CARD, address::CARD_AUDIO]));
    assert_eq!(plan["bind"][2], serde_json::json!({ "address": address::LEGION_USB, "at": "launch" }));
    assert!(
        plan["qemu"].as_array().is_some_and(|argv| argv.iter().any(|word| word == "vfio-pci,host=0000:02:00.0,bus=port2,addr=0x0.0x0")),
        "{plan:#}"
    );
    machine.ssh("persona preview mordor --size 800x600 --out /tmp/menu.png")?;
    // A PNG's width and height are two big-endian numbers from byte 16 on.
    assert_eq!(machine.ssh("od -An -tx1 -j16 -N8 /tmp/menu.png")?.trim(), "00 00 03 20 00 00 02 58");
    let wrong = machine.try_ssh("persona next morder")?;
    assert_eq!(wrong.status, 2, "{wrong:?}");
    assert!(wrong.stderr.contains("there is no persona `morder`") && wrong.stderr.contains("mordor"), "{wrong:?}");

    machine.ssh("systemctl reboot --no-block")?;
    machine.wait_for_reboot()?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"mordor\"\nreason = \"override\"\n");
    machine.wait_for_legion("running")?;
    assert_eq!(machine.try_run("test -e /var/lib/persona/override.toml")?.status, 1, "the override is used up");
    let status = machine.ssh("persona status")?;
    assert!(status.contains("choice    mordor, set beforehand\n") && status.contains("legion    running: mordor\n"), "{status}");

    // A host that reboots under a running guest comes back, and the boot after is the default's again.
    machine.ssh("systemctl reboot --no-block")?;
    machine.wait_for_reboot()?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"rivendale\"\nreason = \"timeout\"\n");
    machine.wait_for_legion("running")?;
    Ok(())
}

#[test]
fn an_override_over_ssh_starts_without_a_key_and_lasts_one_boot() {
    trial(an_override);
}

/// legion stays off, the host is fine, and the reason is in `persona status`.
fn stays_off(machine: &mut Machine, reason: &str) -> Result<()> {
    machine.wait_for_ssh()?;
    machine.wait_until("the reason is known", "grep -q why /run/persona/legion.toml && grep -q failed /run/persona/legion.toml", STEP)?;
    let status = machine.ssh("persona status")?;
    assert!(status.contains("legion    failed: rivendale\n") && status.contains(reason), "{status}");
    assert_eq!(machine.run("pgrep -c qemu-system || :")?.trim(), "0");
    assert_eq!(machine.driver(address::LEGION_USB)?.as_deref(), Some("xhci_hcd"), "what the host had it still has");
    assert_eq!(machine.run("systemctl is-active persona-menu.service")?.trim(), "active");
    Ok(())
}

#[test]
fn without_an_iommu_the_host_keeps_its_devices_and_says_why() {
    trial(|| {
        let hardware = Hardware { iommu: false, ..Hardware::standard() };
        let mut machine = power_on(&hardware, &Scenario::new("no-iommu"))?;
        machine.wait_for_menu()?;
        let dump = machine.folder().join("menu.png");
        machine.screendump(Head::Display, &dump)?;
        stays_off(&mut machine, "no IOMMU")?;
        assert_eq!(machine.driver(address::CARD)?.as_deref(), Some("bochs-drm"), "nothing is reserved that legion cannot have");
        // The shelf moves up, and the reason is below it.
        machine.wait_for_change(Head::Display, &dump)
    });
}

#[test]
fn without_its_cartridge_legion_stays_off() {
    trial(|| {
        let scenario = Scenario::new("no-cartridge").script("rm -r /var/lib/legion/cartridges/rivendale");
        let mut machine = power_on(&Hardware::standard(), &scenario)?;
        stays_off(&mut machine, "there is no cartridge `rivendale`")?;
        // The others are as good as ever.
        machine.wait_for_keyboards(2)?;
        machine.press(Keyboard::Host, "2")?;
        machine.press(Keyboard::Host, "ret")?;
        machine.wait_for_legion("running")
    });
}

#[test]
fn unreadable_settings_leave_a_plain_host_that_says_why() {
    trial(|| {
        let mut machine = power_on(&Hardware::standard(), &Scenario::new("settings").settings("[menu]\ntimout = \"10s\"\n"))?;
        machine.wait_for_menu()?;
        machine.wait_for_ssh()?;
        let status = machine.ssh("persona status")?;
        assert!(
            status.contains("/etc/persona/persona.toml:2: unknown field `timout`") && status.contains("did you mean `timeout`?"),
            "{status}"
        );
        assert!(status.contains("legion    off\n"), "{status}");
        assert_eq!(machine.try_ssh("persona list")?.status, 2);
        assert!(machine.run("dmesg")?.contains("persona: nothing is reserved: /etc/persona/persona.toml:2:"), "the kernel log says it too");
        assert_eq!(machine.driver(address::CARD)?.as_deref(), Some("bochs-drm"));
        // The reason is on the screen until a key is pressed; then the console is back and listens.
        assert_eq!(machine.run("cat /sys/class/tty/tty0/active")?.trim(), "tty12");
        machine.wait_for_keyboards(2)?;
        machine.press(Keyboard::Host, "a")?;
        machine.wait_until(
            "the console is back",
            "! systemctl is-active -q persona-menu.service && grep -qx tty1 /sys/class/tty/tty0/active",
            STEP,
        )?;
        Ok(())
    });
}

#[test]
fn without_a_keyboard_the_default_starts_after_its_timeout() {
    trial(|| {
        let hardware = Hardware { host_keyboard: false, legion_keyboard: false, ..Hardware::standard() };
        let mut machine = power_on(&hardware, &Scenario::new("no-keyboard"))?;
        assert_eq!(machine.wait_for_choice()?, "persona = \"rivendale\"\nreason = \"timeout\"\n");
        machine.wait_for_ssh()?;
        machine.wait_for_legion("running")
    });
}

#[test]
fn without_a_graphics_card_for_the_menu_the_default_starts_after_its_timeout() {
    trial(|| {
        let hardware = Hardware { display: None, ..Hardware::standard() };
        let mut machine = power_on(&hardware, &Scenario::new("no-card"))?;
        assert_eq!(machine.wait_for_choice()?, "persona = \"rivendale\"\nreason = \"timeout\"\n");
        machine.wait_for_ssh()?;
        machine.wait_for_legion("running")?;
        let status = machine.ssh("persona status")?;
        assert!(status.contains("menu      on tty12 "), "{status}");
        machine.wait_for_picture()?;
        Ok(())
    });
}

#[test]
fn a_killed_menu_gives_the_console_back_and_asks_nobody_twice() {
    trial(|| {
        let mut machine = power_on(&Hardware::standard(), &Scenario::new("killed").cmdline("persona.timeout=0s"))?;
        machine.wait_for_legion("running")?;
        machine.wait_until("the menu has the screen", "grep -qx tty12 /sys/class/tty/tty0/active", STEP)?;
        machine.run("systemctl kill -s KILL persona-menu.service")?;
        let again = "systemctl show -P NRestarts persona-menu.service | grep -qx 1 && grep -q 'chosen in this boot already' <(journalctl -b -t persona)";
        machine.wait_until("the menu runs again", &format!("bash -c \"{again}\""), STEP)?;
        machine.wait_until("it has the screen again", "grep -qx tty12 /sys/class/tty/tty0/active", STEP)?;
        let status = machine.status()?;
        assert_eq!((text(&status, "/choice/persona"), text(&status, "/choice/reason")), ("rivendale", "timeout"));
        assert_eq!(text(&status, "/legion/state"), "running", "legion does not notice");
        machine.run("systemctl stop persona-menu.service")?;
        machine.wait_until("the console is back", "grep -qx tty1 /sys/class/tty/tty0/active", STEP)?;
        Ok(())
    });
}

#[test]
fn an_override_of_the_bare_host_lasts_one_boot_too() {
    trial(|| {
        let mut machine = power_on(&Hardware::standard(), &Scenario::new("host").cmdline("persona.timeout=10m"))?;
        machine.wait_for_probe()?;
        machine.wait_for_ssh()?;
        machine.ssh("persona next host")?;
        machine.ssh("systemctl reboot --no-block")?;
        machine.wait_for_reboot()?;
        assert_eq!(machine.wait_for_choice()?, "persona = \"host\"\nreason = \"override\"\n");
        machine.wait_until("the console has the screen", "grep -qx tty1 /sys/class/tty/tty0/active", STEP)?;
        assert_eq!(machine.try_run("test -e /var/lib/persona/override.toml")?.status, 1, "the override is used up");
        assert_eq!(machine.run("systemctl show -P Result legion.service")?.trim(), "exec-condition", "legion is none of it");
        assert!(machine.ssh("persona status")?.contains("legion    off\n"));
        Ok(())
    });
}
