//! The overlays' effect on the menu: the entries of the power menu, and the PIN of a locked persona.

use super::{Effect, Menu, State};
use crate::menu::model::overlay::{Answer, Hold, Over};
use crate::state::Reason;
use persona_paint::PowerEntry;
use std::time::Duration;

impl Menu {
    pub(super) fn answered(&mut self, answer: Answer) -> Vec<Effect> {
        match answer {
            Answer::Stay => Vec::new(),
            Answer::Leave => {
                self.over = None;
                Vec::new()
            }
            Answer::Try(digits) => match &self.over {
                Some(Over::Pin(pad)) => {
                    self.checking = Some(pad.number);
                    vec![Effect::CheckPin { persona: pad.persona, digits }]
                }
                _ => Vec::new(),
            },
            Answer::Take(entry) => {
                self.over = None;
                let effect = match entry {
                    PowerEntry::Host => {
                        self.state = State::Console;
                        return vec![Effect::LeaveToConsole];
                    }
                    PowerEntry::Restart => Effect::Restart,
                    PowerEntry::PowerOff => Effect::PowerOff,
                };
                // Nothing starts while the machine goes down.
                if matches!(self.state, State::CountingDown { .. }) {
                    self.state = State::Waiting;
                }
                vec![effect]
            }
        }
    }

    /// Why a PIN cannot be tried at `now`: one is checked at a time, even after its pad was closed.
    pub(super) fn hold(&self, now: Duration) -> Option<Hold> {
        self.checking.map(|_| Hold::Checking).or_else(|| self.tries.wait(now).map(Hold::Wait))
    }

    /// The answer belongs to the pad the PIN was entered on. If that pad was closed or replaced by that of another
    /// persona, or the countdown has ended, a right PIN starts nothing. A wrong PIN always counts.
    pub(super) fn pin_checked(&mut self, right: bool, now: Duration) -> Vec<Effect> {
        let checked = self.checking.take();
        if !right {
            self.tries.wrong(now);
        }
        match &mut self.over {
            Some(Over::Pin(pad)) if Some(pad.number) == checked && right => {
                let persona = pad.persona;
                self.tries.right();
                self.choose(persona, Reason::Picked, now)
            }
            Some(Over::Pin(pad)) if Some(pad.number) == checked => {
                pad.was_wrong();
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}
