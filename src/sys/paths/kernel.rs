//! The paths of the kernel: procfs, sysfs and device nodes.

use super::Paths;
use crate::sys::pci::PciAddress;
use std::path::PathBuf;

impl Paths {
    /// The kernel command line.
    pub fn kernel_command_line(&self) -> PathBuf {
        self.at("/proc/cmdline")
    }

    /// Mounted file systems of this process, as `proc_pid_mountinfo(5)` describes.
    pub fn mount_info(&self) -> PathBuf {
        self.at("/proc/self/mountinfo")
    }

    /// Active swap areas.
    pub fn swaps(&self) -> PathBuf {
        self.at("/proc/swaps")
    }

    /// The IPv4 routing table.
    pub fn routes(&self) -> PathBuf {
        self.at("/proc/net/route")
    }

    /// The IPv6 routing table.
    pub fn routes_v6(&self) -> PathBuf {
        self.at("/proc/net/ipv6_route")
    }

    /// The folder of all PCI functions.
    pub fn pci_devices(&self) -> PathBuf {
        self.at("/sys/bus/pci/devices")
    }

    /// One PCI function's sysfs folder.
    pub fn pci_device(&self, address: PciAddress) -> PathBuf {
        self.pci_devices().join(address.to_string())
    }

    /// Asks the PCI core to look for a driver for the address written to it.
    pub fn pci_drivers_probe(&self) -> PathBuf {
        self.at("/sys/bus/pci/drivers_probe")
    }

    /// A PCI driver's sysfs folder.
    pub fn pci_driver(&self, driver: &str) -> PathBuf {
        self.at("/sys/bus/pci/drivers").join(driver)
    }

    /// The folder of all IOMMU groups; empty or absent without an IOMMU.
    pub fn iommu_groups(&self) -> PathBuf {
        self.at("/sys/kernel/iommu_groups")
    }

    /// A block device's sysfs entry, by `major:minor`.
    pub fn block_device(&self, number: &str) -> PathBuf {
        self.at("/sys/dev/block").join(number)
    }

    /// The folder of all block devices and partitions, by name.
    pub fn block_class(&self) -> PathBuf {
        self.at("/sys/class/block")
    }

    /// The folder of mounted Btrfs file systems, by UUID; each lists its devices.
    pub fn btrfs_file_systems(&self) -> PathBuf {
        self.at("/sys/fs/btrfs")
    }

    /// The folder of mounted bcachefs file systems, by UUID; each has a folder per device.
    pub fn bcachefs_file_systems(&self) -> PathBuf {
        self.at("/sys/fs/bcachefs")
    }

    /// The folder in which ZFS has a folder per imported pool.
    pub fn zfs_pools(&self) -> PathBuf {
        self.at("/proc/spl/kstat/zfs")
    }

    /// The EFI variable in which the boot loader tells the partition that it was started from.
    pub fn boot_partition_variable(&self) -> PathBuf {
        self.at("/sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
    }

    /// The folder of all input devices.
    pub fn input_class(&self) -> PathBuf {
        self.at("/sys/class/input")
    }

    /// The folder of all Bluetooth adapters and connections.
    pub fn bluetooth_class(&self) -> PathBuf {
        self.at("/sys/class/bluetooth")
    }

    /// A kernel module's sysfs folder; there if it is loaded, or built in and has parameters.
    pub fn kernel_module(&self, name: &str) -> PathBuf {
        self.at("/sys/module").join(name)
    }

    /// The running kernel's release, as `uname -r` prints it.
    pub fn kernel_release(&self) -> PathBuf {
        self.at("/proc/sys/kernel/osrelease")
    }

    /// The modules of a kernel, by its release.
    pub fn kernel_modules(&self, release: &str) -> PathBuf {
        self.at("/usr/lib/modules").join(release)
    }

    /// The folders of modprobe's settings; a file in an earlier one replaces files of its name in later ones (`modprobe.d(5)`).
    pub fn modprobe_folders(&self) -> [PathBuf; 4] {
        ["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d"].map(PathBuf::from)
    }

    /// Where distributions keep the names of PCI devices: Arch and Fedora, Debian.
    pub fn pci_ids(&self) -> [PathBuf; 2] {
        ["/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids"].map(|place| self.at(place))
    }

    /// The users of each range of physical memory.
    pub fn io_memory(&self) -> PathBuf {
        self.at("/proc/iomem")
    }

    /// The folder of all framebuffers.
    pub fn graphics_class(&self) -> PathBuf {
        self.at("/sys/class/graphics")
    }

    /// The kernel's list of framebuffers; empty if there are none.
    pub fn framebuffers(&self) -> PathBuf {
        self.at("/proc/fb")
    }

    /// The folder of text console drivers.
    pub fn virtual_consoles(&self) -> PathBuf {
        self.at("/sys/class/vtconsole")
    }

    /// The folder of all network interfaces.
    pub fn network_interfaces(&self) -> PathBuf {
        self.at("/sys/class/net")
    }

    /// The node of a macvtap, by its interface's number.
    pub fn tap(&self, number: &str) -> PathBuf {
        self.at("/dev").join(format!("tap{number}"))
    }

    /// The folder of all DRM devices and connectors.
    pub fn drm_class(&self) -> PathBuf {
        self.at("/sys/class/drm")
    }

    /// A DRM device node such as `card0`.
    pub fn drm_node(&self, name: &str) -> PathBuf {
        self.at("/dev/dri").join(name)
    }

    /// The folder of evdev nodes.
    pub fn input_nodes(&self) -> PathBuf {
        self.at("/dev/input")
    }

    /// A virtual terminal; 0 is the one in the foreground.
    pub fn virtual_terminal(&self, number: u16) -> PathBuf {
        self.at("/dev").join(format!("tty{number}"))
    }

    /// The kernel's consoles, by the names of their nodes in `/dev`.
    pub fn active_consoles(&self) -> PathBuf {
        self.at("/sys/class/tty/console/active")
    }

    /// The kernel log's input.
    pub fn kernel_log(&self) -> PathBuf {
        self.at("/dev/kmsg")
    }

    /// KVM's node.
    pub fn kvm(&self) -> PathBuf {
        self.at("/dev/kvm")
    }

    /// The amount of memory, and its use.
    pub fn memory_info(&self) -> PathBuf {
        self.at("/proc/meminfo")
    }

    /// The processors' features.
    pub fn cpu_info(&self) -> PathBuf {
        self.at("/proc/cpuinfo")
    }

    /// The folder of all processors.
    pub fn cpus(&self) -> PathBuf {
        self.at("/sys/devices/system/cpu")
    }

    /// The folder of the pools of huge pages, one for each size.
    pub fn huge_pages(&self) -> PathBuf {
        self.at("/sys/kernel/mm/hugepages")
    }

    /// ACPI tables from the firmware.
    pub fn acpi_tables(&self) -> PathBuf {
        self.at("/sys/firmware/acpi/tables")
    }

    /// The program that the units and the initramfs hook name.
    pub fn program(&self) -> PathBuf {
        self.at("/usr/bin/persona")
    }

    /// VFIO's container node.
    pub fn vfio_container(&self) -> PathBuf {
        self.at("/dev/vfio/vfio")
    }

    /// VFIO's class of devices with nodes of their own, there once its module is loaded.
    pub fn vfio_device_class(&self) -> PathBuf {
        self.at("/sys/class/vfio-dev")
    }

    /// The folder of the IOMMUs.
    pub fn iommus(&self) -> PathBuf {
        self.at("/sys/class/iommu")
    }

    /// VFIO's node of an IOMMU group.
    pub fn vfio_group(&self, group: u32) -> PathBuf {
        self.at("/dev/vfio").join(group.to_string())
    }
}
