//! The mark of a cartridge whose restore has begun.

use crate::error::{Error, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// A link to the label of the snapshot.
pub(super) const RESTORING: &str = "restoring";

/// Checks that the cartridge is not between two states.
pub(super) fn ensure_restored(folder: &Path, name: &str) -> Result<()> {
    match fs::read_link(folder.join(RESTORING)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        label => {
            let label = label.unwrap_or_default().to_string_lossy().into_owned();
            Err(Error::new(format!("restoring the cartridge {name} to `{label}` was interrupted"))
                .with_code("restore-interrupted")
                .with_hint(format!("restore it again: `persona cartridge restore {name} {label}`")))
        }
    }
}
