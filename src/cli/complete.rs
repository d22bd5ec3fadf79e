//! What a shell offers on Tab, from the table and the names that the settings and cartridges have.

use super::commands::PERSONA;
use super::help::shown;
use super::table::{Choice, Entry, Takes, Then};
use crate::config::Settings;
use crate::legion::cartridge::{Shelf, snapshot};
use crate::sys::paths::Paths;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What stands in the place of any file: shells know better which there are. No name has capitals.
const FILE: &str = "FILE";

/// A word, and what it means.
type Offer = (String, String);

/// What names there are on this machine, asked only for what may come next.
trait Names {
    fn personas(&self) -> Vec<Offer>;
    fn cartridges(&self) -> Vec<Offer>;
    fn snapshots(&self, cartridge: &str) -> Vec<Offer>;
}

/// What may stand in the place of the last word, a line for each: the word, and after a tab what it means.
pub(super) fn lines(words: &[OsString]) -> String {
    let typed = Typed::read(words);
    let machine = Machine { root: typed.value("--root").unwrap_or("/").into(), config: typed.value("--config").map(PathBuf::from) };
    let line = |(word, meaning): Offer| if meaning.is_empty() { word + "\n" } else { format!("{word}\t{meaning}\n") };
    typed.offers(&machine).into_iter().map(line).collect()
}

/// The words before the last one, as far as they make sense, and the last one.
struct Typed<'a> {
    path: Vec<&'static Entry>,
    given: Vec<(&'static str, &'a str)>,
    /// The option whose value the last word is, or is to be.
    value_of: Option<&'static Choice>,
    /// What comes before the value in the last word: `--size=`.
    before: String,
    /// After `--` there are no options.
    only_arguments: bool,
    last: &'a str,
}

impl<'a> Typed<'a> {
    fn read(words: &'a [OsString]) -> Self {
        // What is not UTF-8 completes nothing, and is nothing that can be asked for.
        let words: Vec<&str> = words.iter().map(|word| OsStr::to_str(word).unwrap_or("\u{fffd}")).collect();
        let (last, words) = words.split_last().map_or(("", &[][..]), |(last, words)| (*last, words));
        let mut typed =
            Self { path: vec![&PERSONA], given: Vec::new(), value_of: None, before: String::new(), only_arguments: false, last };
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
            return self.given.push((option.name, word));
        }
        if word == "--" && !self.only_arguments {
            self.only_arguments = true;
        } else if word.starts_with('-') && !self.only_arguments {
            let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let Some(option) = self.option(name) else { return };
            match (option.takes, value) {
                (Takes::Value(_), None) => self.value_of = Some(option),
                (_, value) => self.given.push((option.name, value.unwrap_or_default())),
            }
        } else if let Some(command) = self.entry().commands().find(|command| command.name == word) {
            self.path.push(command);
        } else if let Some(argument) = self.entry().arguments.iter().find(|argument| self.value(argument.name).is_none()) {
            self.given.push((argument.name, word));
        }
    }

    fn entry(&self) -> &'static Entry {
        self.path.last().copied().unwrap_or(&PERSONA)
    }

    fn options(&self) -> impl Iterator<Item = &'static Choice> + use<> {
        let own = if self.path.len() > 1 { self.entry().options } else { &[] };
        own.iter().chain(PERSONA.options)
    }

    fn option(&self, name: &str) -> Option<&'static Choice> {
        let short = name.strip_prefix('-').and_then(|letter| letter.parse().ok());
        self.options().find(|option| option.name == name || (short.is_some() && option.short == short))
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
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

    /// The options that are not there yet and go with those that are.
    fn free_options(&self) -> Vec<Offer> {
        let has = |name: &str| self.value(name).is_some();
        let is_free = |option: &&Choice| {
            let excluded = option.not_with.iter().any(|other| has(other))
                || self.options().any(|other| has(other.name) && other.not_with.contains(&option.name));
            !excluded && (option.takes == Takes::Again || !has(option.name))
        };
        self.options().filter(is_free).map(|option| (option.name.to_owned(), option.help.to_owned())).collect()
    }

    fn values(&self, option: &Choice, names: &dyn Names) -> Vec<Offer> {
        if let Some(words) = option.words {
            return words().into_iter().map(|(word, meaning)| (word.to_owned(), meaning.to_owned())).collect();
        }
        match option.takes {
            Takes::Value("FILE" | "DIR" | "ISO") => vec![(FILE.to_owned(), String::new())],
            Takes::Value("NAME") => names.personas(),
            _ => option.default.map(|value| (value.to_owned(), String::new())).into_iter().collect(),
        }
    }

    /// A command where one is due, and an argument after it.
    fn words(&self, names: &dyn Names) -> Vec<Offer> {
        let entry = self.entry();
        if let Then::One(_) = entry.then {
            return shown(entry).map(|command| (command.name.to_owned(), command.about.to_owned())).collect();
        }
        let Some(argument) = entry.arguments.iter().find(|argument| self.value(argument.name).is_none()) else { return Vec::new() };
        let of_cartridges = self.path.get(1).is_some_and(|command| command.name == "cartridge");
        match argument.name {
            "NAME" if of_cartridges => names.cartridges(),
            "NAME" if entry.name == "default" => {
                let last = ("last".to_owned(), "the one that last ran well".to_owned());
                names.personas().into_iter().chain([last]).collect()
            }
            "NAME" => names.personas(),
            "LABEL" => self.value("NAME").map(|cartridge| names.snapshots(cartridge)).unwrap_or_default(),
            _ => vec![(FILE.to_owned(), String::new())],
        }
    }
}

/// What cannot be read has no names: Tab is no place for messages.
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
        Typed::read(&words).offers(&Known).into_iter().map(|(word, _)| word).collect()
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
