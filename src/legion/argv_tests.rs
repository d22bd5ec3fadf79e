#![allow(clippy::unwrap_used)]
use super::*;
use crate::legion::ImageFormat;
use crate::settings::Settings;
use crate::settings::value::{Cpus, MemorySize};
use proptest::prelude::*;
use std::path::PathBuf;

fn shipped(persona: &str) -> Legion {
    let settings = Settings::parse(include_str!("../../config/persona.toml"), "persona.toml").unwrap();
    settings.persona(persona).unwrap().legion().unwrap().clone()
}

fn cartridge(name: &str, kind: DiskKind, direct: bool) -> Cartridge {
    Cartridge { name: name.into(), folder: PathBuf::from("/c").join(name), disk: Disk { kind, direct }, nvram: None, install: None }
}

fn addresses(texts: &[&str]) -> Vec<PciAddress> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn line(legion: &Legion, cartridge: &Cartridge, firmware: Option<&Firmware>, devices: &[PciAddress]) -> Vec<String> {
    argv(&Paths::new("/", None), &Machine { legion, cartridge, firmware, devices })
}

/// The shipped settings' command lines, one argument a line. PERSONA_BLESS=1 writes them anew.
fn golden(persona: &str, firmware: Option<&Firmware>) {
    let devices = addresses(&["0000:0a:00.0", "0000:0a:00.1", "0000:0a:00.2", "0000:0a:00.3", "0000:0c:00.0", "0000:0c:00.3"]);
    let argv = line(&shipped(persona), &cartridge(persona, DiskKind::Qcow2, true), firmware, &devices);
    let text = argv.join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/argv").join(persona);
    if std::env::var_os("PERSONA_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{} differs (PERSONA_BLESS=1 writes it anew); now it is:\n{text}", path.display());
}

#[test]
fn the_shipped_linux_persona() {
    golden("rivendale", Some(&Firmware { code: "/usr/share/edk2/x64/OVMF_CODE.4m.fd".into(), format: ImageFormat::Raw }));
}

#[test]
fn the_shipped_windows_persona() {
    golden("mordor", None);
}

#[test]
fn what_is_asked_for_is_there_and_nothing_else() {
    let mut legion = shipped("rivendale");
    legion.extra_args = vec!["-device".into(), "usb-tablet, with a comma".into()];
    legion.hugepages = true;
    legion.network = Network::None;
    let argv = line(&legion, &cartridge("a", DiskKind::BlockDevice, false), None, &[]);
    let all = argv.join(" ");
    assert!(all.contains("memory-backend-memfd,id=memory,size=24576M,hugetlb=on") && all.contains(",memory-backend=memory"));
    assert!(all.contains("file.driver=host_device,file.filename=/var/lib/legion/slot/disk") && all.contains("file.aio=threads"));
    assert!(!all.contains("netdev") && !all.contains("vfio-pci") && !all.contains("pflash"));
    assert_eq!(argv[argv.len() - 2..], legion.extra_args);
}

#[test]
fn the_supervisor_talks_over_what_it_hands_down() {
    let (legion, cartridge) = (shipped("rivendale"), cartridge("a", DiskKind::Raw, true));
    let machine = Machine { legion: &legion, cartridge: &cartridge, firmware: None, devices: &[] };
    let alone = argv(&Paths::new("/", None), &machine);
    let held = supervised(&alone, 7, true);
    assert_eq!(held[alone.len()..], ["-chardev", "socket,id=supervisor,fd=7", "-mon", "chardev=supervisor,mode=control", "-S"]);
    assert_eq!(supervised(&alone, 7, false), held[..held.len() - 1]);
}

#[test]
fn a_bridge_is_entered_by_the_tap_that_root_made() {
    let mut legion = shipped("rivendale");
    legion.network = Network::Bridge("br0".into());
    let argv = line(&legion, &cartridge("a", DiskKind::Raw, true), None, &[]);
    assert!(argv.contains(&"tap,id=network,ifname=legion0,script=no,downscript=no".to_owned()));
}

#[test]
fn functions_of_a_slot_stay_together_and_begin_at_zero() {
    let devices = addresses(&["0c:00.3", "0a:00.1", "0a:00.0", "0c:00.1", "0d:00.0", "0a:00.1"]);
    let argv = line(&shipped("rivendale"), &cartridge("a", DiskKind::Raw, true), None, &devices);
    let of = |start: &str| argv.iter().filter(|argument| argument.starts_with(start)).cloned().collect::<Vec<_>>();
    assert_eq!(
        of("pcie-root-port"),
        [
            "pcie-root-port,id=port1,chassis=1,slot=1,addr=0x10.0x0,multifunction=on",
            "pcie-root-port,id=port2,chassis=2,slot=2,addr=0x10.0x1",
            "pcie-root-port,id=port3,chassis=3,slot=3,addr=0x10.0x2",
        ]
    );
    assert_eq!(
        of("vfio-pci"),
        [
            "vfio-pci,host=0000:0a:00.0,bus=port1,addr=0x0.0x0,multifunction=on",
            "vfio-pci,host=0000:0a:00.1,bus=port1,addr=0x0.0x1",
            "vfio-pci,host=0000:0c:00.1,bus=port2,addr=0x0.0x0,multifunction=on",
            "vfio-pci,host=0000:0c:00.3,bus=port2,addr=0x0.0x1",
            "vfio-pci,host=0000:0d:00.0,bus=port3,addr=0x0.0x0",
        ]
    );
}

#[test]
fn the_shell_reads_back_what_was_quoted() {
    let argv = ["echo", "plain,a=b", "", "it's", "a b\n$(c) `d` \\", "*"].map(str::to_owned);
    let script = format!("printf '%s\\0' {}", shell_line(&argv[1..]));
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let read: Vec<_> = String::from_utf8(output.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect();
    assert_eq!(read, argv[1..]);
}

/// An option's values as QEMU splits them: a comma ends one, two are one.
fn split(argument: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut letters = argument.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != ',' {
            values.last_mut().unwrap().push(letter);
        } else if letters.next_if_eq(&',').is_some() {
            values.last_mut().unwrap().push(',');
        } else {
            values.push(String::new());
        }
    }
    values
}

proptest! {
    #[test]
    fn no_setting_breaks_out_of_its_argument(
        slot in "/[^/]\\PC{0,20}", root in "/\\PC{0,10}", code in "/\\PC{0,10}",
        memory in 64..100_000u64, cpus in 1..300u16, windows: bool, hugepages: bool, direct: bool, kind in 0..3usize,
    ) {
        let paths = Paths::new(&root, None);
        let harmless = Paths::new("/", None);
        let kind = [DiskKind::Qcow2, DiskKind::Raw, DiskKind::BlockDevice][kind];
        let cartridge = cartridge("a", kind, direct);
        let legion = Legion {
            slot: slot.clone().into(), hugepages, memory: MemorySize::from_mebibytes(memory), cpus: Cpus::Count(cpus),
            guest: if windows { Guest::Windows } else { Guest::Linux }, ..shipped("rivendale")
        };
        let firmware = Firmware { code: code.clone().into(), format: ImageFormat::Raw };
        let plain_firmware = Firmware { code: "/code".into(), format: ImageFormat::Raw };
        let plain = Legion { slot: "/slot".into(), ..legion.clone() };
        let wild = argv(&paths, &Machine { legion: &legion, cartridge: &cartridge, firmware: Some(&firmware), devices: &[] });
        let tame = argv(&harmless, &Machine { legion: &plain, cartridge: &cartridge, firmware: Some(&plain_firmware), devices: &[] });
        prop_assert_eq!(wild.len(), tame.len());
        let key = |value: &String| value.split('=').next().unwrap_or_default().to_owned();
        for (wild, tame) in wild.iter().zip(&tame) {
            let (wild, tame) = (split(wild), split(tame));
            prop_assert_eq!(wild.len(), tame.len());
            for (wild, tame) in wild.iter().zip(&tame) {
                prop_assert_eq!(key(wild), key(tame));
                if wild != tame {
                    prop_assert!(["path=", "file.filename="].iter().any(|path| tame.starts_with(path)), "{} is {}", tame, wild);
                }
            }
        }
        let disk = format!("file.filename={}", paths.at(Path::new(&slot).join(kind.file_name())).display());
        prop_assert!(wild.iter().any(|argument| split(argument).contains(&disk)));
    }
}
