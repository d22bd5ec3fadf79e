//! PCI functions as sysfs shows them (the kernel's `Documentation/ABI/testing/sysfs-bus-pci`).

use crate::tree::{Tree, name_of};

/// One PCI function. What is not said is as usual for its class.
#[derive(Debug, Clone)]
pub struct Function {
    path: String,
    id: (u16, u16),
    class: u32,
    revision: u8,
    board: (u16, u16),
    group: Option<u32>,
    driver: &'static str,
    only_driver: &'static str,
    boot_vga: bool,
    reset: &'static str,
    power: &'static str,
    d3cold: bool,
    lanes: Option<u8>,
    bars: Vec<Bar>,
}

/// A window that a function opens into the address space.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    number: usize,
    /// In bytes.
    size: u64,
    /// As `resource` shows them (the kernel's `include/linux/ioport.h`).
    flags: u64,
    /// The sizes it can have instead: bit 0 stands for 1 MiB, bit 1 for 2 MiB.
    sizes: u64,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

impl Bar {
    const IO: u64 = 0x40101;
    const NARROW: u64 = 0x40200;
    const WIDE: u64 = 0x14_0204;
    const PREFETCHABLE: u64 = 0x14_220c;
    const ROM: u64 = 0x46200;

    /// I/O ports.
    pub const fn io(number: usize, size: u64) -> Self {
        Self { number, size, flags: Self::IO, sizes: 0 }
    }

    /// Memory with a 32-bit address, in KiB.
    pub const fn narrow(number: usize, kib: u64) -> Self {
        Self { number, size: kib * KIB, flags: Self::NARROW, sizes: 0 }
    }

    /// Memory that may have a 64-bit address and is not prefetchable, in KiB.
    pub const fn wide(number: usize, kib: u64) -> Self {
        Self { number, size: kib * KIB, flags: Self::WIDE, sizes: 0 }
    }

    /// Prefetchable memory with a 64-bit address, in MiB.
    pub const fn prefetchable(number: usize, mib: u64) -> Self {
        Self { number, size: mib * MIB, flags: Self::PREFETCHABLE, sizes: 0 }
    }

    /// The expansion ROM, in KiB.
    pub const fn rom(kib: u64) -> Self {
        Self { number: 6, size: kib * KIB, flags: Self::ROM, sizes: 0 }
    }

    /// Can be resized; bit 0 of `sizes` stands for 1 MiB, bit 1 for 2 MiB and so on.
    pub const fn resizable(self, sizes: u64) -> Self {
        Self { sizes, ..self }
    }
}

impl Function {
    /// `path` is its folder below `sys/devices`, so it names the bridges above; `id` is `vendor:device`, `class` is
    /// `0xCCSSPP`. It is on, has no driver, is in no group, and its board is its maker's.
    pub fn new(path: impl Into<String>, id: &str, class: u32) -> Self {
        let id = parse_id(id);
        let (bars, reset) = usual(class);
        Self {
            path: path.into(),
            id,
            class,
            revision: 0,
            board: id,
            group: None,
            driver: "",
            only_driver: "(null)",
            boot_vga: false,
            reset,
            power: "D0",
            d3cold: true,
            // As most graphics cards; of others nobody asks.
            lanes: (class >> 16 == 0x03).then_some(16),
            bars,
        }
    }

    /// Who made the board, and what it calls it: `vendor:device`.
    pub fn board(self, id: &str) -> Self {
        Self { board: parse_id(id), ..self }
    }

    /// The chip's revision.
    pub fn revision(self, revision: u8) -> Self {
        Self { revision, ..self }
    }

    /// Its IOMMU group, if the machine has any.
    pub fn group(self, group: impl Into<Option<u32>>) -> Self {
        Self { group: group.into(), ..self }
    }

    /// The driver bound to it; empty for none.
    pub fn driver(self, driver: &'static str) -> Self {
        Self { driver, ..self }
    }

    /// As Persona's reservation leaves it: no driver has it, and only vfio-pci may.
    pub fn reserved(self) -> Self {
        Self { driver: "", only_driver: "vfio-pci", ..self }
    }

    /// The firmware's screen.
    pub fn boot_vga(self) -> Self {
        Self { boot_vga: true, ..self }
    }

    /// How it can be reset, as `reset_method` says: `flr bus`. Empty for not at all; the kernel shows no such attribute then.
    pub fn reset(self, reset: &'static str) -> Self {
        Self { reset, ..self }
    }

    /// Its power state (`D0`, `D3hot`, `D3cold`, `unknown`).
    pub fn power(self, power: &'static str) -> Self {
        Self { power, ..self }
    }

    /// It must not lose its power.
    pub fn no_d3cold(self) -> Self {
        Self { d3cold: false, ..self }
    }

    /// How many PCI Express lanes it was built for; 0 for a part of the processor.
    pub fn lanes(self, lanes: u8) -> Self {
        Self { lanes: Some(lanes).filter(|lanes| *lanes > 0), ..self }
    }

    /// Its windows, in place of the usual ones.
    pub fn bars(self, bars: &[Bar]) -> Self {
        Self { bars: bars.to_vec(), ..self }
    }

    fn is_bridge(&self) -> bool {
        self.class >> 16 == 0x06
    }

    fn config(&self, bars: &[(Bar, u64)]) -> [u8; 64] {
        let mut config = [0; 64];
        let mut put = |at: usize, bytes: &[u8]| config[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.id.0.to_le_bytes());
        put(2, &self.id.1.to_le_bytes());
        put(4, &[if self.driver.is_empty() { 0x03 } else { 0x07 }, 0x04, 0x10, 0x00]);
        put(8, &[self.revision]);
        put(9, &self.class.to_le_bytes()[..3]);
        put(12, &[0x10, 0, 0x80]);
        for (bar, start) in bars.iter().filter(|(bar, _)| bar.number < 6) {
            put(0x10 + 4 * bar.number, &(*start as u32 | (bar.flags as u32 & 0xf)).to_le_bytes());
            if bar.flags & 4 != 0 {
                put(0x14 + 4 * bar.number, &((start >> 32) as u32).to_le_bytes());
            }
        }
        put(0x2c, &self.board.0.to_le_bytes());
        put(0x2e, &self.board.1.to_le_bytes());
        put(0x34, &[0x40]);
        config
    }
}

impl Tree {
    /// Adds a PCI function to the machine. Its windows lie behind those of the functions before it: in the order of the tree,
    /// those below one bridge are together.
    pub fn add(&self, function: &Function) {
        let Function { path, id, board, group, driver, .. } = function;
        let address = name_of(path);
        let folder = format!("sys/devices/{path}");
        let file = |name: &str, text: String| self.file(&format!("{folder}/{name}"), text);
        file("vendor", format!("{:#06x}\n", id.0));
        file("device", format!("{:#06x}\n", id.1));
        file("class", format!("{:#08x}\n", function.class));
        file("power_state", format!("{}\n", function.power));
        self.link(&format!("sys/bus/pci/devices/{address}"), &folder);
        if let Some(group) = group {
            self.link(&format!("sys/kernel/iommu_groups/{group}/devices/{address}"), &folder);
            self.link(&format!("{folder}/iommu_group"), &format!("sys/kernel/iommu_groups/{group}"));
            if *driver == "vfio-pci" {
                self.file(&format!("dev/vfio/{group}"), "");
            }
        }
        if !driver.is_empty() {
            self.driver(driver);
            self.link(&format!("{folder}/driver"), &format!("sys/bus/pci/drivers/{driver}"));
        }
        if function.is_bridge() {
            return;
        }
        file("revision", format!("{:#04x}\n", function.revision));
        file("subsystem_vendor", format!("{:#06x}\n", board.0));
        file("subsystem_device", format!("{:#06x}\n", board.1));
        file("driver_override", format!("{}\n", function.only_driver));
        file("d3cold_allowed", format!("{}\n", u8::from(function.d3cold)));
        if let Some(lanes) = function.lanes {
            file("max_link_width", format!("{lanes}\n"));
        }
        if function.class >> 8 == 0x0300 {
            file("boot_vga", format!("{}\n", u8::from(function.boot_vga)));
        }
        if !function.reset.is_empty() {
            file("reset_method", format!("{}\n", function.reset));
        }
        let bars: Vec<(Bar, u64)> = function.bars.iter().map(|bar| (*bar, self.allocate(*bar))).collect();
        let line = |number| match bars.iter().find(|(bar, _)| bar.number == number) {
            Some((bar, start)) => format!("{start:#018x} {:#018x} {:#018x}\n", start + bar.size - 1, bar.flags),
            None => format!("{0:#018x} {0:#018x} {0:#018x}\n", 0),
        };
        file("resource", (0..13).map(line).collect());
        for bar in function.bars.iter().filter(|bar| bar.sizes != 0) {
            file(&format!("resource{}_resize", bar.number), format!("{:016x}\n", bar.sizes));
        }
        self.file(&format!("{folder}/config"), function.config(&bars));
    }

    /// Adds functions of one IOMMU group.
    pub fn add_group(&self, group: impl Into<Option<u32>>, functions: impl IntoIterator<Item = Function>) {
        let group = group.into();
        functions.into_iter().for_each(|function| self.add(&function.group(group)));
    }

    /// A function of which nothing else matters.
    pub fn pci(&self, path: &str, id: &str, class: u32, group: Option<u32>, driver: &'static str) {
        self.add(&Function::new(path, id, class).group(group).driver(driver));
    }

    /// A PCI driver, whether or not it has devices.
    pub fn driver(&self, driver: &str) {
        let file = format!("sys/bus/pci/drivers/{driver}/unbind");
        if !self.at(&file).exists() {
            self.file(&file, "");
        }
    }

    /// Windows are aligned to their size, I/O ports among themselves.
    fn allocate(&self, bar: Bar) -> u64 {
        if bar.flags == Bar::IO {
            return 0xe000 + bar.number as u64 * 0x100;
        }
        let free = &self.free[usize::from(bar.flags == Bar::PREFETCHABLE)];
        let size = bar.size.max(4 * KIB);
        let start = free.get().next_multiple_of(size);
        free.set(start + size);
        start
    }
}

fn parse_id(id: &str) -> (u16, u16) {
    let parsed = id.split_once(':').and_then(|(vendor, device)| {
        let hex = |digits| u16::from_str_radix(digits, 16).ok();
        Some((hex(vendor)?, hex(device)?))
    });
    assert!(parsed.is_some(), "`{id}` is no vendor:device");
    parsed.unwrap_or_default()
}

/// Windows and reset methods that are common in a class. The `bus` method is only offered for the sole function of its bus.
fn usual(class: u32) -> (Vec<Bar>, &'static str) {
    match class >> 8 {
        0x0106 => (vec![Bar::narrow(5, 2)], "flr bus"),
        0x0108 => (vec![Bar::wide(0, 16)], "flr bus"),
        0x0200 => (vec![Bar::narrow(0, 128), Bar::io(2, 32), Bar::narrow(3, 16)], "flr bus"),
        0x0280 => (vec![Bar::wide(0, 16)], "flr bus"),
        0x0300 | 0x0302 | 0x0380 => (vec![Bar::narrow(0, 16 * KIB), Bar::prefetchable(1, 256), Bar::prefetchable(3, 32)], ""),
        0x0403 => (vec![Bar::narrow(0, 16)], ""),
        0x0c03 => (vec![Bar::wide(0, 64)], "pm"),
        other if other >> 8 == 0x06 => (vec![], ""),
        _ => (vec![Bar::narrow(0, 4)], ""),
    }
}
