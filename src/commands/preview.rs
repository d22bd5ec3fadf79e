//! `persona preview`: the menu's very pixels, anywhere.

use super::{find_persona, gallery};
use crate::error::{Context, Error, Result};
use crate::menu::facts::Facts;
use crate::menu::state::{Event, Menu};
use crate::menu::view::{appearance, view};
use crate::paths::Paths;
use crate::settings::Settings;
use clap::Args;
use persona_paint::{Painter, write_png};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// What is previewed, and where it goes.
#[derive(Debug, Args)]
pub struct Preview {
    /// The persona that is highlighted; the default if left out
    name: Option<String>,
    /// The screen's size in pixels
    #[arg(long, default_value = "1920x1080", value_parser = size, value_name = "WIDTHxHEIGHT")]
    size: (u32, u32),
    /// The PNG to write; standard output if left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Paints the menu as it looks when the countdown begins.
///
/// # Errors
/// When the settings cannot be used, there is no such persona, or the picture cannot be written.
pub fn preview(paths: &Paths, preview: &Preview, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let default = settings.default_persona(None).name.clone();
    let highlighted = preview.name.as_deref().map(|name| find_persona(&settings, name)).transpose()?;
    let mut menu = Menu::new(&settings, &default, None, settings.menu.timeout);
    menu.handle(Event::Shown, Duration::ZERO);
    let host = std::fs::read_to_string(paths.hostname()).unwrap_or_default();
    let mut view = view(&settings, &menu, &Facts { host: host.trim().to_owned(), ..Facts::default() }, Duration::ZERO)
        .ok_or_else(|| Error::new("the menu has nothing to show"))?;
    if let Some(index) = highlighted.and_then(|wanted| settings.personas.iter().position(|persona| persona == wanted)) {
        (view.highlighted, view.pose.shelf) = (index, index as f32);
    }
    let mut painter = Painter::with(preview.size.0, preview.size.1, gallery(paths, &settings), appearance(&settings.menu));
    painter.paint(&view);
    let writing = || "writing the menu's picture".to_owned();
    match &preview.out {
        Some(file) => write_png(&painter, File::create(file).doing(|| format!("making {}", file.display()))?).doing(writing),
        None if std::io::stdout().is_terminal() => {
            Err(Error::usage("a PNG does not belong on a terminal").mend("name a file with --out, or redirect the output"))
        }
        None => write_png(&painter, out).doing(writing),
    }
}

fn size(text: &str) -> std::result::Result<(u32, u32), String> {
    let side = |side: &str| side.parse::<u32>().ok().filter(|side| (64..=16384).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .ok_or_else(|| format!("`{text}` is not a size such as 1920x1080 (each side 64 to 16384)"))
}
