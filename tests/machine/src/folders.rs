//! Where the test bench reads and writes on the host.

use persona::error::{Context, Result};
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// This crate's folder: the stand-in for mkinitcpio, the guest's files.
pub(crate) fn bench() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// The folder of this package's programs: that of the running one, or the one above, if it is a test.
///
/// # Errors
/// When the kernel does not tell which program runs.
pub(crate) fn programs() -> Result<PathBuf> {
    let program = std::env::current_exe().context(|| "finding the running program".to_owned())?;
    let folder = program.parent().unwrap_or(Path::new("/"));
    Ok(if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}

/// What is built for the machine: `target/machine`.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn output() -> Result<PathBuf> {
    let folder = target().join("machine");
    std::fs::create_dir_all(&folder).context(|| format!("making {}", folder.display()))?;
    folder.canonicalize().context(|| format!("finding {}", folder.display()))
}

/// Whether `made` was made from `recipe`: the recipe is kept beside it.
pub(crate) fn is_current(made: &Path, recipe: &str) -> bool {
    made.exists() && std::fs::read_to_string(recipe_of(made)).is_ok_and(|kept| kept == recipe)
}

/// Notes that `made` is now what `recipe` makes.
///
/// # Errors
/// When the note cannot be written.
pub(crate) fn keep_recipe(made: &Path, recipe: &str) -> Result<()> {
    std::fs::write(recipe_of(made), recipe).context(|| format!("noting how {} was made", made.display()))
}

/// Forgets how `made` was made, before it is made anew.
pub(crate) fn forget_recipe(made: &Path) {
    let _ = std::fs::remove_file(recipe_of(made));
}

fn recipe_of(made: &Path) -> PathBuf {
    let mut name = made.as_os_str().to_owned();
    name.push(".recipe");
    name.into()
}

/// A fingerprint of every file below a folder: names, kinds, modes and contents.
///
/// # Errors
/// When something cannot be read.
pub(crate) fn fingerprint(folder: &Path) -> Result<u64> {
    let mut hash = Fnv::default();
    add_folder(&mut hash, folder)?;
    Ok(hash.0)
}

/// A fingerprint of a file's contents.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn fingerprint_file(file: &Path) -> Result<u64> {
    let mut hash = Fnv::default();
    hash.add(&std::fs::read(file).context(|| format!("reading {}", file.display()))?);
    Ok(hash.0)
}

fn add_folder(hash: &mut Fnv, folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let reading = || format!("reading {}", folder.display());
    let mut entries = std::fs::read_dir(folder).context(reading)?.collect::<std::io::Result<Vec<_>>>().context(reading)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let metadata = entry.metadata().context(|| format!("looking at {}", path.display()))?;
        hash.add(entry.file_name().as_encoded_bytes());
        hash.add(&metadata.permissions().mode().to_le_bytes());
        if metadata.is_dir() {
            add_folder(hash, &path)?;
        } else if metadata.is_symlink() {
            let target = std::fs::read_link(&path).context(|| format!("reading {}", path.display()))?;
            hash.add(target.as_os_str().as_encoded_bytes());
        } else {
            hash.add(&std::fs::read(&path).context(|| format!("reading {}", path.display()))?);
        }
    }
    Ok(())
}

/// FNV-1a, 64 bits: it need only tell one build from the next.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
