//! What the menu shows, for clients of the control socket.

use super::{Session, Subject};
use crate::control::Shown;
use crate::control::shown::{ShownChoice, ShownPersona};

impl Session {
    /// What the menu shows now.
    pub(super) fn shown(&self) -> Shown {
        let choice = self.control.choice.as_ref().map(|choice| ShownChoice {
            persona: choice.persona.clone(),
            reason: choice.reason,
            who: self.control.chosen_by.as_ref().filter(|(name, _)| *name == choice.persona).map(|(_, who)| who.clone()),
        });
        let seen = Shown {
            choice,
            notice: self.remark.clone().or_else(|| self.facts.notice.clone()),
            outputs: self.record.outputs.clone(),
            keyboards: self.record.keyboards,
            ..Shown::default()
        };
        let (settings, menu) = match &self.subject {
            Subject::Broken { why } => return Shown { stage: "broken", why: Some(why.clone()), ..seen },
            Subject::Personas { settings, menu } => (settings, menu),
        };
        let name = |index: usize| settings.personas.get(index).map(|persona| persona.name.clone());
        let personas = settings.personas.iter().enumerate().map(|(index, persona)| ShownPersona {
            name: persona.name.clone(),
            title: persona.title.clone(),
            locked: persona.pin.is_some(),
            refused: self.facts.refusal(index).map(ToString::to_string),
        });
        Shown {
            stage: menu.stage_word(),
            phase: menu.phase(),
            countdown: menu.countdown(self.now()),
            highlighted: name(menu.highlighted()),
            default: menu.default().and_then(name),
            playing: menu.playing().and_then(name),
            personas: personas.collect(),
            held: self.control.held_by.clone(),
            over: menu.over_word(),
            why: menu.why_failed().map(str::to_owned),
            ..seen
        }
    }
}
