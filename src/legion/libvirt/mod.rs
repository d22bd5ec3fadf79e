//! libvirt instead of plain QEMU: for owners with their own domain.
//!
//! [`domain_xml`] describes the machine of [`crate::legion::qemu::argv()`] as libvirt XML, as a starting point. With `backend = "libvirt"`
//! the owner's domain runs: [`look`] checks it against the plan before anything is touched, [`run`] starts it and supervises it until it is
//! off, and [`ensure_off`] stops a domain whose supervisor was killed. All use `virsh` to talk to libvirt; `read` parses its XML, `watch`
//! determines from its output what happened to the guest.

mod check;
mod devices;
mod domain;
mod escape;
mod off;
mod poll_backoff;
mod read;
mod supervise;
mod task;
mod virsh;
mod watch;

pub use check::{check_domain, look};
pub use domain::domain_xml;
pub use off::ensure_off;
pub use supervise::run;
pub use virsh::shell_line;
