//! `persona default`: the persona that starts when no choice is made.

use super::{find_persona, or_absent, print};
use crate::boot_log::LogEvent;
use crate::boot_log::journal;
use crate::config::{DefaultPersona, Settings, with_default};
use crate::error::{Context, Error, Result};
use crate::state::{Last, StartCounts};
use crate::sys::atomic;
use crate::sys::file;
use crate::sys::file_lock::{FileLock, LOCK_TIMEOUT};
use crate::sys::paths::Paths;
use std::io::Write;

/// Shows the default.
///
/// # Errors
/// When the settings cannot be read.
pub fn show(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let last = or_absent(Last::read(paths)).map(|last| last.persona);
    let starts = &settings.default_persona(last.as_deref()).name;
    match &settings.menu.default {
        DefaultPersona::Named(name) if name == starts => print(out, &format!("{name}\n")),
        DefaultPersona::Named(name) => print(out, &format!("{name}; {starts} starts in its place: {name} has a PIN\n")),
        DefaultPersona::Last => print(out, &format!("last; now {starts}\n")),
    }
}

/// Changes it in the settings file, and nothing else there. A persona named explicitly is tried again, whatever its number of failed boots.
///
/// # Errors
/// When there is no such persona, when it may not start unattended, or when the file cannot be changed; it is unchanged then.
pub fn set(paths: &Paths, name: &str, out: &mut dyn Write) -> Result<()> {
    // Held from reading the file to its rename.
    let lock = FileLock::take_within(&paths.settings_lock(), LOCK_TIMEOUT)?;
    let settings = Settings::load(paths)?;
    let file = paths.settings();
    let title = if name == "last" { "the persona that last ran well" } else { &may_be_default(&settings, name)?.title };
    let doing = || format!("changing {}", file.display());
    // Not `read_text`: what is written back must be what was there.
    let text = String::from_utf8(file::read(&file, file::MAX_SETTINGS).context(doing)?).context(doing)?;
    let changed = with_default(&text, name, &file.display().to_string())?;
    if changed != text {
        atomic::rewrite(&file, changed.as_bytes())?;
        journal::write(paths, &LogEvent::Decision(format!("{name} is the default from now on, by {}", crate::sys::identity::of_caller())));
    }
    drop(lock);
    StartCounts::reset(paths, name)?;
    let told = format!(
        "{}: {title} starts when no choice is made.\nThe initramfs need not be rebuilt for that: the menu reads the settings again \
         once the root file system is mounted.\n",
        file.display()
    );
    print(out, &told)
}

fn may_be_default<'a>(settings: &'a Settings, name: &str) -> Result<&'a crate::config::Persona> {
    let persona = find_persona(settings, name)?;
    if persona.starts_unattended() {
        return Ok(persona);
    }
    Err(Error::usage(format!("{} has a PIN, so it may not start without a person to enter it", persona.name))
        .with_hint("write `unattended = true` below its name in the settings, or choose another default"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const SETTINGS: &str = "# mine\n[menu]\ndefault = \"a\" # for now\n[[persona]]\nname = \"a\"\n[[persona]]\nname = \"beta\"\n";

    fn said(act: impl FnOnce(&mut dyn Write) -> Result<()>) -> String {
        let mut out = Vec::new();
        act(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_file_behind_a_link_is_changed_and_stays_what_it_was_otherwise() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let real = root.path().join("mine.toml");
        fs::create_dir_all(root.path().join("etc/persona")).unwrap();
        fs::write(&real, SETTINGS).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("../../mine.toml", paths.settings()).unwrap();

        assert_eq!(said(|out| show(&paths, out)), "a\n");
        let told = said(|out| set(&paths, "beta", out));
        assert!(told.contains("persona.toml: Beta starts when no choice is made."), "{told}");
        assert_eq!(fs::read_to_string(&real).unwrap(), SETTINGS.replace("\"a\" #", "\"beta\" #"));
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o7777, 0o640);
        assert!(paths.settings().is_symlink());
        assert_eq!(said(|out| show(&paths, out)), "beta\n");
        said(|out| set(&paths, "last", out));
        assert_eq!(said(|out| show(&paths, out)), "last; now a\n");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 3 + usize::from(paths.state_dir().exists()), "nothing is left over");
    }

    #[test]
    fn what_cannot_start_alone_is_refused_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        fs::create_dir_all(root.path().join("etc/persona")).unwrap();
        let pin = crate::config::pin::Pin::hash("1234", &[7; 16]).unwrap();
        let text = SETTINGS.replace("name = \"beta\"", &format!("name = \"beta\"\npin = \"{pin}\""));
        fs::write(paths.settings(), &text).unwrap();
        for (name, says, hint) in [("beta", "has a PIN", "unattended = true"), ("bete", "no persona `bete`", "did you mean `beta`?")] {
            let error = set(&paths, name, &mut Vec::new()).unwrap_err();
            assert!(error.reason().contains(says) && error.hint().unwrap().contains(hint), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
        assert_eq!(fs::read_to_string(paths.settings()).unwrap(), text);
    }
}
