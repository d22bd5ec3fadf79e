//! The snapshot: PCI functions, and what the host needs each of them for.

use super::vfio::Vfio;
use crate::sys::pci::{PciAddress, PciId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The relevant state of the machine at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Every PCI function, by address.
    pub functions: BTreeMap<PciAddress, Function>,
    /// Whether an IOMMU is on: there is at least one IOMMU group.
    pub iommu: bool,
    /// Where the vfio-pci driver is.
    pub vfio: Vfio,
    /// The kernel parameter that splits IOMMU groups that the hardware does not isolate.
    pub acs_override: Option<String>,
    /// What of the host's could not be traced to its disks, such as `the file system at /`: any disk may be needed for it. Always so in an
    /// initramfs.
    pub storage_doubt: Option<String>,
    /// Whether it is known which devices the host will need. Not so in an initramfs without a record of them.
    pub needs_are_known: bool,
    /// Whether there is a default route, and it could be traced to its network cards.
    pub route_is_known: bool,
    /// Whether the host's root file system is on another machine. Which network card leads there is not traced.
    pub root_is_remote: bool,
    /// Keyboards without a PCI function above them, such as PS/2 ones.
    pub other_keyboards: usize,
    /// Keyboards on Bluetooth, which count for nothing else: they work only once the host's Bluetooth service runs.
    pub bluetooth_keyboards: usize,
    /// The functions that Bluetooth adapters are below, the nearest ones; read only if there are such keyboards.
    pub bluetooth_adapters: BTreeSet<PciAddress>,
}

/// One PCI function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its address.
    pub address: PciAddress,
    /// Its vendor and device IDs.
    pub id: PciId,
    /// Class, subclass and programming interface: `0xCCSSPP`.
    pub class: u32,
    /// The subsystem IDs, set by the board's vendor.
    pub subsystem: Option<PciId>,
    /// Its names from `pci.ids`, once [`Machine::name_functions`] has run.
    pub name: Option<String>,
    /// The bridges above it, the root port first.
    pub upstream: Vec<PciAddress>,
    /// The driver bound to it.
    pub driver: Option<String>,
    /// The only driver that may bind to it, if one was set. Not read while it has a host driver.
    pub driver_override: Option<String>,
    /// Whether a driver hung on it in this boot.
    pub hung: bool,
    /// Its IOMMU group's number.
    pub iommu_group: Option<u32>,
    /// Whether it keeps what is behind it apart by itself. Determined only where `pcie_acs_override` changes the groups.
    pub isolates: bool,
    /// Whether the firmware has reserved memory for it that it must always reach (RMRR): the kernel gives it to no guest then.
    pub has_reserved_memory: bool,
    /// Whether it is a virtual function (SR-IOV) of another one.
    pub is_virtual: bool,
    /// Whether the firmware used it as the boot display: a hint only.
    pub boot_vga: bool,
    /// What the host needs it for.
    pub duties: Vec<HostUse>,
    /// The disks below it, by the kernel's names.
    pub disks: Vec<String>,
    /// The network interfaces below it.
    pub interfaces: Vec<String>,
    /// Where removable media below it are mounted, which the host does not need.
    pub sticks: Vec<String>,
    /// How many keyboards are below it.
    pub keyboards: usize,
    /// What uses it besides its driver.
    pub holders: Vec<FramebufferOwner>,
}

/// A user of a graphics card other than its driver.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FramebufferOwner {
    /// The firmware's framebuffer, by the kernel's name for it.
    FirmwareFramebuffer(String),
    /// The text console, on the framebuffer of that name.
    TextConsole(String),
}

impl fmt::Display for FramebufferOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirmwareFramebuffer(name) => write!(f, "the firmware's framebuffer ({name})"),
            Self::TextConsole(name) => write!(f, "the text console (on {name})"),
        }
    }
}

/// Something the host needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostUse {
    /// The file system mounted there is on it.
    Mount(String),
    /// Swap is on it.
    Swap,
    /// Cartridges are on it, or the slot.
    Cartridges,
    /// The machine booted from its EFI partition.
    Boot,
    /// Its disk is part of an array, a mapping or a cache: the disk and the device built on it.
    Part(String, String),
    /// The default route uses this interface of it.
    DefaultRoute(String),
    /// What the host needed it for when the initramfs was built, as text.
    Recorded(String),
}

impl fmt::Display for HostUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount(point) => write!(f, "holds the file system at {point}"),
            Self::Swap => f.write_str("holds the swap space"),
            Self::Cartridges => f.write_str("holds legion's cartridges"),
            Self::Boot => f.write_str("holds the EFI partition that this machine booted from"),
            Self::Part(disk, whole) => write!(f, "has the disk {disk}, which is part of {whole}"),
            Self::DefaultRoute(interface) => write!(f, "carries the default route ({interface})"),
            Self::Recorded(why) => write!(f, "{why}, as of when the initramfs was built"),
        }
    }
}

impl HostUse {
    /// All of them as one phrase: `holds the file systems at / and /boot and the swap space`.
    pub fn in_words(duties: &[Self]) -> String {
        let mounts = duties.iter().filter_map(|duty| match duty {
            Self::Mount(point) => Some(point.as_str()),
            _ => None,
        });
        let mut held = match mounts.collect::<Vec<_>>()[..] {
            [] => Vec::new(),
            [point] => vec![format!("the file system at {point}")],
            [ref points @ .., last] => vec![format!("the file systems at {} and {last}", points.join(", "))],
        };
        for (duty, words) in [(Self::Swap, "the swap space"), (Self::Cartridges, "legion's cartridges")] {
            if duties.contains(&duty) {
                held.push(words.to_owned());
            }
        }
        let held = (!held.is_empty()).then(|| format!("holds {}", held.join(" and ")));
        let others = duties.iter().filter(|duty| !matches!(duty, Self::Mount(_) | Self::Swap | Self::Cartridges)).map(ToString::to_string);
        held.into_iter().chain(others).collect::<Vec<_>>().join(" and ")
    }
}

impl Function {
    /// Class and subclass: `0xCCSS`.
    pub fn subclass(&self) -> u32 {
        self.class >> 8
    }

    /// Whether it is a bridge, which always stays with the host.
    pub fn is_bridge(&self) -> bool {
        self.class >> 16 == 0x06
    }

    /// Whether it is a display controller of any kind.
    pub fn is_display(&self) -> bool {
        self.class >> 16 == 0x03
    }

    /// Whether it is a display controller with outputs: a 3D controller (0x0302) has none.
    pub fn has_outputs(&self) -> bool {
        self.is_display() && self.subclass() != 0x0302
    }

    /// Whether it is a USB controller.
    pub fn is_usb(&self) -> bool {
        self.subclass() == 0x0c03
    }

    /// Whether its class can hold disks: mass storage, SD, FireWire, Fibre Channel.
    pub fn is_storage(&self) -> bool {
        self.class >> 16 == 0x01 || matches!(self.subclass(), 0x0805 | 0x0c00 | 0x0c04)
    }

    /// Whether its class can carry networks: network, wireless, InfiniBand.
    pub fn is_network(&self) -> bool {
        matches!(self.class >> 16, 0x02 | 0x0d) || self.subclass() == 0x0c06
    }

    /// Whether it is part of the same graphics card: another function of the card's slot by the same vendor. In a processor's slot other
    /// vendors' devices lie beside its graphics. A virtual function (SR-IOV) is a card of its own.
    pub fn is_part_of_card(&self, card: &Self) -> bool {
        let is_apart = card.is_virtual || self.is_virtual;
        card.is_display() && !is_apart && card.address.same_slot(self.address) && card.id.vendor == self.id.vendor
    }

    /// Whether disks are below it, or could be.
    pub fn carries_disks(&self) -> bool {
        self.is_storage() || !self.disks.is_empty()
    }

    /// Whether network interfaces are below it, or could be.
    pub fn carries_network(&self) -> bool {
        self.is_network() || !self.interfaces.is_empty()
    }

    /// Its name and its kind: `Intel I225-V network card`.
    pub fn words(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} {}", self.kind()),
            None => self.kind().to_owned(),
        }
    }

    /// Its kind, by its class code (PCI Code and ID Assignment Specification).
    pub fn kind(&self) -> &'static str {
        match self.subclass() {
            0x0106 => "SATA controller",
            0x0108 => "NVMe disk",
            0x0280 => "wireless card",
            0x0300 => "VGA controller",
            0x0302 => "3D controller",
            0x0401 | 0x0403 => "audio device",
            0x0805 => "SD card reader",
            0x0c03 => "USB controller",
            0x0c05 => "SMBus controller",
            0x0c80 => "serial bus controller",
            other => match other >> 8 {
                0x01 => "storage controller",
                0x02 => "network card",
                0x03 => "display controller",
                0x04 => "multimedia device",
                0x06 => "bridge",
                0x0d => "wireless card",
                0x10 => "encryption controller",
                _ => "PCI device",
            },
        }
    }
}

impl fmt::Display for Function {
    /// Such as `Intel I225-V network card 0000:06:00.0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.words(), self.address)
    }
}

impl Machine {
    /// The function at that address.
    pub fn function(&self, address: PciAddress) -> Option<&Function> {
        self.functions.get(&address)
    }

    /// What holds for its Bluetooth keyboards; `goes_along` says whether their adapter is legion's.
    pub fn bluetooth_in_words(&self, goes_along: bool) -> String {
        let adapters: Vec<String> =
            self.bluetooth_adapters.iter().filter_map(|address| self.function(*address)).map(ToString::to_string).collect();
        let place = if adapters.is_empty() { String::new() } else { format!(" on {}", adapters.join(" and ")) };
        let fate = match goes_along {
            true => format!("it goes to legion with its adapter{place}, and must be paired in the guest"),
            false => format!("it stays with the host, as its adapter{place} does"),
        };
        format!("a Bluetooth keyboard works in the menu only once the host's Bluetooth service runs; {fate}")
    }

    /// All keyboards a person could type on.
    pub fn keyboards(&self) -> usize {
        self.other_keyboards + self.functions.values().map(|function| function.keyboards).sum::<usize>()
    }
}
