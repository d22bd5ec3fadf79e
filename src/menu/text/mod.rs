//! The menu without a usable card: the same view as text, on the menu's virtual terminal and on serial consoles.
//!
//! [`lines`] lays a view out, [`ansi`] turns that into bytes for a terminal, [`keys`] reads what is typed on a serial
//! line. All of that is pure; [`TextScreens`] opens the consoles, and [`getty`] starts the host's login on every serial
//! line that the menu has held.

mod ansi;
pub mod getty;
pub mod keys;
mod layout;
mod line;
mod process;
mod screens;
mod serial;
mod stages;

pub use ansi::{ENTER, LEAVE, ansi};
pub use layout::lines;
pub use line::{Ansi, Line, Span, TextStyle};
pub use screens::TextScreens;

#[cfg(test)]
mod tests;
