//! legion as an appliance, run over SSH as its owner would: every way a guest can end, what it may see, and what it does when its
//! disk is full; each test is one machine.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::error::Result;
use persona::settings::value::Color;
use persona_machine::wire::{REPORT_FILE, Report};
use persona_machine::{Artifacts, Hardware, Head, Keyboard, Log, Machine, STEP, Scenario, trial};
use toml_edit::{DocumentMut, Item, value};

const GONDOR: Color = Color::rgb(0x6b, 0xa4, 0xe8);

/// Boots with changed settings and waits until the menu reads the keyboards.
fn power_on(name: &str, change: impl Fn(&mut DocumentMut), script: &str) -> Result<Machine> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let mut settings: DocumentMut = artifacts.settings.parse().unwrap();
    settings["menu"]["timeout"] = value("never");
    change(&mut settings);
    let scenario = Scenario::new(name).settings(&settings.to_string()).script(script);
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_ssh()?;
    Ok(machine)
}

fn persona<'a>(settings: &'a mut DocumentMut, name: &str) -> &'a mut toml_edit::Table {
    let personas = settings["persona"].as_array_of_tables_mut().unwrap();
    personas.iter_mut().find(|persona| persona["name"].as_str() == Some(name)).unwrap()
}

/// Starts a persona, or switches to it, and waits until its guest reads its keyboard.
fn starts(machine: &mut Machine, command: &str, name: &str) -> Result<()> {
    machine.run(&format!("rm -f {REPORT_FILE}"))?;
    let told = machine.ssh(&format!("persona {command}"))?;
    assert!(told.ends_with(&format!("{name}: running\n")), "{told}");
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), format!("cartridges/{name}"));
    let began = machine.wait_for_report(&format!("{name} runs"), STEP, |report| matches!(report, Report::Started { .. }))?;
    assert!(matches!(&began, Report::Started { cartridge, .. } if cartridge == name), "{began:?}");
    machine.wait_for_guest_keyboard()
}

/// Presses a key that the guest reports before it obeys.
fn tell_guest(machine: &mut Machine, key: &str) -> Result<()> {
    machine.press(Keyboard::Legion, key)?;
    let code = format!("KEY_{}", key.to_uppercase());
    machine.wait_for_report(
        &format!("the guest has heard {key}"),
        STEP,
        |report| matches!(report, Report::Key { code: heard } if *heard == code),
    )?;
    Ok(())
}

/// legion is over for this reason, and everything is as before.
fn is_over(machine: &mut Machine, phase: &str, why: &str) -> Result<()> {
    let status = machine.wait_for_end(phase)?;
    assert!(status.contains(&format!("legion    {phase}: ")) && status.contains(why), "{status}");
    let left = machine.run("ps -u legion -o comm= || :; flock -n /run/persona/legion.lock echo free")?;
    assert_eq!(left, "free\n", "processes of legion, and its lock");
    Ok(())
}

fn tpm_resets(machine: &mut Machine) -> Result<u32> {
    tell_guest(machine, "t")?;
    let answer =
        machine.wait_for_report("the TPM answers", STEP, |report| matches!(report, Report::Tpm { .. } | Report::Trouble { .. }))?;
    let Report::Tpm { resets } = answer else { panic!("{answer:?}") };
    Ok(resets)
}

/// What somebody could do who has broken out of the guest.
fn is_contained(machine: &mut Machine) -> Result<()> {
    let inside = "nsenter -t $(pgrep -o qemu-system) -m -- setpriv --reuid legion --regid legion --init-groups --no-new-privs sh -c";
    for deed in [
        "cat /etc/persona/persona.toml",
        "ls /var/lib/persona",
        "ls /var/lib/legion/cartridges/gondor",
        "cat /var/lib/legion/cartridges/gondor/disk.raw",
        "cat /run/persona/legion.lock",
        "rm /var/lib/legion/slot",
        "touch /etc/mine",
        "touch /var/lib/legion/cartridges/mine",
        "rm -f /run/persona/choice.toml && test ! -e /run/persona/choice.toml",
        "dd if=/dev/vda of=/dev/null count=1",
    ] {
        let tried = machine.try_run(&format!("{inside} '{deed}' 2>&1"))?;
        assert!(tried.status != 0, "legion may `{deed}`: {tried:?}");
    }
    let may = machine.try_run(&format!("{inside} 'head -c 4 /var/lib/legion/slot/disk.qcow2'"))?;
    assert_eq!(may.status, 0, "its own cartridge it may read: {may:?}");
    let threads = machine.run("grep -h -E '^(NoNewPrivs|Seccomp|CapEff):' /proc/$(pgrep -o qemu-system)/status")?;
    assert_eq!(threads.split_whitespace().collect::<Vec<_>>(), ["CapEff:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2"]);
    // The README tells the number.
    let rating = machine.run("systemd-analyze security --no-pager --threshold=20 legion.service | tail -1")?;
    assert!(rating.contains("1.6 OK"), "{rating}");
    Ok(())
}

fn every_end() -> Result<()> {
    let change = |settings: &mut DocumentMut| {
        settings["legion"]["stop"] = "{ again = \"1s\", quit = \"3s\", kill = \"20s\" }".parse::<Item>().unwrap();
        persona(settings, "rivendale")["cpus"] = value("1");
    };
    let mut machine = power_on("ends", change, "mkdir -p /var/log/journal")?;

    starts(&mut machine, "start", "rivendale")?;
    let again = machine.try_ssh("persona start gondor")?;
    assert!(again.status == 1 && again.stderr.contains("legion is on already, as rivendale"), "{again:?}");
    let pinned = "grep -h Cpus_allowed_list /proc/$(pgrep -o qemu-system)/task/*/status | sort | uniq -c";
    let cpu = machine.run("grep -lx 'CPU 0/KVM' /proc/$(pgrep -o qemu-system)/task/*/comm | xargs dirname")?;
    assert_eq!(machine.run(&format!("awk '/Cpus_allowed_list/ {{ print $2 }}' {}/status", cpu.trim()))?.trim(), "1");
    assert!(machine.run(pinned)?.lines().any(|line| line.ends_with("\t0")), "the others leave it alone");
    is_contained(&mut machine)?;

    starts(&mut machine, "switch gondor", "gondor")?;
    machine.wait_for_picture()?;
    assert_eq!(machine.picture(Head::Card)?.at(1, 1), GONDOR, "the same card shows the other persona");
    machine.run(&format!("cp {REPORT_FILE} /run/before"))?;
    tell_guest(&mut machine, "r")?;
    let twice = format!("test $(grep -c started {REPORT_FILE}) = 2");
    machine.wait_until("the guest has restarted", &twice, STEP)?;
    assert!(machine.ssh("persona status")?.contains("legion    running: gondor\n"), "a restart is the guest's own affair");
    machine.wait_until("it reads its keyboard again", &format!("test $(grep -c 'USB Keyboard' {REPORT_FILE}) = 2"), STEP)?;
    machine.press(Keyboard::Legion, "c")?;
    is_over(&mut machine, "failed", "the guest's kernel panicked")?;

    starts(&mut machine, "start mordor", "mordor")?;
    let resets = tpm_resets(&mut machine)?;
    tell_guest(&mut machine, "p")?;
    is_over(&mut machine, "ended", "the guest powered off")?;
    starts(&mut machine, "start mordor", "mordor")?;
    assert_eq!(tpm_resets(&mut machine)?, resets + 1, "the TPM remembers");
    tell_guest(&mut machine, "h")?;
    let told = machine.ssh("persona stop")?;
    let rungs = ["pressing its power button\n", "pressing its power button again\n", "telling QEMU to quit\n"];
    assert!(rungs.iter().all(|rung| told.contains(rung)), "{told}");
    is_over(&mut machine, "ended", "it was stopped by telling QEMU to quit")?;

    starts(&mut machine, "start gondor", "gondor")?;
    let told = machine.ssh("persona stop --force")?;
    assert!(told.ends_with("gondor: ended: it was stopped by telling QEMU to quit\n"), "{told}");
    is_over(&mut machine, "ended", "telling QEMU to quit")?;
    starts(&mut machine, "start gondor", "gondor")?;
    machine.run("pkill -KILL qemu-system")?;
    is_over(&mut machine, "failed", "QEMU died while the guest ran")?;
    starts(&mut machine, "start gondor", "gondor")?;
    machine.run("kill -KILL $(systemctl show -P MainPID legion.service)")?;
    is_over(&mut machine, "failed", "its supervisor was killed")?;

    // The host shuts down under a guest that does not care.
    starts(&mut machine, "start rivendale", "rivendale")?;
    tell_guest(&mut machine, "i")?;
    machine.ssh("systemctl reboot --no-block")?;
    machine.wait_for_reboot()?;
    let story = machine.run("journalctl -b -1 -u legion -o cat")?;
    assert!(story.contains("stopping it by telling QEMU to quit") && story.contains("rivendale: stopping: it was stopped by"), "{story}");
    machine.run("qemu-img check -q /var/lib/legion/cartridges/rivendale/disk.qcow2").map(drop)
}

#[test]
fn every_end_of_a_guest_is_told_and_the_next_one_starts() {
    trial(every_end);
}

/// The cartridge of Rivendale on a file system of its own with hardly any room.
const LITTLE_ROOM: &str = r#"
cartridge=/var/lib/legion/cartridges/rivendale
mv $cartridge /root/rivendale && mkdir $cartridge
mount -t tmpfs -o size=$(($(du -k /root/rivendale/disk.qcow2 | cut -f1) + 1500))k,mode=0700 cartridge $cartridge
cp /root/rivendale/disk.qcow2 $cartridge/"#;

fn disks() -> Result<()> {
    let change = |settings: &mut DocumentMut| {
        for (name, well) in [("gondor", "5m"), ("mordor", "1s")] {
            persona(settings, name)["on_poweroff"] = value("poweroff");
            persona(settings, name)["running_well"] = value(well);
        }
    };
    let mut machine = power_on("disks", change, "")?;
    machine.run(LITTLE_ROOM)?;

    starts(&mut machine, "start", "rivendale")?;
    tell_guest(&mut machine, "w")?;
    let stalls = "persona status | grep 'its disk cannot be written: No space left on device'";
    machine.wait_until("the guest stands still, and status says why", stalls, STEP)?;
    assert_eq!(machine.run(&format!("grep -c written {REPORT_FILE} || :"))?.trim(), "0");
    machine.run("mount -o remount,size=100m /var/lib/legion/cartridges/rivendale")?;
    let written =
        machine.wait_for_report("the guest goes on", STEP, |report| matches!(report, Report::Written { .. } | Report::Trouble { .. }))?;
    assert!(matches!(written, Report::Written { bytes } if bytes > 1 << 20), "{written:?}");
    machine.wait_until("status says so", "! persona status | grep 'cannot be written'", STEP)?;
    tell_guest(&mut machine, "p")?;
    is_over(&mut machine, "ended", "the guest powered off")?;

    // In use by something else, as a loop device and by another QEMU; then too short.
    let disk = "/var/lib/legion/cartridges/gondor/disk.raw";
    let uses = [
        ("losetup /dev/loop7", format!("modprobe loop; losetup /dev/loop7 {disk}"), "losetup -d /dev/loop7".to_owned()),
        (
            "qemu-io",
            format!(
                "systemd-run -q --unit=other qemu-io -f raw -c 'sleep 3600000' {disk}; while ! grep -q $(stat -c %i {disk}) /proc/locks; do :; done"
            ),
            "systemctl stop other".to_owned(),
        ),
    ];
    for (what, begin, end) in uses {
        machine.run(&begin)?;
        let refused = machine.try_ssh("persona start gondor")?;
        assert!(refused.status == 1 && refused.stderr.contains("in use"), "{what}: {refused:?}");
        is_over(&mut machine, "failed", "in use")?;
        machine.run(&end)?;
    }
    machine.run(&format!("cp {disk} /root/whole && truncate -s 1000 {disk}"))?;
    let refused = machine.try_ssh("persona start gondor")?;
    assert!(refused.status == 1 && refused.stderr.contains("disk.raw"), "{refused:?}");
    machine.run(&format!("cp /root/whole {disk}"))?;

    // A guest that gives up early never takes the host along; one that ran well does.
    starts(&mut machine, "start gondor", "gondor")?;
    tell_guest(&mut machine, "p")?;
    is_over(&mut machine, "ended", "the guest powered off")?;
    assert!(machine.run("journalctl -b -t persona -o cat")?.contains("the machine stays on: the guest powered off before"));
    starts(&mut machine, "start mordor", "mordor")?;
    machine.press(Keyboard::Legion, "p")?;
    machine.wait_for_power_off(STEP)?;
    Ok(())
}

#[test]
fn a_disk_that_is_full_in_use_or_cut_off_is_told_and_mended() {
    trial(disks);
}
