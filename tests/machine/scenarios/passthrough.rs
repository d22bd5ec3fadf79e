//! Passthrough on the machines that go wrong in the field; each has hardware of its own, and boots.

use crate::common::{change_settings, empty_cartridges, highlights, nothing_is_chosen, with_timeout, without_early_menu, without_motion};
use crate::profiles::LATE;
use persona::error::{Error, Result};
use persona_machine::wire::Report;
use persona_machine::{Artifacts, CardFunction, CardModel, Display, Hardware, Head, Keyboard, LEGIONS, Machine, STEP, Scenario, address};
use serde_json::{Value, json};

/// The four functions of a graphics card.
const FOUR_FUNCTIONS: [&str; 4] = [address::CARD, address::CARD_AUDIO, address::CARD_THIRD, address::CARD_FOURTH];

/// What is legion's where the card has four functions.
const FIVE: [&str; 5] = [address::CARD, address::CARD_AUDIO, address::CARD_THIRD, address::CARD_FOURTH, address::LEGION_USB];

/// The same as the host has them.
const AT_HOME: [&str; 5] = ["bochs-drm (null)", "none (null)", "xhci_hcd (null)", "serial (null)", "xhci_hcd (null)"];

/// How many times the devices are taken and given back while the host is busy with them.
const RACES: usize = 6;

/// How many times legion is launched and released.
const LAUNCHES: usize = 3;

/// `driver override` of each function; `gone` if it is not there.
fn drivers(machine: &mut Machine, addresses: &[&str]) -> Result<Vec<String>> {
    let script = format!(
        r#"for a in {}; do
            d=/sys/bus/pci/devices/$a
            [ -e $d ] || {{ echo gone; continue; }}
            driver=$(readlink $d/driver || echo none)
            echo "${{driver##*/}} $(cat $d/driver_override)"
        done"#,
        addresses.join(" ")
    );
    Ok(machine.run(&script)?.lines().map(str::to_owned).collect())
}

/// Has the persona started, as the menu does it.
fn choose(machine: &mut Machine, persona: &str) -> Result<()> {
    let choice = format!("persona = \"{persona}\"\nreason = \"remote\"\n");
    machine.run(&format!("cd /run/persona && printf '{choice}' > .choice && mv .choice choice.toml")).map(drop)
}

/// Stops legion as somebody in a hurry does, and waits until it is over.
fn stop(machine: &mut Machine) -> Result<()> {
    machine.run("pid=$(systemctl show -P MainPID legion.service); kill -TERM $pid; kill -INT $pid")?;
    over(machine)
}

/// Waits until legion is over and all is given back.
fn over(machine: &mut Machine) -> Result<()> {
    let script = "systemctl show -P ActiveState legion.service | grep -xE 'inactive|failed'";
    machine.wait_until("legion.service is over", script, STEP).map(drop)
}

/// Drivers, overrides, groups, modules in use, pinned memory and processes: what a launch changes and its end must
/// bring back.
fn state_of_hardware(machine: &mut Machine) -> Result<String> {
    machine.run(
        r#"cd /sys/bus/pci/devices
        for a in *; do driver=$(readlink $a/driver || echo none); echo "$a ${driver##*/} $(cat $a/driver_override)"; done
        ls -l /dev/vfio | awk 'NR > 1 { print $1, $3, $4, $NF }'
        awk '/^vfio|^bochs |^xhci/ { print "module", $1, $3 }' /proc/modules | sort
        cat /proc/sys/vm/stat_refresh
        awk '/^nr_foll_pin/ { n[$1] = $2 } END { print "pinned", n["nr_foll_pin_acquired"] - n["nr_foll_pin_released"] }' /proc/vmstat
        grep Mlocked /proc/meminfo
        echo processes $(ps -eo user=,comm= | grep -E 'legion|persona|qemu' | sort)
        echo namespaces $(lsns -nt mnt | wc -l)"#,
    )
}

/// What a launch leaves behind for the next.
fn state_of_files(machine: &mut Machine) -> Result<String> {
    machine.run(
        "cd /; find run/persona var/lib/persona var/lib/legion -printf '%p %u %g %m %l\n' | sort
        cat run/persona/choice.toml; grep -v '^ran_s = ' run/persona/legion.toml",
    )
}

/// The kernel has nothing to complain of: no oops, no warning, nothing that hangs.
fn the_kernel_is_fine(machine: &mut Machine) -> Result<()> {
    let complaints = machine.run("dmesg | grep -E 'BUG:|WARNING:|Oops|general protection|blocked for more than' || :")?;
    assert_eq!(complaints, "");
    Ok(())
}

/// The host answers, its root file system can be written to, and it has its default route.
fn the_host_is_fine(machine: &mut Machine) -> Result<()> {
    machine.wait_for_ssh()?;
    machine.ssh("echo fine > /root/fine && sync /root/fine && rm /root/fine")?;
    let route = machine.ssh("ip route show default")?;
    assert!(route.starts_with("default via "), "{route:?}");
    Ok(())
}

pub(crate) fn a_card_of_four_functions(artifacts: &Artifacts) -> Result<()> {
    let hardware = Hardware {
        display: Some(Display { model: CardModel::Bochs, width: 1280, height: 800, outputs: 1 }),
        card: vec![CardFunction::Graphics, CardFunction::Audio, CardFunction::Usb, CardFunction::UsbC],
        acs: false,
        ..Hardware::small()
    };
    // Rivendale comes and goes many times, and need not boot.
    let settings = with_timeout(&artifacts.settings, "never").replace("name = \"rivendale\"", "name = \"rivendale\"\nmemory = \"96M\"");
    let mut machine = Machine::power_on(artifacts, &hardware, &Scenario::new("four-functions").settings(&settings))?;
    machine.wait_for_menu()?;

    // By address: the display card has the same IDs as the card that is legion's.
    assert_eq!(machine.id(address::DISPLAY)?, machine.id(address::CARD)?);
    let kept = machine.run("dmesg")?;
    for function in FOUR_FUNCTIONS {
        assert!(kept.contains(&format!("persona: reserved {function}")), "{function} was not reserved:\n{kept}");
    }
    for (function, state) in FOUR_FUNCTIONS.iter().zip(drivers(&mut machine, &FOUR_FUNCTIONS)?) {
        assert!(["none vfio-pci", "vfio-pci vfio-pci"].contains(&state.as_str()), "{function}: {state}");
    }
    let twin = ["bochs-drm (null)", "xhci_hcd (null)"];
    assert_eq!(drivers(&mut machine, &[address::DISPLAY, address::LEGION_USB])?, twin);
    assert!(machine.picture(Head::Display)?.is_painted(), "the menu is on the card that stays");

    machine.wait_until("the boot is over", "systemctl is-system-running --wait; udevadm settle", STEP)?;
    let before = state_of_hardware(&mut machine)?;
    machine.wait_for_keyboards(2)?;
    machine.press(Keyboard::Host, "2")?;
    machine.press(Keyboard::Host, "ret")?;
    machine.wait_for_legion("running")?;
    assert_eq!(drivers(&mut machine, &FOUR_FUNCTIONS)?, ["vfio-pci vfio-pci"; 4]);
    assert_eq!(drivers(&mut machine, &[address::DISPLAY, address::LEGION_USB])?, ["bochs-drm (null)", "vfio-pci vfio-pci"]);

    // The guest finds one card with four functions, the first of which it draws on.
    let reports = machine.wait_for_picture()?;
    let seen = |id: &str| {
        reports.iter().find_map(|report| match report {
            Report::Pci { address, id: seen, .. } if seen == id => Some(address.clone()),
            _ => None,
        })
    };
    let card: Vec<Option<String>> = ["1234:1111", "8086:2668", "1b36:000d", "1234:11e8"].into_iter().map(seen).collect();
    let slot = card[0].as_deref().unwrap().trim_end_matches('0').to_owned();
    let expected: Vec<Option<String>> = (0..4).map(|number| Some(format!("{slot}{number}"))).collect();
    assert_eq!(card, expected, "{reports:?}");
    stop(&mut machine)?;
    machine.wait_for_keyboards(2)?;
    assert_eq!(state_of_hardware(&mut machine)?, before);

    machine.run("systemctl stop persona-menu.service")?;
    let (mut before, mut files) = (String::new(), String::new());
    for round in 0..=LAUNCHES {
        machine.log().step(format!("launch {round} of {LAUNCHES}"));
        choose(&mut machine, "rivendale")?;
        machine.wait_for_legion("running")?;
        let during = drivers(&mut machine, &[address::CARD, address::LEGION_USB])?;
        assert_eq!(during, ["vfio-pci vfio-pci"; 2], "launch {round}");
        stop(&mut machine)?;
        if round == 0 {
            // The first is the one that the others are compared with: the menu is gone.
            (before, files) = (state_of_hardware(&mut machine)?, state_of_files(&mut machine)?);
        }
    }
    assert_eq!(state_of_hardware(&mut machine)?, before, "after {LAUNCHES} launches");
    assert_eq!(state_of_files(&mut machine)?, files, "after {LAUNCHES} launches");
    the_kernel_is_fine(&mut machine)
}

/// A group with the host's disk and network card stays with the host.
pub(crate) fn shared_group(artifacts: &Artifacts) -> Result<()> {
    let hardware = Hardware { acs: false, host_behind_ports: true, ..Hardware::small() };
    // Nor is the menu wanted in the initramfs here.
    let settings = without_early_menu(&with_timeout(&without_motion(&artifacts.settings), "never"));
    let mut machine = Machine::power_on(artifacts, &hardware, &Scenario::new("shared-group").settings(&settings))?;
    machine.wait_for_menu()?;
    let program = machine.run("readlink /proc/$(systemctl show -P MainPID persona-menu.service)/exe")?;
    assert_eq!(program, "/usr/bin/persona\n", "the menu began in the host");
    the_host_is_fine(&mut machine)?;
    machine.wait_for_keyboards(2)?;
    // It cannot be picked in the menu: once the next key has moved the highlight, Enter was handled.
    machine.press(Keyboard::Host, "ret")?;
    machine.press(Keyboard::Host, "right")?;
    highlights(&mut machine, "gondor")?;
    nothing_is_chosen(&mut machine)?;
    // The launch refuses by itself, too, when the choice is written by other means.
    machine.run("cd /run/persona && printf 'persona = \"rivendale\"\nreason = \"remote\"\n' > choice.new && mv choice.new choice.toml")?;
    machine.wait_for_legion("failed")?;
    over(&mut machine)?;

    let status = machine.status()?;
    assert_eq!(status["legion"]["state"], "failed", "{status:#}");
    let why = status["legion"]["why"].as_str().unwrap();
    for function in [address::DISK_BEHIND_PORT, address::NETWORK_BEHIND_PORT, address::CARD] {
        assert!(why.contains(function), "{function} is not named: {why}");
    }
    let plan: Value = machine.persona_json("plan rivendale")?;
    let empty = json!([]);
    assert_eq!([&plan["reserve"], &plan["bind"], &plan["steps"]], [&empty; 3], "{plan:#}");
    let refused: Vec<&str> = plan["refused"].as_array().unwrap().iter().map(|refusal| refusal["address"].as_str().unwrap()).collect();
    for function in [address::DISK_BEHIND_PORT, address::NETWORK_BEHIND_PORT] {
        assert!(refused.contains(&function), "{plan:#}");
    }

    assert_eq!(drivers(&mut machine, &LEGIONS)?, ["bochs-drm (null)", "none (null)", "xhci_hcd (null)"], "nothing was reserved or bound");
    let hosts = drivers(&mut machine, &[address::DISK_BEHIND_PORT, address::NETWORK_BEHIND_PORT])?;
    assert_eq!(hosts, ["virtio-pci (null)"; 2]);
    assert!(!machine.run("dmesg")?.contains("persona: reserved"), "nothing was reserved");
    the_host_is_fine(&mut machine)
}

/// Programs that use the card and the serial port on it: a picture on the monitor, a terminal held open.
const USERS: &str = r##"
set -- $(modetest -M bochs-drm -c | awk '$3 == "connected" { c = $1 } $1 == "#0" { print c, $2; exit }')
systemd-run -q --unit=picture sh -c "sleep infinity | modetest -M bochs-drm -s $1:$2"
systemd-run -q --unit=terminal sh -c "exec 3<> /dev/$(ls /sys/bus/pci/devices/0000:01:00.3/tty); exec sleep infinity"
"##;

/// Succeeds once both are held open.
const IN_USE: &str = r#"
for node in dri/$(cd /sys/bus/pci/devices/0000:01:00.0/drm && echo card*) $(ls /sys/bus/pci/devices/0000:01:00.3/tty); do
    ls -l /proc/[0-9]*/fd | grep -- "-> /dev/$node\$" || exit 1
done"#;

/// What was bound and is in use is moved over: it was reserved too late.
pub(crate) fn taken_while_in_use(artifacts: &Artifacts) -> Result<()> {
    let mut machine = LATE.restore(artifacts, "in-use")?;
    change_settings(&mut machine, |settings| {
        for device in settings["legion"]["passthrough"].as_array_of_tables_mut().unwrap().iter_mut() {
            device.remove("bind");
        }
    })?;
    machine.run("persona reserve")?;
    let late = drivers(&mut machine, &FIVE)?;
    assert_eq!(late, ["bochs-drm vfio-pci", "none vfio-pci", "xhci_hcd vfio-pci", "serial vfio-pci", "xhci_hcd (null)"]);
    let told = machine.run("dmesg | grep persona:")?;
    assert!(told.lines().any(|line| line.contains(address::CARD) && line.contains("bochs-drm")), "{told}");

    machine.run(USERS)?;
    machine.wait_until("card and port are in use", IN_USE, STEP)?;
    machine.key(Keyboard::Legion, "a", true)?;
    machine.press(Keyboard::Host, "ret")?;
    machine.wait_for_legion("running")?;
    machine.key(Keyboard::Legion, "a", false)?;
    assert_eq!(drivers(&mut machine, &FIVE)?, ["vfio-pci vfio-pci"; 5]);
    stop(&mut machine)?;
    // What is to be reserved at boot stays legion's, the keyboard comes back.
    let kept = [&["vfio-pci vfio-pci"; 4][..], &["xhci_hcd (null)"]].concat();
    assert_eq!(drivers(&mut machine, &FIVE)?, kept);
    machine.wait_for_keyboards(2)?;
    the_kernel_is_fine(&mut machine)?;
    the_host_is_fine(&mut machine)
}

/// legion is in this state, and `persona status` names the controller as the reason.
fn why_names_the_controller(machine: &mut Machine, state: &str) -> Result<()> {
    let status = machine.status()?;
    assert_eq!(status["legion"]["state"], *state, "{status:#}");
    assert!(status["legion"]["why"].as_str().unwrap().contains(address::LEGION_USB), "{status:#}");
    Ok(())
}

/// udev handles legion's devices again and again, somebody lets drivers bind to them, and no processor is ever idle.
fn busy(functions: &[&str]) -> String {
    format!(
        "systemd-run -q --unit=busy-udev sh -c 'while :; do udevadm trigger --action=add -s pci -s drm -s usb; udevadm settle; done'
        systemd-run -q --unit=busy-probing sh -c 'while :; do for a in {}; do echo $a > /sys/bus/pci/drivers_probe; done; done'
        systemd-run -q --nice=19 --unit=busy-processor sh -c 'while :; do :; done'",
        functions.join(" ")
    )
}

/// A busy host and devices that vanish leave all where it belongs.
pub(crate) fn races_and_losses(artifacts: &Artifacts) -> Result<()> {
    let mut machine = LATE.restore(artifacts, "races")?;
    empty_cartridges(&mut machine)?;
    assert_eq!(drivers(&mut machine, &FIVE)?, AT_HOME);

    machine.run("systemctl stop legion.path")?;
    choose(&mut machine, "gondor")?;
    machine.run(&busy(&FIVE))?;
    for race in 1..=RACES {
        machine.log().step(format!("race {race} of {RACES}"));
        machine.run("persona prepare").map_err(|error| Error::caused_by(format!("race {race}"), error))?;
        assert_eq!(drivers(&mut machine, &FIVE)?, ["vfio-pci vfio-pci"; 5], "race {race}");
        machine.run("persona release").map_err(|error| Error::caused_by(format!("race {race}"), error))?;
        assert_eq!(drivers(&mut machine, &FIVE)?, AT_HOME, "race {race}");
    }
    machine.run("systemctl stop 'busy-*'; udevadm settle; rm /run/persona/legion.toml; systemctl start legion.path")?;
    the_host_is_fine(&mut machine)?;

    // Gone between the plan and its steps: loading vfio-pci takes it away.
    let vanishing = format!("install vfio-pci echo 1 > /sys/bus/pci/devices/{}/remove; modprobe -i vfio-pci", address::LEGION_USB);
    machine.run(&format!("echo '{vanishing}' > /etc/modprobe.d/vanishing.conf; modprobe -r vfio-pci"))?;
    choose(&mut machine, "gondor")?;
    machine.wait_for_legion("failed")?;
    over(&mut machine)?;
    let gone = [&AT_HOME[..4], &["gone"]].concat();
    assert_eq!(drivers(&mut machine, &FIVE)?, gone, "the others are the host's again");
    why_names_the_controller(&mut machine, "failed")?;
    machine.run("rm /etc/modprobe.d/vanishing.conf; echo 1 > /sys/bus/pci/rescan")?;
    machine.wait_for_keyboards(2)?;
    assert_eq!(drivers(&mut machine, &FIVE)?, AT_HOME);

    // Pulled out while legion has it: the kernel asks legion for it, and waits.
    choose(&mut machine, "gondor")?;
    machine.wait_for_legion("running")?;
    machine.qmp().execute("device_del", json!({ "id": "legionusb" }))?;
    machine.wait_until("legion is asked", "dmesg | grep 'vfio-pci 0000:02:00.0: Relaying device request to user'", STEP)?;
    the_host_is_fine(&mut machine)?;
    assert_eq!(machine.status()?["legion"]["state"], "running");
    stop(&mut machine)?;
    machine.wait_until("the controller is gone", &format!("! test -e /sys/bus/pci/devices/{}", address::LEGION_USB), STEP)?;
    assert_eq!(drivers(&mut machine, &FIVE)?, gone, "the others are the host's again");
    assert_eq!(machine.status()?["legion"]["state"], "ended");

    // Gone before the plan.
    choose(&mut machine, "gondor")?;
    machine.wait_for_legion("failed")?;
    over(&mut machine)?;
    why_names_the_controller(&mut machine, "failed")?;
    assert_eq!(drivers(&mut machine, &FIVE)?, gone, "nothing was touched");
    the_kernel_is_fine(&mut machine)?;
    the_host_is_fine(&mut machine)
}
