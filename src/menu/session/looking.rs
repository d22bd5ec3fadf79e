//! Inspects the machine in a thread: cartridges, devices, the host's name.

use super::{Session, Subject};
use crate::menu::facts::Facts;
use crate::menu::model::event::Event;
use crate::menu::session::sources::{Report, Sources};
use std::time::Duration;

impl Session {
    /// Schedules an inspection of the machine in `time`, unless one is due earlier.
    pub(super) fn look_again(&mut self, time: Duration) {
        let due = self.now() + time;
        self.facts_due = Some(self.facts_due.map_or(due, |earlier| earlier.min(due)));
    }

    /// Inspects the machine in a thread; [`Self::facts_gathered`] gets the result.
    pub(super) fn gather_facts(&mut self, sources: &Sources) {
        // An inspection that falls due while a thread works is done after it.
        if self.gathers_facts {
            return;
        }
        self.facts_due = None;
        let settings = match &self.subject {
            Subject::Personas { settings, .. } => Some(settings.clone()),
            Subject::Broken { .. } => None,
        };
        // What can start is known once the host's file systems are mounted.
        if settings.is_some() && !self.transition.is_over() {
            return;
        }
        let (paths, work) = (self.paths.clone(), self.work.clone());
        match sources.beside(move |reporter| reporter.report(Report::Facts(work.facts(&paths, settings.as_deref())))) {
            Ok(()) => self.gathers_facts = true,
            Err(error) => log::warn!("looking at the machine: {error}"),
        }
    }

    pub(super) fn facts_gathered(&mut self, facts: Facts, sources: &Sources) {
        self.gathers_facts = false;
        let Subject::Personas { settings, .. } = &self.subject else {
            self.facts = facts;
            return self.choose_deferred(sources);
        };
        // The settings may have changed by now.
        if facts.refusals.len() != settings.personas.len() {
            return self.look_again(Duration::ZERO);
        }
        let facts = Facts { opening: self.facts.opening.clone(), ..facts };
        if facts != self.facts {
            for (index, persona) in settings.personas.iter().enumerate() {
                match (self.facts.refusal(index), facts.refusal(index)) {
                    (before, Some(now)) if before != Some(now) => log::info!("{} cannot start: {}", persona.name, now.reason),
                    (Some(_), None) => log::info!("{} can start", persona.name),
                    _ => {}
                }
            }
            self.facts = facts;
            self.dispatch(Event::Refused(self.facts.refused()), sources);
        }
        self.choose_deferred(sources);
    }
}
