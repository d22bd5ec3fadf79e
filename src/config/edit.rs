//! Changing the settings file without touching anything else in it.

use super::{DefaultPersona, Settings};
use crate::config::document::{Checked, parse, quoted};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// The text of a settings file with another `menu.default`: `last`, or the name of a persona. Everything else stays unchanged, byte by
/// byte: comments, order, spaces, line endings. `file` is its name for messages.
///
/// # Errors
/// When the text is not valid settings, or is written in a way in which the default cannot be changed without touching more.
pub fn with_default(text: &str, name: &str, file: &str) -> Result<String> {
    let before = Settings::parse(text, file)?;
    let (place, with) = change(text, name).map_err(|problem| problem.into_error(Error::usage, text, file))?;
    let changed = [&text[..place.start], &with, &text[place.end..]].concat();
    let default = if name == "last" { DefaultPersona::Last } else { DefaultPersona::Named(name.to_owned()) };
    let mut expected = before;
    expected.menu.default = default;
    // Verifies that nothing else has changed its meaning.
    match Settings::parse(&changed, file) {
        Ok(after) if after == expected => Ok(changed),
        _ => Err(Error::new(format!("cannot change the default in {file} without changing other settings too"))
            .with_hint(format!("write `default = {}` below [menu] yourself", quoted(name)))),
    }
}

/// Where the default is set.
#[derive(Deserialize)]
struct File {
    menu: Option<Spanned<Menu>>,
}

#[derive(Deserialize)]
struct Menu {
    default: Option<Spanned<String>>,
}

/// Which bytes are replaced by what.
fn change(text: &str, name: &str) -> Checked<(Range<usize>, String)> {
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let value = quoted(name);
    let key = format!("default = {value}");
    let Some(menu) = parse::<File>(text)?.menu else {
        // At the end, where it cannot become part of another table.
        let end = text.len()..text.len();
        let before = match text {
            "" => "",
            text if text.ends_with('\n') => ending,
            _ => &ending.repeat(2),
        };
        return Ok((end, format!("{before}[menu]{ending}{key}{ending}")));
    };
    if let Some(default) = &menu.get_ref().default {
        return Ok((default.span(), value));
    }
    let span = menu.span();
    if text[span.clone()].starts_with('{') {
        let rest = text[span.start + 1..span.end].trim_start();
        let more = if rest.starts_with('}') { " " } else { "," };
        return Ok((span.start + 1..span.start + 1, format!(" {key}{more}")));
    }
    let line = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    if text[line..].trim_start().starts_with('[') {
        // Below the header, indented like it.
        let indent: String = text[line..].chars().take_while(|letter| matches!(letter, ' ' | '\t')).collect();
        return Ok(match text[span.end..].find('\n') {
            Some(newline) => {
                let at = span.end + newline + 1;
                (at..at, format!("{indent}{key}{ending}"))
            }
            None => (text.len()..text.len(), format!("{ending}{indent}{key}{ending}")),
        });
    }
    // `menu.timeout = "10s"`: another such line before it.
    Ok((line..line, format!("menu.{key}{ending}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const PERSONAS: &str = "[[persona]]\nname = \"a\"\n[[persona]]\nname = \"b\"\n";

    fn changed(text: &str) -> String {
        with_default(text, "b", "persona.toml").unwrap()
    }

    #[test]
    fn the_default_is_changed_wherever_it_is_written() {
        for (text, becomes) in [
            ("[menu]\ndefault = \"a\" # mine\n", "[menu]\ndefault = \"b\" # mine\n"),
            ("[menu]\n  default   =\t'a'\n", "[menu]\n  default   =\t\"b\"\n"),
            ("menu.default = \"last\"\n", "menu.default = \"b\"\n"),
            ("menu = { timeout = \"1s\", default = \"a\" }\n", "menu = { timeout = \"1s\", default = \"b\" }\n"),
            ("[menu] # how it behaves\r\ntimeout = \"1s\"\r\n", "[menu] # how it behaves\r\ndefault = \"b\"\r\ntimeout = \"1s\"\r\n"),
            ("  [ menu ]\n  timeout = \"1s\"\n", "  [ menu ]\n  default = \"b\"\n  timeout = \"1s\"\n"),
            ("menu = {}\n", "menu = { default = \"b\" }\n"),
            ("menu = { timeout = \"1s\" }\n", "menu = { default = \"b\", timeout = \"1s\" }\n"),
            ("# all\nmenu.timeout = \"1s\" # short\n", "# all\nmenu.default = \"b\"\nmenu.timeout = \"1s\" # short\n"),
        ] {
            assert_eq!(changed(&(text.to_owned() + PERSONAS)), becomes.to_owned() + PERSONAS);
        }
        let shipped = include_str!("../../config/persona.toml");
        let mordor = with_default(shipped, "gondor", "x").unwrap();
        assert_eq!(mordor, shipped.replace("default = \"rivendale\"", "default = \"gondor\""));
        assert_eq!(with_default(&mordor, "rivendale", "x").unwrap(), shipped);
    }

    #[test]
    fn a_file_without_menu_gets_one_at_its_end() {
        assert_eq!(changed(PERSONAS), format!("{PERSONAS}\n[menu]\ndefault = \"b\"\n"));
        assert_eq!(changed(PERSONAS.trim_end()), format!("{PERSONAS}\n[menu]\ndefault = \"b\"\n"));
        let with_header_last = format!("{PERSONAS}[menu]");
        assert_eq!(changed(&with_header_last), format!("{PERSONAS}[menu]\ndefault = \"b\"\n"));
    }

    #[test]
    fn what_is_no_settings_or_no_persona_is_refused() {
        assert_eq!(with_default("[menu]\n", "b", "x").unwrap_err().exit_code(), 2);
        let error = with_default(PERSONAS, "nobody", "x").unwrap_err();
        assert!(error.to_string().contains("default = \"nobody\""), "the line that could not be written: {error}");
    }

    /// Lines without meaning, between those with one.
    fn noise() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec!["\n", "   \n", "# default = \"x\"\n", "\t# [menu]\n", "# \u{e9} \" '''\n", "#\n"]);
        prop::collection::vec(line, 0..3).prop_map(|lines| lines.concat())
    }

    proptest! {
        /// All lines except the default's own stay, byte by byte; if there was no table for it, it is appended.
        #[test]
        fn every_other_line_stays(
            noises in prop::collection::vec(noise(), 5),
            menu in prop::sample::select(vec![
                "[menu]\ntimeout = \"1s\"\ndefault = \"a\" # so\nbeep = true\n",
                "  [menu]  # m\n  beep = false\n",
                "[\"menu\"]\n'default' = \"last\"\ndisplay = \"auto\"\n",
                "",
            ]),
            menu_is_first in any::<bool>(),
            crlf in any::<bool>(),
            ends in any::<bool>(),
        ) {
            let has_menu = !menu.is_empty();
            let first = format!("[[persona]]# p\n{}name=\"a\"\n{}", noises[0], noises[1]);
            let personas = first + "[[ persona ]]\nname = \"b\" # [menu]\ntagline = \"\"\"\nthe default = 1\n\"\"\"\n";
            let menu = format!("{}{menu}{}", noises[2], noises[3]);
            let mut text = noises[4].clone() + &if menu_is_first { menu + &personas } else { personas + &menu };
            if crlf {
                text = text.replace('\n', "\r\n");
            }
            if !ends {
                text.truncate(text.trim_end().len());
            }
            let after = with_default(&text, "b", "x").unwrap();
            if has_menu {
                let is_default = |line: &&str| line.trim_start().trim_start_matches('\'').starts_with("default");
                let others = |text: &str| text.lines().filter(|line| !is_default(line)).map(str::to_owned).collect::<Vec<_>>();
                prop_assert_eq!(others(&after), others(&text));
                let lines = |text: &str| text.split_inclusive('\n').count();
                prop_assert!((lines(&text)..=lines(&text) + 1).contains(&lines(&after)));
                prop_assert_eq!(after.contains("\r\n"), text.contains("\r\n"));
            } else {
                prop_assert!(after.starts_with(&text));
            }
            prop_assert_eq!(Settings::parse(&after, "x").unwrap().menu.default, DefaultPersona::Named("b".to_owned()));
            prop_assert_eq!(&with_default(&after, "b", "x").unwrap(), &after);
        }
    }
}
