//! Sizes of disks, as people write and read them.

use std::fmt;
use std::str::FromStr;

const MEBI: u64 = 1 << 20;
/// The factors of 1024 above bytes, by their letter.
const UNITS: [char; 4] = ['K', 'M', 'G', 'T'];

/// The size of a disk in bytes: written `200G`, shown as `200 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSize(pub u64);

impl FromStr for DiskSize {
    type Err = String;

    /// Reads `512M`, `200G`, `200GiB` and `2T`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size such as 200G, from 1M to 64T");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(digits);
        let factor = match unit {
            "M" | "MiB" => MEBI,
            "G" | "GiB" => MEBI << 10,
            "T" | "TiB" => MEBI << 20,
            _ => return Err(wrong()),
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)?;
        if (MEBI..=MEBI << 26).contains(&bytes) { Ok(Self(bytes)) } else { Err(wrong()) }
    }
}

impl fmt::Display for DiskSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(power) = (1..=UNITS.len()).rev().find(|power| self.0 >= 1 << (10 * power)) else {
            return write!(f, "{} B", self.0);
        };
        // In tenths, rounded; whole numbers without a point.
        let unit = 1_u64 << (10 * power);
        let tenths = (u128::from(self.0) * 10 + u128::from(unit / 2)) / u128::from(unit);
        match tenths % 10 {
            0 => write!(f, "{} {}iB", tenths / 10, UNITS[power - 1]),
            tenth => write!(f, "{}.{tenth} {}iB", tenths / 10, UNITS[power - 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let bytes = |text: &str| text.parse::<DiskSize>().map(|size| size.0).ok();
        assert_eq!(bytes("200G"), Some(200 << 30));
        assert_eq!((bytes("1M"), bytes("2TiB"), bytes("64T")), (Some(1 << 20), Some(2 << 40), Some(64 << 40)));
        for wrong in ["", "0G", "200", "G", "-1G", "1.5G", "65T", "200 G", "99999999999999999999T", "200g"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_shown_with_one_figure_behind_the_point() {
        let shown: Vec<_> = [0, 1023, 4 << 20, 200 << 30, 46_170_898_432, u64::MAX].map(|bytes| DiskSize(bytes).to_string()).into();
        assert_eq!(shown, ["0 B", "1023 B", "4 MiB", "200 GiB", "43 GiB", "16777216 TiB"]);
    }
}
