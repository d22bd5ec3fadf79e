//! The menu as a pure state machine.
