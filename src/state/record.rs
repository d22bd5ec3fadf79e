//! Small TOML files, each a record that is read and written as a whole.

use crate::config::document;
use crate::error::{Context, Result};
use crate::sys::atomic::write;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Writes a record as TOML, and creates the folder if needed.
///
/// # Errors
/// When the folder cannot be made or written to.
pub(crate) fn write_toml(path: &Path, record: &impl Serialize) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).context(|| format!("creating the folder {}", folder.display()))?;
    }
    write(path, document::write(record)?.as_bytes())
}

/// Reads a record from TOML; `None` when there is no such file.
///
/// # Errors
/// When the file cannot be read or understood.
pub(crate) fn read_toml<R: DeserializeOwned>(path: &Path) -> Result<Option<R>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => {
            let text = text.context(|| format!("reading {}", path.display()))?;
            document::read(&text, &path.display().to_string()).map(Some)
        }
    }
}
