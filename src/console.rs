//! The kernel's text console: put aside while the menu has the screen, and brought back whatever happens.
//!
//! The menu takes a virtual terminal of its own, so that a login prompt that starts meanwhile on tty1 neither draws
//! over the menu nor reads its keys. All of it is best effort: a kernel without virtual terminals has nothing to put aside.
//!
//! The console comes back when [`ConsoleAside`] is dropped, and in the handler of the signals by which a program dies; a panic
//! is one of them, as it ends in SIGABRT (`panic = "abort"`). For SIGKILL the menu's unit has [`restore`].

use crate::paths::Paths;
use crate::sys::{self, VtDisplay, VtKeyboard};
use nix::libc::O_NOCTTY;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

/// The menu's terminal. logind starts login prompts on the first six, and Ctrl-Alt-F12 still reaches this one.
const MENU_TERMINAL: u16 = 12;

/// Where the console goes when nobody remembers where it was: the first login prompt.
const LOGIN_TERMINAL: u16 = 1;

/// The menu's terminal once it was taken: a signal handler cannot open it.
static TERMINAL: OnceLock<File> = OnceLock::new();

/// The terminal that was in front before the console was put aside; 0 while it is not.
static BEFORE: AtomicU16 = AtomicU16::new(0);

/// How many have put the console aside for a picture, and for text. A card without monitors and the text that stands in for
/// them are there at the same time.
static PICTURES: AtomicUsize = AtomicUsize::new(0);
static TEXTS: AtomicUsize = AtomicUsize::new(0);

/// While one lives the console is put aside; dropping the last one brings the console back. While one is for text, the
/// menu's terminal shows letters.
pub struct ConsoleAside(&'static AtomicUsize);

impl ConsoleAside {
    /// Puts the console aside.
    pub fn put(paths: &Paths) -> Self {
        PICTURES.fetch_add(1, Ordering::AcqRel);
        if let Err(error) = take(paths) {
            log::info!("no virtual terminal to put aside: {error}");
        }
        Self(&PICTURES)
    }

    /// Puts the console aside for a menu as text: the menu's own terminal goes on showing letters.
    ///
    /// # Errors
    /// When there is no virtual terminal.
    pub fn put_for_text(paths: &Paths) -> io::Result<Self> {
        TEXTS.fetch_add(1, Ordering::AcqRel);
        let aside = Self(&TEXTS);
        take(paths).map(|()| aside)
    }
}

impl Drop for ConsoleAside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
        let done = match (wanted_display(), TERMINAL.get()) {
            (None, _) => bring_back(),
            (Some(display), Some(terminal)) => sys::set_vt_display(terminal, display),
            (Some(_), None) => Ok(()),
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

/// Brings the console back after a menu that had no chance to (it was killed).
///
/// # Errors
/// When there is no virtual terminal.
pub fn restore(paths: &Paths) -> io::Result<()> {
    give_back(&open(paths)?, LOGIN_TERMINAL)
}

fn open(paths: &Paths) -> io::Result<File> {
    // A terminal that became the menu's own could end it by hanging up.
    OpenOptions::new().read(true).write(true).custom_flags(O_NOCTTY).open(paths.virtual_terminal(MENU_TERMINAL))
}

/// What the menu's terminal shows for those that have put the console aside; none if nobody has.
fn wanted_display() -> Option<VtDisplay> {
    match (PICTURES.load(Ordering::Acquire), TEXTS.load(Ordering::Acquire)) {
        (0, 0) => None,
        (_, 0) => Some(VtDisplay::Graphics),
        _ => Some(VtDisplay::Text),
    }
}

fn take(paths: &Paths) -> io::Result<()> {
    let terminal = match TERMINAL.get() {
        Some(terminal) => terminal,
        None => {
            let opened = open(paths)?;
            TERMINAL.get_or_init(|| opened)
        }
    };
    let active = sys::active_vt(terminal)?;
    sys::on_fatal_signal(|| {
        let _ = bring_back();
    })?;
    let before = match (BEFORE.load(Ordering::Acquire), active) {
        // A menu that was killed leaves its own terminal in front.
        (0, MENU_TERMINAL) => LOGIN_TERMINAL,
        (0, active) => active,
        // Aside already, for text or for the picture.
        (before, _) => before,
    };
    BEFORE.store(before, Ordering::Release);
    sys::activate_vt(terminal, MENU_TERMINAL)?;
    sys::set_vt_keyboard(terminal, VtKeyboard::Off)?;
    sys::set_vt_display(terminal, wanted_display().unwrap_or(VtDisplay::Text))
}

/// Gives back what was taken, if anything was. Only system calls, for it runs in signal handlers too.
fn bring_back() -> io::Result<()> {
    match (TERMINAL.get(), BEFORE.swap(0, Ordering::AcqRel)) {
        (None, _) | (_, 0) => Ok(()),
        (Some(terminal), before) => give_back(terminal, before),
    }
}

fn give_back(terminal: &File, number: u16) -> io::Result<()> {
    let modes = sys::set_vt_display(terminal, VtDisplay::Text).and(sys::set_vt_keyboard(terminal, VtKeyboard::Unicode));
    // Somebody who has switched to another terminal meanwhile stays there.
    let switched = if sys::active_vt(terminal)? == MENU_TERMINAL { sys::activate_vt(terminal, number) } else { Ok(()) };
    modes.and(switched)
}
