//! A libvirt domain under supervision, with a `virsh` that says what the test has it say.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::legion::{Cartridge, Ladder, Launch, LegionLock, libvirt, slot};
use persona::paths::Paths;
use persona::settings::Settings;
use persona::state::{LegionState, Phase};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// Nothing here takes as long; who waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);
const NEVER: u64 = 3_600_000;

/// Talks through pipes: what it was asked goes into `asked`, what it answers comes out of one named after the command, and
/// what it says of the domain's life out of `event`.
const VIRSH: &str = r#"#!/bin/sh
[ "$1 $2 $3 $4 $LC_ALL" = "--connect qemu:///system --keepalive-interval 0 C" ] || exit 99
shift 4
cd "${0%/bin/virsh}/virsh"
case $1 in
dominfo | dumpxml) cat "$1" ;;
event) [ "$*" = "event --domain legion --event lifecycle --loop" ] && exec cat event ;;
*)
    echo "$*" >asked
    read -r code words <"$1"
    if [ "$code" = 0 ]; then echo "$words"; else echo "error: $words" >&2; fi
    exit "$code"
    ;;
esac
"#;

const OFF: &str = "Id:             -\nName:           legion\nState:          shut off\nAutostart:      disable\nManaged save:   no\n\n";

struct Bench {
    root: tempfile::TempDir,
    /// Both ends of each pipe, so that nobody waits for the other to come.
    pipes: Vec<(&'static str, File)>,
    /// In milliseconds: the power button again, quit, kill.
    ladder: [u64; 3],
    /// Where other programs are.
    path: String,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["shelf/small", "run/persona", "bin", "virsh"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("shelf/small/disk.raw"), b"x").unwrap();
        fs::write(root.path().join("virsh/dominfo"), OFF).unwrap();
        let virsh = root.path().join("bin/virsh");
        fs::write(&virsh, VIRSH).unwrap();
        fs::set_permissions(&virsh, fs::Permissions::from_mode(0o755)).unwrap();
        let pipes = ["asked", "start", "domstate", "shutdown", "destroy", "event"];
        let pipes = pipes.map(|name| (name, pipe(&root.path().join("virsh").join(name)))).into();
        Self { root, pipes, ladder: [NEVER, NEVER, 2 * NEVER], path: std::env::var("PATH").unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn paths(&self) -> Paths {
        Paths::new(self.root.path(), None)
    }

    fn ladder(self, again: u64, quit: u64, kill: u64) -> Self {
        Self { ladder: [again, quit, kill], ..self }
    }

    fn information(self, from: &str, to: &str) -> Self {
        fs::write(self.path("virsh/dominfo"), OFF.replace(from, to)).unwrap();
        self
    }

    /// Records the launch and inserts the cartridge, as `persona prepare` does.
    fn prepare(&self) {
        let paths = self.paths();
        let settings = "[legion]\nbackend = \"libvirt\"\ncartridges = \"/shelf\"\nslot = \"/slot\"\n[[persona]]\nname = \"small\"\n";
        let settings = Settings::parse(settings, "test").unwrap();
        let legion = settings.persona("small").unwrap().legion().unwrap();
        let cartridge = Cartridge::inspect(&paths, &legion.cartridges, &legion.cartridge).unwrap();
        slot::insert(&LegionLock::take(&paths).unwrap(), &paths, &legion.slot, &cartridge).unwrap();
        let [again, quit, kill] = self.ladder.map(Duration::from_millis);
        Launch { ladder: Ladder { again, quit, kill }, ..Launch::of_domain("small", legion, &cartridge, &[]) }.write(&paths).unwrap();
    }

    /// Starts the supervisor as a process of its own, for signals are a process's.
    fn start(self) -> Running {
        self.prepare();
        let notified = UnixDatagram::bind(self.path("notify")).unwrap();
        notified.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = format!("{}:{}", self.path("bin").display(), self.path);
        // The test harness has threads, of which each must leave the signals to the supervisor.
        let child = Command::new("/usr/bin/env")
            .arg("--block-signal=TERM,INT,USR1,CHLD")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "the_supervisors_process", "--ignored", "--nocapture", "--test-threads=1"])
            .env("PATH", path)
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("PERSONA_TEST_ROOT", self.root.path())
            .spawn()
            .unwrap();
        Running { bench: self, child, notified, asked: Vec::new() }
    }
}

fn pipe(path: &Path) -> File {
    if !path.exists() {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
#[ignore = "the other tests run it, as a process of its own"]
fn the_supervisors_process() {
    let root = std::env::var_os("PERSONA_TEST_ROOT").expect("the other tests run this one");
    let paths = Paths::new(&root, None);
    let launch = Launch::read(&paths).unwrap();
    let lock = LegionLock::take(&paths).unwrap();
    let ending = match libvirt::run(&paths, &launch, &lock, launch.domain.as_deref().unwrap()) {
        Ok(ending) => format!("{ending:?} good={}", ending.is_good()),
        Err(error) => format!("error: {error}"),
    };
    fs::write(Path::new(&root).join("ending"), ending).unwrap();
}

/// A supervisor at work.
struct Running {
    bench: Bench,
    child: Child,
    notified: UnixDatagram,
    /// What virsh was asked and the test has not read yet.
    asked: Vec<u8>,
}

impl Running {
    /// Waits until the service manager is told something with this in it.
    fn await_notice(&self, words: &str) {
        let mut bytes = [0; 4096];
        loop {
            let count = self.notified.recv(&mut bytes).unwrap_or_else(|error| panic!("waiting for {words}: {error}"));
            if String::from_utf8_lossy(&bytes[..count]).contains(words) {
                return;
            }
        }
    }

    fn pipe(&self, name: &str) -> &File {
        &self.bench.pipes.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Waits until virsh is asked for this, and nothing else before.
    fn await_question(&mut self, words: &str) {
        let mut pipe = self.pipe("asked").try_clone().unwrap();
        let end = loop {
            if let Some(end) = self.asked.iter().position(|byte| *byte == b'\n') {
                break end;
            }
            let mut fds = [nix::poll::PollFd::new(pipe.as_fd(), nix::poll::PollFlags::POLLIN)];
            let ready = nix::poll::poll(&mut fds, nix::poll::PollTimeout::try_from(PATIENCE).unwrap()).unwrap();
            assert!(ready == 1, "nobody asked virsh for `{words}`");
            let mut bytes = [0; 1024];
            let count = pipe.read(&mut bytes).unwrap();
            self.asked.extend_from_slice(&bytes[..count]);
        };
        let line: Vec<u8> = self.asked.drain(..=end).collect();
        assert_eq!(String::from_utf8_lossy(&line).trim_end(), words);
    }

    /// Has virsh say this to the next question of this name: its exit code, and words.
    fn answer(&self, name: &str, words: &str) {
        writeln!(self.pipe(name), "{words}").unwrap();
    }

    fn question(&mut self, words: &str, answer: &str) {
        self.await_question(words);
        self.answer(words.split(' ').next().unwrap(), answer);
    }

    fn event(&self, words: &str) {
        writeln!(self.pipe("event"), "event 'lifecycle' for domain 'legion': {words}").unwrap();
    }

    /// As libvirt starts a domain when all is well.
    fn runs(mut self) -> Self {
        self.await_question("start legion");
        self.event("Resumed Unpaused");
        self.event("Started Booted");
        self.answer("start", "0 Domain 'legion' started");
        self.await_notice("READY=1");
        assert_eq!(self.state().phase, Phase::Running);
        self
    }

    /// libvirt's daemon goes; what it can be asked again is up to the test.
    fn hang_up(&mut self) {
        self.bench.pipes.retain(|(name, _)| *name != "event");
    }

    /// Listens to the subscriptions to come.
    fn hang_on(&mut self) {
        let event = pipe(&self.bench.path("virsh/event"));
        self.bench.pipes.push(("event", event));
    }

    fn stop(&self) {
        assert!(Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status().unwrap().success());
    }

    fn state(&self) -> LegionState {
        LegionState::read(&self.bench.paths()).unwrap().unwrap()
    }

    /// Waits for the end, and gives it with the reason that the state file has.
    fn end(mut self) -> (String, String) {
        assert!(self.child.wait().unwrap().success());
        let ending = fs::read_to_string(self.bench.path("ending")).unwrap();
        let state = self.state();
        assert_eq!(state.phase, Phase::Stopping);
        LegionLock::take(&self.bench.paths()).unwrap();
        (ending, state.why.unwrap())
    }
}

impl Drop for Running {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ready_means_that_libvirt_has_started_it_and_not_before() {
    let mut running = Bench::new().start();
    running.await_question("start legion");
    assert_eq!(running.state().phase, Phase::Starting);
    running.notified.set_nonblocking(true).unwrap();
    assert!(running.notified.recv(&mut [0; 16]).is_err(), "something was announced before the guest ran");
    running.notified.set_nonblocking(false).unwrap();
    running.event("Started Booted");
    running.answer("start", "0 Domain 'legion' started");
    running.await_notice("READY=1");
    running.event("Shutdown Finished after guest request");
    running.event("Stopped Shutdown");
    let (ending, why) = running.end();
    assert_eq!((ending.as_str(), why.as_str()), ("GuestPoweroff good=true", "the guest powered off"));
}

#[test]
fn how_it_ended_is_told_apart() {
    for (events, ending) in [
        (&["Crashed Panicked", "Stopped Crashed"][..], "GuestPanic good=false"),
        (&["Stopped Failed"], "Domain(\"QEMU died"),
        (&["Shutdown Finished after host request", "Stopped Destroyed"], "Quit good=true"),
    ] {
        let running = Bench::new().start().runs();
        events.iter().for_each(|event| running.event(event));
        let (ended, _) = running.end();
        assert!(ended.starts_with(ending), "{ended}");
    }
}

#[test]
fn a_domain_that_libvirt_cannot_start_says_why() {
    let mut running = Bench::new().start();
    running.question("start legion", "1 Cannot access storage file '/slot/disk.raw'");
    running.question("domstate legion --reason", "0 shut off (failed)");
    let (ending, why) = running.end();
    assert!(ending.starts_with("NotStarted") && ending.ends_with("good=false"), "{ending}");
    assert_eq!(why, "libvirt did not start the domain: Cannot access storage file '/slot/disk.raw'");
}

#[test]
fn a_domain_that_runs_or_would_wake_up_is_left_alone() {
    for (from, to, words) in [
        ("shut off", "running", "the domain legion is already running"),
        ("shut off", "paused", "the domain legion is already paused"),
        ("save:   no", "save:   yes", "go on from its saved state"),
    ] {
        let running = Bench::new().information(from, to).start();
        let (ending, why) = running.end();
        assert!(ending.starts_with("error: ") && why.contains(words) && why.contains("mend: "), "{ending}");
    }
}

#[test]
fn a_domain_that_somebody_else_starts_at_the_same_moment_is_theirs() {
    let mut running = Bench::new().start();
    running.question("start legion", "1 Domain is already active");
    let (ending, _) = running.end();
    assert!(ending.contains("somebody else started the domain legion"), "{ending}");
}

#[test]
fn a_guest_that_is_faster_than_virsh_is_seen_to_have_run() {
    let mut running = Bench::new().start();
    running.await_question("start legion");
    for event in ["Started Booted", "Shutdown Finished after guest request", "Stopped Shutdown"] {
        running.event(event);
    }
    running.answer("start", "0 Domain 'legion' started");
    running.await_notice("READY=1");
    assert_eq!(running.end().0, "GuestPoweroff good=true");
}

#[test]
fn what_came_before_the_subscription_is_asked_for() {
    let mut running = Bench::new().start();
    running.question("start legion", "0 Domain 'legion' started");
    running.await_notice("READY=1");
    running.question("domstate legion --reason", "0 running (booted)");
    running.question("domstate legion --reason", "0 shut off (shutdown)");
    assert_eq!(running.end().0, "GuestPoweroff good=true");
}

#[test]
fn the_ladder_is_taken_rung_by_rung() {
    let mut running = Bench::new().ladder(100, 200, 300).start().runs();
    running.stop();
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    // libvirt's own ten seconds are the ladder's.
    running.question("destroy legion", "1 it is stuck");
    running.await_question("destroy legion");
    running.event("Stopped Destroyed");
    let (ending, why) = running.end();
    assert!(ending == "Killed good=false" && why.contains("was killed"), "{ending}, {why}");
}

#[test]
fn a_guest_that_obeys_came_to_a_good_end() {
    let mut running = Bench::new().start().runs();
    running.stop();
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    running.event("Shutdown Finished after guest request");
    running.event("Stopped Shutdown");
    assert_eq!(running.end().0, "Stopped(PowerButton) good=true");
}

#[test]
fn who_asks_twice_is_in_a_hurry_and_the_disk_gets_its_time_all_the_same() {
    let mut running = Bench::new().start().runs();
    running.stop();
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    running.stop();
    // There is more than an hour until the next rung.
    running.question("destroy legion --graceful", "0 Domain 'legion' destroyed");
    running.event("Shutdown Finished after host request");
    running.event("Stopped Destroyed");
    assert_eq!(running.end().0, "Stopped(Quit) good=true");
}

#[test]
fn a_stop_that_comes_before_the_guest_runs_is_not_forgotten() {
    let mut running = Bench::new().ladder(NEVER, NEVER, NEVER + 1).start();
    running.await_question("start legion");
    running.stop();
    running.await_notice("STOPPING=1");
    running.question("destroy legion", "1 Requested operation is not valid: domain is not running");
    running.event("Started Booted");
    running.answer("start", "0 Domain 'legion' started");
    running.await_question("destroy legion");
    running.event("Shutdown Finished after host request");
    running.event("Stopped Destroyed");
    assert!(running.end().0.starts_with("Stopped("), "it was stopped");
}

#[test]
fn a_libvirt_that_is_restarted_is_no_end() {
    let mut running = Bench::new().start().runs();
    running.hang_up();
    running.question("domstate legion --reason", "0 running (booted)");
    running.hang_on();
    running.event("Suspended Paused");
    assert_eq!(running.state().phase, Phase::Running);
    running.event("Shutdown Finished after guest request");
    running.event("Stopped Shutdown");
    assert_eq!(running.end().0, "GuestPoweroff good=true");
}

#[test]
fn a_libvirt_that_is_gone_is_no_end_until_it_tells_one() {
    let mut running = Bench::new().start().runs();
    running.hang_up();
    running.question("domstate legion --reason", "1 failed to connect to the hypervisor");
    assert_eq!(running.state().phase, Phase::Running);
    running.question("domstate legion --reason", "0 shut off (crashed)");
    let (ending, why) = running.end();
    assert!(ending.ends_with("good=false") && why.contains("QEMU died while the guest ran"), "{ending}, {why}");
}

#[test]
fn a_stop_that_libvirt_could_not_hear_is_told_again() {
    let mut running = Bench::new().start().runs();
    running.stop();
    running.question("shutdown legion --mode acpi", "1 failed to connect to the hypervisor");
    running.question("domstate legion --reason", "0 running (booted)");
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    running.event("Shutdown Finished after guest request");
    running.event("Stopped Shutdown");
    assert_eq!(running.end().0, "Stopped(PowerButton) good=true");
}

#[test]
fn without_virsh_the_package_is_named() {
    // Nor is there the one that this machine may have.
    let bench = Bench { path: String::new(), ..Bench::new() };
    fs::remove_file(bench.path("bin/virsh")).unwrap();
    let (ending, why) = bench.start().end();
    assert!(ending.starts_with("error: ") && why.contains("libvirt-clients"), "{ending}");
}
