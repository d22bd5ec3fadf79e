//! The kernel command line, split into parameters as the kernel does (`next_arg()` in `lib/cmdline.c`, and `--` as in
//! `parse_args()` in `kernel/params.c`).

use super::file;
use super::paths::Paths;
use std::io;

/// No kernel takes a longer line (`COMMAND_LINE_SIZE` is 2048 on x86), in bytes.
const MAX_LINE: u64 = 64 << 10;

/// One parameter of the command line. Bytes that are not UTF-8 are U+FFFD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// What is before the first `=`.
    pub name: String,
    /// What is after it, without quotes around it.
    pub value: Option<String>,
}

impl Parameter {
    /// As it would be written without quotes.
    pub fn text(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The parameters of this boot; none if there is no command line at all.
///
/// # Errors
/// When there is one that cannot be read.
pub fn read(paths: &Paths) -> io::Result<Vec<Parameter>> {
    match file::read(paths.kernel_command_line(), MAX_LINE) {
        Ok(line) => Ok(parse(&line)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The parameters of a line. A double quote anywhere toggles whether spaces separate; quotes around a value or a whole word are taken off;
/// what follows a lone `--` is for init.
pub fn parse(line: &[u8]) -> Vec<Parameter> {
    let mut found = Vec::new();
    let mut rest = line.strip_suffix(b"\n").unwrap_or(line);
    loop {
        let spaces = rest.iter().take_while(|byte| is_space(**byte)).count();
        rest = &rest[spaces..];
        if rest.first().is_none_or(|byte| *byte == 0) {
            return found;
        }
        let mut is_quoted = false;
        let end = rest.iter().position(|byte| {
            is_quoted ^= *byte == b'"';
            *byte == 0 || (is_space(*byte) && !is_quoted)
        });
        let (word, tail) = rest.split_at(end.unwrap_or(rest.len()));
        if word == b"--" {
            return found;
        }
        found.push(parameter(word));
        rest = tail;
    }
}

/// `isspace()` of the kernel, as far as it is ASCII.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn parameter(word: &[u8]) -> Parameter {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let bare = match word {
        [b'"', inner @ ..] => inner.strip_suffix(b"\"").unwrap_or(inner),
        _ => word,
    };
    // A word that begins with `=` has no value.
    match bare.iter().skip(1).position(|byte| *byte == b'=') {
        Some(before) => {
            let (name, value) = (&bare[..=before], &bare[before + 2..]);
            let value = match value {
                [b'"', inner @ ..] => inner.strip_suffix(b"\"").unwrap_or(inner),
                _ => value,
            };
            Parameter { name: text(name), value: Some(text(value)) }
        }
        None => Parameter { name: text(bare), value: None },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn words(line: &[u8]) -> Vec<String> {
        parse(line).iter().map(Parameter::text).collect()
    }

    #[test]
    fn quotes_protect_spaces_and_are_taken_off() {
        for (line, expected) in [
            (&b"root=/dev/sda quiet\n"[..], &["root=/dev/sda", "quiet"][..]),
            (b"persona=\"off\"", &["persona=off"]),
            (b"\"persona=off\" quiet", &["persona=off", "quiet"]),
            (b"dyndbg=\"file drivers/usb/* +p; persona=off\" a", &["dyndbg=file drivers/usb/* +p; persona=off", "a"]),
            (b"a=b\"c d\"e f", &["a=b\"c d\"e", "f"]),
            (b"  two\t\tspaces\x0b here ", &["two", "spaces", "here"]),
            (b"one -- persona=off", &["one"]),
            (b"one --two three=-- four", &["one", "--two", "three=--", "four"]),
            (b"open=\"never closed persona=off", &["open=never closed persona=off"]),
            (b"bad=\xff persona=off", &["bad=\u{fffd}", "persona=off"]),
            (b"=x ==y", &["=x", "==y"]),
            (b"", &[]),
            (b"\"\"", &[""]),
        ] {
            assert_eq!(words(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    proptest! {
        #[test]
        fn any_line_is_split(line in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&line);
        }

        /// Without quotes a command line is its words.
        #[test]
        fn plain_words_stay(plain in prop::collection::vec("[a-z_.]{1,8}(=[a-z0-9,.:/]{0,8})?", 0..20)) {
            prop_assert_eq!(words(plain.join(" ").as_bytes()), plain);
        }
    }
}
