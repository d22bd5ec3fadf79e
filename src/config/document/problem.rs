//! Error messages for TOML files: file, line, caret and hint.

use crate::error::Error;
use std::ops::Range;

/// The value read from a file, or what is wrong there.
pub(crate) type Checked<T> = Result<T, Problem>;

/// An error at a position of the file.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The wrong bytes of the file; none when it is about the file as a whole.
    pub(crate) span: Option<Range<usize>>,
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
}

impl From<toml::de::Error> for Problem {
    /// serde names the known keys and values behind an unknown one: the nearest is the hint.
    fn from(error: toml::de::Error) -> Self {
        let what = error.message().to_owned();
        let mut words = what.split('`').skip(1).step_by(2);
        let is_unknown = ["unknown field", "unknown variant"].iter().any(|start| what.starts_with(start));
        let near = words.next().filter(|_| is_unknown).and_then(|wrong| nearest(wrong, words));
        Self { span: error.span(), hint: near.map(|near| format!("did you mean `{near}`?")), what }
    }
}

impl Problem {
    pub(crate) fn at(span: Range<usize>, what: impl Into<String>) -> Self {
        Self { span: Some(span), what: what.into(), hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error of this kind that shows the position in the text of its file; `file` is the file's name for messages.
    pub(crate) fn into_error(self, kind: fn(String) -> Error, text: &str, file: &str) -> Error {
        let mut hint = self.hint;
        let message = match self.span {
            None => format!("{file}: {}", self.what),
            Some(span) => {
                let start = floor_char_boundary(text, span.start);
                let before = &text[..start];
                let line_number = before.matches('\n').count() + 1;
                let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                let whole = text[line_start..].lines().next().unwrap_or("");
                let at = text[line_start..start].chars().count();
                let marked =
                    text[start..floor_char_boundary(text, span.end)].lines().next().map_or(1, |marked| marked.chars().count().max(1));
                let (line, column) = excerpt(whole, at);
                let width = marked.min(MAX_LINE);
                hint = hint.or_else(|| type_hint(&self.what, whole));
                let number = line_number.to_string();
                let gutter = " ".repeat(number.len());
                format!(
                    "{file}:{line_number}: {}\n {gutter} |\n {number} | {line}\n {gutter} | {}{}",
                    self.what,
                    " ".repeat(column),
                    "^".repeat(width),
                )
            }
        };
        let error = kind(message);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// The longest piece of a line that is shown, in characters.
const MAX_LINE: usize = 100;

/// The piece of a line around a column, and the column in it.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    let before = column.saturating_sub(MAX_LINE / 2);
    let mut piece: String = line.chars().skip(before).take(MAX_LINE).collect();
    if line.chars().nth(before + MAX_LINE).is_some() {
        piece.push_str("...");
    }
    if before == 0 { (piece, column) } else { (format!("...{piece}"), column - before + 3) }
}

/// What to write where a value has another type than it should (serde's words), on a line such as `timeout = 10`.
fn type_hint(what: &str, line: &str) -> Option<String> {
    let expected = what.strip_prefix("invalid type: ")?.rsplit_once("expected ")?.1;
    let (key, value) = line.split_once('=').map_or((line, ""), |(key, value)| (key, value.split('#').next().unwrap_or_default()));
    let (key, value) = (key.trim(), value.trim());
    let bare = value.trim_matches(['"', '\'']);
    match expected {
        "a string" if ["timeout", "running_well"].contains(&key) => Some(format!("write {key} = \"{bare}s\"")),
        "a string" if key == "memory" => {
            // A guest has less than a terabyte: such a number is in mebibytes.
            let unit = if bare.parse::<u64>().is_ok_and(|number| number >= 1024) { 'M' } else { 'G' };
            Some(format!("write {key} = \"{bare}{unit}\""))
        }
        "a string" if !value.is_empty() && !value.starts_with(['[', '{']) => Some(format!("write it in quotes: {key} = \"{bare}\"")),
        "a sequence" | "an array" if key.starts_with('[') => Some(format!("write [{key}], with two brackets: there may be several")),
        "a sequence" | "an array" => Some(format!("write it in brackets: {key} = [{value}]")),
        "a boolean" => Some(format!("write {key} = true or {key} = false, without quotes")),
        expected if expected.starts_with(['i', 'u']) && bare.parse::<i64>().is_ok() => {
            Some(format!("write it without quotes: {key} = {bare}"))
        }
        _ => None,
    }
}

/// The greatest character boundary of `text` that is at most `at`.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0)
}

/// The known word that `wrong` probably means, if one is close enough.
pub(crate) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// The distance to a longer word takes long, and is too large.
    const MAX_WORD: usize = 100;
    if wrong.len() > MAX_WORD {
        return None;
    }
    let (distance, word) = known.map(|word| (edit_distance(wrong, word), word)).min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + wrong.chars().count() / 3).then_some(word)
}

/// Levenshtein's distance: single-character edits that turn one word into the other.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["timeout", "default", "display"];
        assert_eq!(nearest("timout", known.into_iter()), Some("timeout"));
        assert_eq!(nearest("displya", known.into_iter()), Some("display"));
        assert_eq!(nearest("colour", known.into_iter()), None);
        assert_eq!(nearest(&"timeout".repeat(1 << 20), known.into_iter()), None, "at once");
    }
}
