//! What a shell offers on Tab: from the definition of the command line, and the names in the settings and cartridge folders.
//!
//! The shells' scripts (`config/completions`) run `persona complete -- WORD...`. clap_complete has such an engine, but it calls
//! `getpwuid_r`, which a static program must not.

use super::Cli;
use crate::config::Settings;
use crate::legion::cartridge::{Shelf, snapshot};
use crate::sys::paths::Paths;
use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Stands for any file: shells know better which there are. No name has capitals.
const FILE: &str = "FILE";

/// A word, and what it means.
type Offer = (String, String);

/// The names on this machine, read only when they may come next.
trait Names {
    fn personas(&self) -> Vec<Offer>;
    fn cartridges(&self) -> Vec<Offer>;
    fn snapshots(&self, cartridge: &str) -> Vec<Offer>;
}

/// The words that may stand in place of the last one, a line for each: the word, and after a tab its meaning.
pub(super) fn lines(words: &[OsString]) -> String {
    let definition = definition();
    let typed = Typed::read(&definition, words);
    let machine = Machine { root: typed.value("root").unwrap_or("/").into(), config: typed.value("config").map(PathBuf::from) };
    let line = |(word, meaning): Offer| if meaning.is_empty() { word + "\n" } else { format!("{word}\t{meaning}\n") };
    typed.offers(&machine).into_iter().map(line).collect()
}

/// The command line, with the options of all commands in each of them.
fn definition() -> Command {
    let mut definition = Cli::command();
    definition.build();
    definition
}

/// The words before the last one, as far as they are valid, and the last one.
struct Typed<'a> {
    path: Vec<&'a Command>,
    /// Arguments by their identifiers.
    given: Vec<(&'a str, &'a str)>,
    /// The option whose value the last word is.
    value_of: Option<&'a Arg>,
    /// What comes before the value in the last word: `--size=`.
    before: String,
    /// After `--` there are no options.
    only_arguments: bool,
    last: &'a str,
}

impl<'a> Typed<'a> {
    fn read(definition: &'a Command, words: &'a [OsString]) -> Self {
        // A word that is not UTF-8 completes nothing.
        let words: Vec<&str> = words.iter().map(|word| OsStr::to_str(word).unwrap_or("\u{fffd}")).collect();
        let (last, words) = words.split_last().map_or(("", &[][..]), |(last, words)| (*last, words));
        let mut typed =
            Self { path: vec![definition], given: Vec::new(), value_of: None, before: String::new(), only_arguments: false, last };
        words.iter().for_each(|word| typed.take(word));
        if let Some((name, value)) = last.split_once('=').filter(|_| typed.value_of.is_none() && !typed.only_arguments)
            && let Some(option) = typed.option(name)
        {
            (typed.value_of, typed.before, typed.last) = (Some(option), format!("{name}="), value);
        }
        typed
    }

    fn take(&mut self, word: &'a str) {
        if let Some(option) = self.value_of.take() {
            return self.given.push((option.get_id().as_str(), word));
        }
        if word == "--" && !self.only_arguments {
            self.only_arguments = true;
        } else if word.starts_with('-') && !self.only_arguments {
            let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let Some(option) = self.option(name) else { return };
            let takes_next = option.get_action().takes_values() && !option.is_require_equals_set();
            match value {
                None if takes_next => self.value_of = Some(option),
                value => self.given.push((option.get_id().as_str(), value.unwrap_or_default())),
            }
        } else if let Some(command) = self.command().find_subcommand(word) {
            self.path.push(command);
        } else if let Some(argument) = self.next_argument() {
            self.given.push((argument.get_id().as_str(), word));
        }
    }

    fn command(&self) -> &'a Command {
        self.path[self.path.len() - 1]
    }

    fn options(&self) -> impl Iterator<Item = &'a Arg> + use<'a> {
        self.command().get_arguments().filter(|argument| !argument.is_positional() && !argument.is_hide_set())
    }

    fn option(&self, name: &str) -> Option<&'a Arg> {
        let short = name.strip_prefix('-').and_then(|letter| letter.parse::<char>().ok());
        self.options().find(|option| {
            option.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long)) || (short.is_some() && option.get_short() == short)
        })
    }

    fn next_argument(&self) -> Option<&'a Arg> {
        self.command().get_positionals().find(|argument| !self.has(argument))
    }

    fn value(&self, id: &str) -> Option<&'a str> {
        self.given.iter().find(|(given, _)| *given == id).map(|(_, value)| *value)
    }

    fn has(&self, argument: &Arg) -> bool {
        self.value(argument.get_id().as_str()).is_some()
    }

    fn offers(&self, names: &dyn Names) -> Vec<Offer> {
        let mut offers = match self.value_of {
            Some(option) => self.values(option, names),
            None if self.last.starts_with('-') && !self.only_arguments => self.free_options(),
            None => self.words(names),
        };
        offers.retain(|(word, _)| word == FILE || word.starts_with(self.last));
        for (word, _) in offers.iter_mut().filter(|(word, _)| word != FILE) {
            word.insert_str(0, &self.before);
        }
        offers
    }

    /// The options that are not given yet and go with those that are.
    fn free_options(&self) -> Vec<Offer> {
        let is_free = |option: &&Arg| {
            let excluded = self.options().any(|other| {
                let excludes =
                    |one: &Arg, two: &Arg| self.command().get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == two.get_id());
                self.has(other) && (excludes(other, option) || excludes(option, other))
            });
            !excluded && (matches!(option.get_action(), ArgAction::Count) || !self.has(option))
        };
        let offer = |option: &Arg| Some((format!("--{}", option.get_long()?), help(option)));
        self.options().filter(is_free).filter_map(offer).collect()
    }

    /// Values of an option or argument.
    fn values(&self, argument: &Arg, names: &dyn Names) -> Vec<Offer> {
        let possible = argument.get_possible_values();
        if !possible.is_empty() {
            let offer = |value: &clap::builder::PossibleValue| {
                (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default())
            };
            return possible.iter().map(offer).collect();
        }
        if matches!(argument.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath) {
            return vec![(FILE.to_owned(), String::new())];
        }
        let of_cartridges = self.path.get(1).is_some_and(|command| command.get_name() == "cartridge");
        match argument.get_id().as_str() {
            "name" if of_cartridges => names.cartridges(),
            "name" if self.command().get_name() == "default" => {
                let last = ("last".to_owned(), "the one that last ran well".to_owned());
                names.personas().into_iter().chain([last]).collect()
            }
            "name" | "check" => names.personas(),
            "label" => self.value("name").map(|cartridge| names.snapshots(cartridge)).unwrap_or_default(),
            _ => argument.get_default_values().iter().map(|value| (value.to_string_lossy().into_owned(), String::new())).collect(),
        }
    }

    /// A command where one is due, and an argument after it.
    fn words(&self, names: &dyn Names) -> Vec<Offer> {
        let command = self.command();
        if command.has_subcommands() {
            let is_shown = |command: &&Command| !command.is_hide_set() && (self.path.len() == 1 || command.get_name() != "help");
            let shown = command.get_subcommands().filter(is_shown);
            let about = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
            return shown.map(|command| (command.get_name().to_owned(), about(command))).collect();
        }
        self.next_argument().map(|argument| self.values(argument, names)).unwrap_or_default()
    }
}

fn help(argument: &Arg) -> String {
    argument.get_help().map(ToString::to_string).unwrap_or_default()
}

/// Files that cannot be read have no names: completion prints no messages.
struct Machine {
    root: PathBuf,
    config: Option<PathBuf>,
}

impl Machine {
    fn settings(&self) -> Option<(Paths, Settings)> {
        let paths = Paths::new(&self.root, self.config.clone());
        let settings = Settings::load(&paths).ok()?;
        Some((paths, settings))
    }
}

impl Names for Machine {
    fn personas(&self) -> Vec<Offer> {
        let offer = |settings: Settings| settings.personas.into_iter().map(|persona| (persona.name, persona.title)).collect();
        self.settings().map(|(_, settings)| offer(settings)).unwrap_or_default()
    }

    fn cartridges(&self) -> Vec<Offer> {
        let Some((paths, settings)) = self.settings() else { return Vec::new() };
        let wanted = settings.personas.iter().filter_map(|persona| Some(persona.legion()?.cartridge.clone()));
        let mut names: Vec<String> = wanted.collect();
        for shelf in Shelf::all(&paths, &settings) {
            let folders = std::fs::read_dir(paths.at(&shelf.folder)).into_iter().flatten().flatten();
            names.extend(folders.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| !name.starts_with('.')));
        }
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| (name, String::new())).collect()
    }

    fn snapshots(&self, cartridge: &str) -> Vec<Offer> {
        let Some((paths, settings)) = self.settings() else { return Vec::new() };
        let folder = paths.at(&Shelf::of(&paths, &settings, cartridge).folder).join(cartridge);
        snapshot::labels(&folder).0.into_iter().map(|label| (label, String::new())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known;

    fn offers(names: &[&str]) -> Vec<Offer> {
        names.iter().map(|name| ((*name).to_owned(), String::new())).collect()
    }

    impl Names for Known {
        fn personas(&self) -> Vec<Offer> {
            offers(&["gondor", "mordor"])
        }

        fn cartridges(&self) -> Vec<Offer> {
            offers(&["disk1", "disk2"])
        }

        fn snapshots(&self, cartridge: &str) -> Vec<Offer> {
            offers(&[&format!("{cartridge}-clean")])
        }
    }

    /// What is offered for the last word of a line; a line that ends with a space has an empty one.
    fn offered(line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Typed::read(&definition(), &words).offers(&Known).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn commands_come_first_but_not_the_hidden_ones() {
        let all = offered("");
        assert!(all.contains(&"switch".to_owned()) && all.contains(&"cartridge".to_owned()));
        assert!(!all.contains(&"complete".to_owned()) && !all.contains(&"write-attributes".to_owned()));
        assert_eq!(offered("sw"), ["switch"]);
        assert_eq!(offered("export "), ["libvirt"]);
        assert_eq!(offered("--root / -v sw"), ["switch"], "options of all commands may stand before");
        assert_eq!(offered("nonsense x"), Vec::<String>::new());
    }

    #[test]
    fn names_are_those_that_the_command_wants() {
        assert_eq!(offered("switch "), ["gondor", "mordor"]);
        assert_eq!(offered("next --until-cleared mo"), ["mordor"]);
        assert_eq!(offered("plan -- g"), ["gondor"]);
        assert_eq!(offered("switch mordor "), Vec::<String>::new(), "one is enough");
        assert_eq!(offered("cartridge remove "), ["disk1", "disk2"]);
        assert_eq!(offered("cartridge restore disk1 "), ["disk1-clean"]);
        assert_eq!(offered("cartridge import disk1 "), ["FILE"]);
        assert_eq!(offered("pin --check mor"), ["mordor"]);
    }

    #[test]
    fn options_are_offered_where_they_make_sense() {
        assert_eq!(offered("list --j"), ["--json"]);
        assert_eq!(offered("list --json --j"), Vec::<String>::new());
        assert!(!offered("preview --live --").contains(&"--text".to_owned()), "they exclude each other");
        assert!(offered("list -v --").contains(&"--verbose".to_owned()), "it can be said again");
        assert_eq!(offered("switch -- --"), Vec::<String>::new());
    }

    #[test]
    fn values_follow_their_options() {
        assert_eq!(offered("preview --state pi"), ["picked", "pin"]);
        assert_eq!(offered("preview --live=k"), ["--live=kitty"]);
        assert_eq!(offered("--config "), ["FILE"]);
        assert_eq!(offered("preview --size "), ["1920x1080"]);
    }
}
