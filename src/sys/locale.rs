//! The locale of the host.

use crate::sys::file;
use crate::sys::paths::Paths;

/// The locale for messages, such as `de_DE.UTF-8`; empty if none is set. It is what `LC_MESSAGES` says, else `LANG` (`locale.conf(5)`).
pub fn of_messages(paths: &Paths) -> String {
    let text = paths.locales().iter().find_map(|file| file::read_text(file).ok()).unwrap_or_default();
    value(&text, "LC_MESSAGES").or_else(|| value(&text, "LANG")).unwrap_or_default().to_owned()
}

/// The value of a line `KEY=value` or `KEY="value"`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let assigned = |line: &'a str| line.trim().strip_prefix(key)?.strip_prefix('=');
    text.lines().find_map(assigned).map(|value| value.trim_matches(['"', '\''])).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn messages(file: &str, text: &str) -> String {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        of_messages(&Paths::new(root.path(), None))
    }

    #[test]
    fn messages_have_a_locale_of_their_own_or_that_of_the_system() {
        assert_eq!(messages("etc/locale.conf", "LANG=de_DE.UTF-8\n"), "de_DE.UTF-8");
        assert_eq!(messages("etc/locale.conf", "# ours\nLANG=\"de_DE.UTF-8\"\nLC_MESSAGES=en_US.UTF-8\n"), "en_US.UTF-8");
        assert_eq!(messages("etc/default/locale", "LANG='de_AT.UTF-8'\n"), "de_AT.UTF-8", "Debian's place");
        assert_eq!(messages("etc/locale.conf", "LANGUAGE=de\nLANG=\n"), "");
        assert_eq!(messages("etc/hostname", "moria\n"), "");
    }
}
