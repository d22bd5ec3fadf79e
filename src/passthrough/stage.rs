//! When a plan is carried out.

/// The moment that a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanStage {
    /// Before coldplug: reserving.
    Boot,
    /// After the choice: binding.
    Launch,
}
