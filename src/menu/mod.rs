//! The menu: a pure state machine ([`state`]), what it shows ([`view`]), the painter that turns that into pixels
//! ([`paint`]), and around them the edges: [`monitors`], [`keyboards`] and the loop that joins them ([`session`]).

pub mod keyboards;
pub mod monitors;
pub mod paint;
pub mod session;
pub mod state;
pub mod view;
