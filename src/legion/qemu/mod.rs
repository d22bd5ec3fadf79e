//! legion run by Persona itself: QEMU's command line ([`argv()`]), its process, its monitor ([`qmp`]) and guest agent, its TPM, and the
//! loop that supervises them.

pub mod agent;
pub mod argv;
mod process;
pub mod qmp;
pub mod supervise;
mod tail;
pub mod tpm;
pub mod watch;

pub use argv::argv;
