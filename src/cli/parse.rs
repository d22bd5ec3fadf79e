//! From words to a command. Pure.

use super::commands::PERSONA;
use super::given::{Given, path, quoted};
use super::table::{Choice, Need, Takes, Then};
use super::wrong::Wrong;
use super::{Cli, Command, Global};
use crate::config::document::nearest;
use lexopt::{Arg, Parser};
use std::ffi::OsString;

/// What a command line means; `arguments` come without the name of the program.
///
/// # Errors
/// With what is wrong, the nearest known word, and how the command is used.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Wrong> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match read(Parser::from_args(arguments))? {
        Read::Other(command) => Ok(Cli { global: Global { root: "/".into(), config: None, verbose: 0 }, command }),
        Read::Command(mut given, make) => {
            let global = Global {
                root: given.value("--root", path)?.unwrap_or_else(|| "/".into()),
                config: given.value("--config", path)?,
                verbose: given.count("--verbose"),
            };
            Ok(Cli { global, command: make(&mut given)? })
        }
    }
}

/// Words put where they belong.
pub(super) enum Read {
    /// For the command to make something of.
    Command(Given, fn(&mut Given) -> Result<Command, Wrong>),
    /// The help or the version.
    Other(Command),
}

/// Puts every word where the table says it belongs.
pub(super) fn read(mut parser: Parser) -> Result<Read, Wrong> {
    let mut given = Given { path: vec![&PERSONA], words: Vec::new() };
    let mut help = false;
    loop {
        match parser.next() {
            Ok(Some(Arg::Value(word))) => place(&mut given, &mut help, word)?,
            Ok(Some(Arg::Short(letter))) => {
                let option = given.options().find(|option| option.short == Some(letter));
                let option = option.ok_or_else(|| given.wrong(format!("there is no option `-{letter}`")))?;
                take(&mut given, option, &mut parser)?;
            }
            Ok(Some(Arg::Long(name))) => {
                let option = given.options().find(|option| bare(option) == name);
                let option = option.ok_or_else(|| unknown_option(&given, name))?;
                take(&mut given, option, &mut parser)?;
            }
            Ok(None) => break,
            Err(lexopt::Error::UnexpectedValue { option, .. }) => return Err(given.wrong(format!("`{option}` takes no value"))),
            Err(error) => return Err(given.wrong(error.to_string())),
        }
        if given.has("--help") {
            return Ok(Read::Other(Command::Help(Help(given.path))));
        }
        if given.has("--version") {
            return Ok(Read::Other(Command::Version));
        }
    }
    if help {
        return Ok(Read::Other(Command::Help(Help(given.path))));
    }
    match given.path.last().map(|entry| &entry.then) {
        Some(Then::Do(make)) => {
            check(&given)?;
            Ok(Read::Command(given, *make))
        }
        _ => Err(Wrong { path: given.path, what: None, hint: None }),
    }
}

/// Of which command the help is wanted: the way from `persona` to it.
pub struct Help(pub(super) Vec<&'static super::table::Entry>);

impl std::fmt::Debug for Help {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&super::help::typed(&self.0))
    }
}

fn bare(option: &Choice) -> &'static str {
    option.name.trim_start_matches('-')
}

fn unknown_option(given: &Given, name: &str) -> Wrong {
    let near = nearest(name, given.options().map(bare)).map(|near| format!("did you mean `--{near}`?"));
    Wrong { hint: near, ..given.wrong(format!("there is no option `--{name}`")) }
}

/// A word without dashes is a command where one is due, and an argument after it.
fn place(given: &mut Given, help: &mut bool, word: OsString) -> Result<(), Wrong> {
    let Some(entry) = given.path.last().copied() else { return Ok(()) };
    if let Then::One(_) = entry.then {
        if word == "help" {
            *help = true;
            return Ok(());
        }
        let Some(command) = entry.commands().find(|command| word == command.name) else {
            let word = word.to_string_lossy();
            let shown = super::help::shown(entry).map(|command| command.name);
            let near = nearest(&word, shown.chain(["help"])).map(|near| format!("did you mean `{near}`?"));
            return Err(Wrong { hint: near, ..given.wrong(format!("`{}` has no command `{word}`", super::help::typed(&given.path))) });
        };
        given.path.push(command);
        return Ok(());
    }
    match entry.arguments.iter().find(|argument| argument.need == Need::Many || !given.has(argument.name)) {
        Some(argument) if !*help => given.words.push((argument.name, Some(word))),
        _ => return Err(given.wrong(format!("`{}` is a word too many", word.display()))),
    }
    Ok(())
}

/// An option, with the value that follows it.
fn take(given: &mut Given, option: &'static Choice, parser: &mut Parser) -> Result<(), Wrong> {
    let missing = |value: &str| given.wrong(format!("`{}` needs a value: {value}", option.name));
    let value = match option.takes {
        Takes::Nothing | Takes::Again => None,
        Takes::Perhaps(_) => parser.optional_value(),
        Takes::Value(name) => match parser.optional_value() {
            Some(value) => Some(value),
            // A value that looks like an option was forgotten, rather; `--size=-1` says that it was not.
            None => match parser.value() {
                Ok(value) if !looks_like_an_option(value.as_encoded_bytes()) => Some(value),
                _ => return Err(missing(name)),
            },
        },
    };
    if option.takes != Takes::Again && given.has(option.name) {
        return Err(given.wrong(format!("`{}` is given twice", option.name)));
    }
    given.words.push((option.name, value));
    Ok(())
}

/// `-` is a file's name to many programs, and no option is a number.
fn looks_like_an_option(word: &[u8]) -> bool {
    matches!(word, [b'-', next, ..] if !next.is_ascii_digit())
}

/// What the table says of words that exclude or need each other.
fn check(given: &Given) -> Result<(), Wrong> {
    let Some(entry) = given.path.last() else { return Ok(()) };
    let mut missing = Vec::new();
    for option in entry.options {
        if option.required && !given.has(option.name) {
            missing.push(format!("`{}`", option.typed()));
        }
        if let Some(other) = option.not_with.iter().find(|other| given.has(option.name) && given.has(other)) {
            return Err(given.wrong(format!("{} cannot be given with {}", quoted(option.name), quoted(other))));
        }
    }
    for argument in entry.arguments {
        match (argument.need, given.has(argument.name)) {
            (Need::Must, false) => missing.push(argument.name.to_owned()),
            (Need::MayOr(other), true) if given.has(other) => {
                return Err(given.wrong(format!("`{other}` cannot be given with {}", argument.name)));
            }
            _ => {}
        }
    }
    match missing.as_slice() {
        [] => Ok(()),
        [one] => Err(given.wrong(format!("{one} is missing"))),
        more => Err(given.wrong(format!("{} are missing", more.join(" and ")))),
    }
}
