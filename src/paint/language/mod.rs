//! The words of the menu: one table per language. Another language is one more file here.

mod english;
mod german;

/// A language of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// All of them, with their codes (ISO 639-1).
    pub const ALL: [(&'static str, Self); 2] = [("en", Self::English), ("de", Self::German)];

    /// The language of a locale (`locale(7)`): `de_AT.UTF-8` is German. English if it is none of ours.
    pub fn of_locale(locale: &str) -> Self {
        let code = locale.split(['_', '.', '@']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|(ours, _)| *ours == code).map_or(Self::English, |(_, language)| language)
    }

    /// Its words.
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &english::WORDS,
            Self::German => &german::WORDS,
        }
    }
}

/// All that the menu says by itself, as pixels and as text. Names of keys that are the same on every keyboard are not among it.
#[derive(Debug)]
pub struct Words {
    /// Next to the arrow keys: chooses.
    pub choose: &'static str,
    /// Next to Enter: starts.
    pub start: &'static str,
    /// Next to Enter on a persona that asks for a PIN.
    pub unlock: &'static str,
    /// Next to Esc: opens the power menu.
    pub power: &'static str,
    /// Next to F1.
    pub help: &'static str,
    /// Next to Enter and [`Self::any_key`]: back to the menu.
    pub menu: &'static str,
    /// Next to Esc: closes what is open.
    pub back: &'static str,
    /// Next to Enter in the power menu.
    pub confirm: &'static str,
    /// Next to the digits where a PIN is entered.
    pub digits: &'static str,
    /// Next to Backspace where a PIN is entered.
    pub erase: &'static str,
    /// Any key of the keyboard, as on a keycap.
    pub any_key: &'static str,
    /// Next to [`Self::any_key`] during a countdown.
    pub more_time: &'static str,
    /// On the cartridge that starts when no choice is made; a few capitals.
    pub default_tab: &'static str,
    /// The same as a mark in a line of text, and that of one that asks for a PIN.
    pub marks: [&'static str; 2],
    /// How many lines of a list are not shown: `{count}`.
    pub more_lines: &'static str,
    /// The countdown: `{persona}`, `{time}`.
    pub countdown: &'static str,
    /// The countdown that is over while the host still boots: `{persona}`.
    pub countdown_over: &'static str,
    /// The countdown where there is little room: `{persona}`, `{time}`.
    pub countdown_short: &'static str,
    /// The same when it is over: `{persona}`.
    pub countdown_over_short: &'static str,
    /// `{persona}`.
    pub starting: &'static str,
    /// What is prepared for a launch: devices, cartridge, power.
    pub steps: [&'static str; 3],
    /// `{persona}`.
    pub running: &'static str,
    /// Where to look: `{screen}`.
    pub look_at: &'static str,
    /// Where to look if legion's card has no name.
    pub look_at_legion: &'static str,
    /// A persona that is not legion.
    pub on_the_host: &'static str,
    /// `{persona}`.
    pub not_running: &'static str,
    /// The title where the settings cannot be read.
    pub no_menu: &'static str,
    /// Settings without personas.
    pub no_personas: &'static str,
    /// Below [`Self::no_menu`].
    pub press_any_key: &'static str,
    /// The title of the power menu of a machine without a name.
    pub this_machine: &'static str,
    /// The power menu: to the console, restart, power off; each with what it means.
    pub power_menu: [(&'static str, &'static str); 3],
    /// The title of the PIN's panel: `{persona}`.
    pub locked: &'static str,
    /// Before the first try.
    pub enter_pin: &'static str,
    /// While a PIN is checked.
    pub checking: &'static str,
    /// After a wrong PIN.
    pub wrong_pin: &'static str,
    /// The same while the next try has to wait: `{seconds}`.
    pub wrong_pin_wait: &'static str,
    /// The title of the help.
    pub help_title: &'static str,
    /// Its columns: keyboard, gamepad, mouse.
    pub help_columns: [&'static str; 3],
    /// Its rows: choose, jump to one, start it, power menu or back, erase a digit, help.
    pub help_rows: [&'static str; 6],
    /// What a gamepad chooses with: the pad of directions, the stick.
    pub pad: [&'static str; 2],
    /// Parts of a mouse: wheel, left button, right button.
    pub mouse: [&'static str; 3],
    /// A restart was requested.
    pub restarts: &'static str,
    /// Powering off was requested.
    pub powers_off: &'static str,
    /// Someone chose over SSH: `{persona}`, `{user}`.
    pub chosen_by: &'static str,
    /// Someone holds the countdown over SSH: `{user}`.
    pub held_by: &'static str,
    /// Why a persona cannot start: `{reason}`.
    pub cannot_start: &'static str,
    /// The same without a reason.
    pub cannot_start_at_all: &'static str,
    /// The reason of a refusal's code (`docs/json.md`), if there is one that a person who knows no computers understands.
    pub reason: fn(code: &str) -> Option<&'static str>,
}

/// Puts a value in the place of `{name}` in a sentence.
pub fn fill(sentence: &str, name: &str, value: &str) -> String {
    sentence.replace(&format!("{{{name}}}"), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locale_names_the_language_before_its_country() {
        for (locale, language) in [
            ("de_AT.UTF-8", Language::German),
            ("de", Language::German),
            ("en_GB.UTF-8", Language::English),
            ("C.UTF-8", Language::English),
            ("den_CA", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of_locale(locale), language, "{locale}");
        }
    }

    #[test]
    fn every_language_says_the_values_that_english_says() {
        let placeholders = |language: Language| {
            let text = format!("{:?}", language.words());
            let mut names: Vec<String> = text
                .split('"')
                .flat_map(|part| part.split('{').skip(1))
                .filter_map(|part| part.split_once('}'))
                .map(|(name, _)| name.to_owned())
                .collect();
            names.sort();
            names
        };
        for (code, language) in Language::ALL {
            assert_eq!(placeholders(language), placeholders(Language::English), "{code}");
        }
    }

    #[test]
    fn every_language_gives_the_reasons_that_english_gives() {
        let codes = english::REASONS.iter().map(|(code, _)| *code);
        for code in codes {
            for (language, words) in Language::ALL {
                assert!((words.words().reason)(code).is_some(), "{language}: {code}");
            }
        }
    }
}
