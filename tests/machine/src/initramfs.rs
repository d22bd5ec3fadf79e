//! The initramfs, made by mkinitcpio from Persona's real install hook.

use crate::debian::Debian;
use crate::folders;
use crate::log::Log;
use crate::overlay::write;
use crate::root_image::RootImage;
use crate::tool::Tool;
use persona::error::{Context, Result};
use std::path::{Path, PathBuf};

/// The two kinds of image that mkinitcpio makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageKind {
    /// A shell script runs hooks.
    Busybox,
    /// systemd is there from the start.
    Systemd,
}

impl ImageKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Busybox, Self::Systemd];

    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Busybox => "busybox",
            Self::Systemd => "systemd",
        }
    }

    /// mkinitcpio.conf's hooks, in the order of an Arch installation.
    fn hooks(self) -> &'static str {
        match self {
            Self::Busybox => "base persona udev modconf kms keyboard block filesystems",
            Self::Systemd => "systemd persona modconf kms keyboard block filesystems",
        }
    }
}

/// What Persona's hook adds to an image, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// The image without the hook.
    pub without: u64,
    /// The image with it.
    pub with: u64,
    /// Both, compressed as mkinitcpio does by default (zstd).
    pub compressed: (u64, u64),
}

/// What an image is made from.
///
/// # Errors
/// When the stand-in for mkinitcpio cannot be read.
pub(crate) fn recipe(root: &RootImage) -> Result<String> {
    Ok(format!("{}{:016x}", root.recipe, folders::fingerprint(&stand_in())?))
}

/// Makes an image of one kind, unless it is there already.
///
/// # Errors
/// When mkinitcpio fails.
pub(crate) fn build(output: &Path, debian: &Debian, root: &RootImage, kind: ImageKind, log: &Log) -> Result<PathBuf> {
    let image = output.join(format!("initramfs-{}.img", kind.name()));
    let recipe = recipe(root)?;
    if !folders::is_current(&image, &recipe) {
        log.step(format!("making the {} initramfs", kind.name()));
        folders::forget_recipe(&image);
        make(output, debian, root, kind.hooks(), &image)?;
        folders::keep_recipe(&image, &recipe)?;
    }
    Ok(image)
}

/// Makes an image without Persona's hook, unless it is there already.
///
/// # Errors
/// When mkinitcpio fails.
pub(crate) fn bare(output: &Path, debian: &Debian, root: &RootImage, kind: ImageKind) -> Result<PathBuf> {
    let image = output.join(format!("bare-{}.img", kind.name()));
    let recipe = recipe(root)?;
    if !folders::is_current(&image, &recipe) {
        folders::forget_recipe(&image);
        make(output, debian, root, &kind.hooks().replace("persona ", ""), &image)?;
        folders::keep_recipe(&image, &recipe)?;
    }
    Ok(image)
}

/// Measures what Persona's hook costs: `with` and `without` are images.
///
/// # Errors
/// When an image cannot be read or packed.
pub(crate) fn growth(with: &Path, without: &Path) -> Result<Growth> {
    let size = |path: &Path| std::fs::metadata(path).map(|file| file.len()).context(|| format!("measuring {}", path.display()));
    let compressed = |path: &Path| -> Result<u64> {
        let packed = path.with_extension("zst");
        Tool::new("zstd").args(["-q", "-f", "-o"]).arg(&packed).arg(path).run()?;
        size(&packed)
    };
    Ok(Growth { without: size(without)?, with: size(with)?, compressed: (compressed(without)?, compressed(with)?) })
}

fn stand_in() -> PathBuf {
    folders::bench().join("mkinitcpio")
}

fn make(output: &Path, debian: &Debian, root: &RootImage, hooks: &str, image: &Path) -> Result<()> {
    let version = debian.kernel_version()?;
    let config = image.with_extension("conf");
    write(&config, format!("HOOKS=({hooks})\nCOMPRESSION=cat\n"), 0o644)?;
    let common = |tool: Tool| tool.arg("-c").arg(&config).args(["-k", &version]).arg("-r").arg(&root.stage).arg("-g").arg(image);
    if Tool::exists("mkinitcpio") {
        // The host is an Arch: it sees Persona installed, and nothing of that outlives the command.
        let overlay = output.join("overlay");
        let script = r#"
            mount -t overlay -o "lowerdir=$1/usr:/usr" overlay /usr
            mount -t overlay -o "lowerdir=$1/etc:/etc" overlay /etc
            shift
            exec mkinitcpio "$@""#;
        let namespace = Tool::new("unshare").args(["--mount", "sh", "-ec", script, "sh"]).arg(overlay).by_root();
        return common(namespace).run();
    }
    let hooks = root.stage.join("usr/lib/initcpio");
    common(Tool::new(stand_in().join("mkinitcpio")).arg("-D").arg(hooks).arg("-D").arg(stand_in())).run()
}
