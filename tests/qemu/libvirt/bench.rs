//! A supervisor in a process of its own, and the `virsh` that it talks to.

use persona::config::Ladder;
use persona::config::Settings;
use persona::legion::cartridge::slot;
use persona::legion::{Cartridge, Launch, LegionLock};
use persona::state::{LegionState, Phase};
use persona::sys::paths::Paths;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// Nothing here takes as long; who waits longer waits for ever.
const TIMEOUT: Duration = Duration::from_secs(60);
pub(super) const NEVER: u64 = 3_600_000;

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

pub(super) struct Bench {
    root: tempfile::TempDir,
    /// Both ends of each pipe, so that nobody waits for the other to come.
    pipes: Vec<(&'static str, File)>,
    /// In milliseconds: the power button again, quit, kill.
    ladder: [u64; 3],
    /// Where other programs are.
    path: String,
}

impl Bench {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["shelf/small", "run/persona/legion", "bin", "virsh"] {
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

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn paths(&self) -> Paths {
        Paths::new(self.root.path(), None)
    }

    pub(super) fn ladder(self, again: u64, quit: u64, kill: u64) -> Self {
        Self { ladder: [again, quit, kill], ..self }
    }

    /// Nor is there what this machine may have.
    pub(super) fn without_programs(self) -> Self {
        fs::remove_file(self.path("bin/virsh")).unwrap();
        Self { path: String::new(), ..self }
    }

    pub(super) fn information(self, from: &str, to: &str) -> Self {
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
        LegionState::new(Phase::Starting, "small").write(&paths).unwrap();
    }

    /// Starts the supervisor as a process of its own, for signals are a process's.
    pub(super) fn start(self) -> Running {
        self.prepare();
        let notified = UnixDatagram::bind(self.path("notify")).unwrap();
        notified.set_read_timeout(Some(TIMEOUT)).unwrap();
        let path = format!("{}:{}", self.path("bin").display(), self.path);
        // The test harness has threads, of which each must leave the signals to the supervisor.
        let child = Command::new("/usr/bin/env")
            .arg("--block-signal=TERM,INT,USR1,CHLD")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "libvirt::the_supervisors_process", "--ignored", "--nocapture", "--test-threads=1"])
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

/// A supervisor at work.
pub(super) struct Running {
    bench: Bench,
    child: Child,
    pub(super) notified: UnixDatagram,
    /// What virsh was asked and the test has not read yet.
    asked: Vec<u8>,
}

impl Running {
    /// Waits until the service manager is told something with this in it.
    pub(super) fn await_notice(&self, words: &str) {
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

    fn pipe(&self, name: &str) -> &File {
        &self.bench.pipes.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Waits until virsh is asked for this, and nothing else before.
    pub(super) fn await_question(&mut self, words: &str) {
        let mut pipe = self.pipe("asked").try_clone().unwrap();
        let end = loop {
            if let Some(end) = self.asked.iter().position(|byte| *byte == b'\n') {
                break end;
            }
            let mut fds = [nix::poll::PollFd::new(pipe.as_fd(), nix::poll::PollFlags::POLLIN)];
            let ready = nix::poll::poll(&mut fds, nix::poll::PollTimeout::try_from(TIMEOUT).unwrap()).unwrap();
            assert!(ready == 1, "nobody asked virsh for `{words}`");
            let mut bytes = [0; 1024];
            let count = pipe.read(&mut bytes).unwrap();
            self.asked.extend_from_slice(&bytes[..count]);
        };
        let line: Vec<u8> = self.asked.drain(..=end).collect();
        assert_eq!(String::from_utf8_lossy(&line).trim_end(), words);
    }

    /// Has virsh say this to the next question of this name: its exit code, and words.
    pub(super) fn answer(&self, name: &str, words: &str) {
        writeln!(self.pipe(name), "{words}").unwrap();
    }

    pub(super) fn question(&mut self, words: &str, answer: &str) {
        self.await_question(words);
        self.answer(words.split(' ').next().unwrap(), answer);
    }

    pub(super) fn event(&self, words: &str) {
        writeln!(self.pipe("event"), "event 'lifecycle' for domain 'legion': {words}").unwrap();
    }

    /// As libvirt starts a domain when all is well.
    pub(super) fn runs(mut self) -> Self {
        self.await_question("start legion");
        self.event("Resumed Unpaused");
        self.event("Started Booted");
        self.answer("start", "0 Domain 'legion' started");
        self.await_notice("READY=1");
        assert_eq!(self.state().phase, Phase::Running);
        self
    }

    /// libvirt's daemon goes; what it can be asked again is up to the test.
    pub(super) fn hang_up(&mut self) {
        self.bench.pipes.retain(|(name, _)| *name != "event");
    }

    /// Listens to the subscriptions to come.
    pub(super) fn hang_on(&mut self) {
        let event = pipe(&self.bench.path("virsh/event"));
        self.bench.pipes.push(("event", event));
    }

    pub(super) fn stop(&self) {
        assert!(Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status().unwrap().success());
    }

    pub(super) fn state(&self) -> LegionState {
        LegionState::read(&self.bench.paths()).unwrap().unwrap()
    }

    /// Waits for the end, and gives it. The state file has the reason.
    pub(super) fn end(mut self) -> String {
        assert!(self.child.wait().unwrap().success());
        let ending = fs::read_to_string(self.bench.path("ending")).unwrap();
        let state = self.state();
        assert_eq!(state.phase, Phase::Stopping);
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
    }
}
