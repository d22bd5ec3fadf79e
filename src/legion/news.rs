//! What a supervisor tells the world of legion: the state file, the service manager, the log.

use crate::boot_log::Event;
use crate::error::Result;
use crate::legion::announce;
use crate::legion::ending::Ending;
use crate::state::{LegionState, Outcome, Phase};
use crate::sys::paths::Paths;
use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// Tells everybody where legion is, when that changes. Who cannot hear does not stop it.
#[derive(Debug)]
pub(super) struct News<'a> {
    paths: &'a Paths,
    persona: &'a str,
    phase: Phase,
    why: Option<String>,
    runs_since: Option<Instant>,
    runs_well: bool,
}

/// Tells that legion starts, has it run, and tells how it ended.
///
/// # Errors
/// Of what was done, and of writing the state.
pub(super) fn told<'a>(paths: &'a Paths, persona: &'a str, supervise: impl FnOnce(&mut News<'a>) -> Result<Ending>) -> Result<Ending> {
    let mut news = News { paths, persona, phase: Phase::Starting, why: None, runs_since: None, runs_well: false };
    let ending = announce(paths, &LegionState::new(Phase::Starting, persona)).and_then(|()| supervise(&mut news));
    let (outcome, why) = match &ending {
        Ok(Ending::GuestPoweroff) => (Outcome::GuestPoweroff, Ending::GuestPoweroff.to_string()),
        Ok(ending) if ending.is_good() => (Outcome::Stopped, ending.to_string()),
        Ok(ending) => (Outcome::Failure, ending.to_string()),
        Err(error) => (Outcome::Failure, error.to_string()),
    };
    notify(&[NotifyState::Status(&why)]);
    let ran_s = news.runs_since.map(|since| since.elapsed().as_secs());
    // `release` makes it final once the devices are back.
    let runs_well = news.runs_well;
    let state = LegionState { why: Some(why), outcome: Some(outcome), ran_s, runs_well, ..LegionState::new(Phase::Stopping, persona) };
    announce(paths, &state).and(ending)
}

impl News<'_> {
    /// The guest runs; `why` it does not as it should, if there is something to say.
    pub(super) fn runs(&mut self, why: Option<String>) {
        self.runs_since.get_or_insert_with(Instant::now);
        self.tell(Phase::Running, why);
    }

    /// The guest runs well, from now on whatever comes.
    pub(super) fn runs_well(&mut self) {
        log::info!("{}", Event::Decision(format!("{} runs well", self.persona)));
        self.runs_well = true;
        self.write(LegionState { why: self.why.clone(), ..LegionState::new(self.phase, self.persona) });
    }

    /// Legion is where it was, and this happens to it.
    pub(super) fn happens(&mut self, why: String) {
        self.tell(self.phase, Some(why));
    }

    /// A stop was asked for, which may take so long.
    pub(super) fn stops(&mut self, longest: Duration) {
        // The ladder may be longer than the unit's own stop time.
        let longest = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
        notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(longest)]);
    }

    fn tell(&mut self, phase: Phase, why: Option<String>) {
        if (phase, &why) == (self.phase, &self.why) {
            return;
        }
        self.write(LegionState { why: why.clone(), ..LegionState::new(phase, self.persona) });
        let status = why.clone().unwrap_or_else(|| format!("legion is {}", self.persona));
        let is_new = phase == Phase::Running && self.phase != Phase::Running;
        notify(&is_new.then_some(NotifyState::Ready).into_iter().chain([NotifyState::Status(&status)]).collect::<Vec<_>>());
        (self.phase, self.why) = (phase, why);
    }

    fn write(&self, state: LegionState) {
        if let Err(error) = announce(self.paths, &LegionState { runs_well: self.runs_well, ..state }) {
            log::warn!("{error}");
        }
    }
}

fn notify(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        log::warn!("telling the service manager: {error}");
    }
}
