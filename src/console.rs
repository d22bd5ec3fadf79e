//! The kernel's text console: put aside while the menu has the screen, and brought back whatever happens.
//!
//! The menu takes a virtual terminal of its own, so that a login prompt that starts meanwhile on tty1 neither draws
//! over the menu nor reads its keys. All of it is best effort: a kernel without virtual terminals has nothing to put aside.

use crate::paths::Paths;
use crate::sys::{self, VtDisplay, VtKeyboard};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

/// The menu's terminal. logind starts login prompts on the first six, and Ctrl-Alt-F12 still reaches this one.
const MENU_TERMINAL: u16 = 12;

/// Where the console goes when nobody remembers where it was: the first login prompt.
const LOGIN_TERMINAL: u16 = 1;

/// While it lives the console is put aside; dropping it brings the console back.
pub struct ConsoleAside {
    paths: Paths,
    before: u16,
}

impl ConsoleAside {
    /// Puts the console aside.
    pub fn put(paths: &Paths) -> Self {
        let before = match take(paths, VtDisplay::Graphics) {
            Ok(before) => before,
            Err(error) => {
                log::info!("no virtual terminal to put aside: {error}");
                LOGIN_TERMINAL
            }
        };
        Self { paths: paths.clone(), before }
    }

    /// Puts the console aside for a menu as text: the menu's own terminal goes on showing letters.
    ///
    /// # Errors
    /// When there is no virtual terminal.
    pub fn put_for_text(paths: &Paths) -> io::Result<Self> {
        let before = take(paths, VtDisplay::Text).inspect_err(|_| {
            let _ = give_back(paths, LOGIN_TERMINAL);
        })?;
        Ok(Self { paths: paths.clone(), before })
    }

    /// Ends without bringing the console back, because another has put it aside meanwhile.
    pub fn leave_aside(self) {
        std::mem::forget(self);
    }
}

impl Drop for ConsoleAside {
    fn drop(&mut self) {
        if let Err(error) = give_back(&self.paths, self.before) {
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
    give_back(paths, LOGIN_TERMINAL)
}

fn open(paths: &Paths, number: u16) -> io::Result<File> {
    // A terminal that became the menu's own could end it by hanging up.
    OpenOptions::new().read(true).write(true).custom_flags(nix::libc::O_NOCTTY).open(paths.virtual_terminal(number))
}

fn take(paths: &Paths, display: VtDisplay) -> io::Result<u16> {
    let terminal = open(paths, MENU_TERMINAL)?;
    let before = sys::active_vt(&terminal)?;
    sys::activate_vt(&terminal, MENU_TERMINAL)?;
    sys::set_vt_keyboard(&terminal, VtKeyboard::Off)?;
    sys::set_vt_display(&terminal, display)?;
    // A menu that was killed leaves its own terminal in front.
    Ok(if before == MENU_TERMINAL { LOGIN_TERMINAL } else { before })
}

fn give_back(paths: &Paths, number: u16) -> io::Result<()> {
    let terminal = open(paths, MENU_TERMINAL)?;
    let modes = sys::set_vt_display(&terminal, VtDisplay::Text).and(sys::set_vt_keyboard(&terminal, VtKeyboard::Unicode));
    // Somebody who has switched to another terminal meanwhile stays there.
    let switched = if sys::active_vt(&terminal)? == MENU_TERMINAL { sys::activate_vt(&terminal, number) } else { Ok(()) };
    modes.and(switched)
}
