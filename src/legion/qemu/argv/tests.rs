#![allow(clippy::unwrap_used)]
use super::*;
use crate::config::document::quoted;
use crate::config::value::Network;
use crate::config::{Legion, Settings};
use crate::legion::cartridge::{Cartridge, Disk, DiskKind};
use crate::legion::cartridge::{Firmware, ImageFormat};
use crate::legion::memory::HugePages;
use crate::legion::topology::{Pinning, Processors, Topology};
use crate::sys::pci::PciAddress;
use proptest::prelude::*;
use serde_json::Value;
use std::path::PathBuf;

const SHIPPED: &str = include_str!("../../../../config/persona.toml");

fn shipped(persona: &str) -> Legion {
    Settings::parse(SHIPPED, "persona.toml").unwrap().persona(persona).unwrap().legion().unwrap().clone()
}

fn cartridge(name: &str, kind: DiskKind, direct: bool) -> Cartridge {
    Cartridge { name: name.into(), folder: PathBuf::from("/c").join(name), disk: Disk { kind, direct }, nvram: None, install: None }
}

fn addresses(texts: &[&str]) -> Vec<PciAddress> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn firmware(secure: bool) -> Firmware {
    let code = if secure { "/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd" } else { "/usr/share/edk2/x64/OVMF_CODE.4m.fd" };
    Firmware { code: code.into(), format: ImageFormat::Raw, secure }
}

/// A topology with this many cores.
fn cores(cores: usize) -> Processors {
    let topology = Topology { sockets: 1, dies: 1, cores, threads: 1 };
    Processors { topology, pinning: Pinning::default(), amd: true, host_caches: false, evmcs: false, notes: Vec::new() }
}

fn machine<'a>(legion: &'a Legion, cartridge: &'a Cartridge, devices: &'a [PciAddress]) -> VirtualMachine<'a> {
    let processors = cores(legion.cpus.count());
    VirtualMachine {
        legion,
        cartridge,
        devices,
        passthrough: &[],
        iso: None,
        firmware: None,
        processors,
        hugepages: None,
        address_bits: None,
        notes: Vec::new(),
    }
}

fn line(machine: &VirtualMachine<'_>) -> Vec<String> {
    argv(&Paths::new("/", None), machine)
}

/// A command line, one argument per line.
fn golden(name: &str, machine: &VirtualMachine<'_>) {
    crate::sys::golden::golden(&format!("argv/{name}"), &(line(machine).join("\n") + "\n"));
}

#[test]
fn the_shipped_personas() {
    let devices = addresses(&["0000:0a:00.0", "0000:0a:00.1", "0000:0a:00.2", "0000:0a:00.3", "0000:0c:00.0", "0000:0c:00.3"]);
    for (persona, secure) in [("rivendale", false), ("mordor", true)] {
        let (legion, cartridge) = (shipped(persona), cartridge(persona, DiskKind::Qcow2, true));
        golden(persona, &VirtualMachine { firmware: Some(firmware(secure)), ..machine(&legion, &cartridge, &devices) });
    }
}

/// `settings` are the persona's; `change` is the state of the host.
fn feature(name: &str, settings: &str, kind: DiskKind, change: impl for<'a> Fn(VirtualMachine<'a>) -> VirtualMachine<'a>) {
    let text = format!("[legion]\nmemory = \"1G\"\n[[persona]]\nname = \"{name}\"\n{settings}\n");
    let settings = Settings::parse(&text, name).unwrap();
    let legion = settings.persona(name).unwrap().legion().unwrap();
    golden(name, &change(machine(legion, &cartridge(name, kind, true), &[])));
}

#[test]
fn one_feature_each() {
    use DiskKind::{BlockDevice, Qcow2, Raw};
    fn same(machine: VirtualMachine<'_>) -> VirtualMachine<'_> {
        machine
    }
    feature("legacy-bios", "", Qcow2, same);
    feature("nvme", "disk = \"nvme\"", Raw, same);
    feature("block-device", "", BlockDevice, same);
    feature("vnc", "display = \"vnc\"", Qcow2, same);
    feature("alsa", "audio = \"alsa:plughw:0,3\"", Qcow2, same);
    feature("pulse", "audio = \"pulse:unix:/run/pulse/native\"", Qcow2, same);
    feature("bridge", "network = \"bridge:br0\"", Qcow2, same);
    feature("macvtap", "network = \"macvtap:eth0\"", Qcow2, same);
    feature("no-network", "network = \"none\"", Qcow2, same);
    feature("huge-pages", "hugepages = true", Qcow2, |machine| VirtualMachine { hugepages: Some(HugePages::TwoMebibytes), ..machine });
    feature("address-width", "", Qcow2, |machine| VirtualMachine { address_bits: Some(39), ..machine });
    feature("uefi", "", Qcow2, |machine| VirtualMachine { firmware: Some(firmware(false)), ..machine });
    feature("tpm", "tpm = true", Qcow2, same);
    feature("windows", "guest = \"windows\"\ndisk = \"nvme\"\ndisplay = \"vnc\"", Qcow2, |machine| {
        let processors = Processors { amd: false, evmcs: true, ..cores(2) };
        VirtualMachine { firmware: Some(firmware(true)), iso: Some(Path::new("/iso/Win11, English.iso")), processors, ..machine }
    });
    feature("iso", "", Qcow2, |machine| VirtualMachine { iso: Some(Path::new("/iso/debian.iso")), ..machine });
}

#[test]
fn pinned_processors_look_like_the_hosts() {
    // A Ryzen 3900X without one of its four CCXs.
    feature("pinned", "cpus = \"3-11,15-23\"", DiskKind::Qcow2, |machine| {
        let topology = Topology { sockets: 1, dies: 3, cores: 3, threads: 2 };
        VirtualMachine { processors: Processors { topology, host_caches: true, ..cores(1) }, ..machine }
    });
}

#[test]
fn option_roms_belong_to_the_function_that_they_are_named_for() {
    let text = "[[legion.passthrough]]\ndevice = \"0a:00.0\"\nrombar = true\nromfile = \"/roms/2070, flashed.rom\"\n\
                [[legion.passthrough]]\ndevice = \"0c:00.3\"\nrombar = false\n[legion]\nmemory = \"1G\"\n[[persona]]\nname = \"rom\"\n";
    let settings = Settings::parse(text, "").unwrap();
    let legion = settings.personas[0].legion().unwrap();
    let devices = addresses(&["0a:00.0", "0a:00.1", "0c:00.3"]);
    let cartridge = cartridge("rom", DiskKind::Qcow2, true);
    golden("rom", &VirtualMachine { passthrough: &settings.passthrough, ..machine(legion, &cartridge, &devices) });
}

#[test]
fn what_is_asked_for_is_there_and_nothing_else() {
    let legion =
        Legion { network: Network::None, extra_args: vec!["-device".into(), "usb-tablet, with a comma".into()], ..shipped("rivendale") };
    let argv = line(&machine(&legion, &cartridge("a", DiskKind::BlockDevice, false), &[]));
    let all = argv.join(" ");
    assert!(all.contains(r#""driver":"host_device","filename":"/var/lib/legion/slot/disk""#) && all.contains(r#""aio":"threads""#));
    for absent in ["netdev", "vfio-pci", "pflash", "audio", "tpm", "vnc", "VGA", "balloon", "usb-tablet,addr", "memory-backend", "cd"] {
        assert!(!all.contains(absent), "{absent}");
    }
    assert_eq!(argv[argv.len() - 2..], legion.extra_args);
}

#[test]
fn what_is_handed_down_comes_before_the_owners_own() {
    let legion = Legion { extra_args: vec!["-device".into()], ..shipped("rivendale") };
    let argv = line(&machine(&legion, &cartridge("a", DiskKind::Raw, true), &[]));
    let whole = connected(&supervised(&argv, 7, false), 8);
    assert_eq!(
        supervised(&argv, 7, true)[1..6],
        ["-chardev", "socket,id=supervisor,fd=7", "-mon", "chardev=supervisor,mode=control", "-S"]
    );
    let expected =
        ["-netdev", "tap,id=network,fd=8,vhost=on", "-chardev", "socket,id=supervisor,fd=7", "-mon", "chardev=supervisor,mode=control"];
    assert_eq!((whole[0].as_str(), &whole[1..7]), (QEMU, &expected.map(str::to_owned)[..]));
    assert_eq!(whole[7..], argv[1..]);
}

#[test]
fn functions_of_a_slot_stay_together_and_begin_at_zero() {
    let devices = addresses(&["0c:00.3", "0a:00.1", "0a:00.0", "0c:00.1", "0d:00.0", "0a:00.1"]);
    let argv = line(&machine(&shipped("rivendale"), &cartridge("a", DiskKind::Raw, true), &devices));
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

/// An option's values as QEMU splits them: a comma ends one, two stand for a literal comma.
fn split(argument: &str) -> Vec<String> {
    if let Ok(node @ Value::Object(_)) = serde_json::from_str(argument) {
        let mut values = Vec::new();
        flatten("", &node, &mut values);
        return values;
    }
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

/// The values of a block device in JSON, as they would be without it.
fn flatten(key: &str, value: &Value, values: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| flatten(&format!("{key}.{name}"), value, values)),
        Value::String(text) => values.push(format!("{}={text}", key.trim_start_matches('.'))),
        other => values.push(format!("{}={other}", key.trim_start_matches('.'))),
    }
}

#[test]
fn qcow2_image_has_no_backing_file_whatever_its_header_says() {
    let legion = shipped("rivendale");
    let backing = |kind: DiskKind, format: ImageFormat| {
        let cartridge = cartridge("a", kind, true);
        let firmware = Firmware { format, ..firmware(false) };
        let argv = line(&VirtualMachine { firmware: Some(firmware), ..machine(&legion, &cartridge, &[]) });
        let nodes = argv.iter().filter_map(|argument| serde_json::from_str::<Value>(argument).ok()).filter(|node| node["file"].is_object());
        nodes
            .filter(|node| node.get("backing") == Some(&Value::Null))
            .map(|node| node["node-name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(backing(DiskKind::Qcow2, ImageFormat::Raw), ["disk"]);
    assert_eq!(backing(DiskKind::Qcow2, ImageFormat::Qcow2), ["disk", "code"]);
    assert_eq!(backing(DiskKind::Raw, ImageFormat::Raw), [""; 0]);
}

proptest! {
    /// For any accepted settings, the line has the same options and keys as with plain values, and each setting is exactly the value of one
    /// key.
    #[test]
    fn no_setting_breaks_out_of_its_argument(
        slot in "/[^/\\pC]\\PC{0,20}", root in "/\\PC{0,10}", code in "/\\PC{0,10}", iso in "/[ -~]{1,10}", rom in "/\\PC{1,10}",
        audio in "(alsa|pulse):[ -~]{1,12}", network in "(bridge|macvtap):[ -~]{1,6}|user", extra in "\\PC{0,10}",
        windows: bool, nvme: bool, vnc: bool, direct: bool, kind in 0..3usize,
    ) {
        let parse = |slot: &str, rom: &str, audio: &str, network: &str| {
            let (slot, rom, audio, network, extra) = (quoted(slot), quoted(rom), quoted(audio), quoted(network), quoted(&extra));
            let text = format!(
                "[[legion.passthrough]]\ndevice = \"0a:00.0\"\nromfile = {rom}\n[[persona]]\nname = \"a\"\nslot = {slot}\naudio = {audio}\n\
                 network = {network}\nextra_args = [{extra}]\ntpm = true\nguest = \"{}\"\ndisk = \"{}\"\ndisplay = \"{}\"\n",
                if windows { "windows" } else { "linux" }, if nvme { "nvme" } else { "virtio" }, if vnc { "vnc" } else { "none" },
            );
            Settings::parse(&text, "x")
        };
        // A refused value is fine: it never reaches QEMU.
        let network = if parse("/s", "/r", "alsa:a", &network).is_ok() { network } else { "user".to_owned() };
        let audio = if parse("/s", "/r", &audio, "user").is_ok() { audio } else { "alsa:a".to_owned() };
        let wild = parse(&slot, &rom, &audio, &network).unwrap();
        let plain = |text: &str| text.split(':').next().map(|kind| if kind == "user" { kind.to_owned() } else { format!("{kind}:a") }).unwrap();
        let tame = parse("/slot", "/rom", &plain(&audio), &plain(&network)).unwrap();
        let cartridge = cartridge("a", [DiskKind::Qcow2, DiskKind::Raw, DiskKind::BlockDevice][kind], direct);
        let devices = addresses(&["0a:00.0"]);
        let make = |settings: &Settings, root: &str, code: &str, iso: &str| {
            let machine = machine(settings.personas[0].legion().unwrap(), &cartridge, &devices);
            let firmware = Some(Firmware { code: code.into(), ..firmware(windows) });
            argv(&Paths::new(root, None), &VirtualMachine { firmware, iso: Some(Path::new(iso)), passthrough: &settings.passthrough, ..machine })
        };
        let (wild, tame) = (make(&wild, &root, &code, &iso), make(&tame, "/", "/code", "/iso"));
        prop_assert_eq!(wild.len(), tame.len());
        prop_assert_eq!(wild.last(), Some(&extra));
        let key = |value: &String| value.split(['=', ':']).next().unwrap_or_default().to_owned();
        let mut values = Vec::new();
        for (wild, tame) in wild.iter().zip(&tame) {
            let (wild, tame) = (split(wild), split(tame));
            prop_assert_eq!(wild.len(), tame.len());
            for (wild, tame) in wild.iter().zip(&tame).filter(|(wild, tame)| wild != tame) {
                prop_assert_eq!(key(wild), key(tame));
                let takes_any = ["path=", "file.filename=", "unix:", "romfile=", "out.dev=", "in.dev=", "server="];
                prop_assert!(takes_any.iter().any(|start| tame.starts_with(start)), "{} is {}", tame, wild);
                values.push(wild.split_once(['=', ':']).map(|(_, value)| value.to_owned()).unwrap_or_default());
            }
        }
        let paths = Paths::new(&root, None);
        let disk = Path::new(&slot).join(cartridge.disk.kind.file_name());
        for file in [disk, code.into(), iso.into(), rom.into()] {
            let file = paths.at(file).display().to_string();
            let wanted = |argument: &String| split(argument).iter().any(|value| value.split_once('=').is_some_and(|(_, value)| value == file));
            prop_assert!(wild.iter().any(wanted), "{}", file);
        }
        let sound = audio.split_once(':').unwrap().1.to_owned();
        prop_assert!(sound == "a" || values.contains(&sound), "{} in {:?}", sound, values);
    }
}
