//! Reports a supervisor's state of legion: to the state file, the service manager and the log.

use crate::error::Result;
use crate::legion::ending::Ending;
use crate::legion::report;
use crate::state::{LegionState, Outcome, Phase};
use crate::sys::paths::Paths;
use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// Reports legion's state when it changes. A failed report does not stop legion.
#[derive(Debug)]
pub(super) struct StatusReporter<'a> {
    paths: &'a Paths,
    persona: &'a str,
    phase: Phase,
    why: Option<String>,
    runs_since: Option<Instant>,
    runs_well: bool,
}

/// Reports that legion starts, runs it, and reports how it ended.
///
/// # Errors
/// Those of the run, and of writing the state.
pub(super) fn reported<'a>(
    paths: &'a Paths,
    persona: &'a str,
    supervise: impl FnOnce(&mut StatusReporter<'a>) -> Result<Ending>,
) -> Result<Ending> {
    let mut reporter = StatusReporter { paths, persona, phase: Phase::Starting, why: None, runs_since: None, runs_well: false };
    let ending = report(paths, &LegionState::new(Phase::Starting, persona)).and_then(|()| supervise(&mut reporter));
    let (outcome, why) = match &ending {
        Ok(Ending::GuestPoweroff) => (Outcome::GuestPoweroff, Ending::GuestPoweroff.to_string()),
        Ok(ending) if ending.is_good() => (Outcome::Stopped, ending.to_string()),
        Ok(ending) => (Outcome::Failure, ending.to_string()),
        Err(error) => (Outcome::Failure, error.to_string()),
    };
    notify(&[NotifyState::Status(&why)]);
    let ran_s = reporter.runs_since.map(|since| since.elapsed().as_secs());
    // `release` makes it final once the devices are returned.
    let runs_well = reporter.runs_well;
    let state = LegionState { why: Some(why), outcome: Some(outcome), ran_s, runs_well, ..LegionState::new(Phase::Stopping, persona) };
    report(paths, &state).and(ending)
}

impl StatusReporter<'_> {
    /// The guest runs; `why` is a problem with it, if there is one.
    pub(super) fn runs(&mut self, why: Option<String>) {
        self.runs_since.get_or_insert_with(Instant::now);
        self.report(Phase::Running, why);
    }

    /// The guest runs well; this stays true whatever comes later.
    pub(super) fn runs_well(&mut self) {
        log::info!("{} runs well", self.persona);
        self.runs_well = true;
        self.write(LegionState { why: self.why.clone(), ..LegionState::new(self.phase, self.persona) });
    }

    /// legion's phase is unchanged; adds a reason.
    pub(super) fn happens(&mut self, why: String) {
        self.report(self.phase, Some(why));
    }

    /// A stop was requested, which may take this long.
    pub(super) fn stops(&mut self, longest: Duration) {
        // The ladder may take longer than the unit's own stop time.
        let longest = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
        notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(longest)]);
    }

    fn report(&mut self, phase: Phase, why: Option<String>) {
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
        if let Err(error) = report(self.paths, &LegionState { runs_well: self.runs_well, ..state }) {
            log::warn!("{error}");
        }
    }
}

fn notify(reporter: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(reporter) {
        log::warn!("telling the service manager: {error}");
    }
}
