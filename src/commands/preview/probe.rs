//! A terminal's graphics abilities, by its own answers. Pure.

use super::kitty;

/// A way of showing pictures in a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Kitty's graphics protocol.
    Kitty,
    /// Half blocks in 24-bit colour.
    Blocks,
}

/// Queries kitty's protocol and then the terminal's attributes (DA1), which every terminal answers: after that answer no other will come.
pub(super) fn query() -> String {
    kitty::QUERY.to_owned() + "\x1b[c"
}

/// The best protocol according to these answers; nothing while they are incomplete.
pub(super) fn best(answers: &[u8]) -> Option<Protocol> {
    let answers = String::from_utf8_lossy(answers);
    let (before, attributes) = answers.split_once("\x1b[?")?;
    attributes.contains('c').then(|| if before.contains(kitty::KNOWN) { Protocol::Kitty } else { Protocol::Blocks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_tell_what_they_can() {
        for (answers, protocol) in [
            ("\x1b_Gi=31;OK\x1b\\\x1b[?62;c", Some(Protocol::Kitty)),
            ("\x1b_Gi=31;OK\x1b\\\x1b[?62;4;22c", Some(Protocol::Kitty)),
            ("\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?62;4;22c", Some(Protocol::Blocks)),
            ("\x1b[?63;1;2;4c", Some(Protocol::Blocks)),
            ("\x1b[?4c", Some(Protocol::Blocks)),
            ("\x1b[?1;2c", Some(Protocol::Blocks)),
            ("\x1b[?62;14;42c", Some(Protocol::Blocks)),
            ("\x1b_Gi=31;OK\x1b\\", None),
            ("\x1b[?62;", None),
            ("", None),
        ] {
            assert_eq!(best(answers.as_bytes()), protocol, "{answers:?}");
        }
    }
}
