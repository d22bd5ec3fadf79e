//! Reasons why legion stays off. There is no switch to ignore them.

use super::acs;
use super::closure::{Along, Closure, Member};
use super::hangs_on_unbind;
use super::machine::{Function, HostUse, Machine};
use super::stage::PlanStage;
use super::vfio::Vfio;
use crate::config::{BindTime, Display, Passthrough, Settings};
use crate::error::Error;
use crate::sys::pci::PciAddress;
use serde::Serialize;
use std::fmt;

/// One reason why legion stays off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The reason as an identifier that stays when the text changes: `last-keyboard`.
    pub code: &'static str,
    /// The function it is about; `None` for the machine as a whole: without an IOMMU or without vfio-pci.
    pub address: Option<PciAddress>,
    /// The reason, a sentence without a full stop.
    pub reason: String,
    /// What the owner can do.
    pub hint: Option<String>,
    /// Whether a reboot alone fixes it, because then the device is reserved in time.
    #[serde(skip)]
    pub reboot_helps: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Refusal {
    fn new(code: &'static str, address: impl Into<Option<PciAddress>>, reason: String, hint: impl Into<String>) -> Self {
        Self { code, address: address.into(), reason, hint: Some(hint.into()), reboot_helps: false }
    }

    /// An error as a reason, with `code` if it has none of its own.
    pub fn of_error(error: &Error, code: &'static str) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self { code: error.code().unwrap_or(code), address: None, reason: error.reason(), hint, reboot_helps: false }
    }
}

/// All reasons, in the order a person should fix them.
pub(super) fn refusals(
    settings: &Settings,
    machine: &Machine,
    closures: &[Closure],
    display: Option<PciAddress>,
    stage: PlanStage,
) -> Vec<Refusal> {
    if settings.passthrough.is_empty() {
        return Vec::new();
    }
    let mut all = Vec::new();
    if !machine.iommu {
        all.push(Refusal::new(
            "iommu-missing", None,
            "no IOMMU: the machine has no IOMMU groups, so no device can be given to legion".into(),
            "turn on AMD-Vi or VT-d (\"IOMMU\") in the firmware setup, and add intel_iommu=on (Intel) and iommu=pt to the kernel command line",
        ));
    }
    if stage == PlanStage::Launch {
        all.extend(no_vfio(machine.vfio));
    }
    all.extend(settings.passthrough.iter().filter_map(|entry| identity(entry, &settings.passthrough, machine)));
    all.extend(display_is_there(settings.menu.display, machine));
    let members = || closures.iter().flat_map(|closure| &closure.members);
    let functions = || members().filter_map(|member| Some((member, machine.function(member.address)?)));
    for (member, function) in functions() {
        all.extend(needed(member, function, machine, display, stage));
    }
    all.extend(menu_card_in_group(settings, machine, closures, display));
    all.extend(last_keyboard(machine, closures));
    // Nothing else is fixed by a reboot.
    if all.is_empty() && stage == PlanStage::Launch {
        all.extend(functions().filter_map(|(member, function)| driver_hangs(member, function)));
    }
    all
}

/// Before coldplug the module may not be present yet.
fn no_vfio(vfio: Vfio) -> Option<Refusal> {
    match vfio {
        Vfio::BuiltIn | Vfio::Loaded | Vfio::Loadable | Vfio::Unknown => None,
        Vfio::Absent => Some(Refusal::new(
            "vfio-absent",
            None,
            "this kernel has no vfio-pci, neither built in nor as a module".into(),
            "boot a kernel that was built with CONFIG_VFIO_PCI, such as Arch's linux or linux-lts",
        )),
        Vfio::Blocked => Some(Refusal::new(
            "vfio-blocked",
            None,
            "vfio-pci cannot be loaded: a line `install vfio-pci ...` in modprobe's settings runs a command that does nothing".into(),
            "remove that line (`grep -r vfio /etc/modprobe.d /usr/lib/modprobe.d`), and rebuild the initramfs",
        )),
        Vfio::WithoutGroups => Some(Refusal::new(
            "vfio-without-groups",
            None,
            "this kernel's VFIO has no /dev/vfio/vfio and no nodes of IOMMU groups, which QEMU needs".into(),
            "boot a kernel that was built with CONFIG_VFIO_GROUP, such as Arch's linux or linux-lts",
        )),
        Vfio::Replaced => Some(Refusal {
            reboot_helps: true,
            ..Refusal::new(
                "vfio-modules-replaced",
                None,
                "vfio-pci cannot be loaded: the modules of the running kernel were removed, probably by a kernel upgrade".into(),
                "reboot the machine into the new kernel",
            )
        }),
    }
}

/// The device exists, and is the one the owner configured.
fn identity(entry: &Passthrough, listed: &[Passthrough], machine: &Machine) -> Option<Refusal> {
    let named = entry.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
    let address = entry.device;
    let (code, reason) = match machine.function(address) {
        Some(function) if function.is_bridge() => {
            let reason = format!("{function}{named} is a bridge, which cannot be given to legion");
            return Some(Refusal::new("device-is-bridge", address, reason, "list the device behind it"));
        }
        Some(function) if is_meant(entry, function) => return None,
        Some(function) => {
            let boards = match (entry.subsystem, function.subsystem) {
                (Some(meant), Some(found)) if entry.id.is_none_or(|id| id == function.id) => format!("subsystem {found}, not {meant}"),
                (Some(meant), None) => format!("subsystem unknown, not {meant}"),
                _ => format!("{}, not {}", function.id, entry.id.map(|id| id.to_string()).unwrap_or_default()),
            };
            ("device-differs", format!("another device is at {address}: {} {boards}{named}", function.words()))
        }
        None => ("device-missing", format!("there is no device at {address}{named}")),
    };
    Some(match moved_to(entry, listed, machine) {
        Some(now) => Refusal::new(
            "device-moved",
            address,
            format!("{reason}; it is now at {now}"),
            format!("write device = \"{now}\" in the settings and rebuild the initramfs"),
        ),
        None => {
            let alike: Vec<String> = alike(entry, listed, machine).map(|address| address.to_string()).collect();
            let look = if alike.is_empty() {
                "look for it with `lspci -nn`".to_owned()
            } else {
                format!("devices like it are at {}", alike.join(", "))
            };
            Refusal::new(code, address, reason, format!("{look}; correct device and id in the settings and rebuild the initramfs"))
        }
    })
}

/// Whether a function matches the owner's entry, as far as IDs were given.
fn is_meant(entry: &Passthrough, function: &Function) -> bool {
    entry.id.is_none_or(|id| id == function.id) && entry.subsystem.is_none_or(|board| Some(board) == function.subsystem)
}

/// The address of the only device with the entry's IDs, unless another entry names it.
fn moved_to(entry: &Passthrough, listed: &[Passthrough], machine: &Machine) -> Option<PciAddress> {
    let mut matching = alike(entry, listed, machine);
    matching.next().filter(|_| matching.next().is_none())
}

/// The addresses of devices with the entry's IDs that no entry names.
fn alike(entry: &Passthrough, listed: &[Passthrough], machine: &Machine) -> impl Iterator<Item = PciAddress> {
    let is_pinned = entry.id.or(entry.subsystem).is_some();
    let free =
        move |function: &&Function| is_pinned && is_meant(entry, function) && listed.iter().all(|entry| entry.device != function.address);
    machine.functions.values().filter(free).map(|function| function.address)
}

/// A display card named in the settings must exist: if addresses changed, it may be legion's now.
fn display_is_there(wish: Display, machine: &Machine) -> Option<Refusal> {
    let Display::At(address) = wish else { return None };
    let (code, reason) = match machine.function(address) {
        Some(function) if function.is_display() => return None,
        Some(function) => ("menu-card-not-graphics", format!("menu.display names the {function}, which is not a graphics card")),
        None => ("menu-card-missing", format!("menu.display names {address}, and there is no such device")),
    };
    Some(Refusal::new(code, address, reason, "write the address of the card that draws the menu (`lspci`), or display = \"auto\""))
}

/// The host does not need the function, and it can be taken.
fn needed(member: &Member, function: &Function, machine: &Machine, display: Option<PciAddress>, stage: PlanStage) -> Vec<Refusal> {
    let address = member.address;
    let subject = subject(member, function);
    let leave = format!("leave {} to the host, or put it into a PCI slot with its own IOMMU group", member.brought_by);
    let refuse = |code: &'static str, reason: String| Refusal::new(code, address, reason, leave.clone());
    let mut all = Vec::new();
    if machine.iommu && function.iommu_group.is_none() {
        all.push(Refusal::new(
            "iommu-group-missing",
            address,
            format!("{subject} is in no IOMMU group"),
            "turn on the IOMMU for all devices in the firmware setup",
        ));
    }
    if !function.duties.is_empty() {
        all.push(refuse(used_by_host(&function.duties), format!("{subject} {}", HostUse::in_words(&function.duties))));
    } else if let Some(what) = machine.storage_doubt.as_ref().filter(|_| stage == PlanStage::Launch && function.carries_disks()) {
        let disks = if function.disks.is_empty() { String::new() } else { format!(" on {}", function.disks.join(" and ")) };
        all.push(refuse("device-may-hold-root", format!("{subject} may hold {what}{disks}: its disks could not be determined")));
    } else if stage == PlanStage::Launch && machine.root_is_remote && function.carries_network() {
        let reason = format!("{subject} may lead to the host's root file system, which is on another machine");
        all.push(Refusal::new("device-may-be-route", address, reason, "leave the network cards of a host without disks to it"));
    } else if stage == PlanStage::Launch && !machine.route_is_known && function.carries_network() {
        let reason = format!("{subject} may carry the host's default route: the network card of the default route could not be determined");
        all.push(Refusal::new("device-may-be-route", address, reason, "start legion again when the host's network is up"));
    }
    if display == Some(address) {
        all.push(Refusal::new(
            "device-draws-menu",
            address,
            format!("{subject} draws the menu"),
            "name another card as menu.display, or leave this one to the host",
        ));
    }
    if function.has_reserved_memory {
        let reason = format!("{subject} has memory reserved by the firmware (RMRR), and the kernel gives no such device to a guest");
        let hint = "turn off what uses it in the firmware setup, such as legacy USB support or remote management; or leave it to the host";
        all.push(Refusal::new("device-has-reserved-memory", address, reason, hint));
    }
    all.extend(not_isolated(member, function, machine, display));
    if function.hung {
        let reason = format!("reboot required: {subject} hung when its driver was changed");
        all.push(Refusal { reboot_helps: true, ..Refusal::new("device-hung", address, reason, "reboot the machine") });
    }
    all
}

/// With `pcie_acs_override` legion's device may reach the memory of what the host needs, and a fault takes both down.
fn not_isolated(member: &Member, function: &Function, machine: &Machine, display: Option<PciAddress>) -> Option<Refusal> {
    let reason = |other: &Function| match HostUse::in_words(&other.duties) {
        uses if !uses.is_empty() => Some(uses),
        _ => (display == Some(other.address)).then(|| "draws the menu".to_owned()),
    };
    let neighbours = acs::neighbours(member.address, machine);
    let mut others = neighbours.iter().filter_map(|address| machine.function(*address));
    let (other, uses) = others.find_map(|other| Some((other, reason(other)?)))?;
    let parameter = machine.acs_override.as_deref().unwrap_or_default();
    Some(Refusal::new(
        "groups-only-look-apart",
        member.address,
        format!(
            "{} is not isolated from {other}, which {uses}: only {parameter} makes their IOMMU groups differ",
            subject(member, function)
        ),
        "put one of the two into another PCI slot, and look again without that kernel parameter",
    ))
}

/// Used by the host: for its disks, for its network, or recorded as needed when the initramfs was built.
fn used_by_host(uses: &[HostUse]) -> &'static str {
    match uses.first() {
        Some(HostUse::Mount(_) | HostUse::Swap | HostUse::Cartridges | HostUse::Boot | HostUse::Part(..)) => "disk-used-by-host",
        Some(HostUse::DefaultRoute(_)) => "network-used-by-host",
        Some(HostUse::Recorded(_)) | None => "device-used-by-host",
    }
}

/// Its common name, and its relation to legion.
fn subject(member: &Member, function: &Function) -> String {
    let address = member.address;
    let named = member.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
    match &member.along {
        // The owner's name for it is better than one from a list.
        Along::Listed if member.label.is_some() => format!("{} {address}{named}", function.kind()),
        Along::Listed => function.to_string(),
        Along::Card => format!("{function}, a part of the card {}{named},", member.brought_by),
        Along::Group(group) => format!("{function}, in IOMMU group {group} of {}{named},", member.brought_by),
    }
}

/// A driver that cannot be unbound keeps the device until the next boot.
fn driver_hangs(member: &Member, function: &Function) -> Option<Refusal> {
    let driver = function.driver.as_deref().filter(|driver| hangs_on_unbind(driver))?;
    let reason =
        format!("reboot required: {} has the driver {driver}, which is known to hang when it is unbound", subject(member, function));
    Some(match member.at {
        BindTime::Boot => Refusal {
            reboot_helps: true,
            ..Refusal::new(
                "driver-hangs-on-unbind",
                member.address,
                reason,
                "rebuild the initramfs and reboot: then the device is reserved before the driver loads",
            )
        },
        BindTime::Launch => Refusal::new(
            "driver-hangs-on-unbind",
            member.address,
            reason,
            format!("keep {driver} off the host, or reserve the device with bind = \"boot\""),
        ),
    })
}

/// The menu's card must not go along with legion's only because both are in one IOMMU group: after the next boot the host would have no
/// screen. An owner who gives the last card away on purpose lists it.
fn menu_card_in_group(settings: &Settings, machine: &Machine, closures: &[Closure], display: Option<PciAddress>) -> Option<Refusal> {
    if settings.menu.display != Display::Auto || display.is_some() {
        return None;
    }
    let members = closures.iter().flat_map(|closure| &closure.members);
    let strangers = members.filter(|member| matches!(member.along, Along::Group(_)));
    let (member, card) =
        strangers.filter_map(|member| Some((member, machine.function(member.address)?))).find(|(_, card)| card.has_outputs())?;
    let group = member.group.map_or_else(|| "the IOMMU group".to_owned(), |group| format!("IOMMU group {group}"));
    Some(Refusal::new(
        "menu-card-in-group",
        member.address,
        format!("{card} is in {group} of {}: legion would take the graphics card of the menu too", member.brought_by),
        "put one of the two cards into another PCI slot; or list both as [[legion.passthrough]], and the host has no screen",
    ))
}

/// The menu needs a keyboard, so one must remain after what is taken earlier.
fn last_keyboard(machine: &Machine, closures: &[Closure]) -> Option<Refusal> {
    let hint = "write bind = \"launch\": then the menu can use it until the choice";
    let members = || closures.iter().flat_map(|closure| &closure.members).filter(|member| member.at == BindTime::Boot);
    let early = || members().filter_map(|member| machine.function(member.address));
    let taken: usize = early().map(|function| function.keyboards).sum();
    if taken > 0 && taken == machine.keyboards() {
        let function = early().find(|function| function.keyboards > 0)?;
        return Some(Refusal::new(
            "last-keyboard",
            function.address,
            format!("{function} has the last keyboard, and the menu needs it"),
            hint,
        ));
    }
    // Before coldplug USB keyboards are not known yet: at least one other controller must be left for them.
    let is_left = |function: &Function| function.is_usb() && early().all(|taken| taken.address != function.address);
    let listed = members().filter(|member| member.is_listed()).filter_map(|member| machine.function(member.address));
    let controller = listed.into_iter().find(|function| function.is_usb() && !machine.functions.values().any(is_left))?;
    (machine.keyboards() == 0).then(|| {
        let reason = format!("{controller} is the last USB controller, and the menu needs a keyboard");
        Refusal::new("last-usb-controller", controller.address, reason, hint)
    })
}
