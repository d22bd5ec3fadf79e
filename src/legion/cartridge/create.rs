//! New cartridges.

use super::boot::FirmwareKind;
use super::image::{self, Progress};
use super::{DiskKind, DiskSize, NVRAM, Shelf, TPM, install, partial};
use crate::error::{Context, Error, Result};
use crate::legion::firmware::{NVRAM_2M, NVRAM_4M};
use crate::paths::Paths;
use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where distributions put the variables that fresh ones are copied from: without Secure Boot, and with its keys enrolled.
const TEMPLATES: [[&str; 5]; 2] = [
    [
        // Arch, now and before 2024; Debian and Ubuntu; Fedora.
        "/usr/share/edk2/x64/OVMF_VARS.4m.fd",
        "/usr/share/edk2-ovmf/x64/OVMF_VARS.4m.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.fd",
        "/usr/share/edk2/ovmf/OVMF_VARS.fd",
        "/usr/share/OVMF/OVMF_VARS.fd",
    ],
    [
        "/usr/share/edk2/x64/OVMF_VARS.4m.fd",
        "/usr/share/edk2-ovmf/x64/OVMF_VARS.4m.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
        "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd",
        "/usr/share/OVMF/OVMF_VARS.ms.fd",
    ],
];

/// A cartridge to be made with a blank disk.
#[derive(Debug, Clone)]
pub struct Blank {
    /// The disk's size.
    pub size: DiskSize,
    /// An image file's format.
    pub format: DiskKind,
    /// What starts the guest.
    pub firmware: FirmwareKind,
    /// The installation image that boots first, as the machine names it.
    pub install: Option<PathBuf>,
}

impl Shelf<'_> {
    /// Makes the cartridge `name` with a blank disk. It is there when it is whole.
    ///
    /// # Errors
    /// When there is one already, or something of it cannot be made; nothing is left then.
    pub fn create(&self, name: &str, blank: &Blank, progress: &mut Progress<'_>) -> Result<()> {
        let partial = self.begin(name)?;
        image::create(&partial.folder.join(blank.format.file_name()), blank.format.driver(), blank.size.0)?;
        self.fit_out(name, &partial.folder, blank.firmware)?;
        if let Some(iso) = &blank.install {
            install::put(&self.paths.at(iso), &partial.folder, progress)?;
        }
        close(&partial.folder.join(blank.format.file_name()))?;
        partial.finish()
    }

    /// Gives a cartridge in the making what it needs beside its disk.
    pub(super) fn fit_out(&self, name: &str, folder: &Path, firmware: FirmwareKind) -> Result<()> {
        let is_for_windows = self.is_for_windows(name);
        if firmware == FirmwareKind::Uefi {
            let template = template(self.paths, is_for_windows)?;
            copy(&self.paths.at(template), &folder.join(NVRAM))?;
        }
        if is_for_windows {
            let tpm = folder.join(TPM);
            DirBuilder::new().mode(0o700).create(&tpm).doing(|| format!("making the folder {}", tpm.display()))?;
        }
        Ok(())
    }
}

/// Copies a small file into a new one that only root may use.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let attempt = || partial::new_file(to)?.write_all(&fs::read(from)?);
    attempt().doing(|| format!("copying {} to {}", from.display(), to.display()))
}

/// Keeps a file that another program has made from everybody but root.
pub(super) fn close(path: &Path) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(path, mode).doing(|| format!("keeping {} from others", path.display()))
}

/// The distribution's fresh variables.
fn template(paths: &Paths, secure_boot: bool) -> Result<PathBuf> {
    let is_one = |place: &&&str| fs::metadata(paths.at(place)).is_ok_and(|file| [NVRAM_2M, NVRAM_4M].contains(&file.len()));
    TEMPLATES[usize::from(secure_boot)].iter().find(is_one).map(PathBuf::from).ok_or_else(|| {
        Error::new("there is no UEFI firmware (OVMF) to take fresh variables from")
            .mend("install the package edk2-ovmf (Arch, Fedora) or ovmf (Debian, Ubuntu), or boot by legacy BIOS: --firmware bios")
    })
}
