//! The settings, and the overrides for a boot.

use super::{Area, Case, Level};
use crate::config::kernel_command_line::KernelCommandLine;
use crate::config::{DefaultPersona, Persona, Settings};
use crate::error::Error;
use crate::menu::gallery;
use crate::state::{Override, StartCounts};
use crate::sys::file;
use persona_paint::can_write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

pub(super) fn check(case: &Case<'_>, trouble: Option<&Error>) -> Area {
    let mut area = Area::new("settings");
    const FILE: &str = "persona.toml";
    if let Some(trouble) = trouble {
        area.error(Level::Broken, "settings-invalid", FILE, trouble);
    }
    if let Some(settings) = &case.settings {
        let default = settings.default_persona(case.last.as_deref());
        let count = settings.personas.len();
        let personas = if count == 1 { "1 persona".to_owned() } else { format!("{count} personas") };
        area.good("settings-valid", FILE, format!("{personas}, the default is {}", default.name));
        locked_default(settings, &mut area);
        skipped(case, &default.name, &mut area);
        let (_, errors) = gallery::load(case.paths, settings.personas.iter().map(|persona| &persona.emblem));
        errors.iter().for_each(|error| area.error(Level::Warning, "emblem-unusable", "emblem", error));
        letters(case, settings, &mut area);
    }
    readable_hashes(case, &mut area);
    next_boot(case, &mut area);
    command_line(case, &mut area);
    area
}

/// PIN hashes that others can read: a PIN of four digits is found in minutes then. Editors and package managers leave copies of the file
/// beside it.
fn readable_hashes(case: &Case<'_>, area: &mut Area) {
    const HASH: &str = "$argon2";
    const OTHERS: u32 = 0o004;
    let file = case.paths.settings();
    let Some(folder) = file.parent() else { return };
    let mut files: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort_unstable();
    let is_open = |path: &&PathBuf| fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & OTHERS != 0);
    // A comment may tell what a hash looks like: whole ones have five parts.
    let has_hash = |path: &&PathBuf| {
        let text = file::read_text(path).unwrap_or_default();
        text.split(HASH).skip(1).any(|rest| rest.split(['"', '\'', ' ', '\n']).next().unwrap_or_default().matches('$').count() >= 4)
    };
    for path in files.iter().filter(is_open).filter(has_hash) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hint = match *path == file {
            true => format!("`chmod 600 {}`; `persona list` then needs sudo", path.display()),
            false => format!("`rm {}`, or `chmod 600` it", path.display()),
        };
        area.warning("pin-hashes-readable", &name, format!("every user can read the hashes of PINs in {}", path.display()), hint);
    }
}

/// Titles and taglines in letters that no font of the menu has.
fn letters(case: &Case<'_>, settings: &Settings, area: &mut Area) {
    let font = settings.menu.font.as_ref().map(|font| gallery::load_font(case.paths, font));
    if let Some(Err(error)) = font {
        area.error(Level::Warning, "font-unusable", "font", &error);
    }
    for persona in &settings.personas {
        for (key, text, shown) in [("title", &persona.title, persona.name.as_str()), ("tagline", &persona.tagline, "nothing")] {
            if !can_write(text) {
                area.warning(
                    "letters-missing",
                    &persona.name,
                    format!("the menu has no letters for the {key} of {}, `{text}`: it shows {shown}", persona.name),
                    "name a font that has them: menu.font = \"/usr/share/fonts/...\"",
                );
            }
        }
    }
}

/// A locked default, which needs a person to enter its PIN.
fn locked_default(settings: &Settings, area: &mut Area) {
    let DefaultPersona::Named(name) = &settings.menu.default else { return };
    if settings.persona(name).is_none_or(Persona::starts_unattended) {
        return;
    }
    let instead = settings.default_persona(None);
    let consequence =
        if instead.starts_unattended() { format!("{} starts instead", instead.name) } else { "nothing starts by itself".to_owned() };
    area.warning(
        "default-locked",
        "default",
        format!("{name} has a PIN, so the countdown may not start it: {consequence}"),
        "write `unattended = true` below it, or name another default",
    );
}

/// A default or an override with too many failed boots.
fn skipped(case: &Case<'_>, default: &str, area: &mut Area) {
    let counts = match StartCounts::read(case.paths) {
        Ok(counts) => counts.unwrap_or_default(),
        Err(error) => {
            let hint = format!("remove {}: this resets the counts of failed boots", case.paths.starts().display());
            return area.warning("starts-unreadable", "starts", error.reason(), hint);
        }
    };
    let next = Override::read(case.paths).ok().flatten().map(|next| next.persona);
    for (subject, name) in [("default", Some(default)), ("override", next.as_deref())] {
        if let Some((name, why)) = name.and_then(|name| Some((name, counts.skip_reason(name)?))) {
            area.warning("persona-skipped", subject, format!("{why}; the menu waits for a person"), StartCounts::hint(name));
        }
    }
}

fn is_known(case: &Case<'_>, name: &str) -> bool {
    case.settings.as_ref().is_none_or(|settings| settings.persona(name).is_some())
}

fn next_boot(case: &Case<'_>, area: &mut Area) {
    const SUBJECT: &str = "override";
    match Override::read(case.paths) {
        Ok(Some(next)) if !is_known(case, &next.persona) => area.warning(
            "override-unknown-persona",
            SUBJECT,
            format!("the next boot is set to {}, and there is no such persona: the default starts", next.persona),
            "`persona next --clear`, or name one that `persona list` shows",
        ),
        Ok(_) => {}
        Err(error) => area.error(Level::Warning, "override-unreadable", SUBJECT, &error),
    }
}

fn command_line(case: &Case<'_>, area: &mut Area) {
    let ours = KernelCommandLine::of(&case.host.parameters);
    if let Some(why) = &ours.off {
        area.warning(
            "persona-off",
            "persona=off",
            format!("{why}: nothing was reserved in this boot, and there is no menu"),
            "boot without that word; if it comes back, remove it from the boot loader's entry",
        );
    } else if let Some(name) = ours.persona.filter(|name| !is_known(case, name)) {
        area.warning(
            "command-line-unknown-persona",
            "persona=",
            format!("the kernel command line names the persona {name}, which does not exist"),
            "name one that `persona list` shows, or remove persona= from the boot loader's entry",
        );
    }
}
