//! The files that a qcow2 image is a difference to, for an import that makes one disk of them all.
//!
//! A header may name any file of the host. So each of them must be in the image's own folder, is opened below it without following a link,
//! and is read in the format that the image above it names. QEMU gets open files, and looks at no name.

use super::foreign::{self, Others};
use super::in_use;
use super::qcow2::{Header, needs_other_file};
use super::qemu_img::Given;
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// No image has more below it, and no tool should open as many.
const MAX_LAYERS: usize = 32;

/// An image below another one.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) file: Given,
    /// QEMU's name for its format.
    pub(super) format: &'static str,
}

/// Opens everything below this qcow2 image, the next one first.
///
/// # Errors
/// When one of the files is elsewhere, in use, damaged, or not of the format that is named.
pub(super) fn below(paths: &Paths, top: &Given) -> Result<Vec<Layer>> {
    let folder = top.path().parent().unwrap_or(Path::new("/"));
    let opened = File::open(folder).context(|| format!("opening the folder {}", folder.display()))?;
    let mut seen = vec![identity(top)?];
    let mut layers: Vec<Layer> = Vec::new();
    loop {
        let above = layers.last().map_or(top, |layer| &layer.file);
        let Some((name, format)) = named(above)? else { return Ok(layers) };
        let path = inside(folder, above.path(), &name).ok_or_else(|| not_beside(above.path(), &name))?;
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        let file = match openat2(&opened, inside, how) {
            Err(nix::errno::Errno::ELOOP | nix::errno::Errno::EXDEV) => return Err(not_beside(above.path(), &name)),
            opened => File::from(opened.map_err(std::io::Error::from).context(|| format!("opening the backing file {}", path.display()))?),
        };
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(Error::new(format!("the backing file {} is no file", path.display())).with_code("source-not-a-disk"));
        }
        in_use::ensure_unused(paths, &path)?;
        let is = if format == "raw" { "raw" } else { foreign::examine(&path, &file, Others::Backing)? };
        if is != format {
            let message = format!("{} is a {is} image, and {} says that it is {format}", path.display(), above.path().display());
            return Err(Error::new(message).with_code("image-damaged"));
        }
        let layer = Layer { file: Given::opened(&path, file)?, format: is };
        let this = identity(&layer.file)?;
        if seen.contains(&this) || layers.len() == MAX_LAYERS {
            return Err(Error::new(format!("{} is below itself, or below too many images", path.display())).with_code("image-damaged"));
        }
        seen.push(this);
        let is_last = layer.format != "qcow2";
        layers.push(layer);
        if is_last {
            return Ok(layers);
        }
    }
}

/// The name and the format of the backing file in a qcow2 image's header, if it has one.
fn named(image: &Given) -> Result<Option<(Vec<u8>, String)>> {
    let path = image.path();
    let mut file = image.file().try_clone().context(|| format!("reading {}", path.display()))?;
    let Some((name, format)) = Header::read(&mut file, path)?.backing_file(&mut file, path)? else { return Ok(None) };
    let shown = String::from_utf8_lossy(&name).into_owned();
    let format = format.ok_or_else(|| {
        Error::new(format!("the image {} does not say which format its backing file {shown} has", path.display()))
            .with_code("source-needs-other-files")
            .with_hint(format!("write it into a copy of the image: `qemu-img rebase -u -F FORMAT -b {shown} COPY`"))
    })?;
    Ok(Some((name, format)))
}

/// Where a backing file of this name is, if that may be in the folder: a name starts at the folder of the image that it is in. QEMU takes
/// what is before a colon for a protocol.
fn inside(folder: &Path, above: &Path, name: &[u8]) -> Option<PathBuf> {
    let has_protocol = name.split(|byte| *byte == b'/').next().is_some_and(|first| first.contains(&b':'));
    let path = above.parent()?.join(Path::new(std::ffi::OsStr::from_bytes(name)));
    let canonical = fs::canonicalize(folder).ok()?;
    let inside = path.strip_prefix(folder).or_else(|_| path.strip_prefix(&canonical)).ok()?;
    (!has_protocol && !name.is_empty()).then(|| folder.join(inside))
}

fn identity(file: &Given) -> Result<(u64, u64)> {
    let metadata = file.file().metadata().context(|| format!("looking at {}", file.path().display()))?;
    Ok((metadata.dev(), metadata.ino()))
}

fn not_beside(above: &Path, name: &[u8]) -> Error {
    let name = String::from_utf8_lossy(name);
    needs_other_file(above, &format!("its backing file {name}, which is not in the folder of the image, or a link"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn inside_is_what_starts_in_the_folder_and_is_no_protocol() {
        let is = |name: &str| inside(Path::new("/nowhere/images"), Path::new("/nowhere/images/sub/top"), name.as_bytes());
        // Without the folder there is nothing in it.
        assert_eq!(is("base"), None);
        let folder = tempfile::tempdir().unwrap();
        let is = |name: &str| inside(folder.path(), &folder.path().join("sub/top"), name.as_bytes());
        assert_eq!(is("base"), Some(folder.path().join("sub/base")));
        assert_eq!(is(&folder.path().join("base").display().to_string()), Some(folder.path().join("base")));
        for name in ["", "/etc/shadow", "nbd:host:10809", "json:{\"driver\":\"null-co\"}", "file:base"] {
            assert_eq!(is(name), None, "{name}");
        }
    }
}
