//! `persona preview`: renders the menu to PNG or to a terminal.

mod base64;
mod blocks;
mod kitty;
mod live;
mod pretend;
mod probe;
mod show;
mod still;
mod terminal;

pub use probe::Protocol;
pub use still::State;

use super::find_persona;
use crate::config::Settings;
use crate::error::{Context, Error, Result};
use crate::menu::data::emblems;
use crate::menu::facts::Facts;
use crate::menu::model::view::{View, appearance, view};
use crate::menu::model::{Event, Menu};
use crate::menu::text;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::syscalls;
use live::live;
use persona_paint::{Painter, write_png};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

/// What to preview, and the destination.
#[derive(Debug)]
pub struct Preview {
    /// The persona that is highlighted; the default if omitted.
    pub name: Option<String>,
    /// The state of the menu.
    pub state: State,
    /// The screen's width and height in pixels.
    pub size: (u32, u32),
    /// The PNG to write; standard output if omitted.
    pub out: Option<PathBuf>,
    /// As text, as on a console without a usable card.
    pub text: bool,
    /// The whole menu in this terminal, by the named protocol or the best that the terminal has.
    pub live: Option<Option<Protocol>>,
}

/// Shows the menu in a given state, or interactively.
///
/// # Errors
/// When the settings cannot be used, there is no such persona, or the picture cannot be written or shown.
pub fn preview(paths: &Paths, preview: &Preview, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let named = preview.name.as_deref().map(|name| find_persona(&settings, name)).transpose()?;
    let default = named.unwrap_or(settings.default_persona(None)).name.clone();
    let host = file::read_text(paths.hostname()).unwrap_or_default();
    let language = Facts::language(paths, &settings);
    let facts = Facts { host: host.trim().to_owned(), language, ..Facts::default() };
    let gallery = emblems(paths, &settings);
    let look = appearance(&settings.menu);
    if let Some(protocol) = preview.live {
        let menu = Menu::new(&settings, &default, None, settings.menu.timeout);
        let painter = |width, height| Painter::with(width, height, gallery.clone(), look);
        return live(settings, menu, facts, protocol, &painter);
    }
    let view = still(&settings, &facts, preview)?;
    if preview.text {
        return print_text(&view, out);
    }
    let mut painter = Painter::with(preview.size.0, preview.size.1, gallery, look);
    painter.paint(&view);
    let writing = || "writing the menu's picture".to_owned();
    match &preview.out {
        Some(file) => write_png(&painter, File::create(file).context(|| format!("making {}", file.display()))?).context(writing),
        None if std::io::stdout().is_terminal() => {
            Err(Error::usage("a PNG cannot go to a terminal").with_hint("name a file with --out, redirect the output, or use --live"))
        }
        None => write_png(&painter, out).context(writing),
    }
}

/// The menu of these settings in the requested state, with the highlight on the requested persona.
fn still(settings: &Settings, facts: &Facts, preview: &Preview) -> Result<View> {
    let default = settings.default_persona(None).name.clone();
    let mut menu = Menu::new(settings, &default, None, settings.menu.timeout);
    menu.handle(Event::Shown, Duration::ZERO);
    let opening = view(settings, &menu, facts, Duration::ZERO).ok_or_else(|| Error::new("the menu has nothing to show"))?;
    let named = preview.name.as_deref().and_then(|name| settings.personas.iter().position(|persona| persona.name == name));
    let highlighted = named.unwrap_or(opening.highlighted);
    Ok(preview.state.of(opening, highlighted))
}

/// The view as text: coloured and at the terminal's size on a terminal, otherwise plain, as on a serial line.
fn print_text(view: &View, out: &mut dyn Write) -> Result<()> {
    let stdout = std::io::stdout();
    let told = syscalls::window_size(stdout.as_fd()).ok().filter(|size| size.columns > 0 && size.rows > 1);
    // The last row is for the shell's prompt.
    let (columns, rows) = told.map_or((80, 24), |size| (size.columns.into(), usize::from(size.rows) - 1));
    let lines = text::lines(view, columns, rows);
    let bytes = if told.is_some() {
        let end = format!("\x1b[{};1H", rows + 1);
        [b"\x1b[2J".to_vec(), text::ansi(&[], &lines, columns), end.into_bytes()].concat()
    } else {
        lines.iter().map(|line| line.text().trim_end().to_owned() + "\n").collect::<String>().into_bytes()
    };
    out.write_all(&bytes).context(|| "printing".into())
}

/// Reads a screen's size such as `1920x1080`, in pixels.
///
/// # Errors
/// When it is invalid, or too small or too large to paint.
pub fn size(text: &str) -> std::result::Result<(u32, u32), String> {
    let side = |side: &str| side.parse::<u32>().ok().filter(|side| (64..=16384).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .ok_or_else(|| format!("`{text}` is not a size such as 1920x1080 (each side 64 to 16384)"))
}
