//! Every golden command line, taken by the real QEMU: with the processor emulated, and with a plain PCI device in the place of
//! the host's hardware.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::legion::Cartridge;
use persona::legion::cartridge::Firmware;
use persona::legion::qemu::tpm::{self, Tpm};
use persona::sys::paths::Paths;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes as long; who waits longer waits for ever.
const TIMEOUT: Duration = Duration::from_secs(60);
const SLOT: &str = "/var/lib/legion/slot";
/// The size of the variables of the firmware's 4 MiB build.
const NVRAM: u64 = 540_672;

/// A machine below a temporary folder with all that the golden lines name.
struct Bench {
    root: tempfile::TempDir,
    direct: bool,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        for folder in [SLOT, "/run/persona/legion", "/iso", "/roms", "/var/lib/legion/slot/tpm"] {
            fs::create_dir_all(paths.at(folder)).unwrap();
        }
        let slot = paths.at(SLOT);
        for (file, size) in [("disk.raw", 1 << 20), ("nvram.fd", NVRAM)] {
            fs::write(slot.join(file), vec![0; usize::try_from(size).unwrap()]).unwrap();
        }
        let direct = Cartridge::inspect(&paths, Path::new("/var/lib/legion"), "slot").unwrap().disk.direct;
        fs::copy(slot.join("disk.raw"), slot.join("disk")).unwrap();
        let image = slot.join("disk.qcow2");
        assert!(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&image).arg("1M").status().unwrap().success());
        for file in ["/iso/debian.iso", "/iso/Win11, English.iso", "/roms/2070, flashed.rom"] {
            fs::write(paths.at(file), vec![0; 4096]).unwrap();
        }
        Self { root, direct }
    }

    fn paths(&self) -> Paths {
        Paths::new(self.root.path(), None)
    }

    /// The line without what needs KVM, root, hardware or a part of QEMU that is a package of its own.
    fn harmless(&self, line: &str) -> Vec<String> {
        let here = Paths::new("/", None);
        let secure = line.contains("secboot");
        let root = self.root.path().display();
        let mut line = line
            .replace("accel=kvm", "accel=tcg")
            .replace("hugetlb=on,hugetlbsize=2M,prealloc=on", "share=on")
            .replace("tap,id=network,ifname=legion0,script=no,downscript=no,vhost=on", "user,id=network")
            .replace(r#""driver":"host_device""#, r#""driver":"file""#)
            .replace("pa,id=audio,server=unix:/run/pulse/native", "none,id=audio");
        for folder in ["/var/lib/legion", "/run/persona", "/iso", "/roms"] {
            line = line.replace(folder, &format!("{root}{folder}"));
        }
        for code in ["/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd"] {
            if line.contains(code) {
                line = line.replace(code, &Firmware::find(&here, NVRAM, secure).unwrap().code.display().to_string());
            }
        }
        if !self.direct {
            line = line.replace(r#""direct":true"#, r#""direct":false"#).replace(r#""aio":"native""#, r#""aio":"threads""#);
        }
        let mut arguments: Vec<String> = line.lines().map(str::to_owned).collect();
        for argument in &mut arguments {
            if argument == "host" || argument.starts_with("host,") {
                // KVM's; that QEMU knows all of it is a test of its own.
                *argument = "max".to_owned();
            } else if let Some(device) = argument.strip_prefix("vfio-pci,host=") {
                *argument = format!("pci-testdev,{}", device.split_once(',').unwrap().1);
            } else if ["24576M", "16384M"].contains(&argument.as_str()) {
                *argument = "256M".to_owned();
            }
        }
        if line.contains("netdev=network") && !line.contains("-netdev") {
            arguments.extend(["-netdev", "user,id=network"].map(str::to_owned));
        }
        arguments
    }
}

/// A process that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connects to what the process is about to listen on.
fn connect(path: &Path, mut listener: Option<&mut Process>) -> Option<UnixStream> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Ok(stream) = UnixStream::connect(path) {
            stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            return Some(stream);
        }
        if listener.as_mut().is_some_and(|process| process.0.try_wait().unwrap().is_some()) {
            return None;
        }
        assert!(Instant::now() < deadline, "nobody listens on {}", path.display());
        std::thread::yield_now();
    }
}

/// Starts QEMU and stops it again once all devices are there; what it said if it did not start.
fn start(bench: &Bench, arguments: &[String]) -> Result<(), String> {
    let said = bench.root.path().join("said");
    let mut command = Command::new(&arguments[0]);
    command.args(&arguments[1..]).arg("-S").stdin(Stdio::null()).stderr(fs::File::create(&said).unwrap());
    let mut qemu = Process(command.spawn().unwrap());
    let words = || fs::read_to_string(&said).unwrap();
    let mut qmp = BufReader::new(connect(&bench.paths().qmp_socket(), Some(&mut qemu)).ok_or_else(words)?);
    for (command, answer) in [("qmp_capabilities", "return"), ("query-status", "prelaunch"), ("quit", "return")] {
        qmp.get_mut().write_all(persona::legion::qemu::qmp::command(command).as_bytes()).unwrap();
        let mut line = String::new();
        while !line.contains(&format!("\"id\": \"{command}\"")) {
            line.clear();
            // A device that fails to start ends QEMU with its monitor.
            if qmp.read_line(&mut line).unwrap_or(0) == 0 {
                return Err(words());
            }
        }
        assert!(line.contains(answer), "{line}");
    }
    if qemu.0.wait().unwrap().success() { Ok(()) } else { Err(words()) }
}

#[test]
fn qemu_takes_every_golden_line() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/argv");
    let mut files: Vec<_> = fs::read_dir(golden).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort_unstable();
    assert!(files.len() > 10);
    for file in files {
        let bench = Bench::new();
        let line = bench.harmless(&fs::read_to_string(&file).unwrap());
        let with_tpm = line.iter().any(|argument| argument.starts_with("tpm-crb"));
        let tpm = with_tpm.then(|| Tpm::start(&bench.paths(), &tpm::argv(&bench.paths(), Path::new(SLOT)).unwrap()).unwrap());
        if let Err(said) = start(&bench, &line) {
            panic!("{}: {said}\n{}", file.display(), line.join("\n"));
        }
        drop(tpm);
        let state = bench.paths().at(SLOT).join("tpm/tpm2-00.permall");
        assert_eq!(state.exists(), with_tpm, "{}", file.display());
    }
}

#[test]
fn qemu_opens_no_backing_file_that_a_header_names() {
    let bench = Bench::new();
    let image = bench.paths().at(SLOT).join("disk.qcow2");
    fs::remove_file(&image).unwrap();
    // As a guest that has taken over QEMU could write it. QEMU does not start when it looks for that file.
    let create = ["create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "/nowhere/secret"];
    assert!(Command::new("qemu-img").args(create).arg(&image).arg("1M").status().unwrap().success());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/argv/legacy-bios");
    let line = fs::read_to_string(golden).unwrap();
    assert_eq!(start(&bench, &bench.harmless(&line)), Ok(()));
    let said = start(&bench, &bench.harmless(&line.replace(r#""backing":null,"#, ""))).unwrap_err();
    assert!(said.contains("/nowhere/secret"), "{said}");
}

#[test]
fn qemu_knows_what_processors_are_asked_for() {
    let known = Command::new("qemu-system-x86_64").args(["-device", "max-x86_64-cpu,help"]).output().unwrap();
    let known = String::from_utf8(known.stdout).unwrap();
    for name in ["mordor", "windows", "pinned"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/argv").join(name);
        let text = fs::read_to_string(file).unwrap();
        let cpu = text.lines().find_map(|line| line.strip_prefix("host,")).unwrap();
        for (property, _) in cpu.split(',').map(|property| property.split_once('=').unwrap()) {
            assert!(known.lines().any(|line| line.trim_start().starts_with(&format!("{property}="))), "{property} of {name}");
        }
    }
}

/// `TPM2_CreatePrimary` of an ECC key of the owner's, with empty passwords (TPM 2.0 library, part 3): which key it is follows
/// from the TPM's own secret.
const CREATE_PRIMARY: [u8; 63] = [
    0x80, 0x02, 0, 0, 0, 63, 0, 0, 0x01, 0x31, // sessions, size, command
    0x40, 0, 0, 0x01, // the owner
    0, 0, 0, 9, 0x40, 0, 0, 0x09, 0, 0, 0, 0, 0, // a password, empty
    0, 4, 0, 0, 0, 0, // nothing secret given
    0, 22, 0, 0x23, 0, 0x0b, 0, 0x04, 0, 0x72, 0, 0, 0, 0x10, 0, 0x10, 0, 0x03, 0, 0x10, 0, 0, 0, 0, // signs, P-256
    0, 0, 0, 0, 0, 0, // no further information, no PCR
];

/// The public part of the key that the cartridge's TPM makes.
fn primary_key(bench: &Bench) -> Vec<u8> {
    let paths = bench.paths();
    let mut argv = tpm::argv(&paths, Path::new(SLOT)).unwrap();
    let data = bench.root.path().join("data");
    let server = format!("type=unixio,path={}", data.display());
    // Commands come from us, not from QEMU.
    argv.extend(["--server", &server, "--flags", "not-need-init,startup-clear"].map(str::to_owned));
    let _tpm = Tpm::start(&paths, &argv).unwrap();
    let mut tpm = connect(&data, None).unwrap();
    tpm.write_all(&CREATE_PRIMARY).unwrap();
    let mut answer = vec![0; 4096];
    let count = tpm.read(&mut answer).unwrap();
    assert_eq!(answer[6..10], [0; 4], "{:x?}", &answer[..count]);
    let size = usize::from(u16::from_be_bytes([answer[18], answer[19]]));
    fs::remove_file(&data).unwrap();
    answer[20..20 + size].to_vec()
}

#[test]
fn a_cartridges_tpm_is_the_same_at_every_start() {
    let (bench, other) = (Bench::new(), Bench::new());
    let first = primary_key(&bench);
    assert!(first.len() > 64, "{first:x?}");
    assert_eq!(primary_key(&bench), first);
    assert_ne!(primary_key(&other), first);
}
