//! Creates cartridges.

use super::boot::FirmwareKind;
use super::image::{self, Progress};
use super::parts::{NVRAM, TPM};
use super::{DiskKind, DiskSize, Shelf, install, partial};
use crate::error::{Context, Result};
use crate::legion::cartridge::firmware::{Firmware, ImageFormat, Template};
use crate::sys::file;
use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A cartridge to be created with a blank disk.
#[derive(Debug, Clone)]
pub struct Blank {
    /// The disk's size.
    pub size: DiskSize,
    /// The format of the image file.
    pub format: DiskKind,
    /// What starts the guest.
    pub firmware: FirmwareKind,
    /// The installation image that boots first, as a path on the machine (not below `--root`).
    pub install: Option<PathBuf>,
}

impl Shelf<'_> {
    /// Creates the cartridge `name` with a blank disk. It appears only when it is complete.
    ///
    /// # Errors
    /// When it exists already, or a part of it cannot be created; nothing is left behind then.
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

    /// Adds what a new cartridge needs besides its disk.
    pub(super) fn fit_out(&self, name: &str, folder: &Path, firmware: FirmwareKind) -> Result<()> {
        if firmware == FirmwareKind::Uefi {
            let Template { variables, format, .. } = Firmware::template(self.paths, self.wants(name, |legion| legion.secure_boot))?;
            let (from, to) = (self.paths.at(variables), folder.join(NVRAM));
            match format {
                ImageFormat::Raw => copy(&from, &to)?,
                ImageFormat::Qcow2 => image::flatten(&from, &to)?,
            }
            close(&to)?;
        }
        if self.wants(name, |legion| legion.tpm) {
            let tpm = folder.join(TPM);
            DirBuilder::new().mode(0o700).create(&tpm).context(|| format!("creating the folder {}", tpm.display()))?;
        }
        Ok(())
    }
}

/// Larger ones are no variables of a firmware, in bytes.
const MAX_FIRMWARE: u64 = 64 << 20;

/// Copies a small file into a new one that only root may access.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let attempt = || partial::new_file(to)?.write_all(&file::read(from, MAX_FIRMWARE)?);
    attempt().context(|| format!("copying {} to {}", from.display(), to.display()))
}

/// Makes a file that another program created accessible to root only.
pub(super) fn close(path: &Path) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(path, mode).context(|| format!("making {} accessible to root only", path.display()))
}
