//! The way from a pick to legion and back.

use crate::common::{changes, highlights, is_chosen, nothing_is_chosen};
use crate::profiles::MENU;
use persona::config::value::Color;
use persona::error::Result;
use persona_machine::wire::Report;
use persona_machine::{Artifacts, Head, Keyboard, LEGIONS, Machine, STEP, address};

pub(crate) const GONDOR: Color = Color::rgb(0x6b, 0xa4, 0xe8);

fn drivers(machine: &mut Machine) -> Result<Vec<String>> {
    LEGIONS.into_iter().map(|address| Ok(machine.driver(address)?.unwrap_or_else(|| "none".to_owned()))).collect()
}

pub(crate) fn a_pick(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "pick")?;

    // The card's own driver is loaded, and was kept off: `plain` shows that it binds when it may.
    machine.run("lsmod | grep -q ^bochs")?;
    let card = machine.driver(address::CARD)?;
    assert!(card.is_none() || card.as_deref() == Some("vfio-pci"), "{card:?}");
    assert_eq!(machine.driver(address::LEGION_USB)?.as_deref(), Some("xhci_hcd"));
    let log = machine.run("dmesg")?;
    let reserved = log.find(&format!("persona: reserved {}", address::CARD)).unwrap_or_else(|| panic!("nothing reserved in\n{log}"));
    let loaded = log.find("virtio_gpu").unwrap_or_else(|| panic!("no graphics driver in\n{log}"));
    assert!(reserved < loaded, "reserved before coldplug");
    assert!(!log.contains(&format!("bochs-drm {}", address::CARD)), "the host's driver has never bound:\n{log}");

    // Arrows and digits, on either keyboard.
    let menu = machine.picture(Head::Display)?;
    assert_eq!((menu.width, menu.height), (1280, 720));
    assert!(menu.is_painted(), "the menu is no text console");
    machine.press(Keyboard::Legion, "right")?;
    let gondor = changes(&mut machine, Head::Display, &menu)?;
    machine.press(Keyboard::Host, "1")?;
    changes(&mut machine, Head::Display, &gondor)?;
    highlights(&mut machine, "rivendale")?;
    machine.press(Keyboard::Host, "right")?;
    highlights(&mut machine, "gondor")?;
    nothing_is_chosen(&mut machine)?;
    machine.press(Keyboard::Legion, "ret")?;

    is_chosen(&mut machine, "gondor", "picked")?;
    machine.wait_for_legion("running")?;
    assert_eq!(drivers(&mut machine)?, ["vfio-pci"; 3]);
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), "cartridges/gondor");
    assert_eq!(machine.run("systemctl is-active legion.service")?.trim(), "active");
    assert_eq!(machine.run("ps -o user= -C qemu-system-x86,qemu-system-x86_64")?.trim(), "legion", "QEMU is not root");

    // What the guest says of itself, and what a person sees on both monitors.
    let reports = machine.wait_for_picture()?;
    for id in ["1234:1111", "8086:2668", "1033:0194"] {
        assert!(reports.iter().any(|report| matches!(report, Report::Pci { id: seen, .. } if seen == id)), "no {id} in {reports:?}");
    }
    machine.wait_for_guest_keyboard()?;
    let second = machine.picture(Head::Card)?;
    assert_eq!(second.at(1, 1), GONDOR, "the passed-through card shows the accent of Gondor");
    assert!(second.has_more_colours_than(8), "its name is written there");
    // By now the menu may have gone dark: a key brings the picture back.
    machine.press(Keyboard::Host, "a")?;
    let says = |picture: &persona_machine::Picture| picture.difference(&menu) > 0.02 && picture.has_more_colours_than(50);
    let running = machine.wait_for_screen(Head::Display, "monitor 1 says what runs", says)?;
    machine.press(Keyboard::Legion, "b")?;
    machine.wait_for_report("a key of its own keyboard", STEP, |report| matches!(report, Report::Key { code } if code == "KEY_B"))?;
    let is_hosts_key = |report: &Report| matches!(report, Report::Key { code } if code == "KEY_A");
    assert!(!machine.reports()?.iter().any(is_hosts_key), "it hears only its own keyboard");

    // The guest powers itself off: devices and menu are back, and the next pick works.
    machine.press(Keyboard::Legion, "p")?;
    crate::common::is_over(&mut machine, "ended", "guest-poweroff")?;
    machine.wait_for_keyboards(2)?;
    changes(&mut machine, Head::Display, &running)?;
    machine.press(Keyboard::Legion, "3")?;
    highlights(&mut machine, "mordor")?;
    machine.press(Keyboard::Legion, "spc")?;
    is_chosen(&mut machine, "mordor", "picked")?;
    machine.wait_for_legion("running")?;
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), "cartridges/mordor");
    Ok(())
}
