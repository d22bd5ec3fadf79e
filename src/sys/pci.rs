//! PCI addresses and identities, as settings and sysfs write them.

use std::fmt;
use std::str::FromStr;

/// A PCI function's address: `domain:bus:device.function`, all hexadecimal (`0000:0a:00.0`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// PCI segment, `0000` on nearly every PC.
    pub domain: u16,
    /// Bus number.
    pub bus: u8,
    /// Device (slot) number, 0 to 31.
    pub device: u8,
    /// Function number, 0 to 7.
    pub function: u8,
}

impl PciAddress {
    /// Whether both are functions of one slot, that is of one physical device.
    pub fn same_slot(self, other: Self) -> bool {
        (self.domain, self.bus, self.device) == (other.domain, other.bus, other.device)
    }

    /// The number of its slot on its bus.
    pub fn device(self) -> u8 {
        self.device
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

impl serde::Serialize for PciAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PciAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for PciAddress {
    type Err = String;

    /// Reads `0000:0a:00.0`, and `0a:00.0` as lspci prints it.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a PCI address such as 0000:0a:00.0");
        let hex = |digits: &str, most: usize| match digits.len() {
            1.. if digits.len() <= most && digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u16::from_str_radix(digits, 16).map_err(|_| wrong())
            }
            _ => Err(wrong()),
        };
        let (rest, function) = text.rsplit_once('.').ok_or_else(wrong)?;
        let mut parts = rest.split(':').rev();
        let device = hex(parts.next().ok_or_else(wrong)?, 2)?;
        let bus = hex(parts.next().ok_or_else(wrong)?, 2)?;
        let domain = parts.next().map_or(Ok(0), |digits| hex(digits, 4))?;
        let function = hex(function, 1)?;
        if parts.next().is_some() || device > 0x1f || function > 7 {
            return Err(wrong());
        }
        // The digit counts and the checks above keep every part in its range.
        Ok(Self { domain, bus: bus as u8, device: device as u8, function: function as u8 })
    }
}

/// What a device says it is: `vendor:device`, four hexadecimal digits each (`10de:1e84`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciId {
    /// Vendor ID, given out by the PCI-SIG.
    pub vendor: u16,
    /// Device ID, given out by the vendor.
    pub device: u16,
}

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.device)
    }
}

impl FromStr for PciId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a PCI identity such as 10de:1e84");
        let (vendor, device) = text.split_once(':').ok_or_else(wrong)?;
        let hex = |digits: &str| match digits.len() {
            4 if digits.bytes().all(|b| b.is_ascii_hexdigit()) => u16::from_str_radix(digits, 16).map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        Ok(Self { vendor: hex(vendor)?, device: hex(device)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print_alike() {
        for (text, canonical) in [("0000:0a:00.0", "0000:0a:00.0"), ("0c:00.3", "0000:0c:00.3"), ("1:1f.7", "0000:01:1f.7")] {
            assert_eq!(text.parse::<PciAddress>().map(|a| a.to_string()), Ok(canonical.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "0a:00", "0a:20.0", "0a:00.8", "0:0:0a:00.0", "zz:00.0", "+a:00.0", "00000:0a:00.0", "0a:00.00", "ä:00.0"] {
            assert!(text.parse::<PciAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn identities_are_two_times_four_digits() {
        assert_eq!("10DE:1e84".parse::<PciId>().map(|id| id.to_string()), Ok("10de:1e84".to_owned()));
        for text in ["10de", "10de:1e8", "10de:+e84", "10de:1e84:1"] {
            assert!(text.parse::<PciId>().is_err(), "{text}");
        }
    }
}
