//! legion's PCI devices: what the machine has, the planned changes, and their execution.
//!
//! [`Machine::read`] takes a snapshot, [`Machine::name_functions`] finds names for it, [`Plan::new`] decides from settings and snapshot
//! alone, and [`reserve`], [`bind`] and [`release`] execute the decision. If it is not certain that a device is free, it is refused; a
//! refused plan touches nothing, and a failed step undoes those that ran before it. The host keeps its devices and legion stays off.
//!
//! Imports: `state`, `config` and `sys`.

mod acs;
mod apply;
pub mod attribute;
mod closure;
mod details;
mod device;
mod framebuffer_owners;
mod host_use;
mod inventory;
mod machine;
mod modprobe;
mod names;
mod needs;
mod plan;
mod read;
mod refusal;
mod release;
mod resets;
mod stage;
mod step;
mod undo;
mod vfio;
mod warning;

pub use apply::{bind, give_groups_to, reserve, take_groups_back};
pub use attribute::SysfsWriter;
pub use closure::{Along, Closure, Member};
pub use details::{Details, ResizableBar};
pub use device::Kernel;
pub use machine::{FramebufferOwner, Function, HostUse, Machine};
pub use modprobe::ModprobeFile;
pub use needs::Needs;
pub use plan::{Plan, menu_cards};
pub use refusal::Refusal;
pub use release::release;
pub use resets::not_resettable;
pub use stage::PlanStage;
pub use step::Step;
pub use vfio::Vfio;
pub use warning::Warning;

/// The driver that gives a device to a virtual machine.
pub const VFIO_PCI: &str = "vfio-pci";

/// Drivers that are known to hang or crash the kernel when unbound.
const HANGS_ON_UNBIND: [&str; 2] = ["nvidia", "nouveau"];

/// Whether the driver must not be unbound.
fn hangs_on_unbind(driver: &str) -> bool {
    HANGS_ON_UNBIND.contains(&driver)
}
