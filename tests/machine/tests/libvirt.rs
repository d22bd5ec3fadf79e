//! legion as a domain of libvirt's: the real daemon, with the same cartridge and devices.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::error::Result;
use persona_machine::wire::{CONSOLE_FILE, REPORT_FILE, Report};
use persona_machine::{Artifacts, Hardware, Head, Keyboard, Log, Machine, STEP, Scenario, trial};
use toml_edit::{DocumentMut, value};

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
    let told = machine.ssh("persona start gondor")?;
    assert!(told.ends_with("gondor: running\n"), "{told}");
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), "cartridges/gondor");
    assert_eq!(machine.run("virsh -c qemu:///system domstate legion")?.trim(), "running");
    machine.wait_for_guest_keyboard()
}

fn is_over(machine: &mut Machine, phase: &str, why: &str) -> Result<()> {
    let status = machine.wait_for_end(phase)?;
    assert!(status.contains(why), "{status}");
    assert_eq!(machine.run("virsh -c qemu:///system domstate legion")?.trim(), "shut off");
    Ok(())
}

fn domain() -> Result<()> {
    let artifacts = Artifacts::build_with_rivals(&Log::new("image"))?;
    let mut settings: DocumentMut = artifacts.settings.parse().unwrap();
    settings["menu"]["timeout"] = value("never");
    let gondor = settings["persona"].as_array_of_tables_mut().unwrap().get_mut(1).unwrap();
    assert_eq!(gondor["name"].as_str(), Some("gondor"));
    gondor["backend"] = value("libvirt");
    let scenario = Scenario::new("libvirt").settings(&settings.to_string());
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;
    machine.wait_for_menu()?;
    machine.wait_for_ssh()?;
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
    assert_eq!(machine.picture(Head::Card)?.at(1, 1), persona::settings::value::Color::rgb(0x6b, 0xa4, 0xe8));
    let again = machine.try_ssh("virsh -c qemu:///system start legion")?;
    assert!(again.status != 0, "it runs once: {again:?}");
    machine.press(Keyboard::Legion, "p")?;
    is_over(&mut machine, "ended", "the guest powered off")?;

    starts(&mut machine)?;
    let told = machine.ssh("persona stop")?;
    assert!(told.contains("pressing its power button"), "{told}");
    is_over(&mut machine, "ended", "it was stopped by pressing its power button")?;

    // libvirt's QEMU outlives its supervisor, but not the release of its devices.
    starts(&mut machine)?;
    machine.run("kill -KILL $(systemctl show -P MainPID legion.service)")?;
    is_over(&mut machine, "failed", "its supervisor was killed")?;

    // The same cartridge by Persona's own hand.
    machine.run("sed -i '/^backend = \"libvirt\"/d' /etc/persona/persona.toml; grep -c backend /etc/persona/persona.toml")?;
    machine.run(&format!("rm -f {REPORT_FILE} {CONSOLE_FILE}"))?;
    machine.ssh("persona start gondor")?;
    machine.wait_for_report(
        "the guest runs",
        STEP,
        |report| matches!(report, Report::Started { cartridge, .. } if cartridge == "gondor"),
    )?;
    assert_eq!(machine.run("ps -o user= -C qemu-system-x86_64")?.trim(), "legion");
    Ok(())
}

#[test]
fn a_domain_of_libvirt_is_chosen_watched_and_stopped_like_plain_qemu() {
    trial(domain);
}
