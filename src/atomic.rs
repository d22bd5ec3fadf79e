//! Files and symlinks that are, at any instant, either the old one or the new one and whole.

use crate::document::{self, Record};
use crate::error::{Context, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown, symlink};
use std::path::{Path, PathBuf};

/// Writes `contents` beside `path`, makes them durable, and renames them over `path`.
///
/// # Errors
/// When the folder cannot be written to; `path` is untouched then.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    replace(path, |beside| {
        // Never through a link that somebody has put there meanwhile.
        let mut file = File::create_new(beside)?;
        file.write_all(contents)?;
        file.sync_all()
    })
}

/// Writes `contents` over the file behind `path`, which keeps its owner and its mode. Links are followed.
///
/// # Errors
/// When there is no such file or its folder cannot be written to; the file is untouched then.
pub fn rewrite(path: &Path, contents: &[u8]) -> Result<()> {
    let file = fs::canonicalize(path).doing(|| format!("writing {}", path.display()))?;
    let before = fs::metadata(&file).doing(|| format!("writing {}", path.display()))?;
    replace(&file, |beside| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
        fchown(&file, Some(before.uid()), Some(before.gid()))?;
        file.set_permissions(before.permissions())?;
        file.write_all(contents)?;
        file.sync_all()
    })
}

/// Points the symlink `path` at `target` with one durable rename.
///
/// # Errors
/// When the folder cannot be written to; `path` is untouched then.
pub fn link(path: &Path, target: &Path) -> Result<()> {
    replace(path, |beside| symlink(target, beside))
}

fn replace(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let beside = beside(path);
    let attempt = || {
        // A leftover of a power cut would be in the way of the symlink.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        make(&beside)?;
        fs::rename(&beside, path)?;
        sync_folder_of(path)
    };
    attempt().doing(|| format!("writing {}", path.display())).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

/// Removes a file durably; one that is not there is fine.
///
/// # Errors
/// When it is there and stays.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result.and_then(|()| sync_folder_of(path)).doing(|| format!("removing {}", path.display())),
    }
}

/// Moves a file or folder within its file system, durably.
///
/// # Errors
/// When it cannot be moved; it is where it was then.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let attempt = || {
        fs::rename(from, to)?;
        sync_folder_of(to)?;
        if from.parent() == to.parent() { Ok(()) } else { sync_folder_of(from) }
    };
    attempt().doing(|| format!("moving {} to {}", from.display(), to.display()))
}

/// Makes all that is in a folder durable, and the folder. Links are not followed.
///
/// # Errors
/// When something in it cannot be written to its disk.
pub fn sync_tree(folder: &Path) -> Result<()> {
    let sync = |path: &Path| File::open(path)?.sync_all();
    for entry in fs::read_dir(folder).doing(|| format!("reading the folder {}", folder.display()))? {
        let entry = entry.doing(|| format!("reading the folder {}", folder.display()))?;
        let (path, kind) = (entry.path(), entry.file_type().doing(|| format!("looking at {}", entry.path().display()))?);
        if kind.is_dir() {
            sync_tree(&path)?;
        } else if kind.is_file() {
            sync(&path).doing(|| format!("writing {}", path.display()))?;
        }
    }
    sync(folder).doing(|| format!("writing the folder {}", folder.display()))
}

/// Writes a record as TOML, making the folder if need be.
///
/// # Errors
/// When the folder cannot be made or written to.
pub(crate) fn write_toml(path: &Path, record: &impl Record) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).doing(|| format!("making the folder {}", folder.display()))?;
    }
    write(path, document::write(record).as_bytes())
}

/// Reads a record from TOML; `None` when there is no such file.
///
/// # Errors
/// When the file cannot be read or understood.
pub(crate) fn read_toml<R: Record>(path: &Path) -> Result<Option<R>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => {
            let text = text.doing(|| format!("reading {}", path.display()))?;
            document::read(&text, &path.display().to_string()).map(Some)
        }
    }
}

/// Where what is to be `path` is made; there after a kill, too, until `path` is written again.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_link_is_swapped_even_over_the_leftover_of_a_power_cut() {
        let folder = tempfile::tempdir().unwrap();
        let slot = folder.path().join("slot");
        symlink("half-made", folder.path().join("slot.new")).unwrap();
        link(&slot, Path::new("cartridges/a")).unwrap();
        link(&slot, Path::new("cartridges/b")).unwrap();
        assert_eq!(fs::read_link(&slot).unwrap(), Path::new("cartridges/b"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"old").unwrap();
        fs::create_dir(folder.path().join("file.new")).unwrap();
        let message = write(&path, b"new").unwrap_err().to_string();
        assert!(message.contains("writing") && message.contains("file"), "{message}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn removing_twice_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"x").unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
