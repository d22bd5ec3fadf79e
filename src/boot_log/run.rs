//! The result of one choice.

use super::millis;
use crate::state::{Phase, Reason};
use serde::Serialize;
use std::time::Duration;

/// A choice and its result. Points in time are milliseconds since the kernel started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The persona's name; the unit's if no choice is known.
    pub persona: String,
    /// Why it was chosen; absent if systemd started it without a choice.
    pub reason: Option<Reason>,
    /// The caller, if it was made neither at the menu nor by the countdown.
    pub by: Option<String>,
    /// When it was chosen.
    pub chosen_ms: Option<u64>,
    /// How long it took to bind the devices.
    pub devices_took_ms: Option<u64>,
    /// How long it took to insert the cartridge.
    pub cartridge_took_ms: Option<u64>,
    /// How long it took from there until QEMU reported that the guest runs.
    pub qemu_took_ms: Option<u64>,
    /// When the guest or the unit started to run.
    pub ran_from_ms: Option<u64>,
    /// How long it ran, or has run so far.
    pub ran_ms: Option<u64>,
    /// How it ended.
    pub end: End,
    /// Why it ended, in words.
    pub why: Option<String>,
    #[serde(skip)]
    begun: Vec<(Phase, Duration)>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It runs or is starting.
    GoesOn,
    /// The choice was the bare host: there is nothing that could end.
    Nothing,
    /// It ended without an error.
    Ended,
    /// It did not start, or ended with an error.
    Failed,
    /// The boot ended first and the end was not recorded, as after a power cut or a kernel crash.
    Unknown,
}

/// What a phase adds to the log.
pub(super) struct Step {
    pub(super) what: String,
    /// The reason, if it was not reported before.
    pub(super) why: Option<String>,
    pub(super) took: Option<Duration>,
    pub(super) trouble: bool,
}

impl Run {
    pub(super) fn chosen(persona: String, reason: Reason, by: Option<String>, at: Duration) -> Self {
        Self {
            persona,
            reason: Some(reason),
            by,
            chosen_ms: Some(millis(at)),
            devices_took_ms: None,
            cartridge_took_ms: None,
            qemu_took_ms: None,
            ran_from_ms: None,
            ran_ms: None,
            end: End::GoesOn,
            why: None,
            begun: Vec::new(),
        }
    }

    /// Whether the choice of this persona may belong to this run, although its entry comes later: journald stores entries from different
    /// sources in the order in which it reads them.
    pub(super) fn may_have_been_chosen(&self, persona: &str) -> bool {
        self.persona == persona && self.reason.is_none() && self.end == End::GoesOn && !self.has(Phase::Inserting)
    }

    /// Sets the choice that started this run.
    pub(super) fn was_chosen(&mut self, reason: Reason, by: Option<String>, at: Duration) {
        (self.reason, self.by, self.chosen_ms) = (Some(reason), by, Some(millis(at)));
    }

    /// The run that a phase belongs to: the last one, unless it has ended or is of another persona.
    pub(super) fn of<'a>(runs: &'a mut Vec<Self>, subject: &str, phase: Phase, at: Duration) -> &'a mut Self {
        // A persona has no dot in its name; a unit, which a persona starts, has.
        let is_unit = subject.contains('.');
        let again = |run: &Self| phase == Phase::Preparing && run.has(Phase::Preparing);
        let fits = |run: &Self| (run.persona == subject || is_unit) && run.end == End::GoesOn && !again(run);
        if !runs.last().is_some_and(fits) {
            runs.push(Self { reason: None, chosen_ms: None, ..Self::chosen(subject.to_owned(), Reason::Remote, None, at) });
        }
        let last = runs.len() - 1;
        &mut runs[last]
    }

    fn has(&self, phase: Phase) -> bool {
        self.begun.iter().any(|(begun, _)| *begun == phase)
    }

    /// How long ago a phase began.
    fn since(&self, phase: Phase, at: Duration) -> Option<Duration> {
        self.begun.iter().find(|(begun, _)| *begun == phase).map(|(_, begun)| at.saturating_sub(*begun))
    }

    /// Enters a phase; nothing if that is not new.
    pub(super) fn step(&mut self, at: Duration, phase: Phase, why: Option<&str>) -> Option<Step> {
        let is_new = !self.has(phase);
        if is_new {
            self.begun.push((phase, at));
        }
        let why = why.map(str::to_owned);
        let step = |what: &str, took| Some(Step { what: what.to_owned(), why: why.clone(), took, trouble: false });
        let persona = self.persona.clone();
        match phase {
            Phase::Preparing if is_new => {
                step("preparing legion", self.chosen_ms.map(|chosen| at.saturating_sub(Duration::from_millis(chosen))))
            }
            Phase::Inserting if is_new => {
                let took = self.since(Phase::Preparing, at);
                self.devices_took_ms = took.map(millis);
                step("the devices are bound to vfio-pci", took)
            }
            Phase::Starting if is_new => {
                let took = self.since(Phase::Inserting, at);
                self.cartridge_took_ms = took.map(millis);
                step("the cartridge is inserted, QEMU starts", took)
            }
            Phase::Running if is_new => {
                let took = self.since(Phase::Starting, at);
                self.qemu_took_ms = took.map(millis);
                self.ran_from_ms = Some(millis(at));
                step(&format!("{persona} runs"), took)
            }
            Phase::Running | Phase::Starting if why.is_some() => step(&persona, None),
            Phase::Preparing | Phase::Inserting | Phase::Starting | Phase::Running => None,
            Phase::Stopping if is_new => {
                let ran = self.since(Phase::Running, at);
                self.ran_ms = ran.map(millis);
                self.why.clone_from(&why);
                step(&format!("{persona} has stopped"), ran)
            }
            Phase::Stopping => None,
            Phase::Ended | Phase::Failed => {
                self.end = if phase == Phase::Ended { End::Ended } else { End::Failed };
                self.ran_ms = self.ran_ms.or_else(|| self.since(Phase::Running, at).map(millis));
                let news = why.clone().filter(|why| self.why.as_ref() != Some(why));
                self.why = why.or(self.why.take());
                let word = if phase == Phase::Ended { "has ended" } else { "has failed" };
                // A unit only ends.
                let took = self.since(Phase::Stopping, at).or_else(|| self.since(Phase::Running, at));
                let back = if self.has(Phase::Stopping) && news.is_none() { ", its devices are returned to the host" } else { "" };
                Some(Step { what: format!("{persona} {word}{back}"), why: news, took, trouble: phase == Phase::Failed })
            }
        }
    }

    /// The boot's entries end at `last`: it is still running, or it has ended.
    pub(super) fn settle(&mut self, last: Duration, is_now: bool) {
        if self.end != End::GoesOn {
            return;
        }
        if self.begun.is_empty() {
            self.end = if is_now { End::GoesOn } else { End::Nothing };
            return;
        }
        if !is_now {
            self.end = End::Unknown;
            self.ran_ms = self.ran_ms.or_else(|| self.since(Phase::Running, last).map(millis));
        }
    }
}
