//! The requests to the menu. Pure.

use super::VERSION;
use crate::config::document::nearest;
use crate::error::{Context, Error, Result};
use serde_json::{Map, Value, json};

/// How many characters of the caller's name are kept: it is shown in one line on the screen.
const LONGEST_WHO: usize = 64;

/// The names of the requests, for the hint after a mistyped one.
const NAMES: [&str; 6] = ["state", "choose", "hold", "move", "console", "subscribe"];

/// What the menu must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Tell what it shows.
    State,
    /// Start the persona of this name, whatever is highlighted.
    Choose(String),
    /// Stop the countdown: nothing starts by itself any more.
    Hold,
    /// Highlight another persona.
    Move(Move),
    /// Give screen and keyboards to the console.
    Console,
    /// Tell what it shows now, and again whenever that changes.
    Subscribe,
}

/// Where the highlight moves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// To the persona of this name.
    To(String),
    /// By this many personas forwards, or backwards if negative.
    By(i32),
}

/// A request and its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    /// The caller in readable form, such as `frodo from 192.0.2.7`.
    pub who: Option<String>,
}

impl Asked {
    /// Parses the request in a line without its line end.
    ///
    /// # Errors
    /// When it is not a request, or only partly understood: then nothing must be done.
    pub fn parse(line: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(line)
            .context(|| "understanding the request".to_owned())
            .map_err(|error| error.with_code("request-unreadable").with_hint(r#"a request is a line such as {"v":1,"request":"state"}"#))?;
        let Value::Object(mut fields) = value else { return Err(Error::new("a request is a JSON object").with_code("request-unreadable")) };
        version(fields.remove("v"))?;
        let name = text(&mut fields, "request")?.ok_or_else(|| missing("request"))?;
        let who = text(&mut fields, "who")?.and_then(|who| readable(&who));
        let request = match name.as_str() {
            "state" => Request::State,
            "choose" => Request::Choose(text(&mut fields, "persona")?.ok_or_else(|| missing("persona"))?),
            "hold" => Request::Hold,
            "move" => Request::Move(movement(&mut fields)?),
            "console" => Request::Console,
            "subscribe" => Request::Subscribe,
            _ => {
                let hint = match nearest(&name, NAMES.into_iter()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the requests are {}", NAMES.join(", ")),
                };
                return Err(Error::new(format!("there is no request `{}`", short(&name))).with_code("request-unknown").with_hint(hint));
            }
        };
        match fields.keys().next() {
            Some(field) => Err(Error::new(format!("the request `{name}` has no field `{}`", short(field))).with_code("field-unknown")),
            None => Ok(Self { request, who }),
        }
    }

    /// Its line, including the line end.
    pub fn line(&self) -> String {
        let mut fields = match &self.request {
            Request::State => json!({ "request": "state" }),
            Request::Choose(name) => json!({ "request": "choose", "persona": name }),
            Request::Hold => json!({ "request": "hold" }),
            Request::Move(Move::To(name)) => json!({ "request": "move", "to": name }),
            Request::Move(Move::By(steps)) => json!({ "request": "move", "by": steps }),
            Request::Console => json!({ "request": "console" }),
            Request::Subscribe => json!({ "request": "subscribe" }),
        };
        fields["v"] = VERSION.into();
        if let Some(who) = &self.who {
            fields["who"] = who.as_str().into();
        }
        format!("{fields}\n")
    }
}

fn version(version: Option<Value>) -> Result<()> {
    match version {
        Some(version) if version == VERSION => Ok(()),
        Some(Value::Number(version)) => Err(Error::new(format!("version {version} of the protocol is not known"))
            .with_code("version-unknown")
            .with_hint(format!("this menu speaks version {VERSION}"))),
        Some(_) => Err(Error::new("the field `v` is no number").with_code("field-invalid")),
        None => Err(missing("v")),
    }
}

fn movement(fields: &mut Map<String, Value>) -> Result<Move> {
    let to = text(fields, "to")?;
    match (to, fields.remove("by")) {
        (Some(name), None) => Ok(Move::To(name)),
        (None, Some(steps)) => steps
            .as_i64()
            .and_then(|steps| i32::try_from(steps).ok())
            .map(Move::By)
            .ok_or_else(|| Error::new("the field `by` is no number of steps").with_code("field-invalid")),
        (None, None) => Err(missing("to` or `by")),
        (Some(_), Some(_)) => Err(Error::new("a move goes `to` a persona or `by` steps, not both").with_code("field-invalid")),
    }
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>> {
    match fields.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::new(format!("the field `{name}` is no text")).with_code("field-invalid")),
    }
}

fn missing(field: &str) -> Error {
    Error::new(format!("the field `{field}` is missing")).with_code("field-missing")
}

/// Shortened for a message.
fn short(text: &str) -> String {
    text.chars().take(LONGEST_WHO).collect()
}

/// The text without what must not go to a screen or a log; none if nothing is left.
fn readable(who: &str) -> Option<String> {
    let letters: String = who.chars().filter(|letter| !letter.is_control()).collect();
    let cut: String = letters.trim().chars().take(LONGEST_WHO).collect();
    // The cut may be behind a space.
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_request_is_read_as_it_is_written() {
        let moves = [Move::To("b".into()), Move::By(-1)].map(Request::Move);
        let others = [Request::State, Request::Choose("a".into()), Request::Hold, Request::Console, Request::Subscribe];
        for request in moves.into_iter().chain(others) {
            for who in [None, Some("frodo from 192.0.2.7".to_owned())] {
                let asked = Asked { request: request.clone(), who };
                let line = asked.line();
                assert!(line.ends_with('\n'), "{line}");
                assert_eq!(Asked::parse(line.trim_end().as_bytes()).unwrap(), asked, "{line}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        // What a user who types it must see: the nearest request, or all of them, or the field.
        for (line, code, says) in [
            ("state", "request-unreadable", ""),
            ("[1]", "request-unreadable", ""),
            ("{}", "field-missing", "`v`"),
            (r#"{"v":2,"request":"state"}"#, "version-unknown", "1"),
            (r#"{"v":"1","request":"state"}"#, "field-invalid", "`v`"),
            (r#"{"v":1}"#, "field-missing", "`request`"),
            (r#"{"v":1,"request":7}"#, "field-invalid", "`request`"),
            (r#"{"v":1,"request":"chose"}"#, "request-unknown", "`choose`"),
            (r#"{"v":1,"request":"boil the kettle"}"#, "request-unknown", "state, choose, hold"),
            (r#"{"v":1,"request":"hold","for":"ever"}"#, "field-unknown", "`for`"),
            (r#"{"v":1,"request":"choose"}"#, "field-missing", "`persona`"),
            (r#"{"v":1,"request":"choose","persona":null}"#, "field-invalid", "`persona`"),
            (r#"{"v":1,"request":"move"}"#, "field-missing", "`by`"),
            (r#"{"v":1,"request":"move","to":"a","by":1}"#, "field-invalid", "`to`"),
            (r#"{"v":1,"request":"move","by":1.5}"#, "field-invalid", "`by`"),
            (r#"{"v":1,"request":"move","by":99999999999}"#, "field-invalid", "`by`"),
            (r#"{"v":1,"request":"state","who":["a"]}"#, "field-invalid", "`who`"),
        ] {
            let error = Asked::parse(line.as_bytes()).unwrap_err();
            assert!(error.code() == Some(code) && error.to_string().contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn who_asks_fits_on_a_screen() {
        let line = json!({ "v": 1, "request": "hold", "who": format!("\u{1b}[2Jsam\n{}", "m".repeat(500)) }).to_string();
        let who = Asked::parse(line.as_bytes()).unwrap().who.unwrap();
        assert!(who.starts_with("[2Jsamm") && who.chars().count() == LONGEST_WHO, "{who}");
        let behind_a_space = format!("{} 192.0.2.7", "m".repeat(LONGEST_WHO - 1));
        assert_eq!(readable(&behind_a_space), Some("m".repeat(LONGEST_WHO - 1)));
        assert_eq!(Asked::parse(br#"{"v":1,"request":"hold","who":" \n"}"#).unwrap().who, None);
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "\\PC{0,80}", bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Asked::parse(line.as_bytes());
            let _ = Asked::parse(&bytes);
        }
    }
}
