//! The menu as a console: monitors, cards, keyboards and gamepads that come and go, a serial line, locks, the power menu,
//! and a menu that dies; each test is one machine.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::error::Result;
use persona_machine::{Artifacts, CardModel, Display, Hardware, Head, Keyboard, Log, Machine, Picture, STEP, Scenario, address, trial};

fn power_on(hardware: &Hardware, scenario: &Scenario) -> Result<Machine> {
    Machine::power_on(&Artifacts::build(&Log::new("image"))?, hardware, scenario)
}

/// Waits until the menu says that it draws on exactly these outputs.
fn draws_on(machine: &mut Machine, outputs: &[&str]) -> Result<()> {
    let line = format!("outputs = [{}]", outputs.iter().map(|output| format!("\"{output}\"")).collect::<Vec<_>>().join(", "));
    machine.wait_until(
        &format!("the menu draws on {outputs:?}"),
        &format!("cat /run/persona/menu.toml; grep -qxF '{line}' /run/persona/menu.toml"),
        STEP,
    )?;
    Ok(())
}

/// Waits until a monitor of this size shows the menu.
fn shows_the_menu(machine: &mut Machine, head: Head, size: (usize, usize)) -> Result<Picture> {
    machine.wait_for_screen(head, &format!("{head:?} shows the menu"), |picture| {
        (picture.width, picture.height) == size && picture.is_painted()
    })
}

/// Waits until a monitor shows visibly something else than before.
fn changes(machine: &mut Machine, head: Head, before: &Picture) -> Result<Picture> {
    machine.wait_for_screen(head, &format!("{head:?} shows something else"), |picture| picture.difference(before) > 0.02)
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
    let mut machine = power_on(&hardware, &Scenario::new("screens").cmdline("persona.timeout=1h"))?;
    let mut second = machine.monitor(Head::Second)?;
    second.plug(1280, 1024)?;
    machine.wait_for_menu()?;
    let born = life(&mut machine)?;

    // Two monitors, each with a menu of its own size.
    draws_on(&mut machine, &["Virtual-1 1920x1080", "Virtual-2 1280x1024"])?;
    let first = shows_the_menu(&mut machine, Head::Display, (1920, 1080))?;
    shows_the_menu(&mut machine, Head::Second, (1280, 1024))?;
    machine.wait_for_screen(Head::Display, "the countdown goes on", |picture| picture.difference(&first) > 0.0)?;

    // One is unplugged: the menu goes on on the other.
    second.unplug()?;
    draws_on(&mut machine, &["Virtual-1 1920x1080"])?;
    assert_eq!(machine.run("cat /sys/class/drm/card*-Virtual-2/status")?.trim(), "disconnected");
    machine.wait_for_screen(Head::Second, "the unplugged monitor is dark", Picture::is_dark)?;
    let first = shows_the_menu(&mut machine, Head::Display, (1920, 1080))?;
    machine.press(Keyboard::Host, "right")?;
    let gondor = changes(&mut machine, Head::Display, &first)?;

    // Another one is plugged in.
    second.plug(1024, 768)?;
    draws_on(&mut machine, &["Virtual-1 1920x1080", "Virtual-2 1024x768"])?;
    shows_the_menu(&mut machine, Head::Second, (1024, 768))?;
    let now = shows_the_menu(&mut machine, Head::Display, (1920, 1080))?;
    assert!(now.difference(&gondor) < 0.02, "the highlight stays");

    // The card loses its driver: the host's other card takes over.
    unbind(&mut machine, address::DISPLAY)?;
    draws_on(&mut machine, &["Virtual-1 1024x768"])?;
    let there = shows_the_menu(&mut machine, Head::Spare, (1024, 768))?;
    machine.press(Keyboard::Host, "right")?;
    changes(&mut machine, Head::Spare, &there)?;

    // No card is left; one comes back.
    unbind(&mut machine, address::SPARE)?;
    draws_on(&mut machine, &[])?;
    machine.press(Keyboard::Host, "left")?;
    bind(&mut machine, address::DISPLAY)?;
    draws_on(&mut machine, &["Virtual-1 1920x1080", "Virtual-2 1024x768"])?;
    shows_the_menu(&mut machine, Head::Display, (1920, 1080))?;
    assert_eq!(life(&mut machine)?, born, "it is the same menu");
    machine.press(Keyboard::Host, "ret")?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"gondor\"\nreason = \"picked\"\n");
    Ok(())
}

#[test]
fn monitors_and_cards_come_and_go_under_the_menu() {
    trial(screens);
}
