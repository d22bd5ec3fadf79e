//! UEFI firmware for the guest: the code image that belongs to a cartridge's variables.

use super::cartridge::QCOW2_MAGIC;
use crate::error::{Error, Result};
use crate::paths::Paths;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The size of the variables of OVMF's 4 MiB build, in bytes (528 KiB).
pub const NVRAM_4M: u64 = 540_672;
/// The size of the variables of OVMF's 2 MiB build, in bytes (128 KiB).
pub const NVRAM_2M: u64 = 131_072;

/// Where distributions put OVMF without Secure Boot. The sizes, not the names, say which build it is.
const PLACES: [&str; 8] = [
    // Arch: edk2-ovmf, now and before 2024.
    "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
    "/usr/share/edk2-ovmf/x64/OVMF_CODE.4m.fd",
    "/usr/share/edk2-ovmf/x64/OVMF_CODE.fd",
    // Debian and Ubuntu: ovmf.
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/OVMF/OVMF_CODE.fd",
    // Fedora: edk2-ovmf.
    "/usr/share/edk2/ovmf/OVMF_CODE_4M.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2",
    "/usr/share/edk2/ovmf/OVMF_CODE.fd",
];

/// A firmware code image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// The file, as the machine names it (not below `--root`).
    pub code: PathBuf,
    /// How it is stored.
    pub format: ImageFormat,
}

/// How an image file stores its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// As they are.
    Raw,
    /// QEMU's own.
    Qcow2,
}

impl ImageFormat {
    /// QEMU's name for it.
    pub fn driver(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

impl Firmware {
    /// Finds the code image for variables of `nvram` bytes: code and variables together fill the flash of one build.
    ///
    /// # Errors
    /// When none of the usual places holds it. There is no falling back to legacy BIOS, whose boot loaders are others.
    pub fn find(paths: &Paths, nvram: u64) -> Result<Self> {
        let (flash, build) = if nvram == NVRAM_2M { (2 << 20, "2 MiB") } else { (4 << 20, "4 MiB") };
        PLACES
            .iter()
            .find_map(|place| {
                let (size, format) = measure(&paths.at(place))?;
                (size.checked_add(nvram) == Some(flash)).then(|| Self { code: place.into(), format })
            })
            .ok_or_else(|| {
                Error::new(format!("the cartridge boots by UEFI, but there is no firmware (OVMF, the {build} build) for it"))
                    .mend("install the package edk2-ovmf (Arch, Fedora) or ovmf (Debian, Ubuntu); if it has no such build, make nvram.fd anew from its OVMF_VARS")
            })
    }
}

/// The size of the flash contents in bytes and how they are stored; `None` for what is no readable image.
fn measure(path: &Path) -> Option<(u64, ImageFormat)> {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut header = Vec::new();
    file.take(32).read_to_end(&mut header).ok()?;
    if !header.starts_with(QCOW2_MAGIC) {
        return Some((length, ImageFormat::Raw));
    }
    // A qcow2 header holds the virtual size at byte 24, big-endian.
    let size = header.get(24..32)?.try_into().ok()?;
    Some((u64::from_be_bytes(size), ImageFormat::Qcow2))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn machine(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        for (file, contents) in files {
            fs::create_dir_all(paths.at(file).parent().unwrap()).unwrap();
            fs::write(paths.at(file), contents).unwrap();
        }
        (root, paths)
    }

    #[test]
    fn the_code_matches_the_variables() {
        let (_root, paths) =
            machine(&[("/usr/share/OVMF/OVMF_CODE_4M.fd", &vec![0; 3_653_632]), ("/usr/share/OVMF/OVMF_CODE.fd", &vec![0; 1_966_080])]);
        assert_eq!(Firmware::find(&paths, NVRAM_4M).unwrap().code, Path::new("/usr/share/OVMF/OVMF_CODE_4M.fd"));
        assert_eq!(Firmware::find(&paths, NVRAM_2M).unwrap().code, Path::new("/usr/share/OVMF/OVMF_CODE.fd"));
    }

    #[test]
    fn fedoras_qcow2_is_measured_inside() {
        let mut image = b"QFI\xfb".to_vec();
        image.resize(24, 0);
        image.extend(3_653_632_u64.to_be_bytes());
        let (_root, paths) = machine(&[("/usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2", &image)]);
        assert_eq!(Firmware::find(&paths, NVRAM_4M).unwrap().format, ImageFormat::Qcow2);
    }

    #[test]
    fn no_firmware_names_the_package() {
        let (_root, paths) = machine(&[("/usr/share/OVMF/OVMF_CODE.fd", &vec![0; 1_966_080])]);
        let message = Firmware::find(&paths, NVRAM_4M).unwrap_err().to_string();
        assert!(message.contains("4 MiB build") && message.contains("edk2-ovmf"), "{message}");
    }
}
