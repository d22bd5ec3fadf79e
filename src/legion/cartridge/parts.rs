//! The files of a cartridge, by their names.

use std::fs;
use std::path::Path;

/// UEFI variables.
pub(super) const NVRAM: &str = "nvram.fd";
/// The TPM's state.
pub(super) const TPM: &str = "tpm";
/// The modification time of this file is the time of the last run.
pub(super) const LAST_RUN: &str = "last-run";

/// The image that a blank disk is installed from.
pub(super) const INSTALL: &str = "install.iso";

/// The installation image's name in this cartridge, if it has one.
pub(super) fn install_image(folder: &Path) -> Option<&'static str> {
    fs::symlink_metadata(folder.join(INSTALL)).is_ok_and(|metadata| metadata.is_file()).then_some(INSTALL)
}

/// The entries of a folder, sorted by name; empty if it cannot be read.
pub(super) fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}
