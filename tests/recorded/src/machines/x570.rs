//! A board with AMD's X570 chipset and a Ryzen of the Matisse kind: two slots at the processor, the rest behind the chipset's
//! switch. Its functions are well separated: the processor's root ports and the switch's ports isolate what is below them.

use crate::cards::Board;
use crate::function::{Bar, Function};
use crate::system::{Iommu, Maker};
use crate::tree::Tree;

/// The maker of the board.
pub(super) const MSI: Board = Board("1462:7c37");
pub(super) const KERNEL: &str = "6.12.10-arch1-1";
const BRIDGE: u32 = 0x06_0400;
const SWITCH: &str = "0000:00:01.2/0000:02:00.0";

/// The board as it is built up in a tree.
pub(super) struct X570<'a> {
    pub(super) tree: &'a Tree,
    /// Whether the firmware has the IOMMU turned on.
    pub(super) iommu: bool,
    /// Whether a second NVMe disk was put into the slot behind the switch's first port, which all later buses make way for.
    pub(super) second_disk: bool,
}

impl X570<'_> {
    /// What a bus is called that is `bus` without the second disk.
    fn bus(&self, bus: u8) -> u8 {
        bus + u8::from(self.second_disk && bus >= 4)
    }

    fn below(&self, bridges: &str, bus: u8, function: &str) -> String {
        format!("pci0000:00/{bridges}/0000:{:02x}:{function}", self.bus(bus))
    }

    /// The upper slot, without a function's number.
    pub(super) fn upper_slot(&self) -> String {
        self.below("0000:00:03.1", 9, "00")
    }

    /// The lower slot.
    pub(super) fn lower_slot(&self) -> String {
        self.below("0000:00:03.2", 10, "00")
    }

    /// The USB controller in the processor.
    pub(super) fn usb(&self) -> String {
        self.below("0000:00:08.1", 12, "00.3")
    }

    fn group(&self, group: u32, functions: impl IntoIterator<Item = Function>) {
        self.tree.add_group(self.iommu.then_some(group), functions);
    }

    fn bridge(&self, group: u32, path: &str, id: &str) {
        self.group(group, [Function::new(format!("pci0000:00/{path}"), id, BRIDGE).driver("pcieport")]);
    }

    /// Everything, with cards of these functions in the two slots. The system is on the first NVMe disk, the network on the
    /// board's own card, keyboard and mouse on the processor's USB controller.
    pub(super) fn build(&self, upper: [Function; 2], lower: impl IntoIterator<Item = Function>) {
        self.processor_ports();
        self.chipset();
        self.group(24, upper);
        self.group(25, lower);
        self.processor_devices();
        self.system();
    }

    fn processor_ports(&self) {
        // The root complex itself and the IOMMU are in no group.
        self.tree.add(&Function::new("pci0000:00/0000:00:00.0", "1022:1480", 0x06_0000));
        if self.iommu {
            self.tree.add(&Function::new("pci0000:00/0000:00:00.2", "1022:1481", 0x08_0600).bars(&[]));
            self.tree.iommu(Iommu::Amd("pci0000:00/0000:00:00.2"));
        }
        for (group, port, id) in [
            (1, "0000:00:01.1", "1022:1483"),
            (2, "0000:00:01.2", "1022:1483"),
            (4, "0000:00:03.1", "1022:1483"),
            (5, "0000:00:03.2", "1022:1483"),
        ] {
            self.bridge(group, port, id);
        }
        self.group(3, [Function::new("pci0000:00/0000:00:03.0", "1022:1482", 0x06_0000)]);
        self.bridge(9, "0000:00:07.1", "1022:1484");
        self.bridge(11, "0000:00:08.1", "1022:1484");
        let smbus =
            Function::new("pci0000:00/0000:00:14.0", "1022:790b", 0x0c_0500).board(MSI.0).revision(0x61).driver("piix4_smbus").bars(&[]);
        self.group(12, [smbus, Function::new("pci0000:00/0000:00:14.3", "1022:790e", 0x06_0100)]);
        let disk = Function::new(self.below("0000:00:01.1", 1, "00.0"), "144d:a808", 0x01_0802).board("144d:a801").driver("nvme");
        self.group(14, [disk]);
    }

    fn chipset(&self) {
        self.bridge(17, SWITCH, "1022:57ad");
        let port = |port: &str| format!("{SWITCH}/0000:03:{port}");
        if self.second_disk {
            self.bridge(31, &port("00.0"), "1022:57a3");
            let disk = Function::new(format!("pci0000:00/{}/0000:04:00.0", port("00.0")), "15b7:5006", 0x01_0802).driver("nvme");
            self.group(32, [disk]);
        }
        self.bridge(18, &port("02.0"), "1022:57a3");
        let wireless = Function::new(self.below(&port("02.0"), 4, "00.0"), "8086:2723", 0x02_8000).board("8086:0084").revision(0x1a);
        self.group(22, [wireless.driver("iwlwifi")]);
        self.bridge(19, &port("04.0"), "1022:57a3");
        let network = Function::new(self.below(&port("04.0"), 5, "00.0"), "8086:1539", 0x02_0000).board(MSI.0).revision(3);
        self.group(15, [network.driver("igb")]);
        // The switch's inner ports isolate nothing: what is below them is in their group.
        self.bridge(16, &port("08.0"), "1022:57a4");
        self.group(16, self.usb_functions(&self.below(&port("08.0"), 6, "00"), &[1, 3]));
        for (group, at, bus) in [(20, "09.0", 7), (21, "0a.0", 8)] {
            self.bridge(group, &port(at), "1022:57a4");
            let sata = Function::new(self.below(&port(at), bus, "00.0"), "1022:7901", 0x01_0601).board(MSI.0).revision(0x51);
            // The kernel knows its reset to be broken.
            self.group(group, [sata.driver("ahci").reset("bus")]);
        }
    }

    /// Function 0 that does nothing, and USB controllers, whose function-level reset the kernel knows to be broken.
    fn usb_functions(&self, slot: &str, numbers: &[u8]) -> Vec<Function> {
        let nothing = Function::new(format!("{slot}.0"), "1022:1485", 0x13_0000).bars(&[]);
        let controller = |number: &u8| {
            let function = Function::new(format!("{slot}.{number}"), "1022:149c", 0x0c_0330).board(MSI.0).driver("xhci_hcd");
            function.bars(&[Bar::wide(0, 1024)])
        };
        [nothing].into_iter().chain(numbers.iter().map(controller)).collect()
    }

    fn processor_devices(&self) {
        self.group(26, [Function::new(self.below("0000:00:07.1", 11, "00.0"), "1022:148a", 0x13_0000).bars(&[])]);
        // Each of these functions has a group of its own.
        let slot = self.below("0000:00:08.1", 12, "00");
        let mut functions = self.usb_functions(&slot, &[3]);
        let crypto =
            Function::new(format!("{slot}.1"), "1022:1486", 0x10_8000).driver("ccp").bars(&[Bar::narrow(2, 1024), Bar::narrow(5, 8)]);
        functions.insert(1, crypto);
        functions.push(Function::new(format!("{slot}.4"), "1022:1487", 0x04_0300).board("1462:9c37").driver("snd_hda_intel"));
        (27..).zip(functions).for_each(|(group, function)| self.group(group, [function]));
    }

    fn system(&self) {
        let tree = self.tree;
        tree.nvme(&self.below("0000:00:01.1", 1, "00.0"), 0, 3);
        tree.mount("259:2", "/", "ext4", "/dev/nvme0n1p2");
        tree.mount("0:21", "/proc", "proc", "proc");
        tree.swap("/dev/nvme0n1p3");
        if self.second_disk {
            tree.nvme(&format!("pci0000:00/{SWITCH}/0000:03:00.0/0000:04:00.0"), 1, 1);
        }
        let network = self.below(&format!("{SWITCH}/0000:03:04.0"), 5, "00.0");
        let interface = format!("enp{}s0", self.bus(5));
        tree.interface(&interface, &network);
        tree.interface(&format!("wlp{}s0", self.bus(4)), &self.below(&format!("{SWITCH}/0000:03:02.0"), 4, "00.0"));
        tree.default_route(&interface);
        tree.keyboard_and_mouse(&self.usb(), 3);
        // A virtual keyboard, as `uinput` makes them.
        tree.input("virtual/input/input9", true);
        tree.computer(Maker::Amd, "AMD Ryzen 9 3900X 12-Core Processor", 24, 64);
        tree.pci_ids();
    }

    /// Persona is set up, with cartridges for the shipped personas.
    pub(super) fn installed(&self, settings: &str) {
        self.tree.installed(settings, &["rivendale", "gondor", "mordor"]);
    }
}
