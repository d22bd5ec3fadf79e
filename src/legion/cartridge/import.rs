//! Creates cartridges from existing images, of any format that `qemu-img` reads, and from block devices.

use super::boot::{self, FirmwareKind};
use super::create::close;
use super::foreign::{self, Others};
use super::image::{Image, Progress};
use super::parts::names_in;
use super::qcow2::Header;
use super::qemu_img::{Given, QemuImg};
use super::{Disk, DiskKind, DiskSize, Shelf, in_use, layers, partial};
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use crate::sys::tree;
use nix::libc::O_EXCL;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

/// How many snapshots are named.
const MAX_NAMES: usize = 20;

/// The source of a cartridge.
#[derive(Debug, Clone)]
pub struct Source {
    /// The image or block device, as a path on the machine (not below `--root`).
    pub path: PathBuf,
    /// The disk kind of the result: `BlockDevice` links to the source, the others copy it.
    pub becomes: DiskKind,
    /// What starts the guest; if omitted, it is detected from the disk.
    pub firmware: Option<FirmwareKind>,
    /// Whether the source may be a difference to other files in its folder.
    pub flatten: bool,
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What starts the guest.
    pub firmware: FirmwareKind,
    /// The files that were read: the source, and what it is a difference to.
    pub files: Vec<PathBuf>,
}

impl Shelf<'_> {
    /// Creates the cartridge `name` from the source. It appears only when it is complete.
    ///
    /// # Errors
    /// When it exists already, the source is in use or cannot be read, there is too little space, or the copy differs; nothing is left
    /// behind then.
    pub fn import(&self, name: &str, source: &Source, progress: &mut Progress<'_>) -> Result<Imported> {
        let from = tree::followed(&self.paths.at(&source.path)).into_owned();
        let metadata = fs::metadata(&from).context(|| format!("looking at {}", from.display()))?;
        let is_device = metadata.file_type().is_block_device();
        if !is_device && !metadata.is_file() {
            return Err(
                Error::new(format!("{} is neither an image file nor a block device", from.display())).with_code("source-not-a-disk")
            );
        }
        in_use::ensure_unused(self.paths, &from)?;
        let _claim = is_device.then(|| claim(&from)).transpose()?;
        let partial = self.begin(name)?;
        let to = partial.folder.join(source.becomes.file_name());
        let mut files = vec![from.clone()];
        if source.becomes == DiskKind::BlockDevice {
            let device = stable_name(self.paths, &source.path)?;
            symlink(&device, &to).context(|| format!("linking {} to {}", to.display(), device.display()))?;
        } else {
            let file = Given::to_read(&from)?;
            // Data that a guest wrote to a device must not be detected as an image format.
            let others = if source.flatten { Others::Backing } else { Others::None };
            let format = if is_device { "raw" } else { foreign::examine(&from, file.file(), others)? };
            let below = if source.flatten && format == "qcow2" { layers::below(self.paths, &file)? } else { Vec::new() };
            files.extend(below.iter().map(|layer| layer.file.path().to_owned()));
            // Of a raw disk, QEMU reads no byte as a format.
            let qemu_img = if format == "raw" { QemuImg::unconfined() } else { QemuImg::confined(self.paths)? };
            copy(Image { qemu_img, file: &file, format, below: &below }, source.becomes, &to, progress)?;
            close(&to)?;
        }
        let disk = Disk { kind: source.becomes, direct: false };
        // Follows the link only if its target is on this machine.
        let start = disk.start(if source.becomes == DiskKind::BlockDevice { &from } else { &to }, boot::START)?;
        let firmware = source.firmware.unwrap_or_else(|| FirmwareKind::of(&start));
        self.fit_out(name, &partial.folder, firmware)?;
        partial.finish()?;
        Ok(Imported { firmware, files })
    }
}

/// Warns of the snapshots inside an image: a copy has the disk's current state only.
fn note_snapshots(image: Image<'_>) -> Result<()> {
    let snapshots = image.info()?.snapshots;
    if !snapshots.is_empty() {
        let more = if snapshots.len() > MAX_NAMES { ", ..." } else { "" };
        let (count, path, names) = (snapshots.len(), image.file.path().display(), snapshots[..snapshots.len().min(MAX_NAMES)].join(", "));
        log::warn!("{count} snapshots inside {path} are not copied: {names}{more}");
    }
    Ok(())
}

fn copy(from: Image<'_>, becomes: DiskKind, to: &Path, progress: &mut Progress<'_>) -> Result<()> {
    let wanted = becomes.driver();
    // QEMU's own tool finds what is missing in these.
    if from.format == "parallels" {
        from.check()?;
    }
    let size = from.info()?.size;
    note_snapshots(from)?;
    for layer in from.below {
        note_snapshots(Image { file: &layer.file, format: layer.format, below: &[], ..from })?;
    }
    let what = |doing: &str| format!("{doing} {}", DiskSize(size));
    let needed = from.measure(wanted)?;
    let free = in_use::free_space(to.parent().unwrap_or(to)).unwrap_or(u64::MAX);
    if becomes == DiskKind::Qcow2 && needed > free {
        let (from, needed, free) = (from.file.path().display(), DiskSize(needed), DiskSize(free));
        return Err(Error::new(format!("the copy of {from} takes {needed}, and only {free} are free"))
            .with_code("no-space")
            .with_hint("make room, or keep cartridges elsewhere: `cartridges` in the settings"));
    }
    drop(partial::new_file(to).context(|| format!("making {}", to.display()))?);
    let file = Given::lent(to, from.qemu_img)?;
    let copy = Image { file: &file, format: wanted, below: &[], ..from };
    from.convert(copy, &mut |share| progress(&what("copying"), share))?;
    // The comparison reads back from the disk, not from the cache of what was to be written.
    file.file().sync_all().context(|| format!("writing {}", to.display()))?;
    from.compare(copy, &mut |share| progress(&what("comparing"), share))?;
    if becomes == DiskKind::Qcow2 {
        copy.check()?;
        // A parser that the image took over could have written any header.
        let mut copy = file.file().try_clone().context(|| format!("reading {}", to.display()))?;
        Header::read(&mut copy, to)?.ensure_alone(&mut copy, to)?;
    }
    Ok(())
}

/// Prevents the host from using a block device during the copy (`O_EXCL`, `open(2)`).
fn claim(device: &Path) -> Result<File> {
    OpenOptions::new().read(true).custom_flags(O_EXCL).open(device).map_err(|error| {
        Error::caused_by(format!("opening {} exclusively", device.display()), error)
            .with_code("device-in-use")
            .with_hint("unmount its file systems and deactivate its swap and LVM volumes on the host (`lsblk` shows them)")
    })
}

/// A name for a block device that is the same on every boot.
fn stable_name(paths: &Paths, device: &Path) -> Result<PathBuf> {
    const STABLE: [&str; 2] = ["/dev/disk/", "/dev/mapper/"];
    const BY_ID: &str = "/dev/disk/by-id";
    if STABLE.iter().any(|folder| device.starts_with(folder)) {
        return Ok(device.to_owned());
    }
    let same = fs::canonicalize(paths.at(device)).ok();
    // Prefers names with the vendor's text over names made of numbers.
    let is_number = |name: &String| ["wwn-", "nvme-eui.", "dm-uuid-", "lvm-pv-uuid-"].iter().any(|number| name.starts_with(number));
    let links = names_in(&paths.at(BY_ID)).into_iter().filter(|name| fs::canonicalize(paths.at(BY_ID).join(name)).ok() == same);
    links.min_by_key(is_number).map(|name| Path::new(BY_ID).join(name)).ok_or_else(|| {
        Error::new(format!("{} has no stable name in {BY_ID}", device.display()))
            .with_code("device-without-stable-name")
            .with_hint("name it by another stable path, such as /dev/disk/by-path/..., or copy it: leave out --link")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_device_is_linked_by_the_name_that_says_most() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        fs::create_dir_all(paths.at("/dev/disk/by-id")).unwrap();
        for device in ["/dev/sda", "/dev/sdb"] {
            fs::write(paths.at(device), b"").unwrap();
        }
        for (name, device) in [("wwn-0x5", "sda"), ("ata-MAKER_MODEL_SERIAL", "sda"), ("ata-OTHER", "sdb"), ("dangling", "sdz")] {
            symlink(Path::new("../..").join(device), paths.at("/dev/disk/by-id").join(name)).unwrap();
        }
        let name = |device: &str| stable_name(&paths, Path::new(device)).unwrap();
        assert_eq!(name("/dev/sda"), Path::new("/dev/disk/by-id/ata-MAKER_MODEL_SERIAL"));
        assert_eq!(name("/dev/disk/by-path/pci-0"), Path::new("/dev/disk/by-path/pci-0"), "what is stable is kept");
        fs::write(paths.at("/dev/vda"), b"").unwrap();
        let error = stable_name(&paths, Path::new("/dev/vda")).unwrap_err();
        assert!(error.code() == Some("device-without-stable-name") && error.to_string().contains("--link"), "what helps: {error}");
    }
}
