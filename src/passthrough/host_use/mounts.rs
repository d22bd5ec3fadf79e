//! What is mounted and swapped on, as the kernel lists it.

use crate::error::Result;
use crate::sys::file;
use crate::sys::paths::Paths;
use std::path::Path;

/// A line of `/proc/self/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// `major:minor` of the file system.
    pub(super) number: String,
    pub(super) point: String,
    /// The type of the file system, such as `ext4` or `fuse.mergerfs`.
    pub(super) kind: String,
    pub(super) source: String,
}

/// Types of file systems that lie on no disk of their own: the kernel's own, those in memory or on the network, and those that show files
/// of other mounted file systems.
const WITHOUT_DISK: [&str; 41] = [
    "9p",
    "afs",
    "autofs",
    "binfmt_misc",
    "bpf",
    "ceph",
    "cgroup",
    "cgroup2",
    "cifs",
    "coda",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "ecryptfs",
    "efivarfs",
    "functionfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "ncpfs",
    "nfs",
    "nfs4",
    "nfsd",
    "nsfs",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "resctrl",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "smb3",
    "sysfs",
    "tmpfs",
    "tracefs",
    "virtiofs",
    "aufs",
];

impl Mount {
    /// Whether its type needs no disk, by the kernel's or a helper's own nature.
    pub(super) fn is_without_disk(&self) -> bool {
        WITHOUT_DISK.contains(&self.kind.as_str()) || self.is_fuse()
    }

    /// Whether it may show files of other mounted file systems, wherever these are: then none of them is only a stick.
    pub(super) fn may_join_others(&self) -> bool {
        const ALONE: [&str; 8] =
            ["fuse.gvfsd-fuse", "fuse.portal", "fuse.sshfs", "fuse.rclone", "fuse.lxcfs", "fuse.snapfuse", "fuse.curlftpfs", "fuse.s3fs"];
        (self.is_fuse() && !ALONE.contains(&self.kind.as_str())) || ["overlay", "aufs", "ecryptfs"].contains(&self.kind.as_str())
    }

    /// Whether its type is one that another machine serves.
    pub(super) fn is_of_network(&self) -> bool {
        const KINDS: [&str; 9] = ["afs", "ceph", "cifs", "coda", "fuse.glusterfs", "ncpfs", "nfs", "nfs4", "smb3"];
        KINDS.contains(&self.kind.as_str())
    }

    fn is_fuse(&self) -> bool {
        self.kind == "fuse" || self.kind.starts_with("fuse.")
    }

    /// Whether a file is on it, going by the paths alone.
    fn has(&self, path: &Path) -> bool {
        path.starts_with(&self.point)
    }
}

/// All mounts of this process, in the order of mounting.
///
/// # Errors
/// When there is a list that cannot be read.
pub(super) fn read(paths: &Paths) -> Result<Vec<Mount>> {
    Ok(parse(&file::read_text_if_there(&paths.mount_info())?.unwrap_or_default()))
}

/// Devices that systemd mounts once their mount point is used, and these points: `fstab(5)` names them, and nothing but `autofs` is mounted
/// there yet.
pub(super) fn automounts(paths: &Paths, mounts: &[Mount]) -> Vec<(String, String)> {
    let waits = |point: &str| mounts.iter().rfind(|mount| mount.point == point).is_some_and(|mount| mount.kind == "autofs");
    if mounts.iter().all(|mount| mount.kind != "autofs") {
        return Vec::new();
    }
    let text = file::read_text(paths.fstab()).unwrap_or_default();
    let entries = text.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| {
        let mut fields = line.split_whitespace();
        Some((device(&unescape(fields.next()?)), unescape(fields.next()?)))
    });
    entries.filter(|(_, point)| waits(point)).collect()
}

/// The node of a device as `fstab(5)` names it: by a node, or by a tag.
fn device(source: &str) -> String {
    const TAGS: [(&str, &str); 4] =
        [("UUID", "by-uuid"), ("LABEL", "by-label"), ("PARTUUID", "by-partuuid"), ("PARTLABEL", "by-partlabel")];
    let tagged =
        source.split_once('=').and_then(|(tag, value)| Some((TAGS.iter().find(|(name, _)| *name == tag)?.1, value.trim_matches('"'))));
    // udev's links have no blanks.
    tagged.map_or_else(|| source.to_owned(), |(folder, value)| format!("/dev/disk/{folder}/{}", value.replace(' ', "\\x20")))
}

/// The mount that a file is on: of those with the longest mount point, the last one covers the others.
pub(super) fn of_file<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts.iter().filter(|mount| mount.has(path)).max_by_key(|mount| mount.point.len())
}

/// `proc_pid_mountinfo(5)`: id, parent, number, root, mount point, options, optional fields, `-`, type, source, options.
fn parse(text: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(2);
        let number = left.next()?.to_owned();
        let point = unescape(left.nth(1)?);
        let mut right = right.split(' ');
        Some(Mount { number, point, kind: right.next()?.to_owned(), source: unescape(right.next()?) })
    };
    text.lines().filter_map(mount).collect()
}

/// The sources of `/proc/swaps`, devices and files.
///
/// # Errors
/// When there is a list that cannot be read.
pub(super) fn swaps(paths: &Paths) -> Result<Vec<String>> {
    let text = file::read_text_if_there(&paths.swaps())?.unwrap_or_default();
    Ok(text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(unescape).collect())
}

/// Decodes the kernel's octal escapes (`\040` is a space).
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = (*first == b'\\').then(|| tail.get(..3)).flatten();
        match octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn mountinfo_with_optional_fields_and_escapes() {
        let text = "26 1 0:24 /@ / rw,relatime shared:1 master:2 - btrfs /dev/mapper/a\\040b rw,subvol=/@\nnonsense\n";
        let root = Mount { number: "0:24".into(), point: "/".into(), kind: "btrfs".into(), source: "/dev/mapper/a b".into() };
        assert_eq!(parse(text), [root]);
        assert_eq!(unescape("\\04"), "\\04");
        assert_eq!(unescape("\\999x"), "\\999x");
    }

    #[test]
    fn a_file_is_on_the_mount_that_covers_the_others() {
        let line = |number: &str, point: &str| format!("1 1 {number} / {point} rw - ext4 /dev/x rw\n");
        let mounts = parse(&[line("8:1", "/"), line("8:2", "/var"), line("8:3", "/var"), line("8:4", "/variety")].concat());
        let on = |path: &str| of_file(&mounts, Path::new(path)).map(|mount| mount.number.as_str());
        assert_eq!([on("/var/swap"), on("/variety/swap"), on("/swap"), on("swap")], [Some("8:3"), Some("8:4"), Some("8:1"), None]);
    }
}
