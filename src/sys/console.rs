//! The kernel's text console: put aside while the menu uses the screen, and restored in every case.
//!
//! The menu uses its own virtual terminal, so that a login prompt that starts on tty1 in the meantime neither draws over the menu nor reads
//! its keys. All of it is best effort: a kernel without virtual terminals has nothing to put aside.
//!
//! The console is restored when [`ConsoleAside`] is dropped, and in the handler of fatal signals; a panic is one of them, as it ends in
//! SIGABRT (`panic = "abort"`). For SIGKILL the menu's unit has [`restore`].
//!
//! The mode of terminals and the foreground terminal are left alone while the kernel's framebuffer console has the terminals and there is
//! no framebuffer left to draw on (a removed card, on a machine without another text console as a fallback): Linux 6.1 then dereferences a
//! null pointer (`fbcon_blank`) with the console lock held, and every later user of that lock hangs forever.

use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::syscalls::{self, VtDisplay, VtKeyboard};
use nix::libc::O_NOCTTY;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

/// The menu's terminal. logind starts login prompts on the first six, and Ctrl-Alt-F12 still reaches this one.
const MENU_TERMINAL: u16 = 12;

/// The terminal to switch to when the previous one is unknown: the first login prompt.
const LOGIN_TERMINAL: u16 = 1;

/// The menu's terminal once it was opened: a signal handler cannot open it.
static TERMINAL: OnceLock<File> = OnceLock::new();

/// The kernel's list of framebuffers (`/proc/fb`), open: a signal handler can read it, but not open it.
static FRAMEBUFFERS: OnceLock<File> = OnceLock::new();

/// The terminal in the foreground before the console was put aside; 0 while it is not.
static BEFORE: AtomicU16 = AtomicU16::new(0);

/// How many users have put the console aside for a picture, and for text. A card without monitors and its text fallback exist at the same
/// time.
static PICTURES: AtomicUsize = AtomicUsize::new(0);
static TEXTS: AtomicUsize = AtomicUsize::new(0);

/// While one exists the console is put aside; dropping the last one restores the console. While one is for text, the menu's terminal is in
/// text mode.
pub struct ConsoleAside {
    count: &'static AtomicUsize,
    paths: Paths,
}

impl ConsoleAside {
    /// Puts the console aside.
    pub fn put(paths: &Paths) -> Self {
        let aside = Self::counted(&PICTURES, paths);
        if let Err(error) = take(paths) {
            log::info!("switching the console away from the screen: {error}");
        }
        aside
    }

    /// Puts the console aside for a text menu: the menu's own terminal stays in text mode.
    ///
    /// # Errors
    /// When there is no virtual terminal.
    pub fn put_for_text(paths: &Paths) -> io::Result<Self> {
        let aside = Self::counted(&TEXTS, paths);
        take(paths).map(|()| aside)
    }

    fn counted(count: &'static AtomicUsize, paths: &Paths) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self { count, paths: paths.clone() }
    }
}

impl Drop for ConsoleAside {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        let drawn = is_drawn(&self.paths);
        let done = match (wanted_display(), TERMINAL.get()) {
            (None, _) => bring_back(drawn),
            (Some(display), Some(terminal)) if drawn => syscalls::set_vt_display(terminal, display),
            (Some(_), _) => Ok(()),
        };
        if let Err(error) = done {
            log::debug!("bringing the console back: {error}");
        }
    }
}

/// The name of the menu's terminal in `/dev`.
pub fn menu_terminal() -> String {
    format!("tty{MENU_TERMINAL}")
}

/// Restores the console after a menu that could not (it was killed).
///
/// # Errors
/// When there is no virtual terminal.
pub fn restore(paths: &Paths) -> io::Result<()> {
    give_back(&open(paths)?, LOGIN_TERMINAL, is_drawn(paths))
}

/// Whether the mode of terminals, and the foreground terminal, can be changed safely.
fn is_drawn(paths: &Paths) -> bool {
    // A kernel without the list has no framebuffers, and so no framebuffer console.
    file::read_text(paths.framebuffers()).map_or(true, |list| !list.is_empty()) || !is_on_framebuffer(paths)
}

/// Whether the kernel's text console is its framebuffer console (Documentation/driver-api/console.rst).
pub fn is_on_framebuffer(paths: &Paths) -> bool {
    let mut consoles = fs::read_dir(paths.virtual_consoles()).into_iter().flatten().flatten().map(|entry| entry.path());
    let read = |file| file::read_text(file).unwrap_or_default();
    consoles.any(|folder| read(folder.join("bind")).trim() == "1" && read(folder.join("name")).contains("frame buffer"))
}

fn open(paths: &Paths) -> io::Result<File> {
    // Without O_NOCTTY it could become the controlling terminal, and a hangup would end the menu.
    OpenOptions::new().read(true).write(true).custom_flags(O_NOCTTY).open(paths.virtual_terminal(MENU_TERMINAL))
}

/// The mode of the menu's terminal while the console is put aside; none if it is not.
fn wanted_display() -> Option<VtDisplay> {
    match (PICTURES.load(Ordering::Acquire), TEXTS.load(Ordering::Acquire)) {
        (0, 0) => None,
        (_, 0) => Some(VtDisplay::Graphics),
        _ => Some(VtDisplay::Text),
    }
}

fn take(paths: &Paths) -> io::Result<()> {
    if !is_drawn(paths) {
        return Err(io::Error::other("no framebuffer is left to draw it on"));
    }
    if let Ok(list) = File::open(paths.framebuffers()) {
        FRAMEBUFFERS.get_or_init(|| list);
    }
    let terminal = match TERMINAL.get() {
        Some(terminal) => terminal,
        None => {
            let opened = open(paths)?;
            TERMINAL.get_or_init(|| opened)
        }
    };
    let active = syscalls::active_vt(terminal)?;
    syscalls::on_fatal_signal(|| {
        // The console driver cannot be looked up here. If it needed no framebuffer, `restore` does the rest.
        let drawn = FRAMEBUFFERS.get().is_none_or(|list| list.read_at(&mut [0], 0).is_ok_and(|length| length > 0));
        let _ = bring_back(drawn);
    })?;
    let before = match (BEFORE.load(Ordering::Acquire), active) {
        // A killed menu leaves its own terminal in the foreground.
        (0, MENU_TERMINAL) => LOGIN_TERMINAL,
        (0, active) => active,
        // Already put aside, for text or for the picture.
        (before, _) => before,
    };
    BEFORE.store(before, Ordering::Release);
    syscalls::activate_vt(terminal, MENU_TERMINAL)?;
    syscalls::set_vt_keyboard(terminal, VtKeyboard::Off)?;
    syscalls::set_vt_display(terminal, wanted_display().unwrap_or(VtDisplay::Text))
}

/// Restores everything that was changed, if anything was. Only system calls, because it runs in signal handlers too.
fn bring_back(drawn: bool) -> io::Result<()> {
    match (TERMINAL.get(), BEFORE.swap(0, Ordering::AcqRel)) {
        (None, _) | (_, 0) => Ok(()),
        (Some(terminal), before) => give_back(terminal, before, drawn),
    }
}

/// The keyboard mode always; the rest if the terminals are `drawn`.
fn give_back(terminal: &File, number: u16, drawn: bool) -> io::Result<()> {
    let keys = syscalls::set_vt_keyboard(terminal, VtKeyboard::Unicode);
    if !drawn {
        return keys;
    }
    let modes = syscalls::set_vt_display(terminal, VtDisplay::Text).and(keys);
    // If the user has switched to another terminal in the meantime, it stays.
    let switched = if syscalls::active_vt(terminal)? == MENU_TERMINAL { syscalls::activate_vt(terminal, number) } else { Ok(()) };
    modes.and(switched)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A machine with these framebuffers and text consoles, each with its name and whether it has the terminals.
    fn drawn(framebuffers: Option<&str>, consoles: &[(&str, bool)]) -> bool {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        if let Some(list) = framebuffers {
            fs::create_dir_all(paths.framebuffers().parent().unwrap()).unwrap();
            fs::write(paths.framebuffers(), list).unwrap();
        }
        for (number, (name, bound)) in consoles.iter().enumerate() {
            let folder = paths.virtual_consoles().join(format!("vtcon{number}"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("name"), format!("(M) {name}\n")).unwrap();
            fs::write(folder.join("bind"), if *bound { "1\n" } else { "0\n" }).unwrap();
        }
        is_drawn(&paths)
    }

    #[test]
    fn only_a_framebuffer_console_without_a_framebuffer_is_left_alone() {
        assert!(drawn(Some("0 amdgpudrmfb\n"), &[("frame buffer device", true), ("dummy device", false)]));
        assert!(!drawn(Some(""), &[("frame buffer device", true)]));
        // The kernel had another console as a fallback.
        assert!(drawn(Some(""), &[("frame buffer device", false), ("dummy device", true)]));
        assert!(drawn(Some(""), &[("VGA+", true)]), "there never was a framebuffer");
        assert!(drawn(None, &[]), "the kernel knows no framebuffers");
    }
}
