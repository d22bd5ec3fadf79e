//! `persona doctor` on recorded machines: silent about what is well, and each fault found by its code.
//!
//! `PERSONA_BLESS=1 cargo test --test host doctor` writes the golden files `tests/recorded/machines/NAME.doctor` anew.
#![allow(clippy::unwrap_used)]

mod set_up;

use persona_recorded::machines::{MACHINES, SHIPPED, reference};
use persona_recorded::{Function, Recorded, Tree, archive};
use serde_json::Value;
use set_up::{IMAGE, console_on_the_hosts_card, image, set_up};
use std::os::unix::fs::PermissionsExt;
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
    report(&tree)
}

/// What doctor finds. Every code is documented.
fn report(tree: &Tree) -> (Option<i32>, Value) {
    let output = doctor(tree, &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for finding in report["findings"].as_array().unwrap() {
        let code = finding["code"].as_str().unwrap();
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{code}");
        assert!(include_str!("../../../docs/json.md").contains(&format!("`{code}`")), "{code} is not in docs/json.md");
    }
    (output.status.code(), report)
}

/// What is not good, as `level area code subject`.
fn faults(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let faults = findings.filter(|finding| finding["level"] != "good");
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    faults.map(|finding| ["level", "area", "code", "subject"].map(|key| word(finding, key)).join(" ")).collect()
}

/// Whether something was found, by its code.
fn found(report: &Value, code: &str) -> bool {
    report["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == *code)
}

#[test]
fn a_machine_that_is_set_up_is_well() {
    let (code, report) = findings(|_| {});
    assert_eq!(faults(&report), Vec::<String>::new());
    assert_eq!((code, report["level"].as_str()), (Some(0), Some("good")));
    let areas: Vec<&str> = report["findings"].as_array().unwrap().iter().map(|finding| finding["area"].as_str().unwrap()).collect();
    let mut told = areas.clone();
    told.dedup();
    assert_eq!(told, ["settings", "iommu", "devices", "vfio", "initramfs", "menu", "legion", "cartridges", "units", "personas"]);
}

/// Only root may read the settings.
fn private(tree: &Tree) {
    fs::set_permissions(tree.at("etc/persona/persona.toml"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// A change to a machine that is well brings this one fault, and the exit code for its level. Its hint names `hint`: the command
/// to run, the file or the setting to change.
fn brings(fault: &str, hint: &str, change: impl FnOnce(&Tree)) {
    let (code, report) = findings(change);
    assert_eq!(faults(&report), [fault]);
    assert_eq!(code, Some(if fault.starts_with("broken") { 2 } else { 1 }), "{fault}");
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["level"] != "good").unwrap();
    assert!(finding["hint"].as_str().unwrap().contains(hint), "{finding:#}");
}

#[test]
fn faults_of_the_initramfs() {
    const PATH: &str = "/boot/initramfs-linux.img";
    let fault = |code: &str| format!("warning initramfs {code} {PATH}");
    let edited = SHIPPED.replace("0000:0a:00.0", "0000:0b:00.0");
    brings(&fault("initramfs-settings-stale"), "mkinitcpio -P", |tree| tree.file(IMAGE, image(tree, &edited)));
    brings(&fault("initramfs-other-version"), "mkinitcpio -P", |tree| tree.file("usr/bin/persona", "newer"));
    let empty = archive(&[("usr/bin/busybox", b"")]);
    brings(&fault("initramfs-without-persona"), "mkinitcpio -P", |tree| tree.file(IMAGE, empty));
    brings(&fault("initramfs-image-damaged"), "df", |tree| {
        let whole = image(tree, SHIPPED);
        tree.file(IMAGE, &whole[..whole.len() / 2]);
    });
    brings(&fault("initramfs-image-absent"), "mkinitcpio -P", |tree| fs::remove_file(tree.at(IMAGE)).unwrap());
    let late = "warning initramfs mkinitcpio-hook-after-udev /etc/mkinitcpio.conf";
    brings(late, "`udev`", |tree| tree.file("etc/mkinitcpio.conf", "HOOKS=(base udev persona)\n"));
    let gone = "warning initramfs mkinitcpio-module-gone /etc/mkinitcpio.conf";
    brings(gone, "vfio_virqfd", |tree| tree.file("etc/mkinitcpio.conf", "MODULES=(vfio_virqfd)\nHOOKS=(base persona udev)\n"));
}

#[test]
fn a_default_that_was_started_without_success() {
    brings("warning settings persona-skipped default", "persona next rivendale", |tree| {
        tree.file("var/lib/persona/starts.toml", "[[start]]\npersona = \"rivendale\"\nboots = 3\n");
    });
    brings("warning settings starts-unreadable starts", "starts.toml", |tree| tree.file("var/lib/persona/starts.toml", "start = 3\n"));
}

#[test]
fn a_default_that_nobody_can_unlock() {
    let pin = "pin = \"$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQ$JKOB01VuKJ2tIB4TSD4Ral+5P1JSjH8P8g2VzptYyms\"";
    let locked = SHIPPED.replace("emblem = \"leaf\"", &format!("emblem = \"leaf\"\n{pin}\n#"));
    brings("warning settings default-locked default", "unattended", |tree| {
        tree.file("etc/persona/persona.toml", &locked);
        private(tree);
        tree.file(IMAGE, image(tree, &locked));
    });
}

#[test]
fn title_in_letters_that_no_font_has_is_told() {
    let kanji = SHIPPED.replace("title = \"Gondor\"", "title = \"漢字\"");
    brings("warning settings letters-missing gondor", "menu.font", |tree| {
        tree.file("etc/persona/persona.toml", &kanji);
        tree.file(IMAGE, image(tree, &kanji));
    });
    let font = SHIPPED.replace("[menu]", "[menu]\nfont = \"/usr/share/fonts/none.ttf\"");
    brings("warning settings font-unusable font", "TrueType", |tree| {
        tree.file("etc/persona/persona.toml", &font);
        tree.file(IMAGE, image(tree, &font));
    });
}

#[test]
fn settings_that_reserve_the_same_are_not_stale() {
    let (code, report) = findings(|tree| tree.file(IMAGE, image(tree, &SHIPPED.replace("10s", "20s"))));
    assert_eq!((code, faults(&report)), (Some(0), vec![]));
    assert!(found(&report, "initramfs-reserves-the-same") && !found(&report, "initramfs-current"), "{report:#}");
}

#[test]
fn an_image_that_cannot_show_the_menu_early() {
    brings("warning initramfs initramfs-lacks-modules /boot/initramfs-linux.img", "mkinitcpio -P", |tree| {
        tree.file("sys/module/usbhid/initstate", "live\n");
    });
}

#[test]
fn faults_of_units_and_memory() {
    brings("warning units ssh-not-enabled ssh", "systemctl enable", |tree| {
        fs::remove_file(tree.at("etc/systemd/system/multi-user.target.wants/sshd.service")).unwrap();
    });
    brings("warning units unit-not-enabled persona-menu.service", "systemctl enable", |tree| {
        fs::remove_file(tree.at("etc/systemd/system/multi-user.target.wants/persona-menu.service")).unwrap();
    });
    brings("broken units user-missing user", "systemd-sysusers", |tree| tree.file("etc/passwd", "root:x:0:0::/:/bin/sh\n"));
    brings("broken legion locked-memory-limited LimitMEMLOCK", "LimitMEMLOCK=infinity", |tree| {
        tree.file("etc/systemd/system/legion.service.d/override.conf", "[Service]\nLimitMEMLOCK=64M\n");
    });
    brings("broken legion qemu-missing qemu-system-x86_64", "qemu-system-x86", |tree| {
        fs::remove_file(tree.at("usr/bin/qemu-system-x86_64")).unwrap();
    });
    brings("broken legion kvm-missing kvm", "SVM", |tree| {
        fs::remove_file(tree.at("dev/kvm")).unwrap();
        let text = fs::read_to_string(tree.at("proc/cpuinfo")).unwrap();
        tree.file("proc/cpuinfo", text.replace(" svm", ""));
    });
}

#[test]
fn a_persona_that_cannot_start_is_broken_only_if_it_is_the_default() {
    let remove = |name: &str, tree: &Tree| fs::remove_file(tree.at(&format!("var/lib/legion/cartridges/{name}/disk.qcow2"))).unwrap();
    brings("broken cartridges cartridge-without-disk rivendale", "disk.qcow2", |tree| remove("rivendale", tree));
    brings("warning cartridges cartridge-without-disk mordor", "disk.qcow2", |tree| remove("mordor", tree));
    brings("broken cartridges image-damaged rivendale", "copy", |tree| {
        tree.file("var/lib/legion/cartridges/rivendale/disk.qcow2", b"QFI\xfb\0\0\0\x03");
    });
}

#[test]
fn a_device_that_was_not_reserved_is_told_with_the_reason() {
    const CARD: &str = "sys/bus/pci/devices/0000:0a:00.0/driver_override";
    let open = |tree: &Tree| tree.file(CARD, "(null)\n");
    brings("warning devices not-reserved-until-reboot 0000:0a:00.0", "reboot", open);
    let (_, report) = findings(|tree| {
        open(tree);
        tree.append("proc/cmdline", "persona=off");
    });
    assert_eq!(faults(&report), ["warning settings persona-off persona=off", "warning devices not-reserved-persona-off 0000:0a:00.0"]);
    let (_, report) = findings(|tree| {
        open(tree);
        tree.file(IMAGE, archive(&[("init", b"")]));
    });
    let without = "warning initramfs initramfs-without-persona /boot/initramfs-linux.img";
    assert_eq!(faults(&report), ["warning devices not-reserved-initramfs-missing 0000:0a:00.0", without]);
}

#[test]
fn faults_of_devices() {
    const FOLDER: &str = "sys/bus/pci/devices/0000:0a:00.0";
    brings("broken devices device-not-answering 0000:0a:00.0", "power", |tree| {
        tree.file(&format!("{FOLDER}/config"), [0xff; 64]);
    });
    brings("warning devices device-in-deep-sleep 0000:0a:00.0", "d3cold_allowed", |tree| {
        tree.file(&format!("{FOLDER}/power_state"), "D3cold\n");
    });
    // Without a driver the kernel calls the state unknown.
    let (_, report) = findings(|tree| tree.file(&format!("{FOLDER}/power_state"), "unknown\n"));
    assert_eq!(faults(&report), Vec::<String>::new());
    brings("warning vfio vfio-ids-set /etc/modprobe.d/vfio.conf", "/etc/modprobe.d/vfio.conf", |tree| {
        tree.file("etc/modprobe.d/vfio.conf", "options vfio-pci ids=10de:1e84\n");
    });
    brings("warning vfio vfio-ids-may-take-host-device vfio-pci.ids", "command line", |tree| {
        tree.append("proc/cmdline", "vfio-pci.ids=1002:67ef");
    });
}

#[test]
fn traces_of_other_tools() {
    brings("warning vfio driverctl-undoes-reservation 0000:0a:00.0", "driverctl unset-override", |tree| {
        tree.file("etc/driverctl.d/0000:0a:00.0", "nvidia\n");
        tree.file("etc/driverctl.d/0000:0a:00.1", "vfio-pci\n");
        tree.file("etc/driverctl.d/0000:09:00.0", "amdgpu\n");
        tree.file("etc/driverctl.d/README", "vfio-pci\n");
    });
    brings("warning vfio driverctl-takes-host-device 0000:09:00.0", "driverctl unset-override", |tree| {
        tree.file("etc/driverctl.d/pci-0000:09:00.0", "vfio-pci\n");
    });
    brings("warning vfio vfio-install-line /etc/modprobe.d/vfio.conf", "/etc/modprobe.d/vfio.conf", |tree| {
        tree.file("etc/modprobe.d/vfio.conf", "install vfio-pci /usr/local/bin/vfio-pci-override.sh\n");
    });
    brings("warning vfio vfio-parameter-unknown vfio-pci-ids", "boot loader", |tree| {
        tree.append("proc/cmdline", "vfio-pci-ids=8086:9a49");
    });
    let (_, report) = findings(|tree| {
        tree.file("sys/module/vendor_reset/initstate", "live\n");
        tree.file("sys/bus/pci/devices/0000:0a:00.0/vendor", "0x1002\n");
        tree.file("sys/bus/pci/devices/0000:0a:00.0/reset_method", "bus\n");
        tree.file("etc/persona/persona.toml", SHIPPED.replace("id = \"10de:1e84\"", "id = \"1002:1e84\""));
    });
    assert!(found(&report, "vendor-reset-not-used"), "{report:#}");
}

#[test]
fn host_that_goes_to_sleep_is_told() {
    let idle = |action: &str| format!("[Login]\n#IdleAction=ignore\nIdleAction={action}\n");
    brings("warning units host-sleeps-when-idle IdleAction", "IdleAction=ignore", |tree| {
        tree.file("etc/systemd/logind.conf", idle("ignore"));
        tree.file("usr/lib/systemd/logind.conf.d/50-idle.conf", idle("suspend"));
    });
    for well in ["ignore", "lock"] {
        let (_, report) = findings(|tree| tree.file("etc/systemd/logind.conf", idle(well)));
        assert_eq!(faults(&report), Vec::<String>::new(), "{well}");
    }
    let (_, report) = findings(|tree| {
        tree.file("etc/systemd/logind.conf", idle("suspend"));
        std::os::unix::fs::symlink("/dev/null", tree.at("etc/systemd/system/sleep.target")).unwrap();
    });
    assert_eq!(faults(&report), Vec::<String>::new());
}

#[test]
fn hashes_of_pins_that_others_can_read_are_told() {
    let pin = "pin = \"$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQ$JKOB01VuKJ2tIB4TSD4Ral+5P1JSjH8P8g2VzptYyms\"";
    let locked = SHIPPED.replace("title = \"Gondor\"", &format!("title = \"Gondor\"\n{pin}"));
    let put = |tree: &Tree| {
        tree.file("etc/persona/persona.toml", &locked);
        tree.file(IMAGE, image(tree, &locked));
    };
    brings("warning settings pin-hashes-readable persona.toml", "chmod 600", put);
    brings("warning settings pin-hashes-readable persona.toml~", "rm ", |tree| {
        put(tree);
        private(tree);
        tree.file("etc/persona/persona.toml~", &locked);
        tree.file("etc/persona/persona.toml.pacnew", SHIPPED);
    });
    let (_, report) = findings(|tree| {
        put(tree);
        private(tree);
    });
    assert_eq!(faults(&report), Vec::<String>::new());
}

#[test]
fn a_card_is_reset_with_its_bus_unless_others_are_on_it() {
    // No function of the card can be reset by itself; the slot's bus can, as long as nothing but legion's is on it.
    let stranger = Function::new("pci0000:00/0000:00:03.2/0000:0a:01.0", "1022:7901", 0x01_0601).group(99).driver("ahci");
    brings("warning devices device-not-resettable 0000:0a:00.0", "vendor-reset", |tree| tree.add(&stranger));
}

#[test]
fn without_settings_the_rest_is_looked_at() {
    let (code, report) = findings(|tree| tree.file("etc/persona/persona.toml", "[menu\n"));
    assert_eq!((code, faults(&report)[0].as_str()), (Some(2), "broken settings settings-invalid persona.toml"));
    let what = report["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("persona.toml:1:"), "the file and the line: {what}");
    let areas = ["iommu", "vfio", "initramfs", "menu", "legion", "units"];
    let is_told = |area: &str| report["findings"].as_array().unwrap().iter().any(|finding| finding["area"] == *area);
    assert!(areas.iter().all(|area| is_told(area)), "{report:#}");
}

#[test]
fn an_empty_root_is_no_reason_to_die() {
    let folder = tempfile::tempdir().unwrap();
    let (code, report) = report(&Tree::at_folder(folder.path()));
    assert_eq!((code, report["level"].as_str()), (Some(2), Some("broken")), "{report:#}");
}

#[test]
fn every_recorded_machine_is_judged_as_before() {
    for Recorded { name, build } in MACHINES {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new(folder.path());
        build(&tree);
        set_up(&tree);
        let (exit_code, report) = report(&tree);
        let line = |finding: &Value| ["level", "area", "code", "subject"].map(|key| finding[key].as_str().unwrap().to_owned()).join(" ");
        let findings: Vec<String> = report["findings"].as_array().unwrap().iter().map(line).collect();
        let told = format!("{}\nexit code {}\n", findings.join("\n"), exit_code.unwrap());
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recorded/machines/{name}.doctor"));
        if env::var_os("PERSONA_BLESS").is_some() {
            fs::write(&golden, &told).unwrap();
        }
        assert_eq!(told, fs::read_to_string(&golden).unwrap(), "compare with {}", golden.display());
    }
}
