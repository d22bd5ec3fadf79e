//! libvirt instead of plain QEMU: for owners with a domain of their own.
//!
//! [`domain_xml`] says in libvirt's words what [`crate::legion::qemu::argv()`] says in QEMU's, for a start. With `backend = "libvirt"` the
//! owner's domain is what runs: [`look`] holds it against the plan before anything is touched, [`run`] starts it and stays with
//! it until it is off, and [`ensure_off`] takes down what a supervisor that was killed has left running. All talk to libvirt
//! through `virsh`; `read` reads its XML, `watch` draws from its words what became of the guest.

mod check;
mod devices;
mod domain;
mod doubt;
mod escape;
mod off;
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
