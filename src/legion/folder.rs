//! The folder in `/run/persona` that legion's user may write to: its supervisor's reports, and QEMU's sockets.

use crate::error::{Context, Result};
use crate::sys::paths::Paths;
use crate::sys::tree;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::fchown;
use std::path::Path;

/// Makes it, or empties it, and gives it to that user and group. What an earlier run left there, whatever it is, is not this one's.
///
/// # Errors
/// When it cannot be made or emptied.
pub fn provide(paths: &Paths, user: u32, group: u32) -> Result<()> {
    let path = tree::entry(&paths.legion_dir()).into_owned();
    let attempt = || {
        fs::create_dir_all(&path)?;
        // The folder above is root's: no other user can put a link in its place.
        for entry in fs::read_dir(&path)? {
            remove(&entry?.path())?;
        }
        fchown(File::open(&path)?, Some(user), Some(group))
    };
    attempt().context(|| format!("preparing legion's folder {}", path.display()))
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn whatever_an_earlier_run_left_is_removed_and_no_link_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let own = root.path().metadata().unwrap();
        let provide = || provide(&paths, own.uid(), own.gid()).unwrap();
        provide();
        let (folder, kept) = (paths.legion_dir(), root.path().join("kept"));
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "").unwrap();
        fs::create_dir_all(folder.join("report.toml/a/b")).unwrap();
        mkfifo(&folder.join("fifo"), Mode::S_IRWXU).unwrap();
        symlink(&kept, folder.join("link")).unwrap();
        symlink(&kept, folder.join("report.toml/link")).unwrap();
        provide();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        assert!(kept.join("file").exists());
    }
}
