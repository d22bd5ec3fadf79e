//! Further properties of a function: how it can be reset, its power state, which of its BARs can grow.

use super::read::first_line;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::path::Path;

/// Facts about one function, read on demand (Documentation/ABI/testing/sysfs-bus-pci).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The reset methods, in the order the kernel tries them: `flr`, `bus`, `pm` and others. `None` if the kernel has no such attribute:
    /// there is no method, or Linux is older than 5.15.
    pub reset_methods: Option<Vec<String>>,
    /// Its power state: `D0`, `D3hot`, `D3cold`, `unknown`. `None` before Linux 5.12.
    pub power_state: Option<String>,
    /// Whether D3cold is allowed.
    pub d3cold_allowed: Option<bool>,
    /// The maximum PCI Express link width, in lanes.
    pub link_width: Option<u8>,
    /// The largest memory BAR that it has or could have, in bytes.
    pub memory_window: u64,
    /// Its resizable BARs.
    pub resizable_bars: Vec<ResizableBar>,
}

/// A base address register whose size can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResizableBar {
    /// Its number, 0 to 5.
    pub number: u8,
    /// Its current size, in bytes.
    pub size: u64,
    /// The largest size that the device supports, in bytes.
    pub largest: u64,
}

impl Details {
    /// Reads the available facts; missing ones are left out.
    pub fn read(paths: &Paths, address: PciAddress) -> Self {
        let folder = paths.pci_device(address);
        let resizable_bars: Vec<ResizableBar> = resizable_bars(&folder).collect();
        let reset = folder.join("reset_method");
        Self {
            // An empty file is also an answer: there is no method.
            reset_methods: file::read_text(&reset).ok().map(|text| text.split_whitespace().map(str::to_owned).collect()),
            power_state: first_line(&folder.join("power_state")),
            d3cold_allowed: first_line(&folder.join("d3cold_allowed")).map(|text| text == "1"),
            link_width: first_line(&folder.join("max_link_width")).and_then(|text| text.parse().ok()),
            memory_window: regions(&folder).map(|(_, size)| size).chain(resizable_bars.iter().map(|bar| bar.largest)).max().unwrap_or(0),
            resizable_bars,
        }
    }
}

/// The function's own memory regions: number and size in bytes. `resource` has a line for each: first, last, flags.
fn regions(folder: &Path) -> impl Iterator<Item = (u8, u64)> + use<> {
    let resources = file::read_text(folder.join("resource")).unwrap_or_default();
    let lines: Vec<String> = resources.lines().map(str::to_owned).collect();
    lines.into_iter().zip(0..6).filter_map(|(line, number)| {
        let mut words = line.split_whitespace().map(hex);
        let (first, last) = (words.next()??, words.next()??);
        Some((number, last.checked_sub(first)?.checked_add(1)?)).filter(|_| last > 0)
    })
}

fn resizable_bars(folder: &Path) -> impl Iterator<Item = ResizableBar> {
    regions(folder).filter_map(|(number, size)| {
        // A bit map of sizes: bit 0 is 1 MiB, bit 1 is 2 MiB, and so on.
        let sizes = hex(&first_line(&folder.join(format!("resource{number}_resize")))?)?;
        let largest = 1 << 20_u32.checked_add(sizes.checked_ilog2()?).filter(|shift| *shift < u64::BITS)?;
        Some(ResizableBar { number, size, largest })
    })
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn details(files: &[(&str, &str)]) -> Details {
        let root = tempfile::tempdir().unwrap();
        let (paths, address) = (Paths::new(root.path(), None), "0000:0a:00.0".parse().unwrap());
        fs::create_dir_all(paths.pci_device(address)).unwrap();
        for (file, text) in files {
            fs::write(paths.pci_device(address).join(file), text).unwrap();
        }
        Details::read(&paths, address)
    }

    #[test]
    fn no_way_to_reset_is_told_from_no_answer() {
        assert_eq!(details(&[]), Details::default());
        assert_eq!(details(&[("reset_method", "\n")]).reset_methods, Some(vec![]));
        assert_eq!(details(&[("reset_method", "flr bus\n")]).reset_methods, Some(vec!["flr".into(), "bus".into()]));
    }

    #[test]
    fn a_bar_that_could_be_larger() {
        let resource = "0x00000000fb000000 0x00000000fbffffff 0x0000000000040200\n\
            0x0000007fe0000000 0x0000007fefffffff 0x000000000014220c\n";
        let found = details(&[("resource", resource), ("resource1_resize", "0000000000003fc0\n"), ("resource0_resize", "0\n")]);
        assert_eq!(found.resizable_bars, [ResizableBar { number: 1, size: 256 << 20, largest: 8 << 30 }]);
        for nonsense in ["x", "", "ffffffffffffffff"] {
            assert_eq!(details(&[("resource", resource), ("resource1_resize", nonsense)]).resizable_bars, []);
        }
    }
}
