//! legion under supervision: the real command line, real QEMU and small guests, with the processor emulated.
#![allow(clippy::unwrap_used, clippy::panic)]

mod health;
mod pinning;

use persona::config::Ladder;
use persona::config::value::RunningWell;
use persona::config::{Legion, Settings};
use persona::legion::cartridge::slot;
use persona::legion::qemu::supervise;
use persona::legion::{Cartridge, Launch, LegionLock, Pinning, VirtualMachine};
use persona::state::{LegionState, Phase};
use persona::sys::paths::Paths;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// Nothing here takes as long; who waits longer waits for ever.
const TIMEOUT: Duration = Duration::from_secs(60);
const NEVER: u64 = 3_600_000;

/// A boot sector: code in front, the mark that makes it bootable behind.
fn boot_sector(code: &[&[u8]]) -> Vec<u8> {
    let mut sector = code.concat();
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    // SeaBIOS reads no disk of less than a cylinder.
    sector.resize(1 << 20, 0);
    sector
}

/// `outb 0xe9, '!'`, the debug console: the guest runs.
const SAY_SO: &[u8] = &[0xb0, b'!', 0xe6, 0xe9];
/// `outw 0x604, 0x2000`: soft-off in q35's PM1a control register, as SeaBIOS places it; then halt for good.
const POWER_OFF: &[u8] = &[0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4, 0xeb, 0xfd];
/// `outb 0x505, 1`: panicked, to the pvpanic device; then halt for good.
const PANIC: &[u8] = &[0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd];
/// `hlt; jmp`.
const HALT: &[u8] = &[0xf4, 0xeb, 0xfd];
/// `outw 0x602, 0x100`: enable the power button's event.
const ENABLE_BUTTON: &[u8] = &[0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef];

/// Waits until the power button's bit of PM1a status (0x600) is set and clears it, so many times.
fn await_button(times: u8) -> Vec<u8> {
    let wait = [0xba, 0x00, 0x06, 0xed, 0xf6, 0xc4, 0x01, 0x74, 0xf7];
    let clear_and_loop = [0xb8, 0x00, 0x01, 0xef, 0xe2, 0xf1];
    [&[0xb9, times, 0x00][..], &wait, &clear_and_loop].concat()
}

/// A machine of our own below a temporary folder, with one cartridge.
struct Bench {
    root: tempfile::TempDir,
    legion: Legion,
    /// In milliseconds: the power button again, quit, kill.
    ladder: [u64; 3],
    pinning: Pinning,
    running_well: RunningWell,
}

impl Bench {
    fn new(disk: &[u8]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let settings = "[legion]\nmemory = \"64M\"\ncpus = 1\ncartridges = \"/shelf\"\nslot = \"/slot\"\n[[persona]]\nname = \"small\"\n";
        let legion = Settings::parse(settings, "test").unwrap().persona("small").unwrap().legion().unwrap().clone();
        let bench = Self { root, legion, ladder: [NEVER, NEVER, 2 * NEVER], pinning: Pinning::default(), running_well: RunningWell::USUAL };
        fs::create_dir_all(bench.path("shelf/small")).unwrap();
        fs::create_dir_all(bench.path("run/persona/legion")).unwrap();
        fs::write(bench.path("shelf/small/disk.raw"), disk).unwrap();
        let pid_file = bench.path("pid").display().to_string();
        bench.with(&["-pidfile", &pid_file])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn paths(&self) -> Paths {
        Paths::new(self.root.path(), None)
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.legion.extra_args.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    fn ladder(self, again: u64, quit: u64, kill: u64) -> Self {
        Self { ladder: [again, quit, kill], ..self }
    }

    /// Inserts the cartridge and starts the supervisor as a process of its own, for signals are a process's.
    fn start(self) -> Running {
        let paths = self.paths();
        let lock = LegionLock::take(&paths).unwrap();
        let cartridge = Cartridge::inspect(&paths, &self.legion.cartridges, &self.legion.cartridge).unwrap();
        slot::insert(&lock, &paths, &self.legion.slot, &cartridge).unwrap();
        slot::expect(&lock, &paths, &self.legion.slot, &cartridge).unwrap();
        drop(lock);
        let machine = VirtualMachine::find(&paths, &self.legion, &cartridge, &[], &[]).unwrap();
        let mut launch = Launch::new(&paths, "small", &machine).unwrap();
        launch.qemu.iter_mut().for_each(|argument| *argument = emulated(argument));
        if self.paths().guest_agent_socket().exists() {
            let socket = launch.qemu.iter_mut().find(|argument| argument.starts_with("socket,id=agent,")).unwrap();
            *socket = "null,id=agent".to_owned();
        }
        let [again, quit, kill] = self.ladder.map(Duration::from_millis);
        launch.ladder = Ladder { again, quit, kill };
        launch.pinning = self.pinning.clone();
        launch.running_well = self.running_well;
        launch.write(&paths).unwrap();
        LegionState::new(Phase::Starting, "small").write(&paths).unwrap();

        let notified = UnixDatagram::bind(self.path("notify")).unwrap();
        notified.set_read_timeout(Some(TIMEOUT)).unwrap();
        let guest = UnixListener::bind(self.path("guest")).unwrap();
        // The test harness has threads, of which each must leave the signals to the supervisor.
        let child = Command::new("env")
            .arg("--block-signal=TERM,INT,USR1,CHLD")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "legion::the_supervisors_process", "--ignored", "--nocapture", "--test-threads=1"])
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("PERSONA_TEST_ROOT", self.root.path())
            .spawn()
            .unwrap();
        Running { bench: self, child, notified, guest }
    }
}

/// The same machine without KVM.
fn emulated(argument: &str) -> String {
    // The Hyper-V enlightenments are KVM's.
    if argument == "host" || argument.starts_with("host,hv-") { "max".to_owned() } else { argument.replace("accel=kvm", "accel=tcg") }
}

#[test]
#[ignore = "the other tests run it, as a process of its own"]
fn the_supervisors_process() {
    let root = std::env::var_os("PERSONA_TEST_ROOT").expect("the other tests run this one");
    let paths = Paths::new(&root, None);
    let launch = Launch::read(&paths).unwrap();
    let lock = LegionLock::take(&paths).unwrap();
    let (ending, why) = match supervise::run(&paths, &launch, &lock) {
        Ok(ending) => (format!("{ending:?} good={}", ending.is_good()), ending.to_string()),
        Err(error) => (format!("error {}", error.code().unwrap_or_default()), error.to_string()),
    };
    fs::write(Path::new(&root).join("why"), why).unwrap();
    fs::write(Path::new(&root).join("ending"), ending).unwrap();
}

/// A supervisor at work.
struct Running {
    bench: Bench,
    child: Child,
    notified: UnixDatagram,
    guest: UnixListener,
}

impl Running {
    /// Waits until the service manager is told something with this in it.
    fn await_notice(&self, words: &str) {
        let mut bytes = [0; 4096];
        loop {
            let count = match self.notified.recv(&mut bytes) {
                // socket(7): with a timeout, a process that was stopped and goes on learns of it here.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                received => received.unwrap_or_else(|error| panic!("waiting for {words}: {error}")),
            };
            if String::from_utf8_lossy(&bytes[..count]).contains(words) {
                return;
            }
        }
    }

    /// Waits until the boot sector has run; needs [`debug_console`].
    fn await_guest(&self) {
        let (mut guest, _) = self.guest.accept().unwrap();
        guest.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut said = [0];
        guest.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"!");
    }

    fn signal(&self, signal: &str, process: u32) {
        assert!(Command::new("kill").args(["-s", signal, &process.to_string()]).status().unwrap().success());
    }

    fn stop(&self) {
        self.signal("TERM", self.child.id());
    }

    fn qemu(&self) -> u32 {
        fs::read_to_string(self.bench.path("pid")).unwrap().trim().parse().unwrap()
    }

    fn state(&self) -> LegionState {
        LegionState::read(&self.bench.paths()).unwrap().unwrap()
    }

    /// Waits for the end, and gives it. The state file has the reason.
    fn end(mut self) -> String {
        assert!(self.child.wait().unwrap().success());
        let ending = fs::read_to_string(self.bench.path("ending")).unwrap();
        let state = self.state();
        assert!(!matches!(state.phase, Phase::Starting | Phase::Running), "{state:?}");
        // Nobody holds the lock any more.
        LegionLock::take(&self.bench.paths()).unwrap();
        assert_eq!(state.why.unwrap(), fs::read_to_string(self.bench.path("why")).unwrap());
        ending
    }
}

impl Drop for Running {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Ok(pid) = fs::read_to_string(self.bench.path("pid")) {
            let _ = Command::new("kill").args(["-s", "KILL", pid.trim()]).stderr(std::process::Stdio::null()).status();
        }
    }
}

/// Where the boot sector's `!` goes.
fn debug_console(bench: Bench) -> Bench {
    let socket = format!("socket,id=debug,path={}", bench.path("guest").display());
    bench.with(&["-chardev", &socket, "-device", "isa-debugcon,iobase=0xe9,chardev=debug"])
}

#[test]
fn ready_means_that_the_guest_runs_and_not_before() {
    let running = Bench::new(&boot_sector(&[HALT])).ladder(0, 0, NEVER).with(&["-S"]).start();
    let mut qmp = connect(&running);
    assert!(ask(&mut qmp, "query-status").contains("prelaunch"));
    assert_eq!(running.state().phase, Phase::Starting);
    running.notified.set_nonblocking(true).unwrap();
    assert!(running.notified.recv(&mut [0; 16]).is_err(), "something was announced before the guest ran");
    running.notified.set_nonblocking(false).unwrap();
    ask(&mut qmp, "cont");
    running.await_notice("READY=1");
    assert_eq!(running.state().phase, Phase::Running);
    running.stop();
    assert_eq!(running.end(), "Stopped(Quit) good=true");
}

/// A second QMP connection, as other programs have it.
fn connect(running: &Running) -> BufReader<UnixStream> {
    let path = running.bench.paths().qmp_socket();
    let deadline = std::time::Instant::now() + TIMEOUT;
    let stream = loop {
        match UnixStream::connect(&path) {
            Ok(stream) => break stream,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{}: {error}", path.display()),
        }
        std::thread::yield_now();
    };
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut qmp = BufReader::new(stream);
    ask(&mut qmp, "qmp_capabilities");
    qmp
}

fn ask(qmp: &mut BufReader<UnixStream>, command: &str) -> String {
    qmp.get_mut().write_all(persona::legion::qemu::qmp::command(command).as_bytes()).unwrap();
    loop {
        let mut line = String::new();
        assert!(qmp.read_line(&mut line).unwrap() > 0, "QEMU hung up");
        if line.contains(&format!("\"id\": \"{command}\"")) {
            return line;
        }
    }
}

#[test]
fn a_guest_that_powers_off_came_to_a_good_end() {
    assert_eq!(Bench::new(&boot_sector(&[POWER_OFF])).start().end(), "GuestPoweroff good=true");
}

#[test]
fn a_guest_that_panics_did_not() {
    assert_eq!(Bench::new(&boot_sector(&[PANIC])).start().end(), "GuestPanic good=false");
}

#[test]
fn the_power_button_is_pressed_and_pressed_again() {
    for (presses, ending) in [(1, "Stopped(PowerButton) good=true"), (2, "Stopped(PowerButtonAgain) good=true")] {
        let disk = boot_sector(&[ENABLE_BUTTON, SAY_SO, &await_button(presses), POWER_OFF]);
        let again = if presses == 1 { NEVER } else { 500 };
        let running = debug_console(Bench::new(&disk).ladder(again, NEVER, NEVER)).start();
        running.await_guest();
        running.await_notice("READY=1");
        running.stop();
        running.await_notice("STOPPING=1");
        assert_eq!(running.end(), ending);
    }
}

#[test]
fn a_guest_that_does_not_care_is_switched_off() {
    let running = Bench::new(&boot_sector(&[HALT])).ladder(100, 200, NEVER).start();
    running.await_notice("READY=1");
    running.stop();
    assert_eq!(running.end(), "Stopped(Quit) good=true");
}

#[test]
fn who_asks_twice_is_in_a_hurry() {
    let running = Bench::new(&boot_sector(&[HALT])).start();
    running.await_notice("READY=1");
    running.stop();
    running.await_notice("STOPPING=1");
    running.stop();
    assert_eq!(running.end(), "Stopped(Quit) good=true");
}

#[test]
fn a_plug_that_is_pulled_asks_no_guest() {
    let running = Bench::new(&boot_sector(&[HALT])).start();
    running.await_notice("READY=1");
    running.signal("USR1", running.child.id());
    assert_eq!(running.end(), "Stopped(Quit) good=true");
}

#[test]
fn a_qemu_that_hangs_is_killed() {
    let running = Bench::new(&boot_sector(&[HALT])).ladder(100, 200, 300).start();
    running.await_notice("READY=1");
    running.signal("STOP", running.qemu());
    running.stop();
    assert_eq!(running.end(), "Killed good=false");
}

#[test]
fn a_qemu_that_dies_is_not_mistaken_for_a_power_off() {
    let running = Bench::new(&boot_sector(&[HALT])).start();
    running.await_notice("READY=1");
    running.signal("SEGV", running.qemu());
    let ending = running.end();
    assert!(ending.starts_with("Crashed") && ending.contains("SIGSEGV"), "{ending}");
}

#[test]
fn a_qemu_that_never_ran_says_why() {
    let ending = Bench::new(&boot_sector(&[HALT])).with(&["-device", "vfio-pci,host=0000:ff:1f.7"]).start().end();
    assert!(ending.starts_with("NeverRan") && ending.ends_with("good=false"), "{ending}");
    assert!(ending.contains("-device vfio-pci,host=0000:ff:1f.7: vfio /sys/"), "QEMU's words: {ending}");
}

#[test]
fn the_lock_is_held_as_long_as_qemu_lives() {
    let mut running = Bench::new(&boot_sector(&[HALT])).start();
    running.await_notice("READY=1");
    running.signal("KILL", running.child.id());
    running.child.wait().unwrap();
    LegionLock::take(&running.bench.paths()).unwrap_err();
    // QEMU closes this connection when it ends, after which its lock is gone too.
    let mut qmp = connect(&running);
    running.signal("KILL", running.qemu());
    let _ = qmp.read_to_end(&mut Vec::new());
    let deadline = std::time::Instant::now() + TIMEOUT;
    while LegionLock::take(&running.bench.paths()).is_err() {
        assert!(std::time::Instant::now() < deadline, "the lock outlived QEMU");
        std::thread::yield_now();
    }
}

#[test]
fn a_windows_machine_with_uefi_starts() {
    let mut bench = Bench::new(&boot_sector(&[HALT])).ladder(0, 0, NEVER);
    bench.legion.guest = persona::config::Guest::Windows;
    // A link to this machine's folder would stay in the tree.
    fs::create_dir_all(bench.path("usr/share")).unwrap();
    for folder in ["qemu", "OVMF", "edk2"].map(|name| Path::new("/usr/share").join(name)).iter().filter(|folder| folder.exists()) {
        let copied = std::process::Command::new("cp").arg("-rL").arg(folder).arg(bench.path("usr/share")).status().unwrap();
        assert!(copied.success(), "{}", folder.display());
    }
    // Debian's place and Arch's.
    let variables = ["/usr/share/OVMF/OVMF_VARS_4M.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"];
    let variables = variables.into_iter().find(|file| Path::new(file).exists()).unwrap();
    fs::copy(variables, bench.path("shelf/small/nvram.fd")).unwrap();
    let running = bench.start();
    running.await_notice("READY=1");
    running.stop();
    assert_eq!(running.end(), "Stopped(Quit) good=true");
}
