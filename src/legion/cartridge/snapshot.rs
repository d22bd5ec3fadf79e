//! Snapshots: disk, UEFI variables and TPM state, saved together and restored together.
//!
//! A qcow2 disk keeps its snapshots inside, under the name `persona-LABEL`, and is changed as `changes` says; a raw image is cloned, on
//! file systems that can.
//! Variables and TPM state are copied. The folder `snapshots/LABEL` makes a snapshot valid: it is created last when saving, and removed
//! first when forgetting. A restore creates the link `restoring` before the disk is another: until all three parts are restored, the
//! cartridge cannot be inserted.

use super::changes::{self, Change};
use super::create::{close, copy};
use super::partial::{self, Partial};
use super::parts::{NVRAM, TPM, names_in};
use super::qemu_img::QemuImg;
use super::restoring::RESTORING;
use super::{Disk, DiskKind, Shelf};
use crate::error::{Context, Error, Result};
use crate::sys::atomic;
use crate::sys::paths::Paths;
use crate::sys::syscalls;
use nix::errno::Errno;
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

const FOLDER: &str = "snapshots";
/// Distinguishes ours from the snapshots of other tools in a qcow2 image.
const PREFIX: &str = "persona-";

/// The labels of a cartridge's snapshots, and those of which a killed command left something. `folder` is the cartridge's, below `--root`.
pub fn labels(folder: &Path) -> (Vec<String>, Vec<String>) {
    let mut names = names_in(&folder.join(FOLDER));
    let left = names.iter().filter_map(|name| partial::name_of(name)).map(str::to_owned).collect();
    names.retain(|name| !name.starts_with('.'));
    (names, left)
}

/// Where leftovers of this snapshot from a killed command are. `folder` is the cartridge's.
pub(super) fn partial(folder: &Path, label: &str) -> PathBuf {
    partial::folder(&folder.join(FOLDER), label)
}

impl Shelf<'_> {
    /// Saves the current state of the cartridge `name` under `label`.
    ///
    /// # Errors
    /// When the label is taken, legion runs from it or something else uses it, or its disk cannot be saved.
    pub fn save(&self, name: &str, label: &str) -> Result<()> {
        let _taken = self.take(name)?;
        let cartridge = self.inspect_free(name)?;
        let folder = self.place(name);
        let snapshots = folder.join(FOLDER);
        if snapshots.join(label).exists() {
            return Err(Error::new(format!("the cartridge {name} already has a snapshot `{label}`"))
                .with_code("snapshot-exists")
                .with_hint(format!("choose another label, or `persona cartridge forget {name} {label}` first")));
        }
        let disk = OpenDisk::new(self.paths, cartridge.disk, cartridge.disk_path(self.paths))?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&snapshots)
            .context(|| format!("creating the folder {}", snapshots.display()))?;
        let partial = Partial::begin(&snapshots, label)?;
        for part in [NVRAM, TPM] {
            copy_part(&folder.join(part), &partial.folder.join(part))?;
        }
        disk.save(self.paths, label, &folder, &partial.folder)?;
        partial.finish()
    }

    /// Restores the cartridge `name` to the state saved as `label`. Its current state is lost. Can be repeated after an interruption.
    ///
    /// # Errors
    /// When there is no such snapshot, legion runs from it or something else uses it, or it cannot be restored.
    pub fn restore(&self, name: &str, label: &str) -> Result<()> {
        let _taken = self.take(name)?;
        let folder = self.place(name);
        let snapshot = folder.join(FOLDER).join(label);
        if !snapshot.is_dir() {
            return Err(no_such(&folder, name, label));
        }
        let disk = self.open(name)?;
        let marker = folder.join(RESTORING);
        // What fails before it leaves the cartridge as it was.
        disk.restore(self.paths, label, &folder, &snapshot, &|| announce(&marker, label))?;
        for part in [NVRAM, TPM] {
            let (new, old) = (folder.join(format!("{part}.new")), folder.join(part));
            remove(&new)?;
            copy_part(&snapshot.join(part), &new)?;
            remove(&old)?;
            if new.exists() {
                sync(&new)?;
                atomic::rename(&new, &old)?;
            }
        }
        sync(&folder)?;
        atomic::remove(&marker)
    }

    /// Deletes the snapshot `label` of the cartridge `name`, or what a killed command left of it.
    ///
    /// # Errors
    /// When there is no such snapshot, legion runs from it or something else uses it.
    pub fn forget(&self, name: &str, label: &str) -> Result<()> {
        let _taken = self.take(name)?;
        let snapshots = self.place(name).join(FOLDER);
        if fs::read_link(self.place(name).join(RESTORING)).is_ok_and(|restoring| restoring == Path::new(label)) {
            return Err(Error::new(format!(
                "restoring the cartridge {name} to `{label}` was interrupted, which can only be repeated with it"
            ))
            .with_code("restore-interrupted")
            .with_hint(format!("`persona cartridge restore {name} {label}` first, or restore another snapshot")));
        }
        let disk = self.open(name)?;
        let partial = match partial::hold(&snapshots.join(label))? {
            Some(hold) => Partial::of(&snapshots, label, hold)?,
            None if partial::folder(&snapshots, label).exists() => Partial::begin(&snapshots, label)?,
            None => return Err(no_such(&self.place(name), name, label)),
        };
        match disk.forget(self.paths, label, &self.here().join(name)) {
            Ok(()) => partial.remove(),
            Err(error) => {
                partial.leave();
                Err(error)
            }
        }
    }

    /// The disk of the cartridge `name`, which must not be in use. It may be between two states.
    fn open(&self, name: &str) -> Result<OpenDisk> {
        let folder = self.place(name);
        // Between two states a cloned disk may lie next to its place.
        let disk = Disk::inspect(&folder)?;
        let path = changes::place(&folder, disk.kind);
        super::in_use::ensure_unused(self.paths, &path)?;
        OpenDisk::new(self.paths, disk, path)
    }
}

/// Atomically marks the cartridge as between two states, by a link to the label. An earlier link is swapped, so that there is no moment
/// without one.
fn announce(marker: &Path, label: &str) -> Result<()> {
    match symlink(label, marker) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => atomic::link(marker, Path::new(label)),
        linked => linked
            .and_then(|()| File::open(marker.parent().unwrap_or(marker))?.sync_all())
            .context(|| format!("making {}", marker.display())),
    }
}

/// A disk that nothing else uses, with its file.
struct OpenDisk {
    disk: Disk,
    path: PathBuf,
}

impl OpenDisk {
    /// Fails if `qemu-img` could not be run, before anything is changed.
    fn new(paths: &Paths, disk: Disk, path: PathBuf) -> Result<Self> {
        if disk.kind == DiskKind::Qcow2 {
            QemuImg::confined(paths)?;
        }
        Ok(Self { disk, path })
    }

    /// `cartridge` is its folder, and `snapshot` the snapshot's.
    fn save(&self, paths: &Paths, label: &str, cartridge: &Path, snapshot: &Path) -> Result<()> {
        match self.disk.kind {
            // A killed command may have left one of that name.
            DiskKind::Qcow2 => changes::make(paths, cartridge, &[Change::Delete(&inside(label)), Change::Save(&inside(label))], &|| Ok(())),
            DiskKind::Raw => clone(&self.path, &snapshot.join(self.disk.kind.file_name())),
            DiskKind::BlockDevice => Err(Error::new(format!("a block device has no snapshots: {}", self.path.display()))
                .with_code("snapshots-unsupported")
                .with_hint("copy it into an image: `persona cartridge import NAME DEVICE`; or use those of LVM")),
        }
    }

    /// `begins` is called before the disk is another.
    fn restore(&self, paths: &Paths, label: &str, cartridge: &Path, snapshot: &Path, begins: &dyn Fn() -> Result<()>) -> Result<()> {
        if self.disk.kind == DiskKind::Qcow2 {
            return changes::make(paths, cartridge, &[Change::Restore(&inside(label))], begins);
        }
        let new = self.path.with_file_name("disk.new");
        remove(&new)?;
        clone(&snapshot.join(self.disk.kind.file_name()), &new)?;
        sync(&new)?;
        begins()?;
        atomic::rename(&new, &self.path)
    }

    /// Deletes the disk's internal snapshot for this label, if any.
    fn forget(&self, paths: &Paths, label: &str, cartridge: &Path) -> Result<()> {
        if self.disk.kind != DiskKind::Qcow2 {
            return Ok(());
        }
        changes::make(paths, cartridge, &[Change::Delete(&inside(label))], &|| Ok(()))
    }
}

fn inside(label: &str) -> String {
    format!("{PREFIX}{label}")
}

fn no_such(folder: &Path, name: &str, label: &str) -> Error {
    let (labels, _) = labels(folder);
    let there_are = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
    Error::new(format!("the cartridge {name} has no snapshot `{label}`"))
        .with_code("snapshot-missing")
        .with_hint(format!("choose an existing one: {there_are}"))
}

/// A file that shares its blocks with another until either changes.
fn clone(from: &Path, to: &Path) -> Result<()> {
    let doing = || format!("cloning {} to {}", from.display(), to.display());
    let (source, new) = (File::open(from).context(doing)?, partial::new_file(to).context(doing)?);
    syscalls::clone_file(&source, &new).map_err(|error| {
        let cannot = [Errno::EOPNOTSUPP, Errno::EXDEV, Errno::EINVAL, Errno::ENOTTY, Errno::ENOSYS];
        let cannot = error.raw_os_error().is_some_and(|errno| cannot.contains(&Errno::from_raw(errno)));
        let error = Error::caused_by(doing(), error);
        if cannot {
            error.with_hint("raw images support snapshots only on Btrfs and XFS, qcow2 images on any file system: `persona cartridge import NEW-NAME` converts it")
        } else {
            error
        }
    })
}

/// Copies a file or a folder of files, if it exists. Only root may access the copy.
fn copy_part(from: &Path, to: &Path) -> Result<()> {
    let metadata = match fs::symlink_metadata(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        metadata => metadata.context(|| format!("looking at {}", from.display()))?,
    };
    if metadata.is_file() {
        copy(from, to)?;
        return close(to);
    }
    // A TPM's state consists of files and folders, without links or sockets.
    if metadata.is_dir() {
        DirBuilder::new().mode(0o700).create(to).context(|| format!("creating the folder {}", to.display()))?;
        for entry in fs::read_dir(from).context(|| format!("reading the folder {}", from.display()))? {
            let name = entry.context(|| format!("reading the folder {}", from.display()))?.file_name();
            copy_part(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
    removed.context(|| format!("removing {}", path.display()))
}

fn sync(path: &Path) -> Result<()> {
    if path.is_dir() {
        return atomic::sync_tree(path);
    }
    File::open(path).and_then(|file| file.sync_all()).context(|| format!("writing {}", path.display()))
}
