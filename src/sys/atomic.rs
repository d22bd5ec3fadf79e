//! Atomic replacement of files and symlinks: at any moment, either the old or the complete new one exists.
//!
//! New content is written under a unique name, `.NAME.XXXXXXXX.persona-new`, synced, and renamed. So two writers never disturb each other:
//! the last rename wins, and each result is complete.
//!
//! # Leftovers
//!
//! A killed process or a power cut leaves its unfinished file. Each writer holds an flock(2) on its file, or on the folder in which it
//! creates its link, until the rename. The next process that writes or removes NAME removes the unfinished files of NAME that are not
//! locked. A file that a running process still writes is locked, and so it stays.

use crate::error::{Context, Result};
use crate::sys::file_lock::{is_at, try_lock};
use crate::sys::syscalls;
use crate::sys::tree;
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile, TempDir};

/// The mode of records: everybody may read what `persona status` and `persona list` show.
const RECORD_MODE: u32 = 0o644;

/// The suffix of unfinished files.
const SUFFIX: &str = ".persona-new";

/// How many characters make the name of an unfinished file unique.
const UNIQUE: usize = 8;

/// How often an unfinished file is recreated after another process removed it as a leftover before it was locked.
const MAX_ATTEMPTS: usize = 16;

/// Writes a file that everybody may read: syncs `contents` to a file next to `path`, and renames that over it.
///
/// # Errors
/// When the folder cannot be written to; `path` is untouched then.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    replace(&tree::entry(path), contents, |file| file.set_permissions(Permissions::from_mode(RECORD_MODE)))
}

/// Creates a file that only its owner may read, and its folder if needed.
///
/// # Errors
/// When there is a file of that name, or it cannot be written.
pub fn create_private(path: &Path, contents: &[u8]) -> Result<()> {
    let path = &tree::entry(path);
    let attempt = || {
        fs::create_dir_all(folder_of(path))?;
        let mut new = unfinished_file(path)?;
        new.write_all(contents)?;
        new.as_file().sync_all()?;
        new.persist_noclobber(path)?;
        sync_folder_of(path)
    };
    attempt().context(|| format!("writing {}", path.display()))
}

/// Replaces the contents of the file `path`, which keeps its owner and mode. Links are followed.
///
/// # Errors
/// When there is no such file or its folder cannot be written to; the file is untouched then.
pub fn rewrite(path: &Path, contents: &[u8]) -> Result<()> {
    let file = fs::canonicalize(tree::followed(path)).context(|| format!("writing {}", path.display()))?;
    let before = fs::metadata(&file).context(|| format!("writing {}", path.display()))?;
    replace(&file, contents, |new| {
        fchown(new, Some(before.uid()), Some(before.gid()))?;
        new.set_permissions(before.permissions())
    })
}

/// Points the symlink `path` at `target` with one durable rename.
///
/// # Errors
/// When the folder cannot be written to; `path` is untouched then.
pub fn link(path: &Path, target: &Path) -> Result<()> {
    let path = &tree::entry(path);
    let attempt = || {
        // A link cannot be locked, so it is created in a folder that can.
        let (folder, _lock) = unfinished_folder(path)?;
        let link = folder.path().join(LINK);
        symlink(target, &link)?;
        fs::rename(&link, path)?;
        sync_folder_of(path)
    };
    attempt().context(|| format!("writing {}", path.display()))?;
    tidy(path);
    Ok(())
}

/// The link in its unfinished folder.
const LINK: &str = "link";

/// Replaces the file at `path` by one with `contents`, after `admit` has set its final permissions.
fn replace(path: &Path, contents: &[u8], admit: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
    let attempt = || {
        let mut new = unfinished_file(path)?;
        new.write_all(contents)?;
        // Last: until now no other user can open it and hold its lock.
        admit(new.as_file())?;
        new.as_file().sync_all()?;
        new.persist(path)?;
        sync_folder_of(path)
    };
    attempt().context(|| format!("writing {}", path.display()))?;
    tidy(path);
    Ok(())
}

/// A new file next to `path`, private to its owner and locked.
fn unfinished_file(path: &Path) -> io::Result<NamedTempFile> {
    let prefix = prefix(path);
    for _ in 0..MAX_ATTEMPTS {
        let new = Builder::new().prefix(&prefix).suffix(SUFFIX).rand_bytes(UNIQUE).tempfile_in(folder_of(path))?;
        if is_claimed(new.path(), new.as_file())? {
            return Ok(new);
        }
    }
    Err(io::Error::other("another process removes every unfinished file"))
}

/// A new folder next to `path`, private to its owner and locked.
fn unfinished_folder(path: &Path) -> io::Result<(TempDir, File)> {
    let prefix = prefix(path);
    let owners = Permissions::from_mode(0o700);
    for _ in 0..MAX_ATTEMPTS {
        let new =
            Builder::new().prefix(&prefix).suffix(SUFFIX).rand_bytes(UNIQUE).permissions(owners.clone()).tempdir_in(folder_of(path))?;
        match File::open(new.path()) {
            Ok(folder) if is_claimed(new.path(), &folder)? => return Ok((new, folder)),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Err(io::Error::other("another process removes every unfinished folder"))
}

/// Locks a newly created file. It may be gone: another process could remove it as a leftover before it is locked.
fn is_claimed(path: &Path, new: &File) -> io::Result<bool> {
    Ok(try_lock(new)? && is_at(path, &new.metadata()?)?)
}

/// The prefix of the unfinished files for `path`.
fn prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

/// The unfinished files and folders for `path`: those of running processes and leftovers.
pub fn unfinished(path: &Path) -> Vec<PathBuf> {
    let prefix = prefix(path);
    let is_one = |name: &OsString| {
        let unique = name.as_bytes().strip_prefix(prefix.as_bytes()).and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
        unique.is_some_and(|unique| unique.len() == UNIQUE && unique.iter().all(u8::is_ascii_alphanumeric))
    };
    let names = fs::read_dir(folder_of(path)).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(is_one).map(|name| path.with_file_name(name)).collect()
}

/// Removes what killed processes and power cuts have left for `path`. A leftover that cannot be removed is only logged: it is harmless.
pub(crate) fn tidy(path: &Path) {
    for leftover in unfinished(path) {
        if let Err(error) = remove_leftover(&leftover)
            && error.kind() != ErrorKind::NotFound
        {
            log::info!("removing the leftover {}: {error}", leftover.display());
        }
    }
}

fn remove_leftover(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    // In a folder that others can write to, only our own files are leftovers of ours.
    if found.uid() != syscalls::effective_user() || !(found.is_file() || found.is_dir()) {
        return Ok(());
    }
    let leftover = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)?;
    // It may be renamed by now, and another file may be under this name.
    if !try_lock(&leftover)? || !is_at(path, &leftover.metadata()?)? {
        return Ok(());
    }
    if found.is_dir() {
        match fs::remove_file(path.join(LINK)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => fs::remove_dir(path),
        }
    } else {
        fs::remove_file(path)
    }
}

/// Removes a file durably; a missing file is fine.
///
/// # Errors
/// When it exists and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    let path = &tree::entry(path);
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result.and_then(|()| sync_folder_of(path)).context(|| format!("removing {}", path.display())),
    }?;
    tidy(path);
    Ok(())
}

/// Moves a file or folder within its file system, durably.
///
/// # Errors
/// When it cannot be moved; it is unchanged then.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (&tree::entry(from), &tree::entry(to));
    let attempt = || {
        fs::rename(from, to)?;
        sync_folder_of(to)?;
        if from.parent() == to.parent() { Ok(()) } else { sync_folder_of(from) }
    };
    attempt().context(|| format!("moving {} to {}", from.display(), to.display()))
}

/// Syncs a folder and everything in it. Links are not followed.
///
/// # Errors
/// When something in it cannot be synced.
pub fn sync_tree(folder: &Path) -> Result<()> {
    let sync = |path: &Path| File::open(path)?.sync_all();
    for entry in fs::read_dir(folder).context(|| format!("reading the folder {}", folder.display()))? {
        let entry = entry.context(|| format!("reading the folder {}", folder.display()))?;
        let (path, kind) = (entry.path(), entry.file_type().context(|| format!("looking at {}", entry.path().display()))?);
        if kind.is_dir() {
            sync_tree(&path)?;
        } else if kind.is_file() {
            sync(&path).context(|| format!("writing {}", path.display()))?;
        }
    }
    sync(folder).context(|| format!("writing the folder {}", folder.display()))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        None => Path::new("/"),
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn write_beside_another_writer_leaves_that_ones_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut other = unfinished_file(&path).unwrap();
        write(&path, b"mine").unwrap();
        assert!(other.path().exists(), "its writer lives");
        other.write_all(b"the other's").unwrap();
        other.persist(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"the other's");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn link_beside_another_writer_leaves_that_ones_folder() {
        let folder = tempfile::tempdir().unwrap();
        let slot = folder.path().join("slot");
        let (other, lock) = unfinished_folder(&slot).unwrap();
        symlink("cartridges/a", other.path().join(LINK)).unwrap();
        link(&slot, Path::new("cartridges/b")).unwrap();
        assert_eq!(fs::read_link(&slot).unwrap(), Path::new("cartridges/b"));
        fs::rename(other.path().join(LINK), &slot).unwrap();
        drop((other, lock));
        assert_eq!(fs::read_link(&slot).unwrap(), Path::new("cartridges/a"));
        assert_eq!(names(folder.path()), ["slot"]);
    }

    #[test]
    fn leftovers_without_a_writer_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let kept = [".slot.abc.persona-new", ".slot.12345678.persona-new.bak", ".other.12345678.persona-new", "slot.new"];
        for name in kept.iter().chain(&[".slot.12345678.persona-new"]) {
            fs::write(at(name), "half").unwrap();
        }
        fs::create_dir(at(".slot.abcdefgh.persona-new")).unwrap();
        symlink("half-made", at(".slot.abcdefgh.persona-new").join(LINK)).unwrap();
        fs::create_dir(at(".slot.ABCDEFGH.persona-new")).unwrap();
        link(&at("slot"), Path::new("cartridges/a")).unwrap();
        let mut expected: Vec<&str> = kept.into_iter().chain(["slot"]).collect();
        expected.sort_unstable();
        assert_eq!(names(folder.path()), expected);
        fs::write(at(".slot.12345678.persona-new"), "half").unwrap();
        remove(&at("slot")).unwrap();
        assert_eq!(names(folder.path()).len(), kept.len(), "removing clears them as well");
    }

    #[test]
    fn write_that_fails_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "old").unwrap();
        let message = write(&path, b"new").unwrap_err().to_string();
        assert!(message.contains("writing") && message.contains("file"), "{message}");
        assert_eq!(fs::read(path.join("inside")).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn modes_are_those_of_records_or_of_the_file_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"x").unwrap();
        assert_eq!(mode(&path), 0o644);
        for before in [0o600, 0o640, 0o604] {
            fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            rewrite(&path, b"y").unwrap();
            assert_eq!((mode(&path), fs::read(&path).unwrap()), (before, b"y".to_vec()));
        }
    }

    #[test]
    fn private_file_is_never_put_in_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/file");
        create_private(&path, b"x").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o600, b"x".to_vec()));
        assert!(create_private(&path, b"y").is_err());
        symlink("nowhere", path.with_file_name("link")).unwrap();
        assert!(create_private(&path.with_file_name("link"), b"y").is_err());
        assert_eq!((names(path.parent().unwrap()), fs::read(&path).unwrap()), (vec!["file".to_owned(), "link".to_owned()], b"x".to_vec()));
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
