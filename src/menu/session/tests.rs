//! The loop beside slow disks, slow machines and locks that another process holds. The menu is on a serial line, whose other end is here.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::config::Persona;
use crate::menu::data::MenuData;
use crate::menu::session::launch::Launch;
use crate::menu::session::slow::Live;
use crate::state::{Reason, StartCounts};
use crate::sys::file_lock::FileLock;
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::openpty;
use nix::unistd::ttyname;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

const SETTINGS: &str = "[menu]\ntimeout = \"never\"\n\
    [[persona]]\nname = \"lab\"\nstarts = \"lab.service\"\n[[persona]]\nname = \"desk\"\nstarts = \"desk.service\"\n\
    [[persona]]\nname = \"host\"\nstarts = \"host\"\n";

const NEXT: &[u8] = b"\x1b[C";
const CONFIRM: &[u8] = b"\r";

/// Where a thread waits until the test lets it go on.
struct Gate {
    reached: Sender<()>,
    opens: Mutex<Receiver<()>>,
}

/// The test's side of it.
struct GateKeeper {
    reached: Receiver<()>,
    opens: Sender<()>,
}

fn gate() -> (Gate, GateKeeper) {
    let ((reached, is_reached), (opens, is_open)) = (channel(), channel());
    (Gate { reached, opens: Mutex::new(is_open) }, GateKeeper { reached: is_reached, opens })
}

impl Gate {
    fn pass(&self) {
        let _ = self.reached.send(());
        let _ = self.opens.lock().unwrap().recv();
    }
}

/// A machine whose disk or sysfs is as slow as the test makes it.
#[derive(Default)]
struct Slow {
    disk: Option<Gate>,
    machine: Option<Gate>,
}

impl SlowWork for Slow {
    fn contents(&self, paths: &Paths) -> Result<MenuData> {
        Live.contents(paths)
    }

    fn facts(&self, paths: &Paths, settings: Option<&Settings>) -> Facts {
        self.machine.iter().for_each(Gate::pass);
        Facts { screen: Some("seen late".into()), ..Live.facts(paths, settings) }
    }

    fn record(&self, paths: &Paths, persona: &Persona, reason: Reason, by: Option<String>) -> Result<Choice> {
        self.disk.iter().for_each(Gate::pass);
        Live.record(paths, persona, reason, by)
    }

    fn account(&self, paths: &Paths, persona: &Persona, choice: &Choice) -> Result<Option<Launch>> {
        Live.account(paths, persona, choice)
    }
}

struct Bench {
    session: Session,
    sources: Sources,
    person: File,
    _line: OwnedFd,
    root: tempfile::TempDir,
}

impl Bench {
    fn new(work: Slow) -> Self {
        let root = tempfile::tempdir().unwrap();
        let pair = openpty(None, None).unwrap();
        for folder in ["etc/persona", "dev", "sys/class/tty/console", "sys/bus/pci/devices", "proc", "run/persona"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("etc/persona/persona.toml"), SETTINGS).unwrap();
        fs::write(root.path().join("sys/class/tty/console/active"), "ttyS0\n").unwrap();
        symlink(ttyname(&pair.slave).unwrap(), root.path().join("dev/ttyS0")).unwrap();
        let paths = Paths::new(root.path(), None);
        let MenuData { settings, menu, facts, displays, gallery } = MenuData::read(&paths).unwrap();
        let monitors = Monitors::new(&paths, displays, gallery, &settings.menu);
        let subject = Subject::Personas { settings: Box::new(settings), menu: Box::new(menu) };
        let mut session = Session::new(&paths, subject, facts, monitors, RootTransition::Over);
        session.work = Arc::new(work);
        let sources = Sources::open(&paths).unwrap();
        session.begin(&sources);
        let mut bench = Self { root, person: pair.master.into(), _line: pair.slave, session, sources };
        bench.frame_shows("Lab");
        bench
    }

    fn paths(&self) -> Paths {
        Paths::new(self.root.path(), None)
    }

    fn menu(&self) -> &Menu {
        self.session.menu().unwrap()
    }

    /// Shows the next frame, and waits until these words have reached the user's terminal.
    fn frame_shows(&mut self, words: &str) {
        self.session.refresh(&self.sources);
        let mut seen = String::new();
        while !seen.contains(words) {
            let mut fds = [PollFd::new(self.person.as_fd(), PollFlags::POLLIN)];
            assert!(poll(&mut fds, PollTimeout::from(60_000_u16)).unwrap() > 0, "{words} is not in {seen}");
            let mut bytes = [0; 1 << 14];
            let length = self.person.read(&mut bytes).unwrap();
            seen += &String::from_utf8_lossy(&bytes[..length]);
        }
    }

    /// Runs turns of the loop until the condition holds. A turn ends on any event, such as a key that arrives late on the line.
    fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            assert!(self.session.turn(&mut self.sources).unwrap() == Flow::Continue);
        }
    }

    /// A key moves the highlight to this persona, and the next frame shows it.
    fn highlight_moves_to(&mut self, persona: usize, title: &str) {
        assert_ne!(self.menu().highlighted(), persona);
        self.person.write_all(NEXT).unwrap();
        self.until(|bench| bench.menu().highlighted() == persona);
        self.frame_shows(title);
    }

    /// Makes the menu see that so much time has passed.
    fn later(&mut self, time: Duration) {
        self.session.started -= time;
    }
}

/// A process that holds a lock until its standard input is closed.
fn holder(path: &std::path::Path) -> Child {
    drop(FileLock::try_take(path).unwrap().unwrap());
    let mut command = Command::new("flock");
    command.arg("-x").arg(path).args(["-c", "echo held; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    child
}

#[test]
fn loop_beside_a_slow_disk_and_a_held_lock_moves_the_highlight_and_the_choice_lands() {
    let (disk, keeper) = gate();
    let mut bench = Bench::new(Slow { disk: Some(disk), ..Slow::default() });
    let paths = bench.paths();
    let mut holder = holder(&paths.starts_lock());

    bench.person.write_all(CONFIRM).unwrap();
    bench.until(|bench| bench.menu().is_recording());
    keeper.reached.recv().unwrap();
    bench.later(Duration::from_secs(5));
    bench.until(|bench| bench.menu().is_recording_overdue());
    bench.frame_shows("not recorded yet");
    bench.highlight_moves_to(1, "Desk");
    assert!(!paths.choice().exists(), "the disk is still slow");

    // The disk is quick again, and the lock still held.
    keeper.opens.send(()).unwrap();
    while !paths.choice().exists() {
        std::thread::yield_now();
    }
    bench.until(|bench| bench.session.control.choice.is_some());
    bench.highlight_moves_to(2, "Host");
    assert!(bench.menu().is_recording() && !paths.starts().exists(), "another process holds the lock");
    assert!(holder.try_wait().unwrap().is_none());

    drop(holder.stdin.take());
    bench.until(|bench| !bench.menu().is_recording());
    assert_eq!(Choice::read(&paths).unwrap().unwrap(), Choice { persona: "lab".into(), reason: Reason::Picked, pin_asked: false });
    assert_eq!(StartCounts::read(&paths).unwrap().unwrap().of("lab"), 1);
    assert_eq!((bench.menu().stage_word(), bench.menu().highlighted()), ("starting", 0));
    holder.wait().unwrap();
}

#[test]
fn loop_beside_a_slow_machine_moves_the_highlight_and_shows_the_facts_later() {
    let (machine, keeper) = gate();
    let mut bench = Bench::new(Slow { machine: Some(machine), ..Slow::default() });
    bench.session.look_again(Duration::ZERO);
    bench.until(|bench| bench.session.gathers_facts);
    keeper.reached.recv().unwrap();
    // A second inspection waits for the first.
    bench.session.look_again(Duration::ZERO);
    bench.highlight_moves_to(1, "Desk");
    bench.highlight_moves_to(2, "Host");
    assert!(bench.session.facts.screen.is_none() && keeper.reached.try_recv().is_err());

    keeper.opens.send(()).unwrap();
    bench.until(|bench| bench.session.facts.screen.is_some());
    keeper.reached.recv().unwrap();
    keeper.opens.send(()).unwrap();
    bench.until(|bench| !bench.session.gathers_facts);
}

#[test]
fn remote_choice_is_answered_once_it_is_recorded_and_before_what_was_asked_after_it() {
    let (disk, keeper) = gate();
    let mut bench = Bench::new(Slow { disk: Some(disk), ..Slow::default() });
    let mut client = UnixStream::connect(bench.paths().menu_socket()).unwrap();
    client.write_all(b"{\"v\":1,\"request\":\"choose\",\"persona\":\"desk\",\"who\":\"sam\"}\n{\"v\":1,\"request\":\"state\"}\n").unwrap();
    bench.until(|bench| bench.menu().is_recording());
    keeper.reached.recv().unwrap();
    client.set_nonblocking(true).unwrap();
    assert!(client.read(&mut [0]).is_err(), "nothing is answered before it is so");

    keeper.opens.send(()).unwrap();
    bench.until(|bench| !bench.menu().is_recording());
    bench.session.serve(&bench.sources);
    client.set_nonblocking(false).unwrap();
    let mut lines = BufReader::new(client).lines().map(|line| line.unwrap());
    for _ in 0..2 {
        let line = lines.next().unwrap();
        assert!(line.contains(r#""ok":true"#) && line.contains(r#""persona":"desk""#) && line.contains(r#""who":"sam""#), "{line}");
    }
}

#[test]
fn remote_choice_that_is_not_recorded_in_time_is_answered_so() {
    let (disk, keeper) = gate();
    let mut bench = Bench::new(Slow { disk: Some(disk), ..Slow::default() });
    let mut client = UnixStream::connect(bench.paths().menu_socket()).unwrap();
    client.write_all(b"{\"v\":1,\"request\":\"choose\",\"persona\":\"desk\"}\n").unwrap();
    bench.until(|bench| bench.menu().is_recording());
    keeper.reached.recv().unwrap();
    bench.later(Duration::from_secs(5));
    bench.until(|bench| bench.menu().is_recording_overdue());
    let mut line = String::new();
    BufReader::new(client).read_line(&mut line).unwrap();
    assert!(line.contains(r#""ok":false"#) && line.contains("not recorded yet"), "{line}");
    keeper.opens.send(()).unwrap();
}
