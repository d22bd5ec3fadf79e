//! The consoles that show the menu when no card does: its own virtual terminal, and every serial console of the kernel.

use super::getty::Held;
use super::process;
use super::serial::{SerialLine, Terminal};
use crate::menu::model::Key;
use crate::menu::threads::{Threads, Token, spawn};
use crate::sys::console::{self, ConsoleAside};
use crate::sys::file;
use crate::sys::paths::Paths;
use persona_paint::View;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// The open text consoles. Dropping it restores all of them and starts the host's login on every serial line; a thread closes the lines,
/// which may take half a minute.
pub struct TextScreens {
    terminal: Option<VirtualTerminal>,
    serial: Vec<SerialConsole>,
    closing: Token,
}

/// The menu's virtual terminal in text mode. Its keys come through evdev, as on a screen with a picture.
struct VirtualTerminal {
    // It is dropped before the console is restored.
    terminal: Terminal,
    _console: ConsoleAside,
}

struct SerialConsole {
    // The line is closed before its login starts.
    line: SerialLine,
    _held: Held,
    name: String,
}

impl TextScreens {
    /// Opens every console that can show the menu; the others are logged. A serial line with a login on it is left to the login. The
    /// virtual terminal is not used if `had_card`: it shows only on the card that is gone, and Linux 6.1 follows a null pointer
    /// (`fbcon_blank`) if its mode is set without the card.
    ///
    /// The threads that close lines are added to `closing`, which the caller waits for at the end.
    pub fn open(paths: &Paths, had_card: bool, closing: &Threads) -> Self {
        let opened = if had_card { Err(io::Error::other("its card is gone")) } else { open_virtual_terminal(paths) };
        let terminal = match opened {
            Ok(terminal) => Some(terminal),
            Err(error) => {
                log::info!("no virtual terminal for a menu as text: {error}");
                None
            }
        };
        let serial = serial_consoles(paths).into_iter().filter_map(|name| match open_serial(paths, &name) {
            Ok(console) => console,
            Err(error) => {
                log::info!("no menu on {name}: {error}");
                None
            }
        });
        Self { terminal, serial: serial.collect(), closing: closing.token() }
    }

    /// Whether there is any.
    pub fn are_open(&self) -> bool {
        self.terminal.is_some() || !self.serial.is_empty()
    }

    /// Whether the virtual terminal shows the menu: its keys come from the keyboards.
    pub fn need_keyboards(&self) -> bool {
        self.terminal.is_some()
    }

    /// Leaves the serial lines to the host's logins.
    pub fn leave_serial_lines(&mut self) {
        let lines = std::mem::take(&mut self.serial);
        self.leave(lines);
    }

    /// Closing a line waits until its output is sent (`closing_wait`, `setserial(8)`), so a thread does it.
    fn leave(&self, lines: Vec<SerialConsole>) {
        if lines.is_empty() {
            return;
        }
        let token = self.closing.clone();
        let close = move || {
            drop(lines);
            drop(token);
        };
        if let Err(error) = spawn("closing", Box::new(close)) {
            log::warn!("leaving serial lines: {error}");
        }
    }

    /// Writes the view to every console, as much as it accepts without blocking; true if there is a console.
    pub fn show(&mut self, view: &View, now: Duration) -> bool {
        if let Some(Err(error)) = self.terminal.as_mut().map(|it| it.terminal.show(view, now)) {
            log::info!("the virtual terminal is gone: {error}");
            self.terminal = None;
        }
        self.keep_serial(|line| line.terminal().show(view, now));
        self.are_open()
    }

    /// What to wait for: bytes, or the end of a serial line.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.serial.iter().map(|console| console.line.as_fd())
    }

    /// The keys that were typed on serial lines since the last call. Call it also when [`Self::deadline`] has come.
    pub fn pressed(&mut self, now: Duration) -> Vec<Key> {
        let mut keys = Vec::new();
        self.keep_serial(|line| {
            keys.extend(line.pressed(now)?);
            Ok(())
        });
        keys
    }

    /// When to call [`Self::pressed`] and [`Self::show`] again even without an event.
    pub fn deadline(&self) -> Option<Duration> {
        let virtual_terminal = self.terminal.as_ref().and_then(|it| it.terminal.deadline());
        self.serial.iter().filter_map(|console| console.line.deadline()).chain(virtual_terminal).min()
    }

    /// The consoles with their sizes in characters, for the log: `ttyS0 80x24`.
    pub fn names(&self) -> Vec<String> {
        let terminal = self.terminal.as_ref().map(|it| (console::menu_terminal(), it.terminal.size()));
        let serial = self.serial.iter().map(|console| (console.name.clone(), console.line.size()));
        terminal.into_iter().chain(serial).map(|(name, (columns, rows))| format!("{name} {columns}x{rows}")).collect()
    }

    /// Calls a function for every serial line, and closes those that are gone.
    fn keep_serial(&mut self, mut act: impl FnMut(&mut SerialLine) -> io::Result<()>) {
        let gone = self.serial.extract_if(.., |console| {
            let done = act(&mut console.line);
            if let Err(error) = &done {
                log::info!("{} is gone, perhaps taken by a login: {error}", console.name);
            }
            done.is_err()
        });
        let gone = gone.collect();
        self.leave(gone);
    }
}

impl Drop for TextScreens {
    fn drop(&mut self) {
        self.leave_serial_lines();
    }
}

fn open_virtual_terminal(paths: &Paths) -> io::Result<VirtualTerminal> {
    let node = paths.at("/dev").join(console::menu_terminal());
    // The terminal exists, and has a size, once it is open.
    let terminal = Terminal::open(&node)?;
    let console = ConsoleAside::put_for_text(paths)?;
    Ok(VirtualTerminal { terminal, _console: console })
}

fn open_serial(paths: &Paths, name: &str) -> io::Result<Option<SerialConsole>> {
    let node = paths.at("/dev").join(name);
    if process::is_in_use(paths, std::fs::metadata(&node)?.rdev()) {
        log::info!("no menu on {name}: there is a login on it");
        return Ok(None);
    }
    let line = SerialLine::open(&node)?;
    let held = Held::new(paths, name, line.raw_fd())?;
    log::info!("the menu is on {name}");
    Ok(Some(SerialConsole { line, _held: held, name: name.to_owned() }))
}

/// The kernel's serial consoles: all of its consoles except the virtual terminals.
fn serial_consoles(paths: &Paths) -> Vec<String> {
    let active = file::read_text(paths.active_consoles()).unwrap_or_default();
    let is_virtual = |name: &str| name.strip_prefix("tty").is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()));
    let is_name = |name: &&str| !is_virtual(name) && name.bytes().all(|letter| letter.is_ascii_alphanumeric());
    active.split_whitespace().filter(is_name).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
