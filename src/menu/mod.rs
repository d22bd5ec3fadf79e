//! The menu: a pure state machine ([`state`]), what it shows ([`view`]), and the painter that turns that into pixels
//! ([`paint`]).

pub mod paint;
pub mod state;
pub mod view;
