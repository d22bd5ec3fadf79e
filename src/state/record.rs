//! Small TOML files, each a record that is read and written as a whole.

use crate::config::document;
use crate::error::{Context, Result};
use crate::sys::atomic::write;
use crate::sys::file;
use crate::sys::tree;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Writes a record as TOML, and creates the folder if needed.
///
/// # Errors
/// When the folder cannot be made or written to.
pub(crate) fn write_toml(path: &Path, record: &impl Serialize) -> Result<()> {
    write_text(path, &document::write(record)?)
}

/// The part of [`write_toml`] that is the same for all records.
pub(super) fn write_text(path: &Path, text: &str) -> Result<()> {
    let path = &tree::entry(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).context(|| format!("creating the folder {}", folder.display()))?;
    }
    write(path, text.as_bytes())
}

/// Reads a record that only the owner of its folder may have written; `None` when there is no such file.
///
/// # Errors
/// When the file cannot be read or understood, or somebody else has put it there.
pub(crate) fn read_toml<R: DeserializeOwned>(path: &Path) -> Result<Option<R>> {
    read_toml_of(path, None)
}

/// Reads a record that `writer` (a user ID) may have written too.
///
/// # Errors
/// As [`read_toml`].
pub(crate) fn read_toml_of<R: DeserializeOwned>(path: &Path, writer: Option<u32>) -> Result<Option<R>> {
    match read_text(path, writer)? {
        Some(text) => document::read(&text, &path.display().to_string()).map(Some),
        None => Ok(None),
    }
}

/// The part of [`read_toml_of`] that is the same for all records.
pub(super) fn read_text(path: &Path, writer: Option<u32>) -> Result<Option<String>> {
    let text = || {
        let owner = tree::entry(path).parent().map(fs::metadata).transpose()?.map(|folder| folder.uid());
        let owners: Vec<u32> = owner.into_iter().chain(writer).collect();
        file::read_untrusted(path, &owners)
    };
    match text() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => text.context(|| format!("reading {}", path.display())).map(Some),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    type Record = BTreeMap<String, u32>;

    #[test]
    fn what_is_no_record_in_its_place_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("legion.toml");
        assert_eq!(read_toml::<Record>(&path).unwrap(), None);
        assert_eq!(read_toml::<Record>(&folder.path().join("no/such/folder")).unwrap(), None);
        let put = |how: &dyn Fn()| {
            let _ = fs::remove_file(&path);
            how();
            read_toml::<Record>(&path).unwrap_err().to_string()
        };
        assert!(put(&|| mkfifo(&path, Mode::S_IRWXU).unwrap()).contains("FIFO"));
        assert!(put(&|| symlink("/dev/zero", &path).unwrap()).contains("a link"));
        assert!(put(&|| symlink("/etc/shadow", &path).unwrap()).contains("a link"));
        assert!(put(&|| fs::File::create(&path).unwrap().set_len(300 << 20).unwrap()).contains("more than"));
        let _ = fs::remove_file(&path);
        write_toml(&path, &BTreeMap::from([("a", 1)])).unwrap();
        assert_eq!(read_toml::<Record>(&path).unwrap(), Some(BTreeMap::from([("a".to_owned(), 1)])));
    }
}
