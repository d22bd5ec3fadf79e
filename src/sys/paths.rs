//! Every path Persona reads or writes, behind one root.

use crate::sys::pci::PciAddress;
use std::path::{Path, PathBuf};

/// Knows the path of everything. With `--root DIR`, all of it is below `DIR`, so that a recorded machine can be examined anywhere.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
    settings: Option<PathBuf>,
}

impl Paths {
    /// Paths below `root`; `settings` is the file named by `--config`, used as given.
    pub fn new(root: impl Into<PathBuf>, settings: Option<PathBuf>) -> Self {
        Self { root: root.into(), settings }
    }

    /// The absolute path `path` of the machine, below the root.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether this is the machine we run on, not a recorded one.
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The settings file: `/etc/persona/persona.toml` unless `--config` names another.
    pub fn settings(&self) -> PathBuf {
        self.settings.clone().unwrap_or_else(|| self.at("/etc/persona/persona.toml"))
    }

    /// What the host needed when the initramfs was built; there in the initramfs only.
    pub fn needs(&self) -> PathBuf {
        self.at("/etc/persona/needs.toml")
    }

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

    /// VFIO's node of an IOMMU group.
    pub fn vfio_group(&self, group: u32) -> PathBuf {
        self.at("/dev/vfio").join(group.to_string())
    }

    /// State that lives for this boot.
    pub fn run_dir(&self) -> PathBuf {
        self.at("/run/persona")
    }

    /// The choice of this boot.
    pub fn choice(&self) -> PathBuf {
        self.run_dir().join("choice.toml")
    }

    /// What the menu shows, and how soon it showed it.
    pub fn menu_state(&self) -> PathBuf {
        self.run_dir().join("menu.toml")
    }

    /// Locked while a menu runs; contains that process's number.
    pub fn menu_lock(&self) -> PathBuf {
        self.run_dir().join("menu.lock")
    }

    /// Exists once the host's file systems are mounted, for a menu that was started before.
    pub fn host_is_there(&self) -> PathBuf {
        self.run_dir().join("host")
    }

    /// The control socket of the running menu.
    pub fn menu_socket(&self) -> PathBuf {
        self.run_dir().join("menu.sock")
    }

    /// The serial consoles that a living menu holds, as links to its open files. `serial-getty@.service.d/persona.conf`
    /// names this folder too.
    pub fn held_lines(&self) -> PathBuf {
        self.run_dir().join("lines")
    }

    /// What legion is doing.
    pub fn legion_state(&self) -> PathBuf {
        self.run_dir().join("legion.toml")
    }

    /// What `prepare` decided for `run`.
    pub fn launch(&self) -> PathBuf {
        self.run_dir().join("launch.toml")
    }

    /// What `prepare` changed on the devices, for `release` to change back.
    pub fn bound_devices(&self) -> PathBuf {
        self.run_dir().join("bound.toml")
    }

    /// Exists when a driver hung in this boot while this device was unbound or bound.
    pub fn hung_device(&self, address: PciAddress) -> PathBuf {
        self.run_dir().join(format!("hung-{address}"))
    }

    /// QEMU's QMP socket for other programs.
    pub fn qmp_socket(&self) -> PathBuf {
        self.run_dir().join("legion.qmp")
    }

    /// The socket on which a guest agent in legion answers.
    pub fn guest_agent_socket(&self) -> PathBuf {
        self.run_dir().join("legion.agent")
    }

    /// The socket on which VNC shows legion's emulated graphics card.
    pub fn vnc_socket(&self) -> PathBuf {
        self.run_dir().join("legion.vnc")
    }

    /// The socket on which swtpm is legion's TPM.
    pub fn tpm_socket(&self) -> PathBuf {
        self.run_dir().join("legion.tpm")
    }

    /// Locked while legion is prepared and runs.
    pub fn legion_lock(&self) -> PathBuf {
        self.run_dir().join("legion.lock")
    }

    /// The current `start`, `stop` or `switch` of legion, and its caller.
    pub fn switch(&self) -> PathBuf {
        self.run_dir().join("switch.toml")
    }

    /// Locked by the process that starts, stops or switches legion.
    pub fn switch_lock(&self) -> PathBuf {
        self.run_dir().join("switch.lock")
    }

    /// The kernel's list of file locks.
    pub fn locks(&self) -> PathBuf {
        self.at("/proc/locks")
    }

    /// Where the journal takes entries from programs.
    pub fn journal_socket(&self) -> PathBuf {
        self.at("/run/systemd/journal/socket")
    }

    /// State that outlives a boot.
    pub fn state_dir(&self) -> PathBuf {
        self.at("/var/lib/persona")
    }

    /// The persona for the next boot.
    pub fn override_file(&self) -> PathBuf {
        self.state_dir().join("override.toml")
    }

    /// Locked by the process that changes [`Self::override_file`].
    pub fn override_lock(&self) -> PathBuf {
        self.state_dir().join("override.lock")
    }

    /// Locked by the process that changes [`Self::settings`].
    pub fn settings_lock(&self) -> PathBuf {
        self.run_dir().join("settings.lock")
    }

    /// Locked by the process that changes [`Self::starts`].
    pub fn starts_lock(&self) -> PathBuf {
        self.state_dir().join("starts.lock")
    }

    /// The number of failed boots of personas.
    pub fn starts(&self) -> PathBuf {
        self.state_dir().join("starts.toml")
    }

    /// The persona that last ran well.
    pub fn last(&self) -> PathBuf {
        self.state_dir().join("last.toml")
    }

    /// The boot ID of the kernel.
    pub fn boot_id(&self) -> PathBuf {
        self.at("/proc/sys/kernel/random/boot_id")
    }

    /// User accounts.
    pub fn passwd(&self) -> PathBuf {
        self.at("/etc/passwd")
    }

    /// Groups.
    pub fn groups(&self) -> PathBuf {
        self.at("/etc/group")
    }

    /// The machine's name.
    pub fn hostname(&self) -> PathBuf {
        self.at("/proc/sys/kernel/hostname")
    }

    /// The files that may name the host's locale, the first that exists counts: systemd's, and Debian's.
    pub fn locales(&self) -> [PathBuf; 2] {
        ["/etc/locale.conf", "/etc/default/locale"].map(|file| self.at(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_lies_under_the_root() {
        let paths = Paths::new("/recorded/machine", None);
        for path in [paths.settings(), paths.choice(), paths.pci_devices(), paths.override_file(), paths.at("/x"), paths.at("x")] {
            assert!(path.starts_with("/recorded/machine"), "{}", path.display());
        }
    }

    #[test]
    fn the_named_settings_file_is_taken_as_it_is() {
        let paths = Paths::new("/recorded", Some("my.toml".into()));
        assert_eq!(paths.settings(), Path::new("my.toml"));
    }
}
