//! Shell files that only assign variables: mkinitcpio's configuration and presets.

/// One assignment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) name: String,
    /// Whether it appends (`+=`).
    pub(super) adds: bool,
    /// The value's words without quotes: the elements of an array, or the words of a string.
    pub(super) words: Vec<String>,
}

/// The assignments of a file, in order. Everything else in it is skipped: shell code is not evaluated here.
pub(super) fn assignments(text: &str) -> Vec<Assignment> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(without_comment);
    while let Some(line) = lines.next() {
        let Some((name, value)) = line.trim_start().split_once('=') else { continue };
        let (name, adds) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let mut value = value.to_owned();
        if let Some(array) = value.strip_prefix('(') {
            let mut array = array.to_owned();
            while !array.contains(')') {
                let Some(line) = lines.next() else { break };
                array = array + " " + &line;
            }
            value = array.split(')').next().unwrap_or_default().to_owned();
        }
        let words = value.split_whitespace().map(|word| word.replace(['"', '\''], "")).filter(|word| !word.is_empty());
        found.push(Assignment { name: name.to_owned(), adds, words: words.collect() });
    }
    found
}

/// A variable's final value; `None` if it was never assigned.
pub(super) fn value(assignments: &[Assignment], name: &str) -> Option<Vec<String>> {
    assignments.iter().filter(|one| one.name == name).fold(None, |before: Option<Vec<String>>, one| match before {
        Some(mut words) if one.adds => {
            words.extend(one.words.iter().cloned());
            Some(words)
        }
        _ => Some(one.words.clone()),
    })
}

/// A comment begins with `#` at the start of a word, outside quotes.
fn without_comment(line: &str) -> String {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        match (letter, quote) {
            ('#', None) if before.is_whitespace() || before == '(' => return line[..at].to_owned(),
            ('"' | '\'', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            _ => {}
        }
        before = letter;
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_strings_additions_and_comments() {
        let text = "# HOOKS=(old)\nHOOKS=(base persona udev # early\n  \"block\" 'filesystems')\nHOOKS+=(fsck)\n  MODULES=\"a b\"\nexport X=1\nif [ a = b ]; then\nbroken=(never closed\n";
        let found = assignments(text);
        let words = |name: &str| value(&found, name).map(|words| words.join(" "));
        assert_eq!(words("HOOKS").as_deref(), Some("base persona udev block filesystems fsck"));
        assert_eq!(words("MODULES").as_deref(), Some("a b"));
        assert_eq!(words("broken").as_deref(), Some("never closed"));
        assert_eq!(words("FILES"), None);
        assert_eq!(value(&assignments("A=(x)\nA=()\n"), "A"), Some(vec![]));
    }
}
