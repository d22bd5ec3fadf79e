//! `persona menu`: the menu on the display card, until neither legion nor the host needs it.

use crate::boot_log::LogEvent;
use crate::config::MenuSettings;
use crate::config::kernel_command_line::{KernelCommandLine, Off};
use crate::error::Result;
use crate::menu::data::MenuData;
use crate::menu::facts::Facts;
use crate::menu::session::beep;
use crate::menu::session::instance::{Instance, InstanceLock, hand_over};
use crate::menu::session::monitors::Monitors;
use crate::menu::session::{RootTransition, Session, Subject};
use crate::menu::text::getty;
use crate::passthrough::{Machine, menu_cards};
use crate::sys::atomic;
use crate::sys::console;
use crate::sys::paths::Paths;
use crate::sys::systemd;
use persona_paint::Gallery;

/// Runs the menu, in the initramfs or in the running system. If one already runs, that one becomes the main process of the unit that
/// started this one.
///
/// # Errors
/// When the kernel refuses what the menu cannot work without.
pub fn menu(paths: &Paths) -> Result<()> {
    if let Some(why) = KernelCommandLine::read(paths).off {
        // Errors are shown on the console, where somebody waits for the menu.
        let level = if why == Off::Asked { log::Level::Info } else { log::Level::Error };
        LogEvent::Decision(format!("no menu: {why}")).log(level);
        systemd::ready();
        return Ok(());
    }
    let _alone = match InstanceLock::take(paths)? {
        Instance::First(alone) => alone,
        Instance::AlreadyRunning(menu) => return hand_over(paths, menu),
    };
    let transition = RootTransition::begin(paths)?;
    let contents = if transition.is_over() { MenuData::read(paths) } else { MenuData::read_early(paths) };
    match contents {
        Ok(contents) if transition.is_in_initramfs() && !contents.settings.menu.early => {
            LogEvent::Decision("no menu in the initramfs: `early = false` in the settings".to_owned()).info();
            systemd::ready();
            Ok(())
        }
        Ok(MenuData { settings, menu, facts, displays, gallery }) => {
            let monitors = Monitors::new(paths, displays, gallery, &settings.menu);
            let subject = Subject::Personas { settings: Box::new(settings), menu: Box::new(menu) };
            Session::new(paths, subject, facts, monitors, transition).run()
        }
        Err(error) => {
            log::error!("{error}");
            // Without settings no card is known to be legion's.
            let cards =
                Machine::read_with(paths, None).inspect_err(|error| log::error!("{error}")).as_ref().map(menu_cards).unwrap_or_default();
            let monitors = Monitors::new(paths, cards, Gallery::default(), &MenuSettings::default());
            Session::new(paths, Subject::Broken { why: error.to_string() }, Facts::of_host(paths), monitors, transition).run()
        }
    }
}

/// Restores the console after a menu that was killed.
///
/// # Errors
/// None: missing parts need nothing.
pub fn restore_console(paths: &Paths) -> Result<()> {
    // No virtual terminal, nothing to restore.
    let _ = console::restore(paths);
    beep::silence(paths);
    getty::restore_all(paths);
    Ok(())
}

/// Notifies a menu that began in the initramfs that the host's file systems are mounted.
///
/// # Errors
/// When the notification fails.
pub fn host_is_there(paths: &Paths) -> Result<()> {
    std::fs::create_dir_all(paths.run_dir()).ok();
    atomic::write(&paths.host_is_there(), b"")
}
