//! legion as an appliance, run over SSH as its owner would: what its guest may see, its TPM and processors, and what it does when its
//! disk is full.

use crate::common::{change_settings, empty_cartridges, is_over, persona, starts, tell_guest, text};
use crate::profiles::{GONDOR, LATE, MENU};
use persona::error::Result;
use persona_machine::wire::{REPORT_FILE, Report};
use persona_machine::{Artifacts, Keyboard, Machine, STEP};
use toml_edit::value;

fn tpm_resets(machine: &mut Machine) -> Result<u32> {
    tell_guest(machine, "t")?;
    let is_answer = |report: &Report| matches!(report, Report::Tpm { .. } | Report::Trouble { .. });
    let answer = machine.wait_for_report("the TPM answers", STEP, is_answer)?;
    let Report::Tpm { resets } = answer else { panic!("{answer:?}") };
    Ok(resets)
}

/// The TPM's state lies in the cartridge.
pub(crate) fn tpm(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "tpm")?;
    starts(&mut machine, "start mordor", "mordor")?;
    let resets = tpm_resets(&mut machine)?;
    tell_guest(&mut machine, "p")?;
    is_over(&mut machine, "ended", "guest-poweroff")?;
    starts(&mut machine, "start mordor", "mordor")?;
    assert_eq!(tpm_resets(&mut machine)?, resets + 1, "the TPM remembers");
    Ok(())
}

/// legion keeps to the processor that the settings name, and the others leave that one alone.
pub(crate) fn pinned(artifacts: &Artifacts) -> Result<()> {
    let mut machine = LATE.restore(artifacts, "pinned")?;
    machine.run("echo 1 > /sys/devices/system/cpu/cpu1/online")?;
    empty_cartridges(&mut machine)?;
    change_settings(&mut machine, |settings| persona(settings, "rivendale")["cpus"] = value("1"))?;
    machine.ssh("persona start rivendale")?;
    let cpu = machine.run("grep -lx 'CPU 0/KVM' /proc/$(pgrep -o qemu-system)/task/*/comm | xargs dirname")?;
    assert_eq!(machine.run(&format!("awk '/Cpus_allowed_list/ {{ print $2 }}' {}/status", cpu.trim()))?.trim(), "1");
    let pinned = "grep -h Cpus_allowed_list /proc/$(pgrep -o qemu-system)/task/*/status | sort | uniq -c";
    assert!(machine.run(pinned)?.lines().any(|line| line.ends_with("\t0")), "the others leave it alone");
    Ok(())
}

/// What somebody could do who has broken out of the guest.
pub(crate) fn contained(artifacts: &Artifacts) -> Result<()> {
    let mut machine = GONDOR.restore(artifacts, "contained")?;
    let inside = "nsenter -t $(pgrep -o qemu-system) -m -- setpriv --reuid legion --regid legion --init-groups --no-new-privs sh -c";
    for deed in [
        "cat /etc/persona/persona.toml",
        "ls /var/lib/persona",
        "ls /var/lib/legion/cartridges/mordor",
        "cat /var/lib/legion/cartridges/mordor/disk.raw",
        "rm /var/lib/legion/slot",
        "touch /etc/mine",
        "touch /var/lib/legion/cartridges/mine",
        "rm -f /run/persona/choice.toml && test ! -e /run/persona/choice.toml",
        "cat /run/persona/legion.lock",
        "rm -f /run/persona/legion.toml && test ! -e /run/persona/legion.toml",
        "mkfifo /run/persona/switch.toml",
        "touch /run/persona/mine",
        "rmdir /run/persona/legion || mv /run/persona/legion /run/persona/other",
        "dd if=/dev/vda of=/dev/null count=1",
    ] {
        let tried = machine.try_run(&format!("{inside} '{deed}' 2>&1"))?;
        assert!(tried.status != 0, "legion may `{deed}`: {tried:?}");
    }
    let may = machine.try_run(&format!("{inside} 'head -c 4 /var/lib/legion/slot/disk.raw'"))?;
    assert_eq!(may.status, 0, "its own cartridge it may read: {may:?}");
    let threads = machine.run("grep -h -E '^(NoNewPrivs|Seccomp|CapEff):' /proc/$(pgrep -o qemu-system)/status")?;
    assert_eq!(threads.split_whitespace().collect::<Vec<_>>(), ["CapEff:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2"]);
    // The guest's 384 MiB, an eighth of it, and 2 GiB.
    assert_eq!(machine.run("cat /sys/fs/cgroup/system.slice/legion.service/memory.max")?.trim(), (2480_u64 << 20).to_string());
    // In tenths: docs/legion.md tells them, and each systemd counts a little differently.
    for (unit, most) in [("legion", 20), ("persona-menu", 45), ("persona-host", 20), ("persona-reserve", 35)] {
        machine.run(&format!("systemd-analyze security --no-pager --threshold={most} {unit}.service"))?;
    }
    // It may fill its own folder and spoil its report. Commands answer all the same, and the menu comes back.
    machine.run(&format!(
        "{inside} 'cd /run/persona/legion && rm report.toml && mkfifo report.toml; head -c 2M /dev/zero > full; test -p report.toml'"
    ))?;
    assert_eq!(machine.run("stat -f -c '%T %a' /run/persona/legion")?.trim(), "tmpfs 0", "a file system of its own, and full");
    assert_eq!(text(&machine.status()?, "/legion/state"), "starting");
    machine.run("timeout 5 persona list && timeout 5 persona status && touch /run/persona/free && rm /run/persona/free")?;
    machine.try_run("persona stop")?;
    machine.wait_for_end("failed")?;
    assert_eq!(text(&machine.status()?, "/legion/outcome"), "failure");
    Ok(())
}

/// The cartridge of Rivendale on a file system of its own with hardly any room.
const LITTLE_ROOM: &str = r#"
cartridge=/var/lib/legion/cartridges/rivendale
mv $cartridge /root/rivendale && mkdir $cartridge
mount -t tmpfs -o size=$(($(du -k /root/rivendale/disk.qcow2 | cut -f1) + 1500))k,mode=0700 cartridge $cartridge
cp /root/rivendale/disk.qcow2 $cartridge/"#;

pub(crate) fn disks(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "disks")?;
    change_settings(&mut machine, |settings| {
        persona(settings, "rivendale")["on_poweroff"] = value("poweroff");
        persona(settings, "rivendale")["running_well"] = value("1s");
    })?;

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
        ("truncated", format!("truncate -s 1000 {disk}"), String::new()),
    ];
    for (what, begin, end) in uses {
        machine.run(&begin)?;
        let refused = machine.try_ssh("persona start gondor")?;
        assert!(refused.status == 1 && refused.stderr.contains("disk.raw"), "{what}: {refused:?}");
        is_over(&mut machine, "failed", "failure")?;
        machine.run(&end)?;
    }

    // The disk is full while the guest writes: it is paused, and goes on when there is room.
    machine.run(LITTLE_ROOM)?;
    starts(&mut machine, "start rivendale", "rivendale")?;
    tell_guest(&mut machine, "w")?;
    let stalls = "persona status --json | grep '\"why\": .*No space left on device'";
    machine.wait_until("the guest is paused, and status says why", stalls, STEP)?;
    assert_eq!(machine.run(&format!("grep -c written {REPORT_FILE} || :"))?.trim(), "0");
    machine.run("mount -o remount,size=100m /var/lib/legion/cartridges/rivendale")?;
    let written =
        machine.wait_for_report("the guest goes on", STEP, |report| matches!(report, Report::Written { .. } | Report::Trouble { .. }))?;
    assert!(matches!(written, Report::Written { bytes } if bytes > 1 << 20), "{written:?}");
    machine.wait_until("status says so", "! persona status --json | grep 'No space left on device'", STEP)?;

    // It ran well, so its power-off is the host's. (`pick` shows that another guest's is not.)
    machine.press(Keyboard::Legion, "p")?;
    machine.wait_for_power_off(STEP).map(drop)
}
