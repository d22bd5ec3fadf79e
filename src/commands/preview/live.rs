//! The whole menu in a terminal, driven by the keyboard.

use super::Protocol;
use super::pretend::{Flow, Pretended};
use super::probe;
use super::show::Show;
use super::terminal::Terminal;
use crate::config::Settings;
use crate::error::Result;
use crate::menu::facts::Facts;
use crate::menu::model::{Key, Menu};
use crate::menu::text::keys::TerminalDecoder;
use persona_paint::Painter;
use std::time::{Duration, Instant};

/// How long a terminal may take to answer: remote ones take longer than local ones.
const ANSWERS: Duration = Duration::from_secs(1);

/// The time between frames during an animation: terminals are slower than screens.
const FRAME: Duration = Duration::from_millis(33);

/// Ctrl-C, which is an ordinary byte in raw mode.
const CTRL_C: u8 = 3;

/// Shows the menu until `q` or Ctrl-C, or until its power menu switches the machine off. The terminal is queried for its abilities unless a
/// protocol is given. `painter` creates painters of a width and height.
///
/// # Errors
/// When standard input or output is not a terminal, or the terminal is closed.
pub(super) fn live(
    settings: Settings,
    menu: Menu,
    facts: Facts,
    protocol: Option<Protocol>,
    painter: &dyn Fn(u32, u32) -> Painter,
) -> Result<()> {
    let terminal = Terminal::open()?;
    let started = Instant::now();
    let protocol = match protocol {
        Some(protocol) => protocol,
        None => match ask(&terminal, started)? {
            Some(protocol) => protocol,
            None => return Ok(()),
        },
    };
    let started = Instant::now();
    let mut pretended = Pretended::new(settings, menu, facts);
    let mut decoder = TerminalDecoder::default();
    let mut show = Show::new(protocol, terminal.size(), painter);
    loop {
        let now = started.elapsed();
        let view = pretended.view(now);
        terminal.write(&show.frame(&view)?)?;
        let moving = pretended.is_moving(now).then_some(now + FRAME);
        let due = [moving, pretended.deadline(now), decoder.deadline()].into_iter().flatten().min();
        let woken = terminal.wait(due.map(|due| due.saturating_sub(started.elapsed())))?;
        if woken.stop || quits(&woken.typed) {
            return Ok(());
        }
        if woken.resized {
            // The old picture may be damaged by the resize.
            terminal.write(b"\x1b[0m\x1b[2J")?;
            show = Show::new(protocol, terminal.size(), painter);
        }
        let now = started.elapsed();
        let mut keys: Vec<Key> = decoder.timed_out(now).into_iter().collect();
        keys.extend(decoder.feed(&woken.typed, now));
        let flow = keys.into_iter().map(|key| pretended.key(key, now)).find(|flow| *flow == Flow::Quit);
        if flow.is_some() || pretended.tick(now) == Flow::Quit {
            return Ok(());
        }
    }
}

/// Ctrl-C, or a `q` that is not part of a terminal's answer or of another key's sequence.
fn quits(typed: &[u8]) -> bool {
    typed.contains(&CTRL_C) || typed.contains(&b'q') && !typed.contains(&0x1b)
}

/// The best protocol that the terminal reports; half blocks if it does not answer. Nothing if the preview should end.
fn ask(terminal: &Terminal, started: Instant) -> Result<Option<Protocol>> {
    terminal.write(probe::query().as_bytes())?;
    let mut answers = Vec::new();
    loop {
        if let Some(best) = probe::best(&answers) {
            return Ok(Some(best));
        }
        let Some(left) = ANSWERS.checked_sub(started.elapsed()) else { return Ok(Some(Protocol::Blocks)) };
        let woken = terminal.wait(Some(left))?;
        if woken.stop || quits(&woken.typed) {
            return Ok(None);
        }
        answers.extend(woken.typed);
    }
}
