//! The replies of the menu. Pure.

use super::{Shown, VERSION};
use crate::error::{Context, Error, Result};
use serde_json::{Value, json};

/// The code of an answer that cannot be understood.
const UNREADABLE: &str = "answer-unreadable";

/// The line for a request that was done, with what the menu shows now.
pub fn done(shown: &Shown) -> String {
    format!("{}\n", json!({ "v": VERSION, "ok": true, "state": shown.to_json() }))
}

/// The line for a request that was refused: the reason and the hint.
pub fn refused(error: &Error) -> String {
    let mut line = json!({ "v": VERSION, "ok": false, "error": error.reason() });
    if let Some(code) = error.code() {
        line["code"] = code.into();
    }
    if let Some(hint) = error.hint() {
        line["hint"] = hint.into();
    }
    format!("{line}\n")
}

/// The line that tells a subscriber what the menu shows from now on.
pub fn changed(shown: &Shown) -> String {
    format!("{}\n", json!({ "v": VERSION, "changed": true, "state": shown.to_json() }))
}

/// Reads what the menu shows from one of its lines.
///
/// # Errors
/// The refusal of the menu, with its hint; or that the line cannot be understood.
pub fn read(line: &[u8]) -> Result<Value> {
    let mut line: Value = serde_json::from_slice(line)
        .context(|| "understanding the menu's answer".to_owned())
        .map_err(|error| error.with_code(UNREADABLE))?;
    if line["v"] != VERSION {
        return Err(Error::new("the menu speaks another version of the protocol")
            .with_code("version-unknown")
            .with_hint("restart the menu, or reboot: it belongs to another version of Persona"));
    }
    if line["ok"] == false {
        let word = |name: &str| line[name].as_str().map(str::to_owned);
        let error = match word("error") {
            Some(error) => Error::new(error),
            None => Error::new("the menu refused, and gave no reason").with_code("refused-without-reason"),
        };
        return Err(match word("hint") {
            Some(hint) => error.with_hint(hint),
            None => error,
        });
    }
    match line["state"].take() {
        state @ Value::Object(_) => Ok(state),
        _ => Err(Error::new("the menu's answer contains no state").with_code(UNREADABLE)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_done_or_changed_tells_the_state() {
        let shown = Shown { stage: "waiting", keyboards: 2, ..Shown::default() };
        for line in [done(&shown), changed(&shown)] {
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(read(line.trim_end().as_bytes()).unwrap(), shown.to_json());
        }
    }

    #[test]
    fn a_refusal_keeps_its_reason_and_its_hint() {
        for error in [Error::new("no"), Error::caused_by("doing", Error::new("this\n\"that\"")).with_hint("do\nit")] {
            let line = refused(&error);
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(read(line.as_bytes()).unwrap_err().to_string(), error.to_string());
        }
    }

    #[test]
    fn a_refusal_has_the_code_of_its_error() {
        let code = |error: &Error| serde_json::from_str::<Value>(&refused(error)).unwrap()["code"].clone();
        assert_eq!(code(&Error::new("no").with_code("request-unknown")), "request-unknown");
        assert_eq!(code(&Error::new("no")), Value::Null);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for (line, code) in [
            ("", "answer-unreadable"),
            (r#"{"v":2,"ok":true}"#, "version-unknown"),
            ("7", "version-unknown"),
            (r#"{"v":1,"ok":true}"#, "answer-unreadable"),
            (r#"{"v":1,"ok":false}"#, "refused-without-reason"),
        ] {
            assert_eq!(read(line.as_bytes()).unwrap_err().code(), Some(code), "{line}");
        }
    }
}
