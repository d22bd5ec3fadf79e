//! What the menu says. Pure.

use super::{Shown, VERSION};
use crate::error::{Context, Error, Result};
use serde_json::{Value, json};

/// The line that says that it was done, and what the menu shows now.
pub fn done(shown: &Shown) -> String {
    format!("{}\n", json!({ "v": VERSION, "ok": true, "state": shown.to_json() }))
}

/// The line that says that nothing was done, why, and what can be done about it.
pub fn refused(error: &Error) -> String {
    let mut line = json!({ "v": VERSION, "ok": false, "error": error.reason() });
    if let Some(mend) = error.how_to_mend() {
        line["mend"] = mend.into();
    }
    format!("{line}\n")
}

/// The line that says to a subscriber what the menu shows from now on.
pub fn changed(shown: &Shown) -> String {
    format!("{}\n", json!({ "v": VERSION, "changed": true, "state": shown.to_json() }))
}

/// What the menu shows, by a line of it.
///
/// # Errors
/// What the menu says when it refused, with its mend; or that the line means nothing.
pub fn read(line: &[u8]) -> Result<Value> {
    let mut line: Value = serde_json::from_slice(line).doing(|| "understanding the menu's answer".to_owned())?;
    if line["v"] != VERSION {
        return Err(
            Error::new("the menu speaks another version of the protocol").mend("restart the menu, or reboot: it is another Persona's")
        );
    }
    if line["ok"] == false {
        let word = |name: &str| line[name].as_str().map(str::to_owned);
        let error = Error::new(word("error").unwrap_or_else(|| "the menu refused, and gave no reason".to_owned()));
        return Err(match word("mend") {
            Some(mend) => error.mend(mend),
            None => error,
        });
    }
    match line["state"].take() {
        state @ Value::Object(_) => Ok(state),
        _ => Err(Error::new("the menu's answer tells no state")),
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
    fn a_refusal_keeps_its_reason_and_its_mend() {
        for error in [Error::new("no"), Error::because("doing", Error::new("this\n\"that\"")).mend("do\nit")] {
            let line = refused(&error);
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(read(line.as_bytes()).unwrap_err().to_string(), error.to_string());
        }
    }

    #[test]
    fn what_is_no_answer_is_said() {
        for (line, says) in [
            ("", "understanding the menu's answer"),
            (r#"{"v":2,"ok":true}"#, "another version"),
            ("7", "another version"),
            (r#"{"v":1,"ok":true}"#, "tells no state"),
            (r#"{"v":1,"ok":false}"#, "gave no reason"),
        ] {
            let told = read(line.as_bytes()).unwrap_err().to_string();
            assert!(told.contains(says), "{line}: {told}");
        }
    }
}
