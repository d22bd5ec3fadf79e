//! What the menu shows, as sent over the socket. Pure.

use crate::state::{Phase, Reason};
use serde_json::{Value, json};
use std::time::Duration;

/// What the menu shows at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// `awaiting-screen`, `countdown`, `waiting`, `chosen`, `starting`, `running`, `failed`, `console` or `broken`.
    pub stage: &'static str,
    /// The phase of a start.
    pub phase: Option<Phase>,
    /// The time left of the countdown and its length, while one runs.
    pub countdown: Option<(Duration, Duration)>,
    /// The highlighted persona's name.
    pub highlighted: Option<String>,
    /// The name of the persona that starts when no choice is made, if there is one.
    pub default: Option<String>,
    /// The name of the persona that was last chosen here, or reported.
    pub playing: Option<String>,
    /// The personas in menu order.
    pub personas: Vec<ShownPersona>,
    /// The caller that stopped the countdown, while the menu waits for that reason.
    pub held: Option<String>,
    /// The choice of this boot.
    pub choice: Option<ShownChoice>,
    /// The overlay: `help`, `power` or `pin`.
    pub over: Option<&'static str>,
    /// Why it failed, or what is wrong with the settings.
    pub why: Option<String>,
    /// The line of notice.
    pub notice: Option<String>,
    /// The outputs it is drawn on.
    pub outputs: Vec<String>,
    /// How many keyboards it reads.
    pub keyboards: usize,
}

/// A persona of the menu.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShownPersona {
    /// Its name.
    pub name: String,
    /// What the menu calls it.
    pub title: String,
    /// Whether it asks for a PIN at the keyboard.
    pub locked: bool,
    /// Why it cannot start now.
    pub refused: Option<String>,
}

/// The choice of this boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownChoice {
    /// The persona's name.
    pub persona: String,
    /// Why it was chosen.
    pub reason: Reason,
    /// The caller, if it came over the socket.
    pub who: Option<String>,
}

impl Shown {
    /// The JSON form. Keys are never left out.
    pub fn to_json(&self) -> Value {
        let milliseconds = |time: Duration| time.as_millis() as u64;
        let persona = |persona: &ShownPersona| json!({ "name": persona.name, "title": persona.title, "locked": persona.locked, "refused": persona.refused });
        let choice = |choice: &ShownChoice| json!({ "persona": choice.persona, "reason": choice.reason.to_string(), "who": choice.who });
        json!({
            "stage": self.stage,
            "phase": self.phase.map(|phase| phase.to_string()),
            "left_ms": self.countdown.map(|(left, _)| milliseconds(left)),
            "total_ms": self.countdown.map(|(_, total)| milliseconds(total)),
            "highlighted": self.highlighted,
            "default": self.default,
            "playing": self.playing,
            "personas": self.personas.iter().map(persona).collect::<Vec<_>>(),
            "held": self.held,
            "choice": self.choice.as_ref().map(choice),
            "over": self.over,
            "why": self.why,
            "notice": self.notice,
            "outputs": self.outputs,
            "keyboards": self.keyboards,
        })
    }

    /// The same with the countdown in whole seconds, rounded up, as on the screen: only a difference in this form is sent.
    pub fn by_the_second(mut self) -> Self {
        if let Some((left, _)) = &mut self.countdown {
            *left = Duration::from_secs(left.as_millis().div_ceil(1000) as u64);
        }
        self
    }
}

/// A state as one readable line: `Rivendale starts in 8 s`.
pub fn in_words(state: &Value) -> String {
    let text = |key: &str| state[key].as_str();
    let title = |name: Option<&str>| {
        let personas = state["personas"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = personas.iter().find(|persona| persona["name"].as_str() == name).and_then(|persona| persona["title"].as_str());
        found.or(name).unwrap_or("legion").to_owned()
    };
    let by = |who: Option<&str>| who.map(|who| format!(", by {who}")).unwrap_or_default();
    match text("stage").unwrap_or_default() {
        "awaiting-screen" => "no screen yet: the countdown begins when there is one".to_owned(),
        "countdown" => {
            let seconds = state["left_ms"].as_u64().unwrap_or(0).div_ceil(1000);
            format!("{} starts in {seconds} s", title(text("default")))
        }
        "waiting" => match text("held") {
            Some(who) => format!("countdown stopped by {who}: the menu waits for a choice"),
            None => "the menu waits for a choice".to_owned(),
        },
        stage @ ("chosen" | "starting") => {
            let how_far = text("phase").unwrap_or(stage);
            format!("{} was chosen{}: {how_far}", title(text("playing")), by(state["choice"]["who"].as_str()))
        }
        "running" => format!("{} runs", title(text("playing"))),
        "failed" | "broken" => text("why").and_then(|why| why.lines().next()).unwrap_or("it failed").to_owned(),
        "console" => "the console has the screen".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(shown: Shown) -> String {
        let personas = vec![ShownPersona { name: "a".into(), title: "Arnor".into(), ..ShownPersona::default() }];
        in_words(&Shown { personas, default: Some("a".into()), playing: Some("a".into()), ..shown }.to_json())
    }

    #[test]
    fn a_state_is_said_in_words() {
        let stage = |stage| Shown { stage, ..Shown::default() };
        let left = Some((Duration::from_millis(7001), Duration::from_secs(10)));
        assert_eq!(said(Shown { countdown: left, ..stage("countdown") }), "Arnor starts in 8 s");
        assert_eq!(said(stage("waiting")), "the menu waits for a choice");
        assert_eq!(said(Shown { held: Some("sam".into()), ..stage("waiting") }), "countdown stopped by sam: the menu waits for a choice");
        let choice = Some(ShownChoice { persona: "a".into(), reason: Reason::Remote, who: Some("sam".into()) });
        assert_eq!(said(Shown { choice, ..stage("chosen") }), "Arnor was chosen, by sam: chosen");
        assert_eq!(said(Shown { phase: Some(Phase::Inserting), ..stage("starting") }), "Arnor was chosen: inserting");
        assert_eq!(said(stage("running")), "Arnor runs");
        assert_eq!(said(Shown { why: Some("no disk\nfind it".into()), ..stage("failed") }), "no disk");
        assert_eq!(in_words(&Value::Null), "");
    }

    #[test]
    fn only_whole_seconds_are_news() {
        let at =
            |left| Shown { countdown: Some((Duration::from_millis(left), Duration::from_secs(10))), ..Shown::default() }.by_the_second();
        assert_eq!(at(8000), at(7001));
        assert_ne!(at(7001), at(7000));
    }
}
