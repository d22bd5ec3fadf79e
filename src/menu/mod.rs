//! The menu: how it opens ([`startup_policy`]), a pure state machine and what it shows ([`model`]), the output as pixels
//! ([`persona_paint`]) or as text ([`text`]), the inputs ([`input`], [`data`], [`facts`], [`gallery`]), and the event loop that
//! joins them ([`session`]).
//!
//! Imports: everything below `commands`.

pub mod data;
pub mod facts;
pub mod gallery;
pub mod input;
pub mod model;
mod reasons;
pub mod session;
pub mod startup_policy;
pub mod text;
mod threads;
