//! `persona doctor` on recorded machines: silent about what is well, and each fault told with its mend.
//!
//! `PERSONA_BLESS=1 cargo test --test doctor` writes the golden files `tests/recorded/machines/NAME.doctor` anew.
#![allow(clippy::unwrap_used)]

mod set_up;

use persona_recorded::machines::{MACHINES, SHIPPED, reference};
use persona_recorded::{Function, Recorded, Tree, archive};
use serde_json::Value;
use set_up::{IMAGE, console_on_the_hosts_card, image, set_up};
use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs};

fn doctor(tree: &Tree, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_persona")).arg("--root").arg(tree.root()).arg("doctor").args(arguments).output().unwrap()
}

/// The reference machine, set up and well, and then as `change` makes it.
fn findings(change: impl FnOnce(&Tree)) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::new(folder.path());
    reference(&tree);
    set_up(&tree);
    console_on_the_hosts_card(&tree);
    change(&tree);
    let output = doctor(&tree, &["--json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// What is not good, as `level area subject: what`.
fn faults(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let faults = findings.filter(|finding| finding["level"] != "good");
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    faults.map(|finding| ["level", "area", "subject", "what"].map(|key| word(finding, key)).join(" ")).collect()
}

#[test]
fn a_machine_that_is_set_up_is_well() {
    let (code, report) = findings(|_| {});
    assert_eq!(faults(&report), Vec::<String>::new());
    assert_eq!((code, report["level"].as_str()), (Some(0), Some("good")));
    let areas: Vec<&str> = report["findings"].as_array().unwrap().iter().map(|finding| finding["area"].as_str().unwrap()).collect();
    let mut told = areas.clone();
    told.dedup();
    assert_eq!(told, ["settings", "iommu", "devices", "vfio", "initramfs", "menu", "legion", "cartridges", "units"]);
}

/// A change to a machine that is well brings this one fault, with something in its mend, and the exit code for its level.
fn brings(fault: &str, mend: &str, change: impl FnOnce(&Tree)) {
    let (code, report) = findings(change);
    let told = faults(&report);
    assert!(told.len() == 1 && told[0].starts_with(fault), "not only `{fault}`: {told:#?}");
    assert_eq!(code, Some(if fault.starts_with("broken") { 2 } else { 1 }), "{fault}");
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["level"] != "good").unwrap();
    assert!(finding["mend"].as_str().unwrap().contains(mend), "{finding:#}");
}

#[test]
fn faults_of_the_initramfs() {
    const PATH: &str = "/boot/initramfs-linux.img";
    let edited = SHIPPED.replace("0000:0a:00.0", "0000:0b:00.0");
    let stale = format!("warning initramfs {PATH} the settings in {PATH} are not those in /etc");
    brings(&stale, "mkinitcpio -P", |tree| tree.file(IMAGE, image(tree, &edited)));
    let other = format!("warning initramfs {PATH} {PATH} holds another version of persona");
    brings(&other, "mkinitcpio -P", |tree| tree.file("usr/bin/persona", "newer"));
    let none = format!("warning initramfs {PATH} {PATH} does not hold Persona");
    brings(&none, "mkinitcpio -P", |tree| tree.file(IMAGE, archive(&[("usr/bin/busybox", b"")])));
    let damaged = format!("warning initramfs {PATH} {PATH} cannot be looked into: it ends too early");
    brings(&damaged, "df", |tree| {
        let whole = image(tree, SHIPPED);
        tree.file(IMAGE, &whole[..whole.len() / 2]);
    });
    let absent = format!("warning initramfs {PATH} {PATH}, which a preset names, is not there");
    brings(&absent, "mount", |tree| fs::remove_file(tree.at(IMAGE)).unwrap());
    let late = "warning initramfs /etc/mkinitcpio.conf HOOKS has persona after udev";
    brings(late, "before `udev`", |tree| tree.file("etc/mkinitcpio.conf", "HOOKS=(base udev persona)\n"));
    let gone = "warning initramfs /etc/mkinitcpio.conf MODULES names vfio_virqfd";
    brings(gone, "remove", |tree| tree.file("etc/mkinitcpio.conf", "MODULES=(vfio_virqfd)\nHOOKS=(base persona udev)\n"));
}

#[test]
fn a_default_that_was_started_in_vain() {
    let told = "warning settings default rivendale is passed over: it did not run well in 3 boots in a row; the menu waits for a person";
    brings(told, "persona next rivendale", |tree| {
        tree.file("var/lib/persona/starts.toml", "[[start]]\npersona = \"rivendale\"\nboots = 3\n");
    });
    brings("warning settings starts understanding", "remove", |tree| tree.file("var/lib/persona/starts.toml", "start = 3\n"));
}

#[test]
fn a_default_that_nobody_can_unlock() {
    let pin = "pin = \"$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQ$JKOB01VuKJ2tIB4TSD4Ral+5P1JSjH8P8g2VzptYyms\"";
    let locked = SHIPPED.replace("emblem = \"leaf\"", &format!("emblem = \"leaf\"\n{pin}\n#"));
    brings(
        "warning settings default rivendale has a PIN, so the countdown may not start it: gondor starts instead",
        "unattended",
        |tree| {
            tree.file("etc/persona/persona.toml", &locked);
            tree.file(IMAGE, image(tree, &locked));
        },
    );
}

#[test]
fn settings_that_reserve_the_same_are_not_stale() {
    let (code, report) = findings(|tree| tree.file(IMAGE, image(tree, &SHIPPED.replace("10s", "20s"))));
    assert_eq!((code, faults(&report)), (Some(0), vec![]));
    assert!(report.to_string().contains("settings that reserve the same"));
}

#[test]
fn an_image_that_cannot_show_the_menu_early() {
    brings(
        "warning initramfs /boot/initramfs-linux.img /boot/initramfs-linux.img lacks usbhid: the menu is not seen or heard before",
        "mkinitcpio -P",
        |tree| {
            tree.file("sys/module/usbhid/initstate", "live\n");
        },
    );
}

#[test]
fn faults_of_units_and_memory() {
    brings("warning units ssh no SSH server", "systemctl enable", |tree| {
        fs::remove_file(tree.at("etc/systemd/system/multi-user.target.wants/sshd.service")).unwrap();
    });
    brings("warning units persona-menu.service persona-menu.service is not enabled", "systemctl enable", |tree| {
        fs::remove_file(tree.at("etc/systemd/system/multi-user.target.wants/persona-menu.service")).unwrap();
    });
    brings("broken units user there is no user `legion`", "systemd-sysusers", |tree| tree.file("etc/passwd", "root:x:0:0::/:/bin/sh\n"));
    brings("broken legion LimitMEMLOCK legion may not lock all of its memory", "LimitMEMLOCK=infinity", |tree| {
        tree.file("etc/systemd/system/legion.service.d/override.conf", "[Service]\nLimitMEMLOCK=64M\n");
    });
    brings("broken legion qemu-system-x86_64", "install QEMU", |tree| fs::remove_file(tree.at("usr/bin/qemu-system-x86_64")).unwrap());
    brings("broken legion kvm no KVM", "firmware setup", |tree| {
        fs::remove_file(tree.at("dev/kvm")).unwrap();
        let text = fs::read_to_string(tree.at("proc/cpuinfo")).unwrap();
        tree.file("proc/cpuinfo", text.replace(" svm", ""));
    });
}

#[test]
fn a_persona_that_cannot_start_is_broken_only_if_it_is_the_default() {
    let remove = |name: &str, tree: &Tree| fs::remove_file(tree.at(&format!("var/lib/legion/cartridges/{name}/disk.qcow2"))).unwrap();
    brings("broken cartridges rivendale the cartridge", "put disk.qcow2", |tree| remove("rivendale", tree));
    brings("warning cartridges mordor the cartridge", "put disk.qcow2", |tree| remove("mordor", tree));
    brings("broken cartridges rivendale the disk", "restore it from a copy", |tree| {
        tree.file("var/lib/legion/cartridges/rivendale/disk.qcow2", b"QFI\xfb\0\0\0\x03");
    });
}

#[test]
fn a_device_that_was_not_reserved_is_told_with_the_reason() {
    const CARD: &str = "sys/bus/pci/devices/0000:0a:00.0/driver_override";
    let fault = "warning devices 0000:0a:00.0 NVIDIA GeForce RTX 2070 SUPER VGA controller 0000:0a:00.0 was not reserved in this boot: ";
    let open = |tree: &Tree| tree.file(CARD, "(null)\n");
    brings(&format!("{fault}the initramfs as it is now"), "reboot", open);
    let (_, report) = findings(|tree| {
        open(tree);
        tree.append("proc/cmdline", "persona=off");
    });
    let told = faults(&report);
    assert!(told.iter().any(|told| told.starts_with(&format!("{fault}persona=off is on"))), "{told:#?}");
    let (_, report) = findings(|tree| {
        open(tree);
        tree.file(IMAGE, archive(&[("init", b"")]));
    });
    let told = faults(&report);
    assert!(told.iter().any(|told| told.starts_with(&format!("{fault}no initramfs image holds Persona"))), "{told:#?}");
}

#[test]
fn faults_of_devices() {
    const FOLDER: &str = "sys/bus/pci/devices/0000:0a:00.0";
    brings("broken devices 0000:0a:00.0 NVIDIA GeForce RTX 2070 SUPER VGA controller 0000:0a:00.0 does not answer", "power", |tree| {
        tree.file(&format!("{FOLDER}/config"), [0xff; 64]);
    });
    brings(
        "warning devices 0000:0a:00.0 NVIDIA GeForce RTX 2070 SUPER VGA controller 0000:0a:00.0 is in D3cold",
        "d3cold_allowed",
        |tree| {
            tree.file(&format!("{FOLDER}/power_state"), "D3cold\n");
        },
    );
    // Without a driver the kernel calls the state unknown.
    let (_, report) = findings(|tree| tree.file(&format!("{FOLDER}/power_state"), "unknown\n"));
    assert_eq!(faults(&report), Vec::<String>::new());
    brings("warning vfio /etc/modprobe.d/vfio.conf vfio-pci takes every device", "remove", |tree| {
        tree.file("etc/modprobe.d/vfio.conf", "options vfio-pci ids=10de:1e84\n");
    });
    brings("warning vfio vfio-pci.ids vfio-pci may take the host's AMD Radeon RX 460/560D", "remove", |tree| {
        tree.append("proc/cmdline", "vfio-pci.ids=1002:67ef");
    });
}

#[test]
fn a_card_is_reset_with_its_bus_unless_others_are_on_it() {
    // No function of the card can be reset by itself; the slot's bus can, as long as nothing but legion's is on it.
    let stranger = Function::new("pci0000:00/0000:00:03.2/0000:0a:01.0", "1022:7901", 0x01_0601).group(99).driver("ahci");
    let fault = "warning devices 0000:0a:00.0 NVIDIA GeForce RTX 2070 SUPER VGA controller 0000:0a:00.0, 0000:0a:00.1";
    brings(fault, "vendor-reset", |tree| tree.add(&stranger));
}

#[test]
fn without_settings_the_rest_is_looked_at() {
    let (code, report) = findings(|tree| tree.file("etc/persona/persona.toml", "[menu\n"));
    let told = faults(&report);
    assert_eq!(code, Some(2));
    assert!(told[0].starts_with("broken settings persona.toml") && told[0].contains(":1:"), "{told:#?}");
    let areas = ["iommu", "vfio", "initramfs", "menu", "legion", "units"];
    let is_told = |area: &str| report["findings"].as_array().unwrap().iter().any(|finding| finding["area"] == *area);
    assert!(areas.iter().all(|area| is_told(area)), "{report:#}");
}

#[test]
fn an_empty_root_is_no_reason_to_die() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(&Tree::at_folder(folder.path()), &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().ends_with(" good\n"));
}

#[test]
fn every_recorded_machine_is_told_as_before() {
    for Recorded { name, build } in MACHINES {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new(folder.path());
        build(&tree);
        set_up(&tree);
        let output = doctor(&tree, &[]);
        // Where the tree lies is not part of the machine.
        let told = String::from_utf8(output.stdout).unwrap().replace(&tree.root().display().to_string(), "");
        let told = format!("{told}\nexit code {}\n", output.status.code().unwrap());
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recorded/machines/{name}.doctor"));
        if env::var_os("PERSONA_BLESS").is_some() {
            fs::write(&golden, &told).unwrap();
        }
        assert_eq!(told, fs::read_to_string(&golden).unwrap(), "compare with {}", golden.display());
    }
}
