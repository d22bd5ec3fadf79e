//! A blank disk's first boot: from an installation image that stays in the cartridge until the disk boots by itself.
//!
//! The image is copied, so that it moves with the cartridge, legion can read it wherever the original is, and the original can be unplugged
//! or deleted. It comes after the disk in the boot order: a blank disk does not boot, an installed one does, so the installer's own reboots
//! end in the new system. Removing the file removes the image.

use super::image::Progress;
use super::parts::{INSTALL as IMAGE, install_image as image};
use super::{Cartridge, Shelf, boot, partial};
use crate::error::{Context, Error, Result};
use crate::sys::atomic;
use crate::sys::paths::Paths;
use crate::sys::syscalls;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// How much is copied at once, in bytes.
const STEP: usize = 4 << 20;

/// Copies the installation image `from` into a cartridge; as a reflink where the file system supports it.
pub(super) fn put(from: &Path, folder: &Path, progress: &mut Progress<'_>) -> Result<()> {
    let doing = || format!("copying the installation image {}", from.display());
    let source = File::open(from).context(doing)?;
    let metadata = source.metadata().context(doing)?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Err(Error::new(format!("{} is not an installation image", from.display()))
            .with_code("not-an-installation-image")
            .with_hint("name the ISO file that you downloaded"));
    }
    let mut copy = partial::new_file(&folder.join(IMAGE)).context(doing)?;
    if syscalls::clone_file(&source, &copy).is_ok() {
        return Ok(());
    }
    let mut bytes = vec![0; STEP];
    let mut done = 0;
    loop {
        match (&source).read(&mut bytes).context(doing)? {
            0 => return Ok(()),
            length => {
                copy.write_all(&bytes[..length]).context(doing)?;
                done += length;
            }
        }
        progress("copying", done as f64 / metadata.len() as f64);
    }
}

impl Cartridge {
    /// Removes the installation image if the disk boots by itself now. For `release`, after the guest has powered itself off; returns
    /// whether it did.
    ///
    /// # Errors
    /// When the disk cannot be read or the image cannot be removed.
    pub fn end_installation(&self, paths: &Paths) -> Result<bool> {
        let Some(image) = &self.install else { return Ok(false) };
        let is_installed = boot::is_installed(&self.disk.start(&self.disk_path(paths), boot::START)?);
        if is_installed {
            atomic::remove(&paths.at(image))?;
        }
        Ok(is_installed)
    }
}

impl Shelf<'_> {
    /// Removes the installation image of the cartridge `name`; returns whether there was one.
    ///
    /// # Errors
    /// When there is no such cartridge, or legion runs from it.
    pub fn installed(&self, name: &str) -> Result<bool> {
        let _taken = self.take(name)?;
        let folder = self.place(name);
        let image = image(&folder);
        image.map_or(Ok(()), |image| atomic::remove(&folder.join(image)))?;
        Ok(image.is_some())
    }
}
