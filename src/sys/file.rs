//! Reading whole files, whatever somebody has put in their place: a FIFO or a device is refused instead of waited for, and no file is
//! read beyond a limit.

use crate::error::Context;
use crate::error::Result;
use crate::sys::tree;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Records and the kernel's lists are smaller. In bytes.
pub const MAX_TEXT: u64 = 4 << 20;
/// The settings are smaller: reading them takes a hundred times as much memory. In bytes.
pub const MAX_SETTINGS: u64 = 256 << 10;
/// What legion's user writes for Persona is smaller. In bytes.
pub const MAX_UNTRUSTED: u64 = 64 << 10;

/// The contents of a regular file of at most `limit` bytes.
///
/// # Errors
/// When it cannot be opened or read, is no regular file, or is larger.
pub fn read(path: impl AsRef<Path>, limit: u64) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening some devices does something.
    must_be_regular(&fs::metadata(tree::followed(path.as_ref()))?)?;
    contents(&open(path.as_ref(), 0)?, limit)
}

/// The text of a file of at most [`MAX_TEXT`] bytes. Bytes that are not UTF-8 become U+FFFD: one of them in a long list does not hide
/// the rest of it.
///
/// # Errors
/// As [`read`].
pub fn read_text(path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = contents(&open(path.as_ref(), 0)?, MAX_TEXT)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The text of a file that a user with less rights may have written or replaced: no link is followed, at most [`MAX_UNTRUSTED`] bytes are
/// read, and its owner is checked.
///
/// # Errors
/// As [`read`], and when it is a link or its owner is none of `owners` (user IDs).
pub fn read_untrusted(path: &Path, owners: &[u32]) -> io::Result<String> {
    must_be_regular(&fs::symlink_metadata(tree::entry(path))?)?;
    let file = open(path, nix::libc::O_NOFOLLOW)?;
    let owner = file.metadata()?.uid();
    if !owners.contains(&owner) {
        return Err(io::Error::other(format!("it belongs to user {owner}, which must not write it")));
    }
    contents(&file, MAX_UNTRUSTED).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The text of a file as an answer that may be missing: `None` if there is no such file.
///
/// # Errors
/// When there is one that cannot be read: then its contents are unknown, which is not the same as none.
pub fn read_text_if_there(path: &Path) -> Result<Option<String>> {
    match read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(|| format!("reading {}", path.display())),
    }
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    let flags = flags | nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let file = tree::open(path, flags)?;
    must_be_regular(&file.metadata()?)?;
    Ok(file)
}

fn must_be_regular(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        () if kind.is_symlink() => "a link",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(io::Error::other(format!("it is {what}, not a regular file")))
}

fn contents(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        for (path, says) in [(at("fifo"), "a FIFO"), (at("zero"), "a device"), ("/dev/null".into(), "a device")] {
            assert!(read_text(&path).unwrap_err().to_string().contains(says), "{}", path.display());
        }
        assert_eq!(read_text(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(read_text(at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(read_text_if_there(&at("none")).unwrap(), None);
        assert!(read_text_if_there(&at("fifo")).is_err());
    }

    #[test]
    fn a_foreign_byte_hides_nothing_and_a_large_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        fs::write(&path, b"one\n\xff\ntwo\n").unwrap();
        assert_eq!(read_text(&path).unwrap(), "one\n\u{fffd}\ntwo\n");
        assert_eq!(read(&path, 10).unwrap().len(), 10);
        assert!(read(&path, 9).unwrap_err().to_string().contains("more than 9 bytes"));
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read_text(&path).is_err());
    }

    #[test]
    fn a_file_of_another_user_is_followed_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&path, "words").unwrap();
        symlink(&path, &link).unwrap();
        let me = fs::metadata(&path).unwrap().uid();
        assert_eq!(read_untrusted(&path, &[me]).unwrap(), "words");
        assert!(read_untrusted(&path, &[me + 1]).unwrap_err().to_string().contains("belongs to user"));
        assert!(read_untrusted(&link, &[me]).unwrap_err().to_string().contains("a link"));
        File::create(&path).unwrap().set_len(MAX_UNTRUSTED + 1).unwrap();
        assert!(read_untrusted(&path, &[me]).is_err());
    }
}
