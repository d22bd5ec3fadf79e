//! legion's lock on its way from `persona prepare` by the service manager to `persona run` and `persona release`, and what these do
//! without it. The test is the service manager: it keeps and passes on what sd_notify(3) and sd_listen_fds(3) say.
#![allow(clippy::unwrap_used)]

use nix::cmsg_space;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::unistd::close;
use persona::legion::LegionLock;
use persona::state::{Choice, LegionState, Phase, Reason};
use persona::sys::paths::Paths;
use persona::sys::syscalls;
use std::fs::{self, File};
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

const PERSONA: &str = env!("CARGO_BIN_EXE_persona");

/// Ends the service manager's thread.
const END: &str = "END=1";

/// What the service manager has been told, and what it keeps.
#[derive(Default)]
struct Kept {
    messages: Vec<String>,
    lock: Option<File>,
}

struct Machine {
    root: tempfile::TempDir,
    kept: Arc<Mutex<Kept>>,
    manager: Option<JoinHandle<()>>,
}

impl Machine {
    /// A machine whose settings know two personas, and which has no account for legion: `prepare` gets as far as that.
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/persona")).unwrap();
        fs::create_dir_all(root.path().join("run/persona")).unwrap();
        fs::write(root.path().join("etc/persona/persona.toml"), "[[persona]]\nname = \"gondor\"\n[[persona]]\nname = \"mordor\"\n")
            .unwrap();
        fs::write(root.path().join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (socket, told) = (UnixDatagram::bind(root.path().join("notify")).unwrap(), kept.clone());
        let manager = std::thread::spawn(move || while hear(&socket, &told) {});
        Self { root, kept, manager: Some(manager) }
    }

    fn paths(&self) -> Paths {
        Paths::new(self.root.path(), None)
    }

    fn chosen(self, persona: &str) -> Self {
        Choice { persona: persona.into(), reason: Reason::Picked, pin_asked: false }.write(&self.paths()).unwrap();
        self
    }

    /// A command by hand.
    fn by_hand(&self, command: &str) -> Command {
        let mut persona = Command::new(PERSONA);
        persona.arg("--root").arg(self.root.path()).arg(command);
        ["NOTIFY_SOCKET", "INVOCATION_ID", "SERVICE_RESULT", "LISTEN_PID"].iter().for_each(|name| {
            persona.env_remove(name);
        });
        persona
    }

    /// A command of the unit, in this start of it.
    fn by_unit(&self, command: &str, start: &str) -> Command {
        let mut persona = self.by_hand(command);
        persona.env("NOTIFY_SOCKET", self.root.path().join("notify")).env("INVOCATION_ID", start);
        persona
    }

    fn release(&self, start: &str) -> Output {
        self.by_unit("release", start).env("SERVICE_RESULT", "exit-code").output().unwrap()
    }

    /// `persona run`, with this file in place of what the service manager passes on.
    fn run_with(&self, file: File) -> Output {
        let mut bash = Command::new("bash");
        bash.args(["-c", "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=legion-lock; exec \"$0\" --root \"$1\" run 3<&0 0</dev/null"]);
        bash.arg(PERSONA).arg(self.root.path()).stdin(file).env("NOTIFY_SOCKET", self.root.path().join("notify"));
        bash.output().unwrap()
    }

    fn kept_lock(&self) -> Option<File> {
        self.kept.lock().unwrap().lock.as_ref().map(|lock| lock.try_clone().unwrap())
    }

    fn is_free(&self) -> bool {
        LegionLock::take(&self.paths()).is_ok()
    }

    fn record(&self) -> String {
        [self.paths().legion_state(), self.paths().legion_report()].map(|path| fs::read_to_string(path).unwrap_or_default()).concat()
    }

    fn running(&self, persona: &str) -> String {
        LegionState::new(Phase::Starting, persona).write(&self.paths()).unwrap();
        LegionState::new(Phase::Running, persona).report(&self.paths()).unwrap();
        self.record()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        UnixDatagram::unbound().unwrap().send_to(END.as_bytes(), self.root.path().join("notify")).unwrap();
        self.manager.take().unwrap().join().unwrap();
    }
}

/// Reads a message as the service manager does; false for the end.
fn hear(socket: &UnixDatagram, told: &Mutex<Kept>) -> bool {
    let mut bytes = [0; 4096];
    let mut space = cmsg_space!(RawFd);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC).unwrap();
    let mut files = Vec::new();
    for control in message.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            for number in numbers {
                files.push(syscalls::inherited(number).unwrap());
                close(number).unwrap();
            }
        }
    }
    let length = message.bytes;
    let text = String::from_utf8_lossy(&bytes[..length]).trim_end().to_owned();
    let mut told = told.lock().unwrap();
    match text.as_str() {
        "FDSTORE=1\nFDNAME=legion-lock" => told.lock = files.pop(),
        "FDSTOREREMOVE=1\nFDNAME=legion-lock" => told.lock = None,
        // A process that waits at the barrier sees the file closed.
        "BARRIER=1" => drop(files),
        _ => {}
    }
    let goes_on = text != END;
    told.messages.push(text);
    goes_on
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn prepare_hands_the_lock_over_and_release_gives_it_back() {
    let machine = Machine::new().chosen("mordor");
    let prepared = machine.by_unit("prepare", "first").output().unwrap();
    assert!(!prepared.status.success() && said(&prepared).contains("there is no user `legion`"), "{}", said(&prepared));
    let expected = ["FDSTOREREMOVE=1\nFDNAME=legion-lock", "BARRIER=1", "FDSTORE=1\nFDNAME=legion-lock", "BARRIER=1"];
    assert_eq!(machine.kept.lock().unwrap().messages, expected);
    let lock = machine.kept_lock().unwrap();
    let flags = OFlag::from_bits_truncate(fcntl(&lock, FcntlArg::F_GETFL).unwrap());
    assert_eq!(flags & OFlag::O_ACCMODE, OFlag::O_RDONLY, "a process that inherits it cannot write to it");
    drop(lock);
    assert!(!machine.is_free(), "its process has ended, and systemd has it");

    let released = machine.release("first");
    assert!(released.status.success(), "{}", said(&released));
    assert!(machine.is_free());
    let state = LegionState::read(&machine.paths()).unwrap().unwrap();
    assert!(state.phase == Phase::Failed && state.why.as_deref().unwrap().contains("no user `legion`"), "{state:?}");
}

#[test]
fn prepare_of_a_second_start_takes_the_lock_that_systemd_still_keeps() {
    let machine = Machine::new().chosen("mordor");
    machine.by_unit("prepare", "first").output().unwrap();
    // The first start's release was killed, and another start was asked for meanwhile: systemd has closed nothing.
    assert!(machine.kept_lock().is_some());
    let prepared = machine.by_unit("prepare", "second").output().unwrap();
    assert!(said(&prepared).contains("there is no user `legion`"), "it has the lock: {}", said(&prepared));
    assert!(machine.kept_lock().is_some() && !machine.is_free());
    machine.release("second");
    assert!(machine.is_free());
}

#[test]
fn prepare_beside_a_running_legion_leaves_its_record_and_so_does_release() {
    let machine = Machine::new().chosen("mordor");
    let record = machine.running("gondor");
    fs::write(machine.paths().bound_devices(), "").unwrap();
    let lock = LegionLock::take(&machine.paths()).unwrap();
    let prepared = machine.by_unit("prepare", "second").output().unwrap();
    assert_eq!(prepared.status.code(), Some(1));
    assert!(said(&prepared).contains("legion is running or being prepared"), "{}", said(&prepared));
    assert_eq!(machine.record(), record);
    assert!(machine.kept_lock().is_none());

    let released = machine.release("second");
    assert!(released.status.success() && said(&released).contains("this start has prepared nothing"), "{}", said(&released));
    assert_eq!(machine.record(), record);
    assert!(machine.paths().bound_devices().exists(), "what the other one has bound stays bound");
    let released = machine.by_hand("release").output().unwrap();
    assert_eq!(released.status.code(), Some(1));
    assert_eq!(machine.record(), record);

    // Once that legion is gone, it can be cleaned up by hand.
    drop(lock);
    assert!(machine.by_hand("release").output().unwrap().status.success());
    assert!(machine.record().contains("failed"));
}

#[test]
fn prepare_refused_while_no_legion_is_on_says_why_in_the_record() {
    let machine = Machine::new().chosen("mordor");
    // As a command holds it that changes the cartridge in the slot.
    let _lock = LegionLock::take(&machine.paths()).unwrap();
    machine.by_unit("prepare", "first").output().unwrap();
    machine.release("first");
    let state = LegionState::read(&machine.paths()).unwrap().unwrap();
    assert!(state.phase == Phase::Failed && state.persona == "mordor" && state.why.unwrap().contains("is held"));
}

#[test]
fn run_without_the_lock_fails_and_says_how_it_is_started() {
    let machine = Machine::new().chosen("mordor");
    let record = machine.running("gondor");
    let run = machine.by_hand("run").output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    let told = said(&run);
    assert!(told.contains("was not passed to this process") && told.contains("NotifyAccess=exec"), "{told}");
    assert_eq!(machine.record(), record, "by hand, it is another's legion");
    assert!(!machine.by_unit("run", "first").status().unwrap().success());
    assert!(machine.record().contains("was not passed to this process"), "{}", machine.record());
}

#[test]
fn run_takes_over_the_lock_that_prepare_took_and_no_other_file() {
    let machine = Machine::new().chosen("mordor");
    machine.by_unit("prepare", "first").output().unwrap();
    let told = said(&machine.run_with(machine.kept_lock().unwrap()));
    assert!(told.contains("nothing was prepared in this boot"), "it has the lock, and looks for the launch: {told}");
    assert!(!machine.is_free(), "its end does not unlock what systemd keeps");

    let other = File::create(machine.root.path().join("other")).unwrap();
    let told = said(&machine.run_with(other));
    assert!(told.contains("is not the lock"), "{told}");

    // systemd has lost it, and another one has taken the lock since.
    machine.release("first");
    let stale = File::open(machine.paths().legion_lock()).unwrap();
    let _lock = LegionLock::take(&machine.paths()).unwrap();
    let told = said(&machine.run_with(stale));
    assert!(told.contains("legion is already running"), "{told}");
}
