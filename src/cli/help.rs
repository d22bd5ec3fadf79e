//! The help, from the table. Pure.

use super::table::{Argument, Choice, Entry, Need, Takes, Then};

/// Descriptions begin at this column at the latest.
const FURTHEST: usize = 30;

/// What the help of everything cannot say.
const MORE: &str = "`persona help COMMAND` says more about a command.";

/// A line of a list, and lines that belong to it.
struct Row {
    left: String,
    text: String,
    below: Vec<(&'static str, &'static str)>,
}

impl Row {
    fn new(left: impl Into<String>, text: impl Into<String>) -> Self {
        Self { left: left.into(), text: text.into(), below: Vec::new() }
    }
}

/// The commands that are not hidden.
pub(super) fn shown(entry: &Entry) -> impl Iterator<Item = &'static Entry> {
    let groups = match entry.then {
        Then::Do(_) => &[],
        Then::One(groups) => groups,
    };
    groups.iter().filter(|group| !group.title.is_empty()).flat_map(|group| group.commands)
}

/// A command as it is typed.
pub(super) fn typed(path: &[&Entry]) -> String {
    path.iter().map(|entry| entry.name).collect::<Vec<_>>().join(" ")
}

/// How a command is used, in lines of at most `width` characters where words allow.
pub(super) fn usage(path: &[&Entry], width: usize) -> String {
    let (Some(entry), typed) = (path.last(), typed(path)) else { return String::new() };
    let mut forms = Vec::new();
    if let Then::One(_) = entry.then {
        forms.push(vec!["[OPTIONS]".to_owned(), "COMMAND".to_owned()]);
    } else {
        // What stands for an argument has a form of its own.
        let instead: Vec<&str> = entry.arguments.iter().filter_map(instead).collect();
        let options = entry.options.iter().filter(|option| !instead.contains(&option.name));
        let arguments = entry.arguments.iter().map(argument);
        forms.push(options.map(bracketed).chain(arguments).collect());
        forms.extend(instead.iter().map(|option| vec![(*option).to_owned()]));
    }
    let mut text = String::new();
    for (index, form) in forms.iter().enumerate() {
        let left = format!("{}{typed} ", if index == 0 { "Usage: " } else { "       " });
        let indent = left.chars().count();
        hang(&mut text, &left, indent, &mut form.iter().map(String::as_str), width);
    }
    text
}

fn instead(argument: &Argument) -> Option<&'static str> {
    match argument.need {
        Need::MayOr(option) => Some(option),
        Need::Must | Need::May | Need::Many => None,
    }
}

fn bracketed(option: &Choice) -> String {
    if option.required { option.typed() } else { format!("[{}]", option.typed()) }
}

fn argument(argument: &Argument) -> String {
    match argument.need {
        Need::May | Need::MayOr(_) => format!("[{}]", argument.name),
        Need::Many => format!("[{}...]", argument.name),
        Need::Must => argument.name.to_owned(),
    }
}

/// All about a command, in lines of at most `width` characters where words allow.
pub(super) fn help(path: &[&Entry], width: usize) -> String {
    let (Some(first), Some(entry)) = (path.first(), path.last()) else { return String::new() };
    let mut text = String::new();
    paragraph(&mut text, entry.about, width);
    if !entry.more.is_empty() {
        text.push('\n');
        paragraph(&mut text, entry.more, width);
    }
    text.push('\n');
    text += &usage(path, width);

    if let Then::One(groups) = entry.then {
        let shown = groups.iter().filter(|group| !group.title.is_empty());
        let row = |command: &Entry| Row::new(command.name, command.about);
        block(&mut text, shown.map(|group| (group.title, group.commands.iter().map(row).collect())).collect(), width);
    }
    let everywhere = first.options.iter().map(row).collect();
    let lists = if path.len() > 1 {
        let arguments = entry.arguments.iter().map(|argument| Row::new(argument.name, argument.help)).collect();
        let own = entry.options.iter().map(row).collect();
        vec![("Arguments", arguments), ("Options", own), ("Options of all commands", everywhere)]
    } else {
        vec![("Options", everywhere)]
    };
    block(&mut text, lists, width);
    let exits = entry.exits.iter().map(|(code, meaning)| Row::new(*code, *meaning)).collect();
    block(&mut text, vec![("Exit codes", exits)], width);
    if matches!(entry.then, Then::One(_)) && path.len() == 1 {
        text.push('\n');
        paragraph(&mut text, MORE, width);
    }
    text
}

/// An option with all that is to be known of it.
fn row(option: &Choice) -> Row {
    let short = option.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
    let again = if option.takes == Takes::Again { "..." } else { "" };
    let words = option.words.map_or_else(Vec::new, |words| words());
    let explained = words.iter().any(|(_, meaning)| !meaning.is_empty());
    let mut notes = Vec::new();
    if !words.is_empty() && !explained {
        notes.push(words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or "));
    }
    notes.extend(option.default.map(|default| format!("default {default}")));
    if !option.not_with.is_empty() {
        notes.push(format!("not with {}", option.not_with.join(", ")));
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    let row = Row::new(format!("{short}{}{again}", option.typed()), format!("{}{notes}", option.help));
    Row { below: if explained { words } else { Vec::new() }, ..row }
}

/// Lists whose descriptions begin at the same column; those without rows are left out.
fn block(out: &mut String, lists: Vec<(&str, Vec<Row>)>, width: usize) {
    let widest = lists.iter().flat_map(|(_, rows)| rows).map(|row| row.left.chars().count()).max().unwrap_or(0);
    let column = (widest + 4).min(FURTHEST);
    for (title, rows) in lists.iter().filter(|(_, rows)| !rows.is_empty()) {
        *out += &format!("\n{title}:\n");
        for row in rows {
            hang(out, &format!("  {}", row.left), column, &mut row.text.split_whitespace(), width);
            let widest = row.below.iter().map(|(word, _)| word.chars().count()).max().unwrap_or(0);
            for (word, meaning) in &row.below {
                let left = format!("{:column$}{word}", "");
                hang(out, &left, column + widest + 2, &mut meaning.split_whitespace(), width);
            }
        }
    }
}

fn paragraph(out: &mut String, text: &str, width: usize) {
    hang(out, "", 0, &mut text.split_whitespace(), width);
}

/// Words from a column on, line after line, with `left` before the first line.
fn hang(out: &mut String, left: &str, indent: usize, words: &mut dyn Iterator<Item = &str>, width: usize) {
    let mut line = format!("{left:indent$}");
    if left.chars().count() > indent {
        *out += left;
        out.push('\n');
        line = " ".repeat(indent);
    }
    let mut column = indent;
    for word in words {
        let length = word.chars().count();
        if column > indent && column + 1 + length > width {
            *out += &line;
            out.push('\n');
            line = " ".repeat(indent);
            column = indent;
        }
        if column > indent {
            line.push(' ');
            column += 1;
        }
        line += word;
        column += length;
    }
    *out += line.trim_end();
    out.push('\n');
}
