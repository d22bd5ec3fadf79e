//! `persona menu`: the menu on the display card, until legion and the host have no more use for it.

use super::{gallery, or_absent};
use crate::console;
use crate::error::Result;
use crate::kernel_command_line::KernelCommandLine;
use crate::menu::beep;
use crate::menu::facts::Facts;
use crate::menu::monitors::Monitors;
use crate::menu::session::{Session, Subject};
use crate::menu::state::Menu;
use crate::menu::text::getty;
use crate::passthrough::{Machine, menu_cards};
use crate::paths::Paths;
use crate::settings::value::Timeout;
use crate::settings::{MenuSettings, Settings};
use crate::state::{Choice, Last, Override, Reason};
use persona_paint::Gallery;

/// Runs the menu; with `restore_console` only brings the console back.
///
/// # Errors
/// When the kernel denies what no menu can do without.
pub fn menu(paths: &Paths, restore_console: bool) -> Result<()> {
    if restore_console {
        // No virtual terminal, nothing to restore.
        let _ = console::restore(paths);
        beep::silence(paths);
        getty::restore_all(paths);
        return Ok(());
    }
    let command_line = KernelCommandLine::read(paths);
    if command_line.off {
        log::info!("persona=off on the kernel command line: no menu");
        return Ok(());
    }
    match Settings::load(paths) {
        Ok(settings) => {
            let (facts, displays) = Facts::gather(paths, &settings);
            let monitors = Monitors::new(paths, displays, gallery(paths, &settings), &settings.menu);
            let menu = Box::new(opening(paths, &settings, &command_line));
            Session::new(paths, Subject::Personas { settings: Box::new(settings), menu }, facts, monitors).run()
        }
        Err(error) => {
            log::error!("{error}");
            // Without settings no card is legion's.
            let cards = Machine::read(paths).inspect_err(|error| log::error!("{error}")).as_ref().map(menu_cards).unwrap_or_default();
            let monitors = Monitors::new(paths, cards, Gallery::default(), &MenuSettings::default());
            Session::new(paths, Subject::Broken { why: error.to_string() }, Facts::of_host(paths), monitors).run()
        }
    }
}

/// The menu as this boot begins: with an override from the kernel command line, else from the state, else the countdown.
/// A menu that was started again after a choice asks nobody twice.
fn opening(paths: &Paths, settings: &Settings, command_line: &KernelCommandLine) -> Menu {
    let last = or_absent(Last::read(paths)).map(|last| last.persona);
    let default = &settings.default_persona(last.as_deref()).name;
    if let Some(choice) = or_absent(Choice::read(paths)) {
        log::info!("{} was chosen in this boot already: the menu waits", choice.persona);
        return Menu::new(settings, default, None, Timeout::Never);
    }
    let wanted = command_line.persona.clone().or_else(|| or_absent(Override::read(paths)).map(|next| next.persona));
    let wanted = wanted.filter(|name| {
        let exists = settings.persona(name).is_some();
        if !exists {
            log::warn!("`{name}` was to start in this boot, but there is no such persona: the menu asks as usual");
        }
        exists
    });
    let timeout = command_line.timeout.unwrap_or(settings.menu.timeout);
    Menu::new(settings, default, wanted.as_deref().map(|name| (name, Reason::Override)), timeout)
}
