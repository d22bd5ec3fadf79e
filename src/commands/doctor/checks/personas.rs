//! Whether each persona that starts legion can start now: what the menu, `list` and `start` say too.

use super::{Area, Case, Finding};
use crate::legion::Preflight;
use crate::passthrough::Refusal;

/// What is among the `earlier` findings is not repeated.
pub(super) fn check(case: &Case<'_>, earlier: &[Finding]) -> Area {
    let mut area = Area::new("personas");
    let (Some(settings), Some(plan)) = (&case.settings, &case.plan) else { return area };
    let preflight = Preflight::of(case.paths, settings, Ok(plan.clone()));
    let is_new = |refusal: &Refusal| earlier.iter().all(|finding| finding.code != refusal.code && finding.what != refusal.reason);
    for (persona, _) in case.legions() {
        let (name, refusals) = (&persona.name, preflight.refusals(persona));
        if refusals.is_empty() {
            area.good("persona-can-start", name, format!("{name} can start"));
        }
        for refusal in refusals.into_iter().filter(is_new) {
            area.add(case.without(persona), refusal.code, name, format!("{name} cannot start: {}", refusal.reason), refusal.hint);
        }
    }
    area
}
