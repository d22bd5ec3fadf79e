//! How many address bits a guest with devices may use. QEMU places devices' memory below the end of the guest's addresses, which are the
//! processor's; an IOMMU with fewer bits cannot map the upper ones, and QEMU ends (`VFIO_MAP_DMA failed: Invalid argument`).

use crate::error::{Error, Result};
use crate::passthrough::Warning;
use crate::sys::file;
use crate::sys::paths::Paths;
use std::fs;

/// What QEMU puts below 4 GiB that is no memory, at most, in MiB.
const HOLE: u64 = 2048;
/// What it keeps free for devices above the memory, in MiB.
const WINDOW: u64 = 32 << 10;

/// The number of address bits of the guest, if the IOMMU has fewer than the processor; for a guest with so much memory.
///
/// # Errors
/// When the memory itself does not fit.
pub(super) fn limit(paths: &Paths, mebibytes: u64) -> Result<Option<u32>> {
    let processor = processor_bits(&file::read_text(paths.cpu_info()).unwrap_or_default());
    let widths = iommu_bits(paths);
    let (Some(processor), Some(narrowest), Some(widest)) = (processor, widths.iter().min(), widths.iter().max()) else { return Ok(None) };
    // The processor's own graphics often has an IOMMU of its own. Which one a device is behind does not matter for a limit.
    let space = |bits: u32| 1_u64.checked_shl(bits.saturating_sub(20)).unwrap_or(u64::MAX);
    if mebibytes.saturating_add(HOLE) > space(*widest) {
        let reason = format!(
            "the settings give legion {mebibytes} MiB of memory, and the IOMMU reaches addresses of {widest} bits: {} MiB",
            space(*widest)
        );
        return Err(Error::new(reason).with_code("memory-above-iommu").with_hint("write less as `memory` in the settings"));
    }
    // With a limit that the memory does not fit in, QEMU would not start; the device may be behind the wide one.
    Ok(Some(*narrowest).filter(|bits| *bits < processor && mebibytes.saturating_add(HOLE + WINDOW) <= space(*bits)))
}

/// What the owner is told about it.
pub(super) fn note(bits: u32) -> Warning {
    Warning {
        code: "address-width-limited",
        address: None,
        what: format!("legion has addresses of {bits} bits: the IOMMU reaches no further, although the processor does"),
        hint: None,
    }
}

/// `address sizes : 46 bits physical, 48 bits virtual` in `/proc/cpuinfo`.
fn processor_bits(info: &str) -> Option<u32> {
    let line = info.lines().find_map(|line| line.strip_prefix("address sizes"))?;
    line.trim_start_matches([' ', '\t', ':']).split(' ').next()?.parse().ok()
}

/// The widths of Intel's IOMMUs: their capability register has the maximum guest address width, minus one, in bits 16 to
/// 21 (VT-d specification, 11.4.2; Documentation/ABI/testing/sysfs-class-iommu-intel-iommu).
fn iommu_bits(paths: &Paths) -> Vec<u32> {
    let units = fs::read_dir(paths.iommus()).into_iter().flatten().flatten();
    let capabilities = units.filter_map(|unit| file::read_text(unit.path().join("intel-iommu/cap")).ok());
    let width = |text: String| Some((u64::from_str_radix(text.trim(), 16).ok()? >> 16 & 0x3f) as u32 + 1);
    // No register is all zeros.
    capabilities.filter_map(width).filter(|bits| *bits > 1).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The limit with these registers, and a processor with so many bits.
    fn limited(registers: &[&str], processor: &str, mebibytes: u64) -> std::result::Result<Option<u32>, Option<&'static str>> {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        for (number, register) in registers.iter().enumerate() {
            let folder = paths.iommus().join(format!("dmar{number}/intel-iommu"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("cap"), format!("{register}\n")).unwrap();
        }
        fs::create_dir_all(paths.cpu_info().parent().unwrap()).unwrap();
        fs::write(paths.cpu_info(), format!("processor\t: 0\naddress sizes\t: {processor}, 48 bits virtual\n")).unwrap();
        limit(&paths, mebibytes).map_err(|error| error.code())
    }

    #[test]
    fn narrower_iommu_limits_the_guest() {
        const BITS_39: &str = "1c0000c40660462";
        const BITS_48: &str = "d2008c40ef0462";
        const WIDE: &str = "46 bits physical";
        assert_eq!(limited(&[BITS_39], WIDE, 16384), Ok(Some(39)));
        assert_eq!(limited(&[BITS_48, BITS_39], WIDE, 16384), Ok(Some(39)), "the narrowest counts");
        assert_eq!(limited(&[BITS_39], "39 bits physical", 16384), Ok(None));
        assert_eq!(limited(&[BITS_39], WIDE, 600 << 10), Err(Some("memory-above-iommu")));
        assert_eq!(limited(&[BITS_48, BITS_39], WIDE, 600 << 10), Ok(None), "the device may be behind the wide one");
        for (registers, processor) in [(&[BITS_48][..], WIDE), (&[], WIDE), (&["x"], WIDE), (&["0"], WIDE), (&[BITS_39], "?")] {
            assert_eq!(limited(registers, processor, 16384), Ok(None), "{registers:?} {processor}");
        }
    }
}
