//! legion as a domain of libvirt's: the real daemon, with the same cartridge and devices.

use crate::common::{change_settings, persona, text};
use crate::pick;
use crate::profiles::MENU;
use persona::error::Result;
use persona_machine::wire::{CONSOLE_FILE, REPORT_FILE};
use persona_machine::{Artifacts, Head, Keyboard, Machine};
use toml_edit::value;

/// What the packages of the units would have made: accounts, and a daemon that the group libvirt may talk to.
const DAEMON: &str = r#"
groupadd --system libvirt
useradd --system --user-group --groups kvm --no-create-home libvirt-qemu
usermod -aG libvirt legion
printf '%s\n' 'unix_sock_group = "libvirt"' 'unix_sock_rw_perms = "0770"' 'auth_unix_rw = "none"' > /etc/libvirt/libvirtd.conf
virtlogd --daemon
libvirtd --daemon
virsh --quiet --connect qemu:///system list"#;

/// The guest's reports go to files in Persona's folder, where libvirt's QEMU may not make any.
fn make_files(machine: &mut Machine) -> Result<()> {
    let each = |file: &str| format!("rm -f {file}; touch {file}; chmod 666 {file}");
    machine.run(&format!("{}\n{}", each(REPORT_FILE), each(CONSOLE_FILE))).map(drop)
}

fn starts(machine: &mut Machine) -> Result<()> {
    make_files(machine)?;
    machine.ssh("persona start gondor")?;
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), "cartridges/gondor");
    assert_eq!(machine.run("virsh -c qemu:///system domstate legion")?.trim(), "running");
    machine.wait_for_guest_keyboard()
}

fn is_over(machine: &mut Machine, phase: &str, outcome: &str) -> Result<()> {
    machine.wait_for_end(phase)?;
    assert_eq!(text(&machine.status()?, "/legion/outcome"), outcome);
    assert_eq!(machine.run("virsh -c qemu:///system domstate legion")?.trim(), "shut off");
    Ok(())
}

pub(crate) fn domain(artifacts: &Artifacts) -> Result<()> {
    let mut machine = MENU.restore(artifacts, "libvirt")?;
    change_settings(&mut machine, |settings| persona(settings, "gondor")["backend"] = value("libvirt"))?;
    machine.run(DAEMON)?;

    // Without the domain legion stays off.
    let refused = machine.try_ssh("persona start gondor")?;
    assert!(refused.status == 1 && refused.stderr.contains("legion"), "{refused:?}");
    // QEMU makes what is written like this before libvirt's own devices, written in JSON, and so before the bus it hangs on.
    let port = r#"s/virtserialport,bus=serial.0,chardev=report,name=\([a-z.]*\)/{\&quot;driver\&quot;:\&quot;virtserialport\&quot;,\&quot;bus\&quot;:\&quot;virtio-serial0.0\&quot;,\&quot;chardev\&quot;:\&quot;report\&quot;,\&quot;name\&quot;:\&quot;\1\&quot;}/"#;
    let export = format!("persona export libvirt gondor | sed '{port}' > /root/legion.xml");
    machine.ssh(&format!("{export} && virsh -c qemu:///system define --validate /root/legion.xml"))?;

    starts(&mut machine)?;
    machine.wait_for_picture()?;
    assert_eq!(machine.picture(Head::Card)?.at(1, 1), pick::GONDOR);
    let again = machine.try_ssh("virsh -c qemu:///system start legion")?;
    assert!(again.status != 0, "it runs once: {again:?}");
    machine.press(Keyboard::Legion, "p")?;
    is_over(&mut machine, "ended", "guest-poweroff")?;

    starts(&mut machine)?;
    machine.ssh("persona stop")?;
    is_over(&mut machine, "ended", "stopped")?;

    // libvirt's QEMU outlives its supervisor, but not the release of its devices.
    make_files(&mut machine)?;
    machine.ssh("persona start gondor")?;
    machine.run("kill -KILL $(systemctl show -P MainPID legion.service)")?;
    is_over(&mut machine, "failed", "failure")?;

    // The same cartridge by Persona's own hand.
    change_settings(&mut machine, |settings| drop(persona(settings, "gondor").remove("backend")))?;
    machine.run(&format!("rm -f {REPORT_FILE} {CONSOLE_FILE}"))?;
    machine.ssh("persona start gondor")?;
    assert_eq!(machine.run("ps -o user= -C qemu-system-x86,qemu-system-x86_64")?.trim(), "legion");
    Ok(())
}
