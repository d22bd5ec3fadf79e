//! Names of PCI devices, from the distribution's `pci.ids` (package hwdata).

use super::machine::Machine;
use crate::sys::paths::Paths;
use crate::sys::pci::PciId;
use pciid_parser::Database;

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

impl Machine {
    /// Sets the names of the functions. Without a known name, class and address are used.
    pub fn name_functions(&mut self, paths: &Paths) {
        let Some(names) = paths.pci_ids().iter().find_map(|file| Database::read_from_file(file).ok()) else { return };
        for function in self.functions.values_mut() {
            function.name = name(&names, function.id);
        }
    }
}

/// Such as `NVIDIA GeForce RTX 2070 SUPER`.
fn name(names: &Database, id: PciId) -> Option<String> {
    let vendor = names.vendors.get(&id.vendor)?;
    let device = vendor.devices.get(&id.device).map(|device| model(&device.name)).unwrap_or_default();
    Some(format!("{} {device}", maker(&vendor.name)).trim().to_owned())
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
        let names = Database::parse_db(PCI_IDS.as_bytes()).unwrap();
        for (id, expected) in [
            ("1002:67ef", Some("AMD Radeon RX 460/560D")),
            ("1022:149c", Some("AMD Matisse")),
            ("10de:1e84", Some("NVIDIA GeForce RTX 2070 SUPER")),
            ("10de:ffff", Some("NVIDIA")),
            ("10ec:8168", Some("Realtek RTL8111/8168/8211/8411")),
            ("8086:15f3", Some("Intel I225-V")),
            ("1af4:1050", None),
        ] {
            assert_eq!(name(&names, id.parse().unwrap()).as_deref(), expected, "{id}");
        }
        assert_eq!(maker("Inc."), "Inc.");
        assert_eq!(maker("Red Hat, Inc."), "Red Hat");
    }
}
