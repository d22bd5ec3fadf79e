//! The menu: how it opens ([`opening`]), a pure state machine ([`state`]), what it shows ([`view`]), the painter that turns that into pixels
//! ([`persona_paint`]) or into letters ([`text`]), and around them the edges: [`gallery`], [`facts`], [`monitors`],
//! [`input`] and the loop that joins them ([`session`]).

pub mod contents;
pub mod facts;
pub mod gallery;
pub mod input;
pub mod model;
pub mod opening;
pub mod session;
pub mod text;
mod threads;
