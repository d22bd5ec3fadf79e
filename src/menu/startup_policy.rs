//! How the menu opens: what starts by itself, after how long, and the notice about it. Pure, so that it can be evaluated again in the same
//! boot, once the settings and override of the real root can be read.

use crate::boot_log::LogEvent;
use crate::config::Settings;
use crate::config::kernel_command_line::KernelCommandLine;
use crate::config::value::Timeout;
use crate::menu::model::Menu;
use crate::state::or_absent;
use crate::state::{Choice, Last, Override, Reason, StartCounts, boot_id};
use crate::sys::paths::Paths;

/// What is stored outside the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersistedState {
    /// The persona that last ran well.
    pub last: Option<String>,
    /// The override, if it is for this boot.
    pub next: Option<Override>,
    /// The failed boots of each persona.
    pub starts: StartCounts,
    /// What was chosen in this boot already.
    pub choice: Option<Choice>,
}

impl PersistedState {
    /// Reads what can be read; the rest is logged and counts as absent.
    pub fn read(paths: &Paths) -> Self {
        let boot = boot_id(paths);
        Self {
            last: or_absent(Last::read(paths)).map(|last| last.persona),
            next: or_absent(Override::read(paths)).filter(|next| next.is_for(boot.as_deref())),
            starts: or_absent(StartCounts::read(paths)).unwrap_or_default(),
            choice: or_absent(Choice::read(paths)),
        }
    }
}

/// What the menu does if no choice is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupPolicy {
    /// The persona that starts at once, and why.
    pub preset: Option<(String, Reason)>,
    /// The persona that starts when the countdown ends.
    pub default: String,
    /// How long the countdown is.
    pub timeout: Timeout,
    /// Why it differs from the usual: a line for the screen and the log.
    pub notice: Option<String>,
}

impl StartupPolicy {
    /// Decides, in this order:
    ///
    /// 1. A choice is made once per boot: what was chosen in this boot has been tried, and the menu waits.
    /// 2. `persona=NAME` on the kernel command line: it is given for this boot only, so it also starts a persona that is otherwise skipped.
    /// 3. The override.
    /// 4. The default, after `persona.timeout=` or the settings' `timeout`.
    ///
    /// An override or a default that is skipped ([`StartCounts::skip_reason`]) starts nothing, and no other persona starts instead: the
    /// menu waits. A name that no persona has counts as none.
    pub fn new(settings: &Settings, command_line: &KernelCommandLine, memory: &PersistedState) -> Self {
        let usual = Self {
            preset: None,
            default: settings.default_persona(memory.last.as_deref()).name.clone(),
            timeout: command_line.timeout.unwrap_or(settings.menu.timeout),
            notice: None,
        };
        let waits = |notice: Option<String>| Self { timeout: Timeout::Never, notice, ..usual.clone() };
        let starts =
            |name: &String, notice: Option<String>| Self { preset: Some((name.clone(), Reason::Override)), notice, ..usual.clone() };
        let is_known = |name: &str| settings.persona(name).is_some();
        if memory.choice.is_some() {
            return waits(None);
        }
        let unknown = match (&command_line.persona, &memory.next) {
            (Some(name), _) if is_known(name) => return starts(name, Some(format!("persona={name} on the kernel command line"))),
            (Some(name), _) => Some(format!("persona={name} on the kernel command line: there is no such persona")),
            (None, Some(next)) if is_known(&next.persona) => {
                return match memory.starts.skip_reason(&next.persona) {
                    Some(why) => waits(Some(why)),
                    None => starts(&next.persona, next.by.as_ref().map(|by| format!("{} was set for this boot by {by}", next.persona))),
                };
            }
            (None, Some(next)) => Some(format!("`{}` was set for this boot: there is no such persona", next.persona)),
            (None, None) => None,
        };
        match memory.starts.skip_reason(&usual.default) {
            Some(why) => waits(Some(unknown.map_or(String::new(), |unknown| unknown + "; ") + &why)),
            None => Self { notice: unknown, ..usual },
        }
    }

    /// Reads the persisted state, decides, and logs the decision.
    pub fn read(paths: &Paths, settings: &Settings, command_line: &KernelCommandLine) -> Self {
        let memory = PersistedState::read(paths);
        let opening = Self::new(settings, command_line, &memory);
        match (&memory.choice, &opening.notice, &opening.preset) {
            (Some(choice), ..) => {
                LogEvent::Decision(format!("{} was chosen in this boot already: the menu waits", choice.persona)).info();
            }
            (None, Some(notice), Some(_)) => LogEvent::Decision(notice.clone()).info(),
            (None, Some(notice), None) => LogEvent::Decision(notice.clone()).log(log::Level::Warn),
            (None, None, _) => {}
        }
        opening
    }

    /// The menu that opens so.
    pub fn menu(&self, settings: &Settings) -> Menu {
        let preset = self.preset.as_ref().map(|(name, reason)| (name.as_str(), *reason));
        Menu::new(settings, &self.default, preset, self.timeout)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::state::{MAX_FAILED_BOOTS, StartCount};
    use crate::sys::kernel_parameters;
    use proptest::prelude::*;
    use std::time::Duration;

    const SETTINGS: &str = "[menu]\ntimeout = \"7s\"\ndefault = \"a\"\n[[persona]]\nname = \"a\"\n[[persona]]\nname = \"b\"\n\
        [[persona]]\nname = \"lab\"\nstarts = \"lab.service\"\n[[persona]]\nname = \"host\"\nstarts = \"host\"\n";
    const SEVEN: Timeout = Timeout::After(Duration::from_secs(7));

    fn settings(default: &str) -> Settings {
        Settings::parse(&SETTINGS.replace("default = \"a\"", &format!("default = \"{default}\"")), "test").unwrap()
    }

    fn command_line(words: &str) -> KernelCommandLine {
        KernelCommandLine::of(&kernel_parameters::parse(words.as_bytes()))
    }

    fn next(persona: &str) -> Option<Override> {
        Some(Override { persona: persona.into(), until_cleared: false, by: Some("sam".into()), at: None, boot: None })
    }

    fn failed_boots(counts: &[(&str, u32)]) -> StartCounts {
        let start = |(persona, boots): &(&str, u32)| StartCount { persona: (*persona).to_owned(), boots: *boots, boot: None };
        StartCounts { personas: counts.iter().map(start).collect() }
    }

    /// What starts at once, or when the countdown ends; and whether there is a notice.
    fn opens(default: &str, words: &str, memory: &PersistedState) -> (Option<String>, String, Timeout, bool) {
        let opening = StartupPolicy::new(&settings(default), &command_line(words), memory);
        (opening.preset.map(|(name, _)| name), opening.default, opening.timeout, opening.notice.is_some())
    }

    fn at_once(name: &str) -> (Option<String>, String, Timeout, bool) {
        (Some(name.to_owned()), "a".to_owned(), SEVEN, true)
    }

    fn later(name: &str, timeout: Timeout, tells: bool) -> (Option<String>, String, Timeout, bool) {
        (None, name.to_owned(), timeout, tells)
    }

    #[test]
    fn usually_the_default_starts_when_time_is_up() {
        assert_eq!(opens("a", "quiet", &PersistedState::default()), later("a", SEVEN, false));
        let last = PersistedState { last: Some("b".into()), ..PersistedState::default() };
        assert_eq!(opens("last", "", &last), later("b", SEVEN, false));
        let vanished = PersistedState { last: Some("gone".into()), ..PersistedState::default() };
        assert_eq!(opens("last", "", &vanished), later("a", SEVEN, false));
    }

    #[test]
    fn the_kernel_command_line_wins_over_override_and_settings() {
        let memory = PersistedState { next: next("host"), starts: failed_boots(&[("b", 9)]), ..PersistedState::default() };
        assert_eq!(opens("a", "persona=b", &memory), at_once("b"), "skipped or not: the kernel command line decides for this boot");
        assert_eq!(opens("a", "persona=nobody", &memory), later("a", SEVEN, true), "the command line replaces the override");
        let timeout = Timeout::After(Duration::from_secs(30));
        assert_eq!(opens("a", "persona.timeout=30s", &PersistedState::default()), later("a", timeout, false));
        assert_eq!(opens("a", "persona.timeout=never", &PersistedState::default()), later("a", Timeout::Never, false));
        assert_eq!(opens("a", "persona.timeout=0s", &memory).0.as_deref(), Some("host"), "the override is not waited for");
    }

    #[test]
    fn an_override_starts_at_once_and_says_who_asked() {
        let memory = PersistedState { next: next("b"), ..PersistedState::default() };
        assert_eq!(opens("a", "", &memory), at_once("b"));
        let notice = StartupPolicy::new(&settings("a"), &KernelCommandLine::default(), &memory).notice.unwrap();
        assert!(notice.contains("sam"), "{notice}");
        let unknown = PersistedState { next: next("nobody"), ..memory };
        assert_eq!(opens("a", "", &unknown), later("a", SEVEN, true));
        let failed_boots = PersistedState { starts: failed_boots(&[("a", MAX_FAILED_BOOTS)]), ..unknown };
        assert_eq!(opens("a", "", &failed_boots), later("a", Timeout::Never, true), "the default that takes its place is looked at too");
    }

    #[test]
    fn persona_with_too_many_failed_boots_holds_the_menu_with_the_reason() {
        for (default, memory) in [
            ("a", PersistedState { starts: failed_boots(&[("a", MAX_FAILED_BOOTS)]), ..PersistedState::default() }),
            (
                "last",
                PersistedState {
                    last: Some("a".into()),
                    starts: failed_boots(&[("b", 1), ("a", MAX_FAILED_BOOTS + 4)]),
                    ..PersistedState::default()
                },
            ),
            ("a", PersistedState { next: next("b"), starts: failed_boots(&[("b", MAX_FAILED_BOOTS)]), ..PersistedState::default() }),
        ] {
            assert_eq!(opens(default, "", &memory), later("a", Timeout::Never, true), "{memory:?}");
            assert_eq!(opens(default, "persona.timeout=0s", &memory), later("a", Timeout::Never, true), "{memory:?}");
        }
        let almost = PersistedState {
            next: next("b"),
            starts: failed_boots(&[("b", MAX_FAILED_BOOTS - 1), ("a", MAX_FAILED_BOOTS)]),
            ..PersistedState::default()
        };
        assert_eq!(opens("a", "", &almost), at_once("b"), "another's count does not matter");
    }

    #[test]
    fn nobody_is_asked_twice() {
        let choice = Some(Choice { persona: "a".into(), reason: Reason::Timeout, pin_asked: false });
        let memory = PersistedState { choice, next: next("b"), ..PersistedState::default() };
        assert_eq!(opens("a", "persona=b", &memory), later("a", Timeout::Never, false));
    }

    proptest! {
        /// For every persisted state: what starts by itself exists, and is one that is skipped only if the kernel command line names it.
        #[test]
        fn what_starts_by_itself_exists_and_is_not_skipped(
            default in prop::sample::select(vec!["a", "b", "lab", "host", "last"]),
            word in prop::sample::select(vec!["", "persona=a", "persona=nobody", "persona=lab", "persona.timeout=0s"]),
            last in prop::option::of(prop::sample::select(vec!["a", "b", "gone"])),
            wanted in prop::option::of(prop::sample::select(vec!["a", "b", "lab", "gone"])),
            counts in prop::collection::vec((prop::sample::select(vec!["a", "b", "lab", "gone"]), 0..6_u32), 0..4),
            chosen in any::<bool>(),
        ) {
            let choice = chosen.then(|| Choice { persona: "b".into(), reason: Reason::Picked, pin_asked: false });
            let memory = PersistedState { last: last.map(str::to_owned), next: wanted.and_then(next), starts: failed_boots(&counts), choice };
            let settings = settings(default);
            let command_line = command_line(word);
            let opening = StartupPolicy::new(&settings, &command_line, &memory);
            let by_itself = match &opening.preset {
                Some((name, _)) => Some(name),
                None => Some(&opening.default).filter(|_| opening.timeout != Timeout::Never),
            };
            if let Some(name) = by_itself {
                prop_assert!(settings.persona(name).is_some() && !chosen);
                prop_assert!(!memory.starts.is_skipped(name) || command_line.persona.as_ref() == Some(name));
            } else {
                prop_assert!(chosen || opening.notice.is_some());
            }
            prop_assert!(settings.persona(&opening.default).is_some());
            prop_assert_eq!(&opening, &StartupPolicy::new(&settings, &command_line, &memory));
        }
    }
}
