//! Ownership of a cartridge's files: root, except for the cartridge that legion runs from.
//!
//! While a cartridge is inserted, its disk, its variables and its TPM state belong to legion. Its folder stays root's, so that QEMU can
//! neither replace what is in it nor reach its snapshots. legion may create anything in `tpm/`: no link there is followed, and a file with
//! a hard link elsewhere keeps its owner.

use super::parts::{NVRAM, TPM, install_image};
use super::{Cartridge, DiskKind};
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use crate::sys::syscalls;
use crate::sys::tree;
use nix::dir::Dir;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::Path;

/// The new owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    user: u32,
    group: u32,
}

/// Gives the cartridge to a user: for `prepare`. Everybody may traverse its folder, because libvirt gives the disk to a user of its own;
/// the group may read root's part of it where needed.
///
/// # Errors
/// When something cannot be given; [`take_back`] takes back what was.
pub fn give_to(paths: &Paths, cartridge: &Cartridge, user: u32, group: u32) -> Result<()> {
    let folder = tree::followed(&paths.at(&cartridge.folder)).into_owned();
    let us = syscalls::effective_user();
    let opened = open_folder(&folder)?;
    let doing = || format!("changing the owner of {} to the user legion", folder.display());
    fchown(&opened, Some(us), Some(group)).context(doing)?;
    opened.set_permissions(Permissions::from_mode(0o711)).context(doing)?;
    let to = Owner { user, group };
    if cartridge.disk.kind == DiskKind::BlockDevice {
        give_device(&cartridge.disk_path(paths), user, us)?;
    } else {
        hand_over(&opened, &folder, cartridge.disk.kind.file_name(), to, 0o600)?;
    }
    for part in [NVRAM, TPM] {
        hand_over(&opened, &folder, part, to, 0o600)?;
    }
    if let Some(image) = install_image(&folder) {
        hand_over(&opened, &folder, image, Owner { user: us, group }, 0o640)?;
    }
    Ok(())
}

/// Makes the cartridge root's again: for `release`, whatever happened to legion.
///
/// # Errors
/// When something stays legion's; the rest is still taken back.
pub fn take_back(paths: &Paths, cartridge: &Cartridge) -> Result<()> {
    let folder = tree::followed(&paths.at(&cartridge.folder)).into_owned();
    let us = syscalls::effective_user();
    let opened = open_folder(&folder)?;
    let doing = || format!("taking {} back from legion", folder.display());
    let ours = Owner { user: us, group: opened.metadata().context(doing)?.gid() };
    // Root's own group is not known here: the mode denies access to the group.
    let folder_mode = opened.set_permissions(Permissions::from_mode(0o700)).and(fchown(&opened, Some(us), None)).context(doing);
    let disk = match cartridge.disk.kind {
        DiskKind::BlockDevice => give_device(&cartridge.disk_path(paths), us, us),
        kind => hand_over(&opened, &folder, kind.file_name(), ours, 0o600),
    };
    let rest = [(NVRAM), (TPM)].map(|part| hand_over(&opened, &folder, part, ours, 0o600));
    let image = install_image(&folder).map_or(Ok(()), |image| hand_over(&opened, &folder, image, ours, 0o600));
    rest.into_iter().fold(folder_mode.and(disk).and(image), Result::and)
}

/// The folder itself may be a link: the folder above it is root's.
fn open_folder(folder: &Path) -> Result<File> {
    let flags = (OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).bits();
    OpenOptions::new().read(true).custom_flags(flags).open(folder).context(|| format!("opening the folder {}", folder.display()))
}

/// A block device behind a link owned by us. Its group, which udev set, stays.
fn give_device(link: &Path, user: u32, us: u32) -> Result<()> {
    let doing = || format!("giving {} to the user {user}", link.display());
    if fs::symlink_metadata(link).context(doing)?.uid() != us {
        return Err(Error::new(format!("{}: the link {} belongs to another user", doing(), link.display()))
            .with_code("device-link-of-another-user")
            .with_hint("recreate the link as root: `ln -sf DEVICE LINK`"));
    }
    if !fs::metadata(link).context(doing)?.file_type().is_block_device() {
        return Err(Error::new(format!("{}: it does not link to a block device", doing())).with_code("disk-of-another-kind"));
    }
    chown(link, Some(user), None).context(doing)
}

/// Changes the owner of a file, or of a folder and everything in it. A missing path, or one of another type, is left alone.
fn hand_over(parent: &impl AsFd, place: &Path, name: &str, to: Owner, mode: u32) -> Result<()> {
    // Does not block on a FIFO placed there.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let path = place.join(name);
    let doing = || format!("changing the owner of {}", path.display());
    let opened: OwnedFd = match openat(parent, name, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ELOOP | nix::errno::Errno::ENXIO) => return Ok(()),
        Err(errno) => return Err(Error::caused_by(doing(), std::io::Error::from(errno))),
    };
    let file = File::from(opened);
    let metadata = file.metadata().context(doing)?;
    if metadata.is_file() && metadata.nlink() > 1 {
        return Err(Error::new(format!("{}: the file has another hard link", doing()))
            .with_code("file-has-another-name")
            .with_hint("make a copy in its place: `cp` to another name, then `mv` over it"));
    }
    if !metadata.is_file() && !metadata.is_dir() {
        return Ok(());
    }
    // Owner first: from then on the previous owner can neither restore the mode nor add files to the folder.
    fchown(&file, Some(to.user), Some(to.group)).context(doing)?;
    let mode = if metadata.is_dir() { 0o700 } else { mode };
    fchmod(&file, Mode::from_bits_truncate(mode)).context(doing)?;
    if metadata.is_dir() {
        let mut folder = Dir::from_fd(file.into()).context(doing)?;
        let names: Vec<_> = folder.iter().filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned)).collect();
        // A failure does not stop the others.
        let inside =
            names.iter().filter(|name| !matches!(name.as_str(), "." | "..")).map(|name| hand_over(&folder, &path, name, to, mode & 0o600));
        return inside.fold(Ok(()), Result::and);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::unistd::mkfifo;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    fn cartridge() -> (tempfile::TempDir, Paths, Cartridge) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        fs::create_dir_all(paths.at("/c/a/tpm/inner")).unwrap();
        for file in ["disk.raw", "install.iso", "tpm/state", "tpm/inner/lock", "snapshots"] {
            fs::write(paths.at("/c/a").join(file), b"x").unwrap();
        }
        fs::write(paths.at("/c/a/nvram.fd"), vec![0; 131_072]).unwrap();
        let cartridge = Cartridge::inspect(&paths, Path::new("/c"), "a").unwrap();
        (root, paths, cartridge)
    }

    fn mode(path: PathBuf) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    /// To the current user, so that the test runs without root; the modes show what was touched.
    fn us(root: &tempfile::TempDir) -> (u32, u32) {
        let metadata = root.path().metadata().unwrap();
        (metadata.uid(), metadata.gid())
    }

    #[test]
    fn what_legion_needs_is_given_and_the_rest_is_kept() {
        let (root, paths, cartridge) = cartridge();
        let (user, group) = us(&root);
        for (file, before) in [("snapshots", 0o604), ("disk.raw", 0o4777), ("tpm/state", 0o666)] {
            fs::set_permissions(paths.at("/c/a").join(file), Permissions::from_mode(before)).unwrap();
        }
        give_to(&paths, &cartridge, user, group).unwrap();
        let modes = |files: &[&str]| files.iter().map(|file| mode(paths.at("/c/a").join(file))).collect::<Vec<_>>();
        assert_eq!(modes(&["", "disk.raw", "nvram.fd", "install.iso", "snapshots"]), [0o711, 0o600, 0o600, 0o640, 0o604]);
        assert_eq!(modes(&["tpm", "tpm/state", "tpm/inner", "tpm/inner/lock"]), [0o700, 0o600, 0o700, 0o600]);
        take_back(&paths, &cartridge).unwrap();
        assert_eq!(modes(&["", "disk.raw", "install.iso", "tpm/inner"]), [0o700, 0o600, 0o600, 0o700]);
    }

    #[test]
    fn nothing_outside_is_touched_whatever_the_guest_put_there() {
        let (_root, paths, cartridge) = cartridge();
        fs::create_dir(paths.at("/etc")).unwrap();
        fs::write(paths.at("/etc/shadow"), b"secret").unwrap();
        fs::write(paths.at("/etc/other"), b"secret").unwrap();
        for file in ["/etc", "/etc/shadow", "/etc/other"] {
            fs::set_permissions(paths.at(file), Permissions::from_mode(0o755)).unwrap();
        }
        symlink(paths.at("/etc/shadow"), paths.at("/c/a/tpm/link")).unwrap();
        symlink(paths.at("/etc"), paths.at("/c/a/tpm/folder")).unwrap();
        fs::hard_link(paths.at("/etc/other"), paths.at("/c/a/tpm/hard")).unwrap();
        mkfifo(&paths.at("/c/a/tpm/pipe"), Mode::S_IRWXU).unwrap();
        let error = take_back(&paths, &cartridge).unwrap_err();
        assert!(error.code() == Some("file-has-another-name") && error.reason().contains("tpm/hard"), "which: {error}");
        for file in ["/etc", "/etc/shadow", "/etc/other"] {
            assert_eq!(mode(paths.at(file)), 0o755, "{file}");
        }
        assert_eq!(mode(paths.at("/c/a/tpm/inner/lock")), 0o600, "the rest is taken back all the same");
    }

    #[test]
    fn a_link_to_something_that_is_no_device_is_not_given() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("shadow"), b"secret").unwrap();
        symlink("shadow", root.path().join("disk")).unwrap();
        let us = root.path().metadata().unwrap().uid();
        let code = |user| give_device(&root.path().join("disk"), us, user).unwrap_err().code();
        assert_eq!([code(us), code(us + 1)], [Some("disk-of-another-kind"), Some("device-link-of-another-user")]);
    }
}
