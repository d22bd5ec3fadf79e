#![allow(clippy::unwrap_used)]
use super::*;
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::ttyname;
use persona_paint::{Card, Emblem, Stage};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;

const NOW: Duration = Duration::from_secs(1);

/// A machine with a serial console, and the terminal at its other end.
struct Machine {
    root: tempfile::TempDir,
    person: File,
    /// Keeps the line's settings readable when the menu has closed it.
    line: OwnedFd,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let pair = openpty(None, None).unwrap();
        for folder in ["dev", "sys/class/tty/console", "proc"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("sys/class/tty/console/active"), "tty0 tty1 ttyS0\n").unwrap();
        symlink(ttyname(&pair.slave).unwrap(), root.path().join("dev/ttyS0")).unwrap();
        Self { root, person: pair.master.into(), line: pair.slave }
    }

    fn paths(&self) -> Paths {
        Paths::new(self.root.path(), None)
    }

    fn held(&self) -> std::path::PathBuf {
        self.paths().held_lines().join("ttyS0")
    }

    /// What the user's terminal has received up to these words, which may come in several pieces.
    fn received_until(&mut self, words: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(words) {
            seen += &self.received();
        }
        seen
    }

    /// What the user's terminal has received; waits for at least one byte.
    fn received(&mut self) -> String {
        let mut bytes = vec![0; 1 << 16];
        let length = self.person.read(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.line).unwrap().local_flags.contains(LocalFlags::ICANON)
    }
}

fn view(title: &str) -> View {
    let card = Card {
        title: title.into(),
        tagline: String::new(),
        accent: "#7fb069".parse().unwrap(),
        emblem: Emblem::Initial,
        is_default: true,
        is_legion: true,
        is_locked: false,
        refused: None,
    };
    View::still(vec![card], 0, Stage::Waiting)
}

fn wait_for(screens: &TextScreens) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds: Vec<PollFd<'_>> = screens.fds().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    poll(&mut fds, PollTimeout::NONE).unwrap();
}

#[test]
fn a_person_at_a_serial_line_sees_the_menu_and_is_heard() {
    let (mut machine, closing) = (Machine::new(), Threads::default());
    let mut screens = TextScreens::open(&machine.paths(), false, &closing);
    assert_eq!(screens.names(), ["ttyS0 80x24"]);
    assert!(machine.is_raw());
    assert!(screens.show(&view("Rivendale"), NOW));
    let seen = machine.received_until("Rivendale");
    assert!(seen.starts_with(crate::menu::text::ENTER), "{seen:?}");

    machine.person.write_all(b"\x1b[C\r").unwrap();
    wait_for(&screens);
    assert_eq!(screens.pressed(NOW), [Key::Next, Key::Confirm]);
    machine.person.write_all(b"\x1b").unwrap();
    wait_for(&screens);
    assert_eq!(screens.pressed(NOW), []);
    let deadline = screens.deadline().unwrap();
    assert_eq!(screens.pressed(deadline), [Key::Back]);

    drop(screens);
    assert!(closing.wait(Duration::from_secs(60)));
    let seen = machine.received_until(crate::menu::text::LEAVE);
    assert!(seen.ends_with(crate::menu::text::LEAVE), "{seen:?}");
    assert!(!machine.is_raw(), "the line is as it was");
}

#[test]
fn the_login_is_held_back_exactly_as_long_as_the_line_is_open() {
    let (machine, closing) = (Machine::new(), Threads::default());
    let screens = TextScreens::open(&machine.paths(), false, &closing);
    assert!(machine.held().exists(), "the link leads to the open line");
    drop(screens);
    assert!(closing.wait(Duration::from_secs(60)));
    assert!(!machine.held().exists());

    // A menu that was killed: nothing is removed, but its process has no open files any more.
    let mut other = std::process::Command::new("true").spawn().unwrap();
    other.wait().unwrap();
    symlink(format!("/proc/{}/fd/9", other.id()), machine.paths().held_lines().join("ttyS1")).unwrap();
    assert!(!machine.paths().held_lines().join("ttyS1").exists(), "it leads nowhere");
    super::super::getty::restore_all(&machine.paths());
    assert_eq!(fs::read_dir(machine.paths().held_lines()).unwrap().count(), 0);
}

#[test]
fn a_line_that_nobody_reads_never_stops_the_menu() {
    let (mut machine, closing) = (Machine::new(), Threads::default());
    let mut screens = TextScreens::open(&machine.paths(), false, &closing);
    // Far more than any line holds.
    for number in 0..2000u32 {
        assert!(screens.show(&view(&format!("Persona {number}")), NOW));
    }
    assert!(screens.deadline().is_some(), "it is tried again");
    // The other end reads at last: the picture that was begun is completed, then the current one follows.
    let mut seen = String::new();
    let mut later = NOW;
    while !seen.contains("Persona 1999") {
        seen += &machine.received();
        later += Duration::from_secs(1);
        screens.show(&view("Persona 1999"), later);
    }
    assert!(seen.len() < 100_000, "what was not read was dropped: {}", seen.len());
}

#[test]
fn a_line_that_is_hung_up_is_closed() {
    let (machine, closing) = (Machine::new(), Threads::default());
    let mut screens = TextScreens::open(&machine.paths(), false, &closing);
    drop(machine.person);
    drop(machine.line);
    wait_for(&screens);
    assert_eq!(screens.pressed(NOW), []);
    assert!(!screens.are_open());
    assert!(!screens.show(&view("Rivendale"), NOW));
    assert_eq!(screens.deadline(), None);
}

#[test]
fn a_line_with_a_login_on_it_stays_the_logins() {
    let (machine, closing) = (Machine::new(), Threads::default());
    let device = fs::metadata(machine.root.path().join("dev/ttyS0")).unwrap().rdev();
    let (major, minor) = (nix::libc::major(device), nix::libc::minor(device));
    let process = machine.root.path().join("proc/300");
    fs::create_dir_all(&process).unwrap();
    let number = (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
    fs::write(process.join("stat"), format!("300 (agetty) S 1 300 300 {number} 300 0")).unwrap();
    assert!(!TextScreens::open(&machine.paths(), false, &closing).are_open());
    assert!(!machine.is_raw() && !machine.held().exists());
}
