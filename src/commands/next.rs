//! `persona next`: the persona for the next boot.

use super::{find_persona, or_absent, print};
use crate::boot_log::LogEvent;
use crate::boot_log::journal;
use crate::config::Settings;
use crate::error::Result;
use crate::state::{Cleared, Last, Override, StartCounts, boot_id};
use crate::sys::paths::Paths;
use crate::sys::time::ago;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The caller of an override, and the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRequest {
    /// As [`crate::sys::identity`] tells.
    pub by: String,
    /// The clock's time.
    pub at: SystemTime,
}

/// Sets the override. A persona named explicitly is tried again, whatever its number of failed boots.
///
/// # Errors
/// When there is no such persona, or the override cannot be stored.
pub fn set(paths: &Paths, name: &str, until_cleared: bool, asked: &NextRequest, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = find_persona(&settings, name)?;
    let at = asked.at.duration_since(UNIX_EPOCH).ok().map(|time| time.as_secs());
    let next = Override { persona: persona.name.clone(), until_cleared, by: Some(asked.by.clone()), at, boot: boot_id(paths) };
    next.write(paths)?;
    StartCounts::reset(paths, &persona.name)?;
    journal::write(paths, &LogEvent::Decision(format!("{} is set for the next boot by {}", persona.name, asked.by)));
    print(out, &format!("{} starts {}.\n", persona.title, how_long(until_cleared)))
}

/// Shows the override.
///
/// # Errors
/// When there is one that cannot be read.
pub fn show(paths: &Paths, now: SystemTime, out: &mut dyn Write) -> Result<()> {
    let Some(next) = Override::read(paths)? else {
        return print(out, &format!("no override: {}\n", usual(paths)));
    };
    let age = next.at.and_then(|at| now.duration_since(UNIX_EPOCH + Duration::from_secs(at)).ok());
    let set = match (&next.by, age.map(ago)) {
        (Some(by), Some(ago)) => format!("; set by {by}, {ago}"),
        (Some(by), None) => format!("; set by {by}"),
        (None, Some(ago)) => format!("; set {ago}"),
        (None, None) => String::new(),
    };
    let unknown = Settings::load(paths).is_ok_and(|settings| settings.persona(&next.persona).is_none());
    let unknown = if unknown { format!("\nThere is no such persona: {}", usual(paths)) } else { String::new() };
    print(out, &format!("{} {}{set}{unknown}\n", next.persona, how_long(next.until_cleared)))
}

/// Clears the override, and shows what it was.
///
/// # Errors
/// When it cannot be removed.
pub fn clear(paths: &Paths, out: &mut dyn Write) -> Result<()> {
    let cleared = match Override::clear(paths)? {
        Cleared::Override(next) => {
            journal::write(paths, &LogEvent::Decision(format!("{} is no longer set for the next boot", next.persona)));
            let when = if next.until_cleared { "for every boot" } else { how_long(false) };
            format!("Cleared: {} {when}. ", next.persona)
        }
        Cleared::Unreadable => "Cleared an unreadable override. ".to_owned(),
        Cleared::Nothing => "No override was set. ".to_owned(),
    };
    print(out, &format!("{cleared}Without one, {}\n", usual(paths)))
}

/// What a boot does without an override.
fn usual(paths: &Paths) -> String {
    let Ok(settings) = Settings::load(paths) else { return "the next boot starts the default.".to_owned() };
    let default = &settings.default_persona(or_absent(Last::read(paths)).map(|last| last.persona).as_deref()).name;
    match or_absent(StartCounts::read(paths)).and_then(|starts| starts.skip_reason(default)) {
        Some(why) => format!("the menu waits at the next boot: {why}."),
        None => format!("the next boot starts the default, {default}."),
    }
}

fn how_long(until_cleared: bool) -> &'static str {
    if until_cleared { "from the next boot on, until `persona next --clear`" } else { "at the next boot, once" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::state::{Choice, Reason};

    fn said(act: impl FnOnce(&mut dyn Write) -> Result<()>) -> String {
        let mut out = Vec::new();
        act(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_override_is_set_shown_and_cleared_in_words() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        std::fs::create_dir_all(root.path().join("etc/persona")).unwrap();
        std::fs::write(paths.settings(), "[[persona]]\nname = \"gondor\"\n[[persona]]\nname = \"mordor\"\n").unwrap();
        let show = |seconds| said(|out| show(&paths, UNIX_EPOCH + Duration::from_secs(seconds), out));
        let asked = NextRequest { by: "sam from 192.0.2.7".into(), at: UNIX_EPOCH + Duration::from_secs(1000) };

        assert_eq!(show(0), "no override: the next boot starts the default, gondor.\n");
        let next = Override { persona: "lab".into(), until_cleared: true, by: None, at: None, boot: None };
        next.write(&paths).unwrap();
        let told = "lab from the next boot on, until `persona next --clear`\nThere is no such persona: the next boot starts the default, gondor.\n";
        assert_eq!(show(0), told);
        let choice = Choice { persona: "gondor".into(), reason: Reason::Timeout, pin_asked: false };
        for boot in ["1", "2", "3"] {
            std::fs::create_dir_all(paths.boot_id().parent().unwrap()).unwrap();
            std::fs::write(paths.boot_id(), boot).unwrap();
            StartCounts::count(&paths, &choice).unwrap();
        }
        let told = said(|out| clear(&paths, out));
        assert!(told.starts_with("Cleared: lab for every boot. Without one, the menu waits at the next boot: gondor is skipped"), "{told}");
        StartCounts::reset(&paths, "gondor").unwrap();
        std::fs::remove_file(paths.boot_id()).unwrap();
        let choice = Choice { persona: "mordor".into(), reason: Reason::Timeout, pin_asked: false };
        (0..3).for_each(|_| StartCounts::count(&paths, &choice).unwrap());
        assert!(StartCounts::read(&paths).unwrap().unwrap().is_skipped("mordor"));
        assert_eq!(said(|out| set(&paths, "mordor", false, &asked, out)), "Mordor starts at the next boot, once.\n");
        assert_eq!(StartCounts::read(&paths).unwrap(), None, "it is tried again");
        assert_eq!(show(1180), "mordor at the next boot, once; set by sam from 192.0.2.7, 3 minutes ago\n");
        assert_eq!(show(10), "mordor at the next boot, once; set by sam from 192.0.2.7\n", "the clock was wrong, then or now");
        assert_eq!(
            said(|out| clear(&paths, out)),
            "Cleared: mordor at the next boot, once. Without one, the next boot starts the default, gondor.\n"
        );
        assert_eq!(said(|out| clear(&paths, out)), "No override was set. Without one, the next boot starts the default, gondor.\n");

        let error = set(&paths, "mordr", false, &asked, &mut Vec::new()).unwrap_err();
        assert_eq!(error.hint(), Some("did you mean `mordor`?"));
        assert_eq!(error.exit_code(), 2);
        std::fs::write(paths.override_file(), "persona = ").unwrap();
        assert_eq!(
            said(|out| clear(&paths, out)),
            "Cleared an unreadable override. Without one, the next boot starts the default, gondor.\n"
        );
    }
}
