//! Names of PCI devices, from the distribution's `pci.ids` (package hwdata).

use super::machine::Machine;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::PciId;
use std::collections::BTreeMap;

/// Words of a vendor's full name at which the short name ends.
const FORMAL: [&str; 11] =
    ["corporation", "corp", "inc", "co", "ltd", "limited", "electronics", "semiconductor", "technology", "technologies", "computer"];

/// Words that the device class expresses better.
const GENERIC: [&str; 14] = [
    "Ethernet Controller",
    "Ethernet Connection",
    "PCI Express Gigabit Ethernet Controller",
    "Gigabit Network Connection",
    "NVMe SSD Controller",
    "NVMe Storage Controller",
    "HD Audio Controller",
    "High Definition Audio Controller",
    "USB 3.0 Host Controller",
    "USB 3.1 Host Controller",
    "USB 3.1 xHCI Host Controller",
    "USB 3.1 xHCI Controller",
    "USB 3.2 Gen 2x2 XHCI Controller",
    "SATA Controller",
];

/// Larger ones are no list of names: hwdata's has 1.5 MiB.
const MAX_LIST: u64 = 8 << 20;

impl Machine {
    /// Sets the names of the functions. Without a known name, class and address are used.
    pub fn name_functions(&mut self, paths: &Paths) {
        let Some(list) = paths.pci_ids().iter().find_map(|path| file::read(path, MAX_LIST).ok()) else { return };
        let list = String::from_utf8_lossy(&list);
        let names = Names::of(&list, self.functions.values().map(|function| function.id));
        for function in self.functions.values_mut() {
            function.name = names.of_device(function.id);
        }
    }
}

/// Names of makers and models, as the list has them.
#[derive(Debug, Default)]
struct Names<'a> {
    makers: BTreeMap<u16, &'a str>,
    models: BTreeMap<PciId, &'a str>,
}

impl<'a> Names<'a> {
    /// The names of these devices. A vendor is a line such as `10de  NVIDIA Corporation`, a device of it one with a tab before it; other
    /// lines (subsystems with two tabs, classes that begin with `C`, comments) have no names of devices.
    fn of(list: &'a str, wanted: impl Iterator<Item = PciId>) -> Self {
        let wanted: Vec<PciId> = wanted.collect();
        let mut names = Self::default();
        let mut maker = None;
        for line in list.lines() {
            let (is_device, entry) = line.strip_prefix('\t').map_or((false, line), |entry| (true, entry));
            let number =
                entry.get(..4).filter(|_| entry.as_bytes().get(4) == Some(&b' ')).and_then(|digits| u16::from_str_radix(digits, 16).ok());
            let name = entry.get(5..).unwrap_or_default().trim();
            match (is_device, number) {
                (false, Some(vendor)) => {
                    maker = wanted.iter().any(|id| id.vendor == vendor).then_some(vendor);
                    if maker.is_some() {
                        names.makers.insert(vendor, name);
                    }
                }
                // Such as `C 03  Display controller`, with subclasses below it.
                (false, None) if !line.is_empty() && !line.starts_with('#') => maker = None,
                (true, Some(device)) => {
                    let id = maker.map(|vendor| PciId { vendor, device });
                    if let Some(id) = id.filter(|id| wanted.contains(id)) {
                        names.models.insert(id, name);
                    }
                }
                _ => {}
            }
        }
        names
    }

    /// Such as `NVIDIA GeForce RTX 2070 SUPER`.
    fn of_device(&self, id: PciId) -> Option<String> {
        let vendor = self.makers.get(&id.vendor)?;
        let device = self.models.get(&id).map(|device| model(device)).unwrap_or_default();
        Some(format!("{} {device}", maker(vendor)).trim().to_owned())
    }
}

/// A name in brackets at the end is the common one: `TU104 [GeForce RTX 2070 SUPER]`.
fn nickname(name: &str) -> Option<&str> {
    let (_, nickname) = name.strip_suffix(']')?.rsplit_once('[')?;
    // Lists of all products that share a chip: `AMD/ATI`, `Radeon RX 460/560D / Pro 450/455`.
    Some(nickname.split(" / ").next().unwrap_or(nickname).trim())
}

fn maker(name: &str) -> String {
    if let Some(nickname) = nickname(name) {
        return nickname.split('/').next().unwrap_or(nickname).to_owned();
    }
    let is_formal = |word: &&str| FORMAL.contains(&word.trim_end_matches(['.', ',']).to_lowercase().as_str());
    let words: Vec<&str> = name.split_whitespace().take_while(|word| !is_formal(word)).collect();
    if words.is_empty() { name.to_owned() } else { words.join(" ").trim_end_matches(',').to_owned() }
}

fn model(name: &str) -> String {
    let name = nickname(name).unwrap_or(name);
    let generic = GENERIC.iter().filter(|phrase| name.contains(**phrase)).max_by_key(|phrase| phrase.len());
    let name = generic.map_or_else(|| name.to_owned(), |phrase| name.replacen(phrase, "", 1));
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PCI_IDS: &str = "# A comment\n\
        1002  Advanced Micro Devices, Inc. [AMD/ATI]\n\
        \t67ef  Baffin [Radeon RX 460/560D / Pro 450/455/460/555/555X/560/560X]\n\
        1022  Advanced Micro Devices, Inc. [AMD]\n\
        \t149c  Matisse USB 3.0 Host Controller\n\
        10de  NVIDIA Corporation\n\
        \t1e84  TU104 [GeForce RTX 2070 SUPER]\n\
        \t\t1462 c726  a board\n\
        10ec  Realtek Semiconductor Co., Ltd.\n\
        \t8168  RTL8111/8168/8211/8411 PCI Express Gigabit Ethernet Controller\n\
        8086  Intel Corporation\n\
        \t15f3  Ethernet Controller I225-V\n\
        C 03  Display controller\n\
        \t00  VGA compatible controller\n";

    #[test]
    fn devices_are_called_as_people_call_them() {
        for (id, expected) in [
            ("1002:67ef", Some("AMD Radeon RX 460/560D")),
            ("1022:149c", Some("AMD Matisse")),
            ("10de:1e84", Some("NVIDIA GeForce RTX 2070 SUPER")),
            ("10de:ffff", Some("NVIDIA")),
            ("10ec:8168", Some("Realtek RTL8111/8168/8211/8411")),
            ("8086:15f3", Some("Intel I225-V")),
            ("1af4:1050", None),
        ] {
            let id = id.parse().unwrap();
            assert_eq!(Names::of(PCI_IDS, std::iter::once(id)).of_device(id).as_deref(), expected, "{id}");
        }
        assert_eq!(maker("Inc."), "Inc.");
        assert_eq!(maker("Red Hat, Inc."), "Red Hat");
    }

    proptest::proptest! {
        /// Whatever the list holds, it is read.
        #[test]
        fn any_list_is_read(list in "([0-9a-f]{0,5}| |\t|C|#|\n|\u{e9}){0,60}") {
            let id = "10de:1e84".parse().unwrap();
            Names::of(&list, std::iter::once(id)).of_device(id);
        }
    }
}
