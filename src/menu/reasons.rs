//! Why a persona cannot start, in the words of the menu: first for a person on a sofa, then for the owner.

use crate::passthrough::Refusal;
use persona_paint::{Words, fill};

/// The summary; on the next line the reason with its devices, and what the owner can do.
pub(super) fn explanation(refusal: &Refusal, words: &Words) -> String {
    let hint = refusal.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{}\n{}{hint}", summary(refusal, words), refusal.reason)
}

/// One sentence without addresses and commands.
pub(super) fn summary(refusal: &Refusal, words: &Words) -> String {
    // Such a driver hangs after a restart too.
    let hangs = refusal.code == "driver-hangs-on-unbind" && !refusal.reboot_helps;
    match (words.reason)(refusal.code).filter(|_| !hangs) {
        Some(reason) => fill(words.cannot_start, "reason", reason),
        None => words.cannot_start_at_all.to_owned(),
    }
}

/// Why a start failed: the sentence of its code, if there is one, and the whole reason with its hint below.
pub(super) fn failure(code: Option<&str>, why: &str, words: &Words) -> String {
    let why = why.replace("\n  hint: ", "\n");
    match code.and_then(|code| (words.reason)(code)) {
        Some(reason) => format!("{}\n{why}", fill(words.cannot_start, "reason", reason)),
        None => why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use persona_paint::Language;

    #[test]
    fn first_line_names_no_address_and_the_second_does() {
        let error = Error::new("network card 0000:05:00.0 carries the default route (enp5s0)").with_hint("leave it to the host");
        let refusal = Refusal::of_error(&error, "network-used-by-host");
        assert_eq!(
            explanation(&refusal, Language::English.words()),
            "Can't start: it would take this PC's network card\n\
             network card 0000:05:00.0 carries the default route (enp5s0); leave it to the host"
        );
    }

    #[test]
    fn failed_start_says_the_same_sentence_first() {
        let words = Language::English.words();
        assert_eq!(
            failure(Some("iommu-missing"), "legion stays off: no IOMMU\n  hint: turn it on", words),
            "Can't start: the IOMMU is switched off in this PC's firmware\nlegion stays off: no IOMMU\nturn it on"
        );
        assert_eq!(failure(None, "QEMU died\n  hint: look", words), "QEMU died\nlook");
    }

    #[test]
    fn unknown_code_still_says_that_it_cannot_start() {
        let refusal = Refusal::of_error(&Error::new("a new fault"), "new-fault");
        assert_eq!(explanation(&refusal, Language::English.words()), "Can't start\na new fault");
    }
}
