#![allow(clippy::unwrap_used)]
use super::super::read::Element;
use super::*;
use crate::config::Legion;
use crate::config::Settings;
use crate::config::value::MemorySize;
use crate::config::value::{Audio, Cpus, Network};
use crate::legion::cartridge::DiskKind;
use crate::legion::cartridge::Firmware;
use crate::legion::cartridge::{Cartridge, Disk};
use crate::legion::memory::HugePages;
use crate::legion::qemu::argv;
use crate::legion::topology::{Pinning, Processors, Topology};
use crate::sys::pci::PciAddress;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn shipped(persona: &str) -> Legion {
    let settings = Settings::parse(include_str!("../../../../config/persona.toml"), "persona.toml").unwrap();
    settings.persona(persona).unwrap().legion().unwrap().clone()
}

fn cartridge(name: &str, kind: DiskKind, direct: bool) -> Cartridge {
    Cartridge { name: name.into(), folder: PathBuf::from("/c").join(name), disk: Disk { kind, direct }, nvram: None, install: None }
}

fn addresses(texts: &[&str]) -> Vec<PciAddress> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn ovmf() -> Firmware {
    Firmware { code: "/usr/share/edk2/x64/OVMF_CODE.4m.fd".into(), format: ImageFormat::Raw, secure: false }
}

fn machine<'a>(legion: &'a Legion, cartridge: &'a Cartridge, devices: &'a [PciAddress]) -> VirtualMachine<'a> {
    let topology = Topology { sockets: 1, dies: 1, cores: legion.cpus.count(), threads: 1 };
    let processors = Processors { topology, pinning: Pinning::default(), amd: true, host_caches: false, evmcs: false, notes: Vec::new() };
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

fn golden(name: &str, machine: &VirtualMachine<'_>) {
    crate::sys::golden::golden(&format!("libvirt/{name}.xml"), &domain_xml(&Paths::new("/", None), machine).unwrap());
}

#[test]
fn the_shipped_personas() {
    let devices = addresses(&["0000:0a:00.0", "0000:0a:00.1", "0000:0a:00.2", "0000:0a:00.3", "0000:0c:00.0", "0000:0c:00.3"]);
    let (legion, disk) = (shipped("rivendale"), cartridge("rivendale", DiskKind::Qcow2, true));
    golden("rivendale", &VirtualMachine { firmware: Some(ovmf()), ..machine(&legion, &disk, &devices) });
    let (legion, disk) = (shipped("mordor"), cartridge("mordor", DiskKind::Qcow2, true));
    let firmware = Firmware { code: "/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd".into(), secure: true, ..ovmf() };
    golden("mordor", &VirtualMachine { firmware: Some(firmware), ..machine(&legion, &disk, &devices[..1]) });
}

/// `settings` are the owner's, `change` is the state of the host.
fn feature(name: &str, settings: &str, kind: DiskKind, change: impl for<'a> Fn(VirtualMachine<'a>) -> VirtualMachine<'a>) {
    let settings = format!("[[persona]]\nname = \"{name}\"\nmemory = \"1G\"\n{settings}\n");
    let settings = Settings::parse(&settings, name).unwrap();
    let (cartridge, devices) = (cartridge(name, kind, kind != DiskKind::BlockDevice), addresses(&["0a:00.0", "0a:00.1", "0c:00.3"]));
    let devices = if settings.passthrough.is_empty() { &[] } else { &devices[..] };
    let machine = machine(settings.personas[0].legion().unwrap(), &cartridge, devices);
    golden(name, &change(VirtualMachine { passthrough: &settings.passthrough, ..machine }));
}

#[test]
fn everything_for_linux() {
    let settings = "cpus = \"3-11,15-23\"\nhugepages = true\nnetwork = \"bridge:br0\"\naudio = \"pulse:unix:/run/pulse/native\"\n\
                    domain = \"Tuned_1.a\"\nextra_args = [\"-device\", \"usb-ehci,id='a&b'\"]\n\
                    [[legion.passthrough]]\ndevice = \"0a:00.0\"\nrombar = true\nromfile = \"/roms/2070 <flashed>.rom\"\n\
                    [[legion.passthrough]]\ndevice = \"0c:00.3\"\nrombar = false";
    feature("linux", settings, DiskKind::BlockDevice, |machine| {
        // A Ryzen 3900X without one of its four CCXs.
        let topology = Topology { sockets: 1, dies: 3, cores: 3, threads: 2 };
        let vcpus = (3..12).flat_map(|core| [core, core + 12]).collect();
        let pinning = Pinning { vcpus, rest: vec![0, 1, 2, 12, 13, 14] };
        let processors = Processors { topology, pinning, host_caches: true, ..machine.processors };
        VirtualMachine { firmware: Some(ovmf()), processors, hugepages: Some(HugePages::TwoMebibytes), ..machine }
    });
}

#[test]
fn everything_for_windows() {
    let settings = "cpus = \"1,3\"\nguest = \"windows\"\ndisk = \"nvme\"\ndisplay = \"vnc\"\naudio = \"alsa:plughw:0,3\"\ntpm = true\n\
                    network = \"macvtap:eth0\"";
    feature("windows", settings, DiskKind::Raw, |machine| {
        let firmware = Firmware { code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd".into(), secure: true, ..ovmf() };
        let pinning = Pinning { vcpus: vec![1, 3], rest: vec![0, 2] };
        let processors = Processors { amd: false, evmcs: true, pinning, ..machine.processors };
        VirtualMachine { firmware: Some(firmware), iso: Some(Path::new("/iso/Win11, <English>.iso")), processors, ..machine }
    });
}

fn read(machine: &VirtualMachine<'_>) -> Element {
    Element::read(&domain_xml(&Paths::new("/", None), machine).unwrap()).unwrap()
}

#[test]
fn without_a_network_there_is_no_card() {
    let legion = Legion { network: Network::None, ..shipped("rivendale") };
    let cartridge = cartridge("a", DiskKind::Raw, true);
    let domain = read(&machine(&legion, &cartridge, &[]));
    assert!(domain.child("devices").unwrap().child("interface").is_none());
    assert!(domain.child("os").unwrap().child("loader").is_none());
}

#[test]
fn firmware_that_is_not_raw_says_so() {
    let (legion, cartridge) = (shipped("rivendale"), cartridge("a", DiskKind::Raw, true));
    for (format, word) in [(ImageFormat::Raw, None), (ImageFormat::Qcow2, Some("qcow2"))] {
        let firmware = Some(Firmware { format, ..ovmf() });
        let domain = read(&VirtualMachine { firmware, ..machine(&legion, &cartridge, &[]) });
        assert_eq!(domain.child("os").unwrap().child("loader").unwrap().attribute("format"), word);
    }
}

/// The address of a device: its kind, the bus, the slot and function.
type Seat = [String; 3];

/// Every hostdev and every root port.
fn of_domain(domain: &Element) -> (Vec<Seat>, Vec<Seat>) {
    let number =
        |element: &Element, name: &str| u32::from_str_radix(element.attribute(name).unwrap().trim_start_matches("0x"), 16).unwrap();
    let devices = &domain.child("devices").unwrap().children;
    let hostdevs = devices.iter().filter(|device| device.name == "hostdev").map(|hostdev| {
        let source = hostdev.child("source").unwrap().child("address").unwrap();
        let [domain, bus, slot, function] = ["domain", "bus", "slot", "function"].map(|name| number(source, name));
        let guest = hostdev.child("address").unwrap();
        let multifunction = if guest.attribute("multifunction") == Some("on") { ",multifunction=on" } else { "" };
        [
            format!("{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"),
            format!("port{}", number(guest, "bus")),
            format!("{:#x}.{:#x}{multifunction}", number(guest, "slot"), number(guest, "function")),
        ]
    });
    let ports = devices.iter().filter(|device| device.attribute("model") == Some("pcie-root-port")).map(|port| {
        let place = port.child("address").unwrap();
        let multifunction = if place.attribute("multifunction") == Some("on") { ",multifunction=on" } else { "" };
        [
            format!("port{}", port.attribute("index").unwrap()),
            String::new(),
            format!("{:#x}.{:#x}{multifunction}", number(place, "slot"), number(place, "function")),
        ]
    });
    (hostdevs.collect(), ports.collect())
}

/// The same for a command line.
fn of_line(argv: &[String]) -> (Vec<Seat>, Vec<Seat>) {
    let of = |start: &'static str| argv.iter().filter_map(move |argument| argument.strip_prefix(start));
    let value = |argument: &str, key: &str| {
        let at = argument.find(key).unwrap() + key.len();
        argument[at..].split(',').next().unwrap().to_owned()
    };
    let addr = |argument: &str| argument[argument.find("addr=").unwrap() + 5..].to_owned();
    (
        of("vfio-pci,").map(|device| [value(device, "host="), value(device, "bus="), addr(device)]).collect(),
        of("pcie-root-port,").map(|port| [value(port, "id="), String::new(), addr(port)]).collect(),
    )
}

proptest! {
    #[test]
    fn every_device_is_where_the_command_line_has_it(
        found in proptest::collection::vec((0..2u16, 0..40u8, 0..3u8, 0..8u8), 0..60)
    ) {
        let devices: Vec<_> = found.into_iter().map(|(domain, bus, device, function)| PciAddress { domain, bus, device, function }).collect();
        let (legion, cartridge) = (shipped("rivendale"), cartridge("a", DiskKind::Raw, true));
        let machine = machine(&legion, &cartridge, &devices);
        prop_assert_eq!(of_domain(&read(&machine)), of_line(&argv(&Paths::new("/", None), &machine)));
    }

    #[test]
    fn no_setting_breaks_out_of_its_element(
        slot in "/[^/\\p{Cc}]\\PC{0,20}", root in "/\\PC{0,10}", code in "/\\PC{0,10}", iso in "/\\PC{1,10}",
        rom in "/\\PC{1,10}", sound in "[ -~]{1,12}", pulse: bool, nvme: bool, argument in "\\PC{0,20}|[<>&'\"/ -]{0,10}",
        memory in 64..100_000u64, cpus in 1..300u16, windows: bool, hugepages: bool, direct: bool, kind in 0..3usize,
    ) {
        let kind = [DiskKind::Qcow2, DiskKind::Raw, DiskKind::BlockDevice][kind];
        let cartridge = cartridge("a", kind, direct);
        let legion = Legion {
            slot: slot.clone().into(), hugepages, memory: MemorySize::from_mebibytes(memory), cpus: Cpus::Count(cpus),
            guest: if windows { Guest::Windows } else { Guest::Linux }, extra_args: vec![argument.clone()],
            disk: if nvme { DiskBus::Nvme } else { DiskBus::Virtio },
            audio: if pulse { Audio::Pulse(sound.clone()) } else { Audio::Alsa(sound.clone()) }, ..shipped("rivendale")
        };
        let audio = if pulse { Audio::Pulse("a".into()) } else { Audio::Alsa("a".into()) };
        let plain = Legion { slot: "/slot".into(), extra_args: vec!["x".into()], audio, ..legion.clone() };
        let firmware = Firmware { code: code.clone().into(), ..ovmf() };
        let paths = Paths::new(&root, None);
        let devices = addresses(&["0a:00.0"]);
        let document = |paths: &Paths, legion: &Legion, firmware: &Firmware, iso: &str, rom: &str| {
            let settings = "[[legion.passthrough]]\ndevice = \"0a:00.0\"\nromfile = \"/rom\"\n[[persona]]\nname = \"a\"";
            let mut passthrough = Settings::parse(settings, "").unwrap().passthrough;
            passthrough[0].romfile = Some(rom.into());
            let machine = machine(legion, &cartridge, &devices);
            let machine = VirtualMachine { firmware: Some(firmware.clone()), iso: Some(Path::new(iso)), passthrough: &passthrough, ..machine };
            Element::read(&domain_xml(paths, &machine).unwrap()).unwrap()
        };
        let wild = document(&paths, &legion, &firmware, &iso, &rom);
        let tame = document(&Paths::new("/", None), &plain, &Firmware { code: "/code".into(), ..firmware.clone() }, "/iso", "/rom");
        prop_assert_eq!(shape(&wild), shape(&tame));
        let parts = wild.child("devices").unwrap();
        let disk = parts.child("disk").unwrap().child("source").unwrap();
        let path = paths.at(Path::new(&slot).join(kind.file_name())).to_string_lossy().into_owned();
        prop_assert_eq!(disk.attribute("file").or(disk.attribute("dev")), Some(path.as_str()));
        let cd = parts.children.iter().filter(|part| part.name == "disk").nth(1).unwrap().child("source").unwrap();
        let image = parts.child("hostdev").unwrap().child("rom").unwrap();
        for (element, file) in [(cd, &iso), (image, &rom)] {
            prop_assert_eq!(element.attribute("file").map(str::to_owned), Some(paths.at(file).to_string_lossy().into_owned()));
        }
        let card = parts.child("audio").unwrap();
        let card = if pulse { card.attribute("serverName") } else { card.child("output").unwrap().attribute("dev") };
        prop_assert_eq!(card, Some(sound.as_str()));
        let code = paths.at(&code).to_string_lossy().into_owned();
        prop_assert_eq!(&wild.child("os").unwrap().child("loader").unwrap().text, &code);
        prop_assert_eq!(wild.child("commandline").unwrap().children[0].attribute("value"), Some(argument.as_str()));
    }
}

/// Only the names of the elements.
fn shape(element: &Element) -> String {
    format!("{}({})", element.name, element.children.iter().map(shape).collect::<Vec<_>>().join(","))
}
