//! What the kernel command line says about Persona: `persona=NAME`, `persona=off`, `persona.timeout=30s`.

use crate::config::value::Timeout;
use crate::sys::kernel_parameters::{self, Parameter};
use crate::sys::paths::Paths;
use std::fmt;

/// The words of the kernel command line that are ours. They win over settings and override.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KernelCommandLine {
    /// `persona=NAME`: the persona of this boot.
    pub persona: Option<String>,
    /// Why this boot is the plain host's, without menu and reservation: `persona=off`, or a word of ours that cannot be read.
    pub off: Option<Off>,
    /// `persona.timeout=30s`.
    pub timeout: Option<Timeout>,
}

/// Why a boot is the plain host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Off {
    /// `persona=off` is there.
    Asked,
    /// A word of ours, or the whole line, cannot be read; as a sentence.
    Doubt(String),
}

impl fmt::Display for Off {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("persona=off is on the kernel command line"),
            Self::Doubt(why) => f.write_str(why),
        }
    }
}

impl KernelCommandLine {
    /// Reads this boot's command line. One that cannot be read may hold `persona=off`, so it counts as that.
    pub fn read(paths: &Paths) -> Self {
        match kernel_parameters::read(paths) {
            Ok(parameters) => Self::of(&parameters),
            Err(error) => Self { off: Some(Off::Doubt(format!("the kernel command line cannot be read: {error}"))), ..Self::default() },
        }
    }

    /// Looks for our words. The last persona wins, as with other parameters; `off` wins over every persona.
    pub fn of(parameters: &[Parameter]) -> Self {
        let mut found = Self::default();
        for parameter in parameters {
            let value = parameter.value.as_deref().unwrap_or_default();
            match parameter.name.as_str() {
                "persona" if value == "off" => found.off = Some(Off::Asked),
                "persona" if is_name(value) => found.persona = Some(value.to_owned()),
                "persona" => found.doubt(parameter, "it names no persona"),
                "persona.timeout" => match value.parse() {
                    Ok(timeout) => found.timeout = Some(timeout),
                    Err(error) => found.doubt(parameter, &error.to_string()),
                },
                _ => {}
            }
        }
        found
    }

    fn doubt(&mut self, parameter: &Parameter, why: &str) {
        let word: String = parameter.text().chars().filter(|letter| !letter.is_control()).take(80).collect();
        self.off.get_or_insert(Off::Doubt(format!("{word} on the kernel command line cannot be understood: {why}")));
    }
}

/// Whether it can be read as a name; whether a persona has it, only the settings tell.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn found(line: &[u8]) -> KernelCommandLine {
        KernelCommandLine::of(&kernel_parameters::parse(line))
    }

    #[test]
    fn our_words_are_found_among_others() {
        let timeout = Some(Timeout::After(Duration::from_secs(30)));
        let line = b"root=/dev/sda quiet persona=mordor persona.timeout=30s personality=x\n";
        assert_eq!(found(line), KernelCommandLine { persona: Some("mordor".into()), off: None, timeout });
        assert_eq!(found(b"persona=a \"persona=b\"").persona.as_deref(), Some("b"));
    }

    #[test]
    fn off_is_always_heard() {
        for line in [&b"persona=off"[..], b"persona=off persona=a", b"persona=a persona=off", b"persona=\"off\"", b"a=\xff \"persona=off\""]
        {
            assert_eq!(found(line).off, Some(Off::Asked), "{}", String::from_utf8_lossy(line));
        }
        for line in [&b"-- persona=off"[..], b"x=\"persona=off\" y", b"persona.off=1"] {
            assert_eq!(found(line), KernelCommandLine::default(), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn word_that_cannot_be_read_counts_as_off() {
        for line in [&b"persona=\xff"[..], b"persona", b"persona=", b"persona.timeout=soon", b"persona.timeout"] {
            let found = found(line);
            assert!(matches!(found.off, Some(Off::Doubt(_))) && found.timeout.is_none(), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn command_line_that_cannot_be_read_counts_as_off() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        assert_eq!(KernelCommandLine::read(&paths), KernelCommandLine::default());
        std::fs::create_dir_all(paths.kernel_command_line()).unwrap();
        assert!(matches!(KernelCommandLine::read(&paths).off, Some(Off::Doubt(_))));
        std::fs::remove_dir(paths.kernel_command_line()).unwrap();
        std::fs::write(paths.kernel_command_line(), "a ".repeat(64 << 10)).unwrap();
        assert!(matches!(KernelCommandLine::read(&paths).off, Some(Off::Doubt(_))), "longer than any kernel's");
    }
}
