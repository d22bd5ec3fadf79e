//! What the kernel command line says about Persona: `persona=NAME`, `persona=off`, `persona.timeout=30s`.

use crate::config::value::Timeout;
use crate::sys::paths::Paths;

/// The words of the kernel command line that are ours. They win over settings and override.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KernelCommandLine {
    /// `persona=NAME`: the persona of this boot.
    pub persona: Option<String>,
    /// `persona=off`: the plain host, no menu, no reservation.
    pub off: bool,
    /// `persona.timeout=30s`.
    pub timeout: Option<Timeout>,
}

impl KernelCommandLine {
    /// Reads this boot's command line; one that cannot be read says nothing.
    pub fn read(paths: &Paths) -> Self {
        std::fs::read_to_string(paths.kernel_command_line()).map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Reads a command line's text. The last of several equal words wins, as in the kernel; a timeout that is none is
    /// logged and ignored.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some(("persona", "off")) => found.off = true,
                Some(("persona", name)) => (found.persona, found.off) = (Some(name.to_owned()), false),
                Some(("persona.timeout", time)) => match time.parse() {
                    Ok(timeout) => found.timeout = Some(timeout),
                    Err(wrong) => log::warn!("persona.timeout on the kernel command line is ignored: {wrong}"),
                },
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn our_words_are_found_among_others() {
        let found = KernelCommandLine::parse("root=/dev/sda quiet persona=mordor persona.timeout=30s personality=x\n");
        assert_eq!(
            found,
            KernelCommandLine { persona: Some("mordor".into()), off: false, timeout: Some(Timeout::After(Duration::from_secs(30))) }
        );
    }

    #[test]
    fn off_is_off_and_the_last_word_wins() {
        assert!(KernelCommandLine::parse("persona=off").off);
        assert!(!KernelCommandLine::parse("persona=off persona=a").off);
        assert!(KernelCommandLine::parse("persona=a persona=off").off);
        assert_eq!(KernelCommandLine::parse("persona.timeout=soon").timeout, None);
    }
}
