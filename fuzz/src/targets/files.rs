//! Readers of files: the machine is a folder in memory, and the file in question has the bytes.

use super::{repository, take};
use persona::commands::doctor::checks::initramfs::image::unpacked_part;
use persona::config::Settings;
use persona::legion::cartridge::{Firmware, foreign};
use persona::legion::topology::Processors;
use persona::legion::{Cartridge, rom};
use persona::passthrough::{Details, Machine, Plan, PlanStage};
use persona::state::operation::OperationRecord;
use persona::state::{BoundDevices, Choice, Last, LegionState, MenuState, Override, StartCounts};
use persona::sys::paths::Paths;
use persona::sys::pci::PciAddress;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A machine below a temporary folder.
struct Bench {
    root: TempDir,
    paths: Paths,
}

impl Bench {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a temporary folder");
        let paths = Paths::new(root.path(), None);
        Self { root, paths }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, contents: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it is below the root")).and_then(|()| fs::write(&path, contents)).expect("a file");
    }

    /// The devices of a recorded machine: its drive, network card and graphics card. A snapshot of all would take long.
    fn with_devices() -> Self {
        let bench = Self::new();
        let recorded = repository().join("tests/recorded/machines/reference/sys");
        fs::create_dir_all(bench.path("sys/bus/pci/devices")).expect("a folder");
        for folder in ["class", "dev", "devices", "kernel"] {
            symlink(recorded.join(folder), bench.path("sys").join(folder)).expect("a link");
        }
        for device in ["0000:00:01.1", "0000:01:00.0", "0000:05:00.0", "0000:0a:00.0"] {
            let real = fs::canonicalize(recorded.join("bus/pci/devices").join(device)).expect("the recorded device");
            symlink(real, bench.path("sys/bus/pci/devices").join(device)).expect("a link");
        }
        bench
    }
}

/// One machine for each thread and reader, made once.
macro_rules! bench {
    ($new:expr, $use:expr) => {{
        thread_local! { static BENCH: Bench = $new; }
        BENCH.with($use)
    }};
}

/// Each record of `/run/persona` and `/var/lib/persona`, all of them the same file.
pub(super) fn records(data: &[u8]) {
    const RECORDS: [&str; 8] = [
        "run/persona/choice.toml",
        "run/persona/legion.toml",
        "run/persona/menu.toml",
        "run/persona/bound.toml",
        "run/persona/switch.toml",
        "var/lib/persona/override.toml",
        "var/lib/persona/starts.toml",
        "var/lib/persona/last.toml",
    ];
    fn linked() -> Bench {
        let bench = Bench::new();
        bench.write(RECORDS[0], b"");
        for record in &RECORDS[1..] {
            fs::create_dir_all(bench.path(record).parent().expect("it is below the root")).expect("a folder");
            fs::hard_link(bench.path(RECORDS[0]), bench.path(record)).expect("a second name");
        }
        bench
    }
    bench!(linked(), |bench| {
        bench.write(RECORDS[0], data);
        let paths = &bench.paths;
        // Of each, an error is as good as a record.
        let _ = (Choice::read(paths), MenuState::read(paths), BoundDevices::read(paths), Last::read(paths));
        if let Ok(Some(state)) = LegionState::read(paths) {
            let _ = (state.is_on(), state.is_at_its_disk());
        }
        if let Ok(Some(operation)) = OperationRecord::read(paths) {
            operation.told(Duration::ZERO);
            operation.goes_on(paths);
        }
        if let Ok(Some(next)) = Override::read(paths) {
            next.is_for(Some("this"));
        }
        if let Ok(Some(starts)) = StartCounts::read(paths) {
            starts.skip_reason("gondor");
        }
    });
}

/// Mounts, swap space and both tables of routes, with NUL between them, and what the host needs by them.
pub(super) fn host_use(data: &[u8]) {
    bench!(Bench::with_devices(), |bench| {
        let mut lists = data.splitn(4, |byte| *byte == 0);
        for file in ["proc/self/mountinfo", "proc/swaps", "proc/net/route", "proc/net/ipv6_route"] {
            bench.write(file, lists.next().unwrap_or_default());
        }
        Machine::read(&bench.paths).expect("there is a bus");
    });
}

/// The configuration space of a card, with its regions and the sizes of one in front, as text up to NUL.
pub(super) fn pci_config(data: &[u8]) {
    const CARD: &str = "sys/bus/pci/devices/0000:0a:00.0";
    fn new() -> Bench {
        let bench = Bench::new();
        for (file, text) in [("vendor", "0x10de"), ("device", "0x1e84"), ("class", "0x030000")] {
            bench.write(&format!("{CARD}/{file}"), text.as_bytes());
        }
        bench.write("proc/cmdline", b"pcie_acs_override=downstream");
        bench.write("etc/persona/persona.toml", b"[[legion.passthrough]]\ndevice = \"0a:00.0\"\n[[persona]]\nname = \"a\"\n");
        bench
    }
    bench!(new(), |bench| {
        let mut parts = data.splitn(3, |byte| *byte == 0);
        for file in ["resource", "resource1_resize", "config"] {
            bench.write(&format!("{CARD}/{file}"), parts.next().unwrap_or_default());
        }
        let card: PciAddress = "0000:0a:00.0".parse().expect("an address");
        Details::read(&bench.paths, card);
        let machine = Machine::read(&bench.paths).expect("there is a bus");
        let settings = Settings::load(&bench.paths).expect("they are settings");
        Plan::new(&settings, &machine, PlanStage::Launch);
    });
}

/// The list of devices' names.
pub(super) fn pci_ids(data: &[u8]) {
    bench!(Bench::with_devices(), |bench| {
        thread_local! { static MACHINE: std::cell::OnceCell<Machine> = const { std::cell::OnceCell::new() }; }
        bench.write("usr/share/hwdata/pci.ids", data);
        MACHINE.with(|machine| {
            let mut machine = machine.get_or_init(|| Machine::read(&bench.paths).expect("there is a bus")).clone();
            machine.name_functions(&bench.paths);
            machine.functions.values().for_each(|function| drop(function.words()));
        });
    });
}

/// A cartridge's disk.
pub(super) fn qcow2(data: &[u8]) {
    const SETTINGS: &str = "[legion]\ncartridges = \"/shelf\"\nslot = \"/slot\"\n[[persona]]\nname = \"a\"\n";
    bench!(Bench::new(), |bench| {
        thread_local! { static PARSED: Settings = Settings::parse(SETTINGS, "test").expect("they are settings"); }
        bench.write("shelf/a/disk.qcow2", data);
        PARSED.with(|settings| {
            let legion = settings.personas[0].legion().expect("it starts legion");
            // A refusal is as good.
            let _ = Cartridge::examine(&bench.paths, legion);
        });
    });
}

/// An image to be imported: four bytes add a hole of so many bytes at its end.
pub(super) fn foreign_image(mut data: &[u8]) {
    bench!(Bench::new(), |bench| {
        let [_, high, middle, low] = take(&mut data);
        bench.write("image", data);
        let hole = u64::from(u32::from_be_bytes([0, high, middle, low]));
        let file = fs::File::options().write(true).open(bench.path("image")).expect("it was just written");
        file.set_len(data.len() as u64 + hole).expect("room for a hole");
        // A refusal is as good.
        let path = bench.path("image");
        for others in [foreign::Others::None, foreign::Others::Backing] {
            let _ = std::fs::File::open(&path).map(|file| foreign::examine(&path, &file, others));
        }
    });
}

/// An image of the initramfs, perhaps inside a unified kernel image.
pub(super) fn initramfs(data: &[u8]) {
    bench!(Bench::new(), |bench| {
        bench.write("image", data);
        let mut file = fs::File::open(bench.path("image")).expect("it was just written");
        // A refusal is as good.
        let _ = unpacked_part(&mut file);
    });
}

/// An option ROM.
pub(super) fn option_rom(data: &[u8]) {
    bench!(Bench::new(), |bench| {
        bench.write("rom", data);
        let card: PciAddress = "0000:0a:00.0".parse().expect("an address");
        // A refusal is as good.
        let _ = rom::check(&bench.paths, Path::new("/rom"), card, "10de:1e84".parse().ok());
    });
}

/// A description of UEFI firmware for QEMU.
pub(super) fn firmware(data: &[u8]) {
    bench!(Bench::new(), |bench| {
        bench.write("usr/share/qemu/firmware/50-any.json", data);
        // A refusal is as good.
        let _ = (Firmware::find(&bench.paths, 131_072, false), Firmware::template(&bench.paths, true));
    });
}

/// Lists of processors, with NUL between them: those that are online, those of a core and of a cache, and those to pin to.
pub(super) fn processors(data: &[u8]) {
    const CPU: &str = "sys/devices/system/cpu";
    bench!(Bench::new(), |bench| {
        let mut parts = data.splitn(4, |byte| *byte == 0);
        bench.write(&format!("{CPU}/cpu1/cache/index3/level"), b"3\n");
        for file in ["online", "cpu1/topology/thread_siblings_list", "cpu1/cache/index3/shared_cpu_list"] {
            bench.write(&format!("{CPU}/{file}"), parts.next().unwrap_or_default());
        }
        let wanted = String::from_utf8_lossy(parts.next().unwrap_or_default());
        let pinned = format!("[legion]\ncpus = {}\n[[persona]]\nname = \"a\"\n", toml_text(&wanted));
        let Ok(settings) = Settings::parse(&pinned, "test") else { return };
        let Some(legion) = settings.personas[0].legion() else { return };
        // A refusal is as good.
        let _ = Processors::find(&bench.paths, &legion.cpus);
    });
}

/// As a string of TOML.
fn toml_text(text: &str) -> String {
    let harmless: String = text.chars().filter(|letter| !letter.is_control() && !['"', '\\'].contains(letter)).collect();
    format!("\"{harmless}\"")
}
