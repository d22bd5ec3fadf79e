//! The control socket of the running menu, `/run/persona/menu.sock`: processes of root can do there what a user at the keyboard can.
//! `docs/control.md` describes the protocol: one JSON object a line, in both directions.
//!
//! [`request`] and [`reply`] are the protocol, pure. [`Server`] is the menu's end: it never blocks, and the menu's loop polls it.
//! [`Caller`] is the end of a command.
//!
//! Imports: `state`, `config` and `sys`.

mod caller;
mod connection;
mod lines;
pub mod reply;
pub mod request;
mod server;
pub mod shown;
#[cfg(test)]
mod tests;

pub use caller::{Caller, ask};
pub use request::{Asked, Move, Request};
pub use server::{Client, Server};
pub use shown::Shown;

/// The version of the protocol, in every line.
pub const VERSION: u64 = 1;

/// The longest line that the menu accepts, in bytes, including the line end.
pub const LONGEST_LINE: usize = 4096;

/// Whether a process of the user `ours` trusts one of the user `theirs`: root, or the same user.
fn is_trusted(theirs: u32, ours: u32) -> bool {
    theirs == 0 || theirs == ours
}
