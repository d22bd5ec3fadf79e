//! `persona status --watch`: the state of this boot, printed again whenever it changes. It sleeps until the menu, one of the small files or
//! the terminal changes.

use super::status::Status;
use super::{OutputFormat, print};
use crate::control::{Asked, Caller, Request};
use crate::error::{Context, Result};
use crate::state::RecordChanges;
use crate::sys::paths::Paths;
use crate::sys::style::Style;
use crate::sys::syscalls;
use crate::sys::width;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use serde_json::Value;
use std::io::{IsTerminal, Write, stdout};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long the menu may take to answer.
const MENU_TIMEOUT: Duration = Duration::from_secs(1);

/// Prints the state of this boot, and again at every change, until its output is closed.
///
/// # Errors
/// When the kernel does not report changes.
pub fn watch(paths: &Paths, output: OutputFormat, style: Style, out: &mut dyn Write) -> Result<()> {
    let doing = || "watching for changes".to_owned();
    let records = RecordChanges::watch(paths).context(|| format!("watching {} for changes", paths.at("/run").display()))?;
    let mut resized = SigSet::empty();
    resized.add(Signal::SIGWINCH);
    resized.thread_block().context(doing)?;
    let resized = SignalFd::with_flags(&resized, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).context(doing)?;
    let (mut menu, mut live) = (None, None);
    let mut page = Page::default();
    loop {
        let mut is_silent = false;
        if menu.is_none() {
            match subscribe(paths) {
                Ok(subscribed) => (menu, live) = subscribed.map_or((None, None), |(caller, state)| (Some(caller), Some(state))),
                Err(error) => {
                    log::debug!("{error}");
                    is_silent = true;
                }
            }
        }
        let status = Status::read(paths, live.clone());
        let told = match output {
            OutputFormat::Json => page.line(&status, out),
            OutputFormat::Text => page.text(&status.text(style), out),
        };
        if told.and_then(|()| out.flush().context(|| "printing".into())).is_err() {
            return Ok(());
        }
        let standard_output = stdout();
        let mut fds = vec![
            // The kernel reports when the output is closed.
            PollFd::new(standard_output.as_fd(), PollFlags::empty()),
            PollFd::new(records.as_fd(), PollFlags::POLLIN),
            PollFd::new(resized.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(menu.iter().map(|menu: &Caller| PollFd::new(menu.as_fd(), PollFlags::POLLIN)));
        // A menu that exists and refuses the connection may accept one later.
        let timeout = if is_silent { PollTimeout::from(1000u16) } else { PollTimeout::NONE };
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context(doing),
        }
        if fds[0].any() == Some(true) {
            return Ok(());
        }
        let _ = resized.read_signal();
        records.settle(paths);
        if let Some(caller) = &mut menu {
            let (news, open) = caller.news().unwrap_or((None, false));
            live = news.or(live);
            if !open {
                (menu, live) = (None, None);
            }
        }
    }
}

/// A connection to the menu, and what it shows; nothing if there is no menu.
fn subscribe(paths: &Paths) -> Result<Option<(Caller, Value)>> {
    let ends = Instant::now() + MENU_TIMEOUT;
    let Some(mut caller) = Caller::connect(paths, ends)? else { return Ok(None) };
    let state = caller.ask(&Asked { request: Request::Subscribe, who: None }, ends)?;
    Ok(state.map(|state| (caller, state)))
}

/// What was printed last.
#[derive(Default)]
struct Page {
    told: String,
    columns: usize,
    /// The width of each of its lines.
    widths: Vec<usize>,
}

impl Page {
    /// As JSON: one line for each change.
    fn line(&mut self, status: &Status, out: &mut dyn Write) -> Result<()> {
        let line = status.line()?;
        if line == self.told {
            return Ok(());
        }
        self.told = line;
        print(out, &self.told)
    }

    /// As text: a terminal shows only the newest, any other output gets all of them in order.
    fn text(&mut self, text: &str, out: &mut dyn Write) -> Result<()> {
        let size = if stdout().is_terminal() { syscalls::window_size(stdout().as_fd()).ok() } else { None };
        let (columns, rows) = size.map_or((0, 0), |size| (usize::from(size.columns), usize::from(size.rows)));
        if text == self.told && columns == self.columns {
            return Ok(());
        }
        let separator = if self.told.is_empty() { "" } else { "\n" };
        self.told = text.to_owned();
        self.columns = columns;
        if columns == 0 || rows == 0 {
            return print(out, &format!("{separator}{text}"));
        }
        print(out, &self.again(columns, rows))
    }

    /// The bytes that write it over the previous text on a terminal of this many columns and rows.
    fn again(&mut self, columns: usize, rows: usize) -> String {
        // A terminal that has become narrower has wrapped the previous text.
        let above: usize = self.widths.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        let mut written = if above == 0 { String::new() } else { format!("\x1b[{}A\r", above.min(rows.saturating_sub(1)).max(1)) };
        let lines: Vec<(String, usize)> = self.told.lines().take(rows.saturating_sub(1).max(1)).map(|line| fit(line, columns)).collect();
        for (line, _) in &lines {
            written += line;
            written += "\x1b[K\n";
        }
        self.widths = lines.into_iter().map(|(_, width)| width).collect();
        written + "\x1b[J"
    }
}

/// As much of a line as fits in the columns, and its width. Colours have no width.
fn fit(line: &str, columns: usize) -> (String, usize) {
    let (mut fitting, mut width) = (String::new(), 0);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            fitting.push(letter);
            // ECMA-48, 5.4: from `[` to the first letter. Other sequences are treated as colours, which does no harm.
            fitting.extend(letters.by_ref().take_while(|letter| !letter.is_ascii_alphabetic()));
            fitting.push('m');
            continue;
        }
        width += width::of_letter(letter);
        if width > columns {
            let reset = if fitting.contains('\u{1b}') { "\x1b[0m" } else { "" };
            return (fitting + reset, width - width::of_letter(letter));
        }
        fitting.push(letter);
    }
    (fitting, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_written_over_the_one_before() {
        let mut page = Page { told: "one\ntwo\n".into(), ..Page::default() };
        assert_eq!(page.again(80, 24), "one\x1b[K\ntwo\x1b[K\n\x1b[J");
        page.told = "three".into();
        assert_eq!(page.again(80, 24), "\x1b[2A\rthree\x1b[K\n\x1b[J");
        page.told = "one\ntwo\nthree".into();
        assert_eq!(page.again(80, 3), "\x1b[1A\rone\x1b[K\ntwo\x1b[K\n\x1b[J", "what does not fit is left out");
    }

    #[test]
    fn colours_take_no_room() {
        assert_eq!(fit("\x1b[1;31mred\x1b[0m", 3), ("\x1b[1;31mred\x1b[0m".into(), 3));
        assert_eq!(fit("\x1b[31mred 漢", 5), ("\x1b[31mred \x1b[0m".into(), 4));
        assert_eq!(fit("", 5), (String::new(), 0));
    }

    #[test]
    fn a_narrower_terminal_has_wrapped_what_was_there() {
        let mut page = Page { told: "12345678\n\nx".into(), ..Page::default() };
        page.again(80, 24);
        assert!(page.again(4, 24).starts_with("\x1b[4A\r1234\x1b[K\n"));
        assert!(page.again(4, 24).starts_with("\x1b[3A\r"));
    }
}
