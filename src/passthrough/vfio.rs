//! Availability of the vfio-pci driver: built into the kernel, loaded, loadable, or missing.

use super::VFIO_PCI;
use super::modprobe::ModprobeFile;
use crate::sys::file;
use crate::sys::paths::Paths;
use std::fs;
use std::path::Path;

/// The vfio-pci driver of the running kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vfio {
    /// Part of the kernel image.
    BuiltIn,
    /// A loaded module.
    Loaded,
    /// A module that can be loaded.
    Loadable,
    /// A module that modprobe is told not to load.
    Blocked,
    /// It is there, but the kernel has no nodes of IOMMU groups, which QEMU needs here: it was built without `CONFIG_VFIO_GROUP`.
    WithoutGroups,
    /// The kernel has it neither built in nor as a module.
    Absent,
    /// The running kernel's modules are no longer on the disk: a newer kernel has replaced them since the machine booted.
    Replaced,
    /// Unknown: there are no lists of modules, as in a small initramfs. Loading is tried.
    #[default]
    Unknown,
}

impl Vfio {
    /// Looks for the driver. The long list of modules is read only if the driver is not there yet.
    pub(super) fn read(paths: &Paths) -> Self {
        let module = paths.kernel_module("vfio_pci");
        if paths.pci_driver(VFIO_PCI).exists() || module.exists() {
            // The container's node is there together with the groups' (drivers/vfio/vfio_main.c and group.c in the kernel). A recorded
            // machine may have no nodes at all.
            let has_nodes = paths.is_live() || paths.vfio_container().parent().is_some_and(Path::exists);
            if has_nodes && paths.vfio_device_class().exists() && !paths.vfio_container().exists() {
                return Self::WithoutGroups;
            }
            // Only loaded modules have an initialisation state (Documentation/ABI/stable/sysfs-module).
            return if module.join("initstate").exists() { Self::Loaded } else { Self::BuiltIn };
        }
        let Ok(release) = file::read_text(paths.kernel_release()) else { return Self::Unknown };
        let modules = paths.kernel_modules(release.trim());
        let lists = |file: &str| Some(lists_vfio(&file::read_text(modules.join(file)).ok()?));
        match (lists("modules.builtin"), lists("modules.dep")) {
            (Some(true), _) => Self::BuiltIn,
            (_, Some(true)) if ModprobeFile::all(paths).iter().any(ModprobeFile::blocks_vfio) => Self::Blocked,
            (_, Some(true)) => Self::Loadable,
            (_, Some(false)) => Self::Absent,
            // Another kernel's modules exist, so ours should exist too.
            (_, None) if !modules.exists() && modules.parent().is_some_and(has_entries) => Self::Replaced,
            (_, None) => Self::Unknown,
        }
    }

    /// Whether devices can be bound now.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::BuiltIn | Self::Loaded | Self::WithoutGroups)
    }
}

/// Whether `modules.dep` or `modules.builtin` (`modules.dep(5)`) lists the driver, compressed or not.
fn lists_vfio(list: &str) -> bool {
    list.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        path.rsplit('/').next().is_some_and(|file| file.starts_with("vfio-pci.ko"))
    })
}

fn has_entries(folder: &std::path::Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vfio {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Vfio::read(&Paths::new(root.path(), None))
    }

    #[test]
    fn each_place_has_its_name() {
        const RELEASE: (&str, &str) = ("proc/sys/kernel/osrelease", "6.9.1-arch1-1\n");
        const DEP: &str = "usr/lib/modules/6.9.1-arch1-1/modules.dep";
        let core = "kernel/drivers/vfio/pci/vfio-pci-core.ko.zst:\n";
        let module = "kernel/drivers/vfio/pci/vfio-pci.ko.zst: kernel/drivers/vfio/pci/vfio-pci-core.ko.zst\n";
        assert_eq!(found(&[("sys/module/vfio_pci/initstate", "live\n")]), Vfio::Loaded);
        assert_eq!(found(&[("sys/module/vfio_pci/parameters/ids", "\n")]), Vfio::BuiltIn);
        assert_eq!(found(&[("sys/bus/pci/drivers/vfio-pci/unbind", "")]), Vfio::BuiltIn);
        assert_eq!(found(&[RELEASE, (DEP, &format!("{core}{module}"))]), Vfio::Loadable);
        let blocked = ("etc/modprobe.d/no.conf", "install vfio-pci /usr/bin/false\n");
        assert_eq!(found(&[RELEASE, (DEP, module), blocked]), Vfio::Blocked);
        assert_eq!(found(&[("sys/module/vfio_pci/initstate", "live\n"), blocked]), Vfio::Loaded);
        let (loaded, class) = (("sys/module/vfio_pci/initstate", "live\n"), ("sys/class/vfio-dev/vfio0/dev", "511:0\n"));
        assert_eq!(found(&[loaded, class]), Vfio::Loaded, "recorded without nodes");
        assert_eq!(found(&[loaded, class, ("dev/vfio/devices/vfio0", "")]), Vfio::WithoutGroups);
        assert_eq!(found(&[loaded, class, ("dev/vfio/vfio", "")]), Vfio::Loaded);
        assert_eq!(found(&[RELEASE, (DEP, core)]), Vfio::Absent);
        assert_eq!(found(&[RELEASE, ("usr/lib/modules/6.9.1-arch1-1/modules.builtin", module), (DEP, core)]), Vfio::BuiltIn);
        assert_eq!(found(&[RELEASE, ("usr/lib/modules/6.9.2-arch1-1/modules.dep", module)]), Vfio::Replaced);
        assert_eq!(found(&[RELEASE]), Vfio::Unknown);
        assert_eq!(found(&[]), Vfio::Unknown);
    }
}
