//! What a scenario costs: how often machines booted and were restored for it. Each lane counts for the scenario that it runs.

use std::cell::Cell;

/// Boots and restores of one scenario.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Power-ons, resets and reboots.
    pub(crate) boots: u32,
    /// Saved machines that went on.
    pub(crate) restores: u32,
}

thread_local! {
    static LEDGER: Cell<Ledger> = const { Cell::new(Ledger { boots: 0, restores: 0 }) };
}

/// A machine boots.
pub(crate) fn booted() {
    LEDGER.set(Ledger { boots: LEDGER.get().boots + 1, ..LEDGER.get() });
}

/// A saved machine goes on.
pub(crate) fn restored() {
    LEDGER.set(Ledger { restores: LEDGER.get().restores + 1, ..LEDGER.get() });
}

/// What was counted on this thread; the count begins anew.
pub(crate) fn take() -> Ledger {
    LEDGER.take()
}
