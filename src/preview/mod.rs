//! The menu away from its machine: one view of it by name ([`State`]), and the whole menu in a terminal ([`live`]), shown
//! by whatever the terminal can: kitty's graphics, sixels, or half blocks.

mod base64;
mod blocks;
mod kitty;
pub mod live;
mod pretend;
mod probe;
mod show;
mod sixel;
mod still;
mod terminal;

pub use probe::Protocol;
pub use still::State;
