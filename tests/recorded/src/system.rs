//! The kernel, the processors and the files of a machine.

use crate::tree::Tree;
use std::fmt::Write;

/// How the kernel has vfio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vfio {
    /// As modules that are not loaded.
    Modules,
    /// As modules, loaded.
    Loaded,
    /// Built in.
    BuiltIn,
    /// Not at all.
    Absent,
}

/// Whose IOMMU it is, if the firmware has it turned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iommu {
    /// AMD-Vi; the address of its PCI function.
    Amd(&'static str),
    /// VT-d.
    Intel,
}

/// A processor's maker, as far as virtualisation is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// `svm`
    Amd,
    /// `vmx`
    Intel,
}

/// Names of the PCI devices of all machines: an excerpt of the PCI ID database (<https://pci-ids.ucw.cz>).
pub const PCI_IDS: &str = include_str!("pci.ids");

/// The modules of vfio and what each needs, as `modules.dep` names them; vfio_virqfd is part of vfio since Linux 6.2.
const VFIO_MODULES: [(&str, &str); 5] = [
    ("virt/lib/irqbypass.ko", ""),
    ("drivers/vfio/vfio.ko", ""),
    ("drivers/vfio/vfio_iommu_type1.ko", "drivers/vfio/vfio.ko"),
    ("drivers/vfio/pci/vfio-pci-core.ko", "drivers/vfio/vfio.ko virt/lib/irqbypass.ko"),
    ("drivers/vfio/pci/vfio-pci.ko", "drivers/vfio/pci/vfio-pci-core.ko drivers/vfio/vfio.ko virt/lib/irqbypass.ko"),
];

impl Tree {
    /// The running kernel with its command line, and how it has vfio. Other drivers are modules, loaded if something has them:
    /// call it when all devices are there.
    pub fn kernel(&self, release: &str, command_line: &str, vfio: Vfio) {
        self.file("proc/sys/kernel/osrelease", format!("{release}\n"));
        self.file("proc/cmdline", format!("{command_line}\n"));
        let modules = format!("usr/lib/modules/{release}");
        let (mut dependencies, mut built_in) = (String::new(), String::from("kernel/drivers/pci/pcie/pcieportdrv.ko\n"));
        for (module, needs) in VFIO_MODULES {
            let needs: String = needs.split_whitespace().map(|module| format!(" kernel/{module}.zst")).collect();
            match vfio {
                Vfio::Modules | Vfio::Loaded => _ = writeln!(dependencies, "kernel/{module}.zst:{needs}"),
                Vfio::BuiltIn => _ = writeln!(built_in, "kernel/{module}"),
                Vfio::Absent => {}
            }
        }
        self.file(&format!("{modules}/modules.dep"), dependencies);
        self.file(&format!("{modules}/modules.builtin"), built_in);
        if vfio != Vfio::Absent {
            // A static node of modules.devname: there before the module is.
            self.file("dev/vfio/vfio", "");
        }
        match vfio {
            Vfio::Loaded => {
                self.driver("vfio-pci");
                ["vfio", "vfio_iommu_type1", "vfio_pci_core"].iter().for_each(|module| self.module(module));
            }
            Vfio::BuiltIn => {
                self.driver("vfio-pci");
                self.file("sys/module/vfio_pci/parameters/disable_idle_d3", "N\n");
            }
            Vfio::Modules | Vfio::Absent => {}
        }
        let drivers = self.at("sys/bus/pci/drivers");
        for driver in std::fs::read_dir(drivers).into_iter().flatten().flatten() {
            match driver.file_name().to_string_lossy().replace('-', "_") {
                name if name == "pcieport" || name == "vfio_pci" && vfio == Vfio::BuiltIn => {}
                name if name == "xhci_hcd" => self.module("xhci_pci"),
                name => self.module(&name),
            }
        }
    }

    /// A loaded module.
    pub fn module(&self, name: &str) {
        self.file(&format!("sys/module/{name}/initstate"), "live\n");
    }

    /// The firmware's table and the kernel's own device of an IOMMU that is on. Without, there are no groups.
    pub fn iommu(&self, iommu: Iommu) {
        match iommu {
            Iommu::Amd(function) => {
                self.file("sys/firmware/acpi/tables/IVRS", "IVRS");
                let folder = format!("sys/devices/{function}/iommu/ivhd0");
                self.file(&format!("{folder}/amd-iommu/features"), "58f77ef22294ade:0\n");
                self.link("sys/class/iommu/ivhd0", &folder);
            }
            Iommu::Intel => {
                self.file("sys/firmware/acpi/tables/DMAR", "DMAR");
                self.file("sys/devices/virtual/iommu/dmar0/intel-iommu/version", "1:0\n");
                self.link("sys/class/iommu/dmar0", "sys/devices/virtual/iommu/dmar0");
            }
        }
    }

    /// So many logical processors of that model, with KVM, and so much memory, in GiB.
    pub fn computer(&self, maker: Maker, model: &str, processors: u32, memory: u64) {
        let (vendor, flags, module) = match maker {
            Maker::Amd => ("AuthenticAMD", "fpu sse2 svm npt", "kvm_amd"),
            Maker::Intel => ("GenuineIntel", "fpu sse2 vmx ept", "kvm_intel"),
        };
        let processor = |number| format!("processor\t: {number}\nvendor_id\t: {vendor}\nmodel name\t: {model}\nflags\t\t: {flags}\n\n");
        self.file("proc/cpuinfo", (0..processors).map(processor).collect::<String>());
        self.file("sys/devices/system/cpu/online", format!("0-{}\n", processors - 1));
        // The firmware and the kernel keep about a fiftieth.
        let total = memory * (1 << 20) / 50 * 49;
        let mut text = String::new();
        for (name, kib) in [("MemTotal", total), ("MemFree", total / 4 * 3), ("MemAvailable", total / 10 * 9)] {
            let _ = writeln!(text, "{:<16}{kib:>8} kB", format!("{name}:"));
        }
        text += "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n";
        self.file("proc/meminfo", text);
        self.file("dev/kvm", "");
        self.module("kvm");
        self.module(module);
    }

    /// Persona's settings, what it needs from other packages, and cartridges.
    pub fn installed(&self, settings: &str, cartridges: &[&str]) {
        self.file("etc/persona/persona.toml", settings);
        self.file("etc/passwd", "root:x:0:0::/root:/usr/bin/bash\nlegion:x:970:970:legion:/var/lib/legion:/usr/bin/nologin\n");
        for program in ["persona", "qemu-system-x86_64", "swtpm", "modprobe"] {
            self.file(&format!("usr/bin/{program}"), "");
        }
        for cartridge in cartridges {
            self.file(&format!("var/lib/legion/cartridges/{cartridge}/disk.qcow2"), empty_disk());
        }
    }

    /// The names of PCI devices.
    pub fn pci_ids(&self) {
        self.file("usr/share/hwdata/pci.ids", PCI_IDS);
    }
}

/// An empty disk: the header of a qcow2 image, version 3, whose tables have no entries (QEMU's `docs/interop/qcow2.txt`).
fn empty_disk() -> Vec<u8> {
    const LENGTH: u64 = 104;
    let mut header = vec![0; 104];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb");
    put(4, &3_u32.to_be_bytes());
    put(20, &16_u32.to_be_bytes());
    put(40, &LENGTH.to_be_bytes());
    put(48, &LENGTH.to_be_bytes());
    header
}
