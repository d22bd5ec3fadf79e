//! The menu: how it opens ([`opening`]), a pure state machine ([`state`]), what it shows ([`view`]), the painter that turns that into pixels
//! ([`persona_paint`]) or into letters ([`text`]), and around them the edges: [`gallery`], [`facts`], [`monitors`],
//! [`input`] and the loop that joins them ([`session`]).

mod age;
pub mod alone;
pub mod beep;
pub mod contents;
mod display;
pub mod event;
pub mod facts;
pub mod gallery;
pub mod input;
mod launch;
pub mod monitors;
pub mod motion;
pub mod opening;
mod overlay;
pub mod session;
mod slow;
mod sources;
pub mod state;
pub mod text;
mod threads;
mod unit;
pub mod view;
