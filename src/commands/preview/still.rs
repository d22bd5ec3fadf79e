//! One view of the menu, by the name of its state.

use persona_paint::{LaunchStep, Overlay, PinAnswer, Pose, Progress, Stage, View, Words};
use std::time::Duration;

/// The state of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The default starts soon.
    Countdown,
    /// Nothing starts until a person picks.
    Waiting,
    /// The cartridge is on its way into the slot.
    Picked,
    /// The steps of the launch tick off.
    Starting,
    /// The running persona's screen.
    Running,
    /// Why it does not run.
    Failed,
    /// A locked persona's PIN.
    Pin,
    /// The power menu.
    Power,
    /// What the keys do.
    Help,
    /// No settings to show a menu of.
    Broken,
}

impl State {
    /// The view in this state; `highlighted` is the affected persona.
    pub fn of(self, view: View, highlighted: usize) -> View {
        let stage = self.stage(view.words(), view.stage.clone());
        let pose = Pose::at_rest(highlighted, &stage);
        // Halfway down, so that the animation itself is visible.
        let pose = if self == Self::Picked { Pose { insertion: 0.5, ..pose } } else { pose };
        let overlay = match self {
            Self::Pin => Some(Overlay::Pin { entered: 2, cursor: None, answer: PinAnswer::None }),
            Self::Power => Some(Overlay::Power { highlighted: 0 }),
            Self::Help => Some(Overlay::Help),
            _ => None,
        };
        View { highlighted, stage, overlay, pose, ..view }
    }

    /// `opening` is the first stage of the menu of these settings.
    fn stage(self, words: &Words, opening: Stage) -> Stage {
        let total = Duration::from_secs(10);
        match self {
            Self::Countdown => match opening {
                Stage::Countdown { .. } => opening,
                // Settings without a timeout have no countdown of their own.
                _ => Stage::Countdown { remaining: total, total },
            },
            Self::Waiting | Self::Pin | Self::Power | Self::Help => Stage::Waiting,
            Self::Picked => starting(words, 0),
            Self::Starting => starting(words, 1),
            Self::Running => Stage::Running { screen: None },
            Self::Failed => Stage::Failed { why: "QEMU ended after 2 s: the disk cannot be opened\nsee `journalctl -u legion`".into() },
            Self::Broken => {
                Stage::Broken { why: "reading the settings /etc/persona/persona.toml: No such file or directory\n  hint: copy /usr/share/persona/persona.toml there".into() }
            }
        }
    }
}

fn starting(words: &Words, done: usize) -> Stage {
    let progress = |index: usize| match index {
        _ if index < done => Progress::Done,
        _ if index == done => Progress::Busy,
        _ => Progress::Pending,
    };
    let step = |(index, name): (usize, &str)| LaunchStep { name: name.to_owned(), progress: progress(index) };
    Stage::Starting { steps: words.steps.into_iter().enumerate().map(step).collect() }
}
