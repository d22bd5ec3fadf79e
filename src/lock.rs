//! Files to hold an flock(2) on.

use crate::sys;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Opens a lock's file, and makes it if need be. It is its owner's alone: whoever can open it can hold it, and keep everybody waiting.
/// In a folder that others can write to, one that is somebody else's is done away with.
///
/// # Errors
/// When it can be neither opened nor made.
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() || there.uid() != sys::effective_user() => fs::remove_file(path)?,
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.clone().create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options.open(path),
        created => created,
    }
}
