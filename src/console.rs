//! The kernel's text console: put aside while the menu has the screen, and brought back whatever happens.
//!
//! The menu takes a virtual terminal of its own, so that a login prompt that starts meanwhile on tty1 neither draws
//! over the menu nor reads its keys. All of it is best effort: a kernel without virtual terminals has nothing to put aside.

use crate::paths::Paths;
use crate::sys::{self, VtDisplay, VtKeyboard};
use std::fs::{File, OpenOptions};
use std::io;

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
        let before = match take(paths) {
            Ok(before) => before,
            Err(error) => {
                log::info!("no virtual terminal to put aside: {error}");
                LOGIN_TERMINAL
            }
        };
        Self { paths: paths.clone(), before }
    }
}

impl Drop for ConsoleAside {
    fn drop(&mut self) {
        if let Err(error) = give_back(&self.paths, self.before) {
            log::debug!("bringing the console back: {error}");
        }
    }
}

/// Brings the console back after a menu that had no chance to (it was killed).
///
/// # Errors
/// When there is no virtual terminal.
pub fn restore(paths: &Paths) -> io::Result<()> {
    give_back(paths, LOGIN_TERMINAL)
}

fn open(paths: &Paths, number: u16) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(paths.virtual_terminal(number))
}

fn take(paths: &Paths) -> io::Result<u16> {
    let terminal = open(paths, MENU_TERMINAL)?;
    let before = sys::active_vt(&terminal)?;
    sys::activate_vt(&terminal, MENU_TERMINAL)?;
    sys::set_vt_keyboard(&terminal, VtKeyboard::Off)?;
    sys::set_vt_display(&terminal, VtDisplay::Graphics)?;
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
