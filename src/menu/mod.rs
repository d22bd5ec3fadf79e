//! The menu: a pure state machine ([`state`]), what it shows ([`view`]), the painter that turns that into pixels
//! ([`persona_paint`]), and around them the edges: [`gallery`], [`monitors`], [`keyboards`] and the loop that joins them
//! ([`session`]).

pub mod gallery;
pub mod keyboards;
pub mod monitors;
pub mod session;
pub mod state;
pub mod view;
