//! The PCI devices that are legion's: what the machine has, what would be done to it, and doing it.
//!
//! [`Machine::read`] takes a snapshot, [`Machine::name_functions`] finds words for it, [`Plan::new`] decides from settings and snapshot alone, and [`reserve`],
//! [`bind`] and [`release`] perform what was decided. Doubt has one direction: what is not certain to be free is
//! refused, a refused plan touches nothing, and a step that fails undoes those that ran before it. The host keeps
//! its devices and legion stays off.

mod apply;
pub mod attribute;
mod closure;
mod details;
mod device;
mod duties;
mod holders;
mod inventory;
mod machine;
mod names;
mod needs;
mod note;
mod plan;
mod refusal;
mod release;
mod step;
mod undo;
mod vfio;

pub use apply::{bind, give_groups_to, reserve, take_groups_back};
pub use attribute::Writer;
pub use closure::{Closure, Member};
pub use details::{Details, ResizableBar};
pub use device::Kernel;
pub use machine::{Duty, Function, Holder, Machine};
pub use needs::Needs;
pub use note::Note;
pub use plan::{Plan, Stage, menu_cards};
pub use refusal::Refusal;
pub use release::release;
pub use step::Step;
pub use vfio::Vfio;

/// The driver that hands a device to a virtual machine.
pub const VFIO_PCI: &str = "vfio-pci";

/// Drivers whose unbinding is known never to return, or to take the kernel with it.
const HANGS_ON_UNBIND: [&str; 2] = ["nvidia", "nouveau"];
