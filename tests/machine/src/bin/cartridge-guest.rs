//! The init of a test cartridge: loads its drivers, draws its persona's name on the passed-through card, reports what
//! hardware it sees and which keys are pressed, and does what a guest may do when its letter is pressed: `p` (or the power button)
//! powers off, `r` restarts, `c` crashes the kernel, `h` hangs, `i` ignores the power button from then on, `t` asks the TPM,
//! `w` writes to the disk.

use evdev::{Device, EventSummary, KeyCode};
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::reboot::{RebootMode, reboot};
use persona::display::Screen;
use persona_machine::wire::{IDENTITY_FILE, Identity, REPORT_PORT, Report};
use persona_paint::{Rect, splash};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the report port may take to appear.
const PORT: Duration = Duration::from_secs(10);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() {
    let because = match run() {
        Ok(because) => because,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cartridge: {error}");
            format!("trouble: {error}")
        }
    };
    let _ = writeln!(std::io::stderr(), "cartridge: powering off, because of {because}");
    nix::unistd::sync();
    let _ = reboot(RebootMode::RB_POWER_OFF);
}

/// The TPM's command ReadClock (TPM 2.0 Library, part 3, 29.1): tag, length, code.
const READ_CLOCK: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x81];
/// Where `w` writes on the disk, behind all that is on it, and how much. In bytes.
const WRITTEN: std::ops::Range<u64> = 56 << 20..62 << 20;

/// Everything; returns what asked for the end.
fn run() -> Result<String> {
    for (kind, at) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        mount(Some(kind), at, Some(kind), MsFlags::empty(), None::<&str>)?;
    }
    let identity: Identity = serde_json::from_slice(&fs::read(IDENTITY_FILE)?)?;
    let troubles = load_drivers()?;
    let mut reporter = Reporter::open();
    let uptime = fs::read_to_string("/proc/uptime")?.split(' ').next().unwrap_or_default().to_owned();
    reporter.send(&Report::Started { cartridge: identity.name.clone(), uptime });
    for message in troubles {
        reporter.send(&Report::Trouble { message });
    }
    std::thread::spawn(answer_for_the_agent);
    report_hardware(&mut reporter)?;
    let _screens = draw(&identity, &mut reporter);
    let because = follow_keys(&mut reporter)?;
    reporter.send(&Report::PoweringOff { because: because.clone() });
    Ok(because)
}

/// Loads every driver of the image in the order of its names; returns what failed.
fn load_drivers() -> Result<Vec<String>> {
    let mut files: Vec<PathBuf> = fs::read_dir("/drivers")?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    let load = |file: &PathBuf| -> Result<()> { Ok(finit_module(File::open(file)?, c"", ModuleInitFlags::empty())?) };
    Ok(files.iter().filter_map(|file| load(file).err().map(|error| format!("loading {}: {error}", file.display()))).collect())
}

/// Writes reports to the host, if it listens.
struct Reporter(Option<File>);

impl Reporter {
    /// The port is there a little after its driver, and not at all where legion has none.
    fn open() -> Self {
        Self(open_port(REPORT_PORT, OpenOptions::new().write(true)))
    }

    fn send(&mut self, report: &Report) {
        let Ok(mut line) = serde_json::to_string(report) else { return };
        line.push('\n');
        if let Some(port) = &mut self.0
            && let Err(error) = port.write_all(line.as_bytes())
        {
            let _ = writeln!(std::io::stderr(), "cartridge: reporting: {error}");
        }
    }
}

fn open_port(name: &str, options: &OpenOptions) -> Option<File> {
    let deadline = Instant::now() + PORT;
    loop {
        let ports = fs::read_dir("/sys/class/virtio-ports").into_iter().flatten().flatten();
        let named = |folder: &Path| fs::read_to_string(folder.join("name")).is_ok_and(|found| found.trim() == name);
        let port = ports.filter(|entry| named(&entry.path())).map(|entry| Path::new("/dev").join(entry.file_name())).next();
        match port.and_then(|port| options.open(port).ok()) {
            Some(port) => return Some(port),
            None if Instant::now() >= deadline => return None,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Does the one thing of QEMU's guest agent that says it is there: `guest-sync` (QEMU's `docs/interop/qemu-ga-ref`).
fn answer_for_the_agent() {
    let Some(mut port) = open_port("org.qemu.guest_agent.0", OpenOptions::new().read(true).write(true)) else { return };
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match std::io::Read::read(&mut port, &mut byte) {
            Ok(1) if byte[0] == b'\n' => {
                let id = serde_json::from_slice::<serde_json::Value>(&line).map(|question| question["arguments"]["id"].clone());
                line.clear();
                if let Ok(id) = id
                    && let Err(error) = port.write_all(format!("{}\n", serde_json::json!({ "return": id })).as_bytes())
                {
                    let _ = writeln!(std::io::stderr(), "cartridge: answering for the agent: {error}");
                }
            }
            // No JSON: forget what came before.
            Ok(1) if byte[0] == 0xff => line.clear(),
            Ok(1) => line.push(byte[0]),
            // Nobody is at the other end.
            Ok(_) => std::thread::sleep(Duration::from_millis(20)),
            Err(_) => return,
        }
    }
}

fn report_hardware(reporter: &mut Reporter) -> Result<()> {
    let mut functions: Vec<PathBuf> = fs::read_dir("/sys/bus/pci/devices")?.flatten().map(|entry| entry.path()).collect();
    functions.sort();
    for function in functions {
        let read = |name: &str| fs::read_to_string(function.join(name)).unwrap_or_default().trim().trim_start_matches("0x").to_owned();
        let address = function.file_name().unwrap_or_default().to_string_lossy().into_owned();
        reporter.send(&Report::Pci { address, id: format!("{}:{}", read("vendor"), read("device")), class: read("class") });
    }
    Ok(())
}

/// Draws on every output of every card. The screens must be kept: what they show goes with them.
fn draw(identity: &Identity, reporter: &mut Reporter) -> Vec<Screen> {
    let mut screens = Vec::new();
    let nodes = fs::read_dir("/dev/dri").into_iter().flatten().flatten().map(|entry| entry.path());
    for node in nodes.filter(|node| node.file_name().is_some_and(|name| name.to_string_lossy().starts_with("card"))) {
        match draw_on(&node, identity, reporter) {
            Ok(screen) => screens.push(screen),
            Err(error) => reporter.send(&Report::Trouble { message: format!("drawing on {}: {error}", node.display()) }),
        }
    }
    if screens.is_empty() {
        reporter.send(&Report::Trouble { message: "no card to draw on".to_owned() });
    }
    screens
}

fn draw_on(node: &Path, identity: &Identity, reporter: &mut Reporter) -> Result<Screen> {
    let accent = identity.accent.parse()?;
    let mut screen = Screen::open(node, None)?;
    let outputs: Vec<_> = screen.outputs().iter().map(|output| (output.id(), output.name().to_owned(), output.size())).collect();
    for (id, output, (width, height)) in outputs {
        let pixels = splash(width, height, &identity.title, &identity.tagline, accent);
        screen.present(id, &pixels, &[Rect { x: 0, y: 0, width, height }], Duration::ZERO)?;
        reporter.send(&Report::Drawn { output, width, height });
    }
    Ok(screen)
}

/// Reports keys of every input device, also of those that come later, until one asks for the end.
fn follow_keys(reporter: &mut Reporter) -> Result<String> {
    let arrivals = Inotify::init(InitFlags::IN_NONBLOCK)?;
    fs::create_dir_all("/dev/input")?;
    arrivals.add_watch("/dev/input", AddWatchFlags::IN_CREATE)?;
    let mut devices = BTreeMap::new();
    let mut ignores_the_button = false;
    loop {
        open_new(&mut devices, reporter);
        let mut watched = vec![PollFd::new(arrivals.as_fd(), PollFlags::POLLIN)];
        watched.extend(devices.values().map(|device: &Device| PollFd::new(device.as_fd(), PollFlags::POLLIN)));
        poll(&mut watched, PollTimeout::NONE)?;
        // What arrived is found by looking.
        let _ = arrivals.read_events();
        let mut gone = Vec::new();
        for (node, device) in &mut devices {
            match device.fetch_events() {
                Ok(events) => {
                    for event in events {
                        let EventSummary::Key(_, code, 1) = event.destructure() else { continue };
                        reporter.send(&Report::Key { code: format!("{code:?}") });
                        match code {
                            KeyCode::KEY_POWER if ignores_the_button => {}
                            KeyCode::KEY_P | KeyCode::KEY_POWER => return Ok(format!("{code:?}")),
                            KeyCode::KEY_I => ignores_the_button = true,
                            KeyCode::KEY_R => {
                                reboot(RebootMode::RB_AUTOBOOT)?;
                            }
                            KeyCode::KEY_C => fs::write("/proc/sysrq-trigger", "c")?,
                            KeyCode::KEY_H => loop {
                                std::hint::spin_loop();
                            },
                            KeyCode::KEY_T => reporter.send(&or_trouble("asking the TPM", ask_tpm())),
                            KeyCode::KEY_W => reporter.send(&or_trouble("writing to the disk", fill_disk())),
                            _ => {}
                        }
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => gone.push(node.clone()),
            }
        }
        devices.retain(|node, _| !gone.contains(node));
    }
}

fn or_trouble(doing: &str, report: Result<Report>) -> Report {
    report.unwrap_or_else(|error| Report::Trouble { message: format!("{doing}: {error}") })
}

/// How often the TPM was reset: it counts in its state, which outlives the guest.
fn ask_tpm() -> Result<Report> {
    let mut tpm = OpenOptions::new().read(true).write(true).open("/dev/tpm0")?;
    tpm.write_all(&READ_CLOCK)?;
    let mut answer = [0; 64];
    let length = std::io::Read::read(&mut tpm, &mut answer)?;
    // Tag, length and response code; then time and clock, eight bytes each; then the count of resets.
    let number = |at: usize| answer[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    if length < 30 || number(6) != 0 {
        return Err(format!("it answered {:02x?}", &answer[..length]).into());
    }
    Ok(Report::Tpm { resets: number(26) })
}

/// Writes what no disk keeps without room for it.
fn fill_disk() -> Result<Report> {
    let disk = ["/dev/vda", "/dev/nvme0n1"].into_iter().find(|disk| Path::new(disk).exists()).ok_or("no disk")?;
    let mut disk = OpenOptions::new().write(true).open(disk)?;
    std::io::Seek::seek(&mut disk, std::io::SeekFrom::Start(WRITTEN.start))?;
    for _ in 0..(WRITTEN.end - WRITTEN.start) >> 20 {
        disk.write_all(&[0x5a; 1 << 20])?;
    }
    disk.sync_all()?;
    Ok(Report::Written { bytes: WRITTEN.end - WRITTEN.start })
}

fn open_new(devices: &mut BTreeMap<PathBuf, Device>, reporter: &mut Reporter) {
    for node in fs::read_dir("/dev/input").into_iter().flatten().flatten().map(|entry| entry.path()) {
        let event = node.file_name().is_some_and(|name| name.to_string_lossy().starts_with("event"));
        if !event || devices.contains_key(&node) {
            continue;
        }
        let Ok(device) = Device::open(&node) else { continue };
        if device.set_nonblocking(true).is_err() {
            continue;
        }
        if device.supported_keys().is_some_and(|keys| keys.contains(KeyCode::KEY_P)) {
            let (name, at) = (device.name().unwrap_or_default().to_owned(), device.physical_path().unwrap_or_default().to_owned());
            reporter.send(&Report::Keyboard { name, at });
        }
        devices.insert(node, device);
    }
}
