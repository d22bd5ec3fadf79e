//! The states of the standard machine that most scenarios begin from.

use crate::common::{changed, with_timeout, without_motion};
use persona::error::Result;
use persona_machine::{CardFunction, Hardware, Head, Machine, Origin, Picture, Profile, STEP};
use std::sync::Mutex;
use toml_edit::{Item, value};

const SOURCE: &str = concat!(include_str!("profiles.rs"), include_str!("common.rs"));

/// Booted from a busybox image; the menu of the initramfs is on the screen and waits, both keyboards are read, sshd answers, the boot
/// is over, and the journal is kept over boots. A guest that does not stop is given three seconds.
pub(crate) static MENU: Profile = Profile {
    name: "menu",
    origin: Origin::Boot {
        hardware: Hardware::small,
        scenario: |scenario, settings| {
            let settings = changed(&with_timeout(&without_motion(settings), "never"), |settings| {
                settings["legion"]["stop"] = "{ again = \"1s\", quit = \"3s\", kill = \"20s\" }".parse::<Item>().unwrap();
            });
            scenario.durable().settings(&settings).script("mkdir -p /var/log/journal")
        },
    },
    prepare: menu,
    making: Mutex::new(()),
    source: SOURCE,
};

/// The same with Gondor running: its guest has drawn on its card and reads its keyboard.
pub(crate) static GONDOR: Profile =
    Profile { name: "gondor", origin: Origin::State(&MENU), prepare: gondor, making: Mutex::new(()), source: SOURCE };

/// A card with a USB controller and a serial port on it, and settings by which everything is bound at the launch: the host has all of it.
/// It has two processors and uses one until it is told to use the other: two that are emulated lose an interrupt now and then on a busy
/// computer, and one of the scenarios needs the second.
pub(crate) static LATE: Profile = Profile {
    name: "late",
    origin: Origin::Boot {
        hardware: || Hardware {
            card: vec![CardFunction::Graphics, CardFunction::Audio, CardFunction::Usb, CardFunction::Serial],
            cpus: 2,
            ..Hardware::small()
        },
        scenario: |scenario, settings| {
            let settings = changed(&with_timeout(&without_motion(settings), "never"), |settings| {
                for device in settings["legion"]["passthrough"].as_array_of_tables_mut().into_iter().flat_map(|tables| tables.iter_mut()) {
                    device.insert("bind", value("launch"));
                }
            });
            scenario.settings(&settings).cmdline("maxcpus=1")
        },
    },
    prepare: menu,
    making: Mutex::new(()),
    source: SOURCE,
};

fn menu(machine: &mut Machine) -> Result<()> {
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    machine.wait_for_screen(Head::Display, "the menu is on the screen", Picture::is_painted)?;
    machine.wait_for_ssh()?;
    machine.wait_until("the boot is over", "systemctl is-system-running --wait; udevadm settle", STEP)?;
    Ok(())
}

fn gondor(machine: &mut Machine) -> Result<()> {
    machine.ssh("persona start gondor")?;
    machine.wait_for_guest_keyboard()?;
    machine.wait_for_picture()?;
    Ok(())
}
