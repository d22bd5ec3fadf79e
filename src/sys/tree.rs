//! A recorded machine's tree (`--root DIR`): its links lead to places in the tree, as they do on the machine itself. An absolute link, or
//! one with many `..`, must not lead a reader to this machine's files, and much less a writer: the tree may come from elsewhere.
//!
//! Without `--root` nothing is changed and nothing is asked of the kernel.

use crate::error::{Context, Result};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open as open_folder, openat2};
use nix::libc::O_CLOEXEC;
use nix::sys::stat::Mode;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

/// The kernel follows as many links in one path (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// No tree has such a folder.
const CIRCLE: &str = "circle-of-links";

static TREE: OnceLock<Tree> = OnceLock::new();

#[derive(Debug)]
struct Tree {
    /// As `--root` names it, and so do all paths in it.
    root: PathBuf,
    folder: OwnedFd,
}

impl Tree {
    fn at(root: &Path) -> nix::Result<Self> {
        let folder = open_folder(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Self { root: root.to_owned(), folder })
    }

    /// Opens a file for reading, with further `flags` of open(2).
    fn open(&self, below: &Path, flags: i32) -> io::Result<File> {
        let how = OpenHow::new().flags(OFlag::from_bits_retain(flags | O_CLOEXEC)).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        // An empty path is the root itself.
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        Ok(File::from(openat2(&self.folder, below, how)?))
    }

    /// The place that a path leads to, without links; `follows` says whether its last part is followed, too. What is not there has no links,
    /// and a circle of links leads to what is not there.
    fn resolve(&self, below: &Path, follows: bool) -> PathBuf {
        let parts = |path: &Path| -> Vec<OsString> {
            let parts = path.components().filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_owned()),
                Component::ParentDir => Some("..".into()),
                _ => None,
            });
            parts.collect::<Vec<_>>().into_iter().rev().collect()
        };
        let mut left = parts(below);
        let (mut place, mut links) = (PathBuf::new(), 0);
        while let Some(part) = left.pop() {
            if part == ".." {
                place.pop();
                continue;
            }
            place.push(&part);
            if left.is_empty() && !follows {
                break;
            }
            let Ok(target) = fs::read_link(self.root.join(&place)) else { continue };
            links += 1;
            if links > MAX_LINKS {
                return self.root.join(CIRCLE).join(below);
            }
            place.pop();
            if target.is_absolute() {
                place.clear();
            }
            left.extend(parts(&target));
        }
        self.root.join(place)
    }
}

/// From now on, the links below `root` stay in it, whatever reads and writes there.
///
/// # Errors
/// When there is no such folder.
pub fn confine(root: &Path) -> Result<()> {
    let tree = Tree::at(root).context(|| format!("opening the folder {} of --root", root.display()))?;
    // Only the first call counts, and there is no other.
    let _ = TREE.set(tree);
    Ok(())
}

/// The tree that a path is in, and the rest of it.
fn of(path: &Path) -> Option<(&'static Tree, &Path)> {
    let tree = TREE.get()?;
    Some((tree, path.strip_prefix(&tree.root).ok()?))
}

/// Opens a file for reading, with further `flags` of open(2).
pub(super) fn open(path: &Path, flags: i32) -> io::Result<File> {
    match of(path) {
        Some((tree, below)) => tree.open(below, flags),
        None => OpenOptions::new().read(true).custom_flags(flags).open(path),
    }
}

/// Where to write to what a path names: links are followed, and stay in the tree.
pub fn followed(path: &Path) -> Cow<'_, Path> {
    of(path).map_or(Cow::Borrowed(path), |(tree, below)| Cow::Owned(tree.resolve(below, true)))
}

/// Where to create, replace or remove what a path names: the links on the way are followed, and stay in the tree; a link of that name is
/// not followed.
pub fn entry(path: &Path) -> Cow<'_, Path> {
    of(path).map_or(Cow::Borrowed(path), |(tree, below)| Cow::Owned(tree.resolve(below, false)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    /// A tree beside a file that is not in it. Links: to a folder in the tree by an absolute path, out of it in two ways, and in a circle.
    fn tree() -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        fs::create_dir_all(root.join("data/state")).unwrap();
        fs::create_dir_all(root.join("var/lib")).unwrap();
        fs::write(root.join("data/state/file"), "inside").unwrap();
        fs::write(folder.path().join("secret"), "outside").unwrap();
        symlink("/data/state", root.join("var/lib/persona")).unwrap();
        symlink("../../../../../../secret", root.join("data/up")).unwrap();
        symlink(folder.path().join("secret"), root.join("data/away")).unwrap();
        symlink("../data/circle", root.join("data/circle")).unwrap();
        symlink("state/file", root.join("data/near")).unwrap();
        let tree = Tree::at(&root).unwrap();
        (folder, tree)
    }

    #[test]
    fn link_leads_to_a_place_in_the_tree() {
        let (_folder, tree) = tree();
        let place = |path: &str, follows| tree.resolve(Path::new(path), follows).strip_prefix(&tree.root).unwrap().to_owned();
        for (path, follows, expected) in [
            ("var/lib/persona/file", true, "data/state/file"),
            ("var/lib/persona/new/file", false, "data/state/new/file"),
            ("var/lib/persona", true, "data/state"),
            ("var/lib/persona", false, "var/lib/persona"),
            ("data/up", true, "secret"),
            ("data/near", true, "data/state/file"),
            ("data/near", false, "data/near"),
            ("../../etc/passwd", true, "etc/passwd"),
            ("", true, ""),
        ] {
            assert_eq!(place(path, follows), Path::new(expected), "{path} {follows}");
        }
        for path in ["data/away", "data/circle/x"] {
            let place = tree.resolve(Path::new(path), true);
            assert!(place.starts_with(&tree.root) && !place.exists(), "{path}");
        }
    }

    #[test]
    fn reader_sees_what_the_machine_itself_would_see() {
        let (_folder, tree) = tree();
        let read = |path: &str| {
            let mut text = String::new();
            tree.open(Path::new(path), 0).and_then(|mut file| file.read_to_string(&mut text)).map(|_| text)
        };
        assert_eq!(read("var/lib/persona/file").unwrap(), "inside");
        assert_eq!(read("data/near").unwrap(), "inside");
        for path in ["data/up", "data/away", "data/circle", "../secret"] {
            assert!(read(path).is_err(), "{path}");
        }
    }

    #[test]
    fn without_a_tree_a_path_stays_as_it_is() {
        let path = Path::new("/var/lib/../lib/persona");
        assert!(matches!((followed(path), entry(path)), (Cow::Borrowed(one), Cow::Borrowed(two)) if one == path && two == path));
    }
}
