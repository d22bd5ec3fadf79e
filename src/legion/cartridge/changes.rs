//! Changes to the snapshots inside a qcow2 disk, each made as a whole or not at all.
//!
//! `qemu-img snapshot` changes the disk's tables in many steps, and a table may be wrong until the last of them. So it works on a difference
//! image whose backing is the disk, read as plain bytes and never written. What it made is checked there. Then:
//!
//! | step | files | after a crash |
//! |---|---|---|
//! | `qemu-img snapshot` and `check` | `disk.qcow2`, `disk.changes` | the disk is as before; `disk.changes` is removed |
//! | one rename | `disk.changing`, `disk.changes` | the change counts from here on, and is copied by the next command or start |
//! | the copy, which may be repeated | `disk.changing`, `disk.changes` | the same |
//! | one rename | `disk.qcow2`, `disk.changes` | the disk is changed; `disk.changes` is removed |
//!
//! Nothing can boot a disk that is half copied: it does not have its name. The caller holds the cartridge's lock, and `qemu-img` holds it
//! too: it is free when the last of them has ended.

use super::image::{self, Difference};
use super::qcow2::Header;
use super::qemu_img::{Given, QemuImg};
use super::{DiskKind, partial};
use crate::error::{Context, Error, Result};
use crate::sys::atomic;
use crate::sys::paths::Paths;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The difference image.
const CHANGES: &str = "disk.changes";
/// The disk while its difference is copied into it.
const CHANGING: &str = "disk.changing";
/// The size of a disk is a multiple of this, in bytes.
const SECTOR: u64 = 512;
/// How far the tables may grow in one change, in bytes: an L1 table has at most 32 MiB, the list of snapshots 64 MiB, and the refcount
/// table 8 MiB. The difference image takes only what is written to it.
const ROOM: u64 = 128 << 20;

/// The names under which a killed command may have left something.
pub(super) const LEFT: [&str; 2] = [CHANGES, CHANGING];

/// A change to the snapshots inside a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Save(&'a str),
    Restore(&'a str),
    /// Also when there is none of that name.
    Delete(&'a str),
}

/// Where the disk of this kind is in the folder of a cartridge.
pub(super) fn place(folder: &Path, kind: DiskKind) -> PathBuf {
    let (usual, changing) = (folder.join(kind.file_name()), folder.join(CHANGING));
    let is_changing = kind == DiskKind::Qcow2 && !is_there(&usual) && is_there(&changing);
    if is_changing { changing } else { usual }
}

/// Checks that there is no disk beside the one that is being changed.
///
/// # Errors
/// When there is: whichever is used, the other is lost.
pub(super) fn ensure_one_disk(folder: &Path) -> Result<()> {
    let (disk, changing) = (folder.join(DiskKind::Qcow2.file_name()), folder.join(CHANGING));
    if is_there(&disk) && is_there(&changing) { Err(several(&disk, &changing)) } else { Ok(()) }
}

fn several(disk: &Path, changing: &Path) -> Error {
    Error::new(format!("the cartridge has two disks, {} and {}, which a command was changing", disk.display(), changing.display()))
        .with_code("cartridge-with-several-disks")
        .with_hint("move one of them out of it. The change is completed once the other is alone")
}

/// Whether the disk of this kind is being changed: its tables are not whole until the change is completed.
pub(super) fn is_changing(folder: &Path, kind: DiskKind) -> bool {
    place(folder, kind).ends_with(CHANGING)
}

/// Makes these changes to the qcow2 disk of a cartridge, all or none. The disk must not be in use. `begins` is called before the first of
/// them counts.
///
/// # Errors
/// When one of them or `begins` fails, or the disk is not consistent; it is unchanged then.
pub(super) fn make(paths: &Paths, folder: &Path, changes: &[Change<'_>], begins: &dyn Fn() -> Result<()>) -> Result<()> {
    complete(paths, folder)?;
    let (disk, difference) = (folder.join(DiskKind::Qcow2.file_name()), folder.join(CHANGES));
    let made = prepare(paths, &disk, &difference, changes).and_then(|()| begins());
    if let Err(error) = made {
        // Of the two errors, the first is reported; the next command removes it.
        let _ = fs::remove_file(&difference);
        return Err(error);
    }
    atomic::rename(&disk, &folder.join(CHANGING))?;
    complete(paths, folder)
}

/// Completes the change that a killed command left, if it counts already, and removes it otherwise. The disk must not be in use.
///
/// # Errors
/// When it cannot be completed. The disk keeps the name that no tool boots then.
pub(super) fn complete(paths: &Paths, folder: &Path) -> Result<()> {
    let (disk, changing, difference) = (folder.join(DiskKind::Qcow2.file_name()), folder.join(CHANGING), folder.join(CHANGES));
    if is_there(&changing) {
        ensure_one_disk(folder)?;
        if !is_there(&difference) {
            return Err(Error::new(format!("{} is gone, which holds the change of {}", difference.display(), changing.display()))
                .with_code("image-damaged")
                .with_hint(format!("put it back, or move {} away and restore the disk from a copy", changing.display())));
        }
        let qemu_img = QemuImg::confined(paths)?;
        let (image, changes) = (Given::lent(&changing, qemu_img)?, Given::lent(&difference, qemu_img)?);
        Difference { qemu_img, image: &image, changes: &changes }.commit()?;
        sync(&changing)?;
        atomic::rename(&changing, &disk)?;
    }
    if is_there(&difference) { atomic::remove(&difference) } else { Ok(()) }
}

fn prepare(paths: &Paths, disk: &Path, difference: &Path, changes: &[Change<'_>]) -> Result<()> {
    let doing = || format!("looking at the disk {}", disk.display());
    let length = fs::metadata(disk).context(doing)?.len();
    let header = Header::read(&mut File::open(disk).context(doing)?, disk)?;
    drop(partial::new_file(difference).context(|| format!("making {}", difference.display()))?);
    image::create(difference, "qcow2", length.next_multiple_of(SECTOR) + ROOM)?;
    let qemu_img = QemuImg::confined(paths)?;
    let (image, lent) = (Given::lent(disk, qemu_img)?, Given::lent(difference, qemu_img)?);
    let changed = Difference { qemu_img, image: &image, changes: &lent };
    for change in changes {
        match *change {
            Change::Delete(name) if header.snapshots == 0 || !changed.has_snapshot(name)? => {}
            Change::Save(name) => changed.snapshot("-c", name)?,
            Change::Restore(name) => changed.snapshot("-a", name)?,
            Change::Delete(name) => changed.snapshot("-d", name)?,
        }
    }
    // Also frees clusters that a crash of legion has left without a reference.
    let end = changed.check()?;
    // The copy makes the disk as long as that, if it is shorter.
    changed.set_length(end.next_multiple_of(SECTOR))?;
    sync(difference)?;
    difference.parent().map_or(Ok(()), sync)
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| Error::caused_by(format!("writing {}", path.display()), error))
}
