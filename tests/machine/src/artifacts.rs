//! Everything that the machine boots from.

use crate::accel::{self, Accel};
use crate::debian::{self, Debian};
use crate::emulator::Emulator;
use crate::folders;
use crate::initramfs::{self, Growth, ImageKind};
use crate::log::Log;
use crate::root_image::RootImage;
use crate::suite::Suite;
use crate::tool::Tool;
use crate::{binaries, cartridge, overlay, root_image, settings};
use nix::fcntl::{Flock, FlockArg};
use persona::config::Settings;
use persona::error::{Context, Error, Result};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Kernel, images and keys, built and cached in `target/machine/SUITE`.
#[derive(Debug)]
pub struct Artifacts {
    /// The folder they are in.
    pub folder: PathBuf,
    /// The kernel.
    pub kernel: PathBuf,
    /// The disk with the root file system.
    pub root_image: PathBuf,
    /// The private key that root's account in the machine accepts.
    pub ssh_key: PathBuf,
    /// The program under test.
    pub persona: PathBuf,
    /// `/etc/persona/persona.toml` of the image.
    pub settings: String,
    /// How QEMU runs the machine.
    pub accel: Accel,
    /// The Debian release in the machine.
    pub suite: Suite,
    images: [PathBuf; 2],
    pub(crate) emulator: Emulator,
    debian: Debian,
    root: RootImage,
    recipe: String,
}

/// Versions of the system in the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// Of the kernel.
    pub kernel: String,
    /// Of systemd.
    pub systemd: String,
    /// Of the QEMU that runs legion.
    pub qemu: String,
}

impl Artifacts {
    /// Builds what is lacking or out of date, for the suite that `SUITE` names.
    ///
    /// # Errors
    /// When a tool is missing or fails.
    pub fn build(log: &Log) -> Result<Self> {
        let suite = Suite::from_environment()?;
        let folder = folders::output()?.join(suite.name());
        overlay::make_folder(&folder)?;
        let lock = fs::File::create(folder.join("lock")).context(|| format!("writing to {}", folder.display()))?;
        let waiting = |(_, errno)| Error::caused_by("waiting for another build of the machine", errno);
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(waiting)?;

        let binaries = binaries::build(log)?;
        let example = folders::repository().join("config/persona.toml");
        let settings = settings::for_machine(&fs::read_to_string(&example).context(|| format!("reading {}", example.display()))?)?;
        let parsed = Settings::parse(&settings, "the machine's settings")?;
        let debian = debian::tree(&folder, suite, log)?;
        let ssh_key = ssh_key(&folder)?;
        let public = ssh_key.with_extension("pub");
        let public = fs::read_to_string(&public).context(|| format!("reading {}", public.display()))?;
        let cartridges = cartridge::build(&folder, &debian, &binaries.cartridge_guest, &parsed, log)?;
        let overlay = overlay::build(&folder, suite, &binaries, &settings, &public)?;
        let inserted = overlay.join("var/lib/legion/cartridges");
        overlay::make_folder(&overlay.join("var/lib/legion"))?;
        Tool::new("cp").args(["-r", "--sparse=always", "-T"]).arg(cartridges).arg(inserted).run()?;
        let root = root_image::build(&folder, &debian, &overlay, log)?;
        let mut images = Vec::new();
        for kind in ImageKind::ALL {
            images.push(initramfs::build(&folder, &debian, &root, kind, log)?);
        }
        let [busybox, systemd] = [images.remove(0), images.remove(0)];
        let kernel = debian.kernel(&debian.kernel_version()?);
        let emulator = Emulator::of(&debian);
        let accel = accel::choose(&folder, &kernel, &debian.tree, &emulator, log)?;
        log.step("everything is there");
        Ok(Self {
            kernel,
            root_image: root.image.clone(),
            ssh_key,
            persona: binaries.persona,
            settings,
            accel,
            images: [busybox, systemd],
            folder,
            suite,
            emulator,
            debian,
            recipe: initramfs::recipe(&root)?,
            root,
        })
    }

    /// An initramfs.
    pub fn initramfs(&self, kind: ImageKind) -> &Path {
        match kind {
            ImageKind::Busybox => &self.images[0],
            ImageKind::Systemd => &self.images[1],
        }
    }

    /// What the images were made from.
    pub(crate) fn recipe(&self) -> &str {
        &self.recipe
    }

    /// The versions of what Persona depends on in the machine, as its packages have them.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn versions(&self) -> Result<Versions> {
        let status = self.debian.tree.join("var/lib/dpkg/status");
        let text = fs::read_to_string(&status).context(|| format!("reading {}", status.display()))?;
        let version = |package: &str| {
            let mut lines = text.lines().skip_while(|line| *line != format!("Package: {package}"));
            let version = lines.by_ref().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix("Version: "));
            version.map(str::to_owned).ok_or_else(|| Error::new(format!("{} knows no package {package}", status.display())))
        };
        Ok(Versions { kernel: self.debian.kernel_version()?, systemd: version("systemd")?, qemu: version("qemu-system-x86")? })
    }

    /// A static program that does nothing, or what a shell does.
    pub(crate) fn busybox(&self) -> PathBuf {
        self.debian.tree.join("usr/bin/busybox")
    }

    /// What Persona's hook adds to an initramfs.
    ///
    /// # Errors
    /// When the image without it cannot be made.
    pub fn growth(&self, kind: ImageKind) -> Result<Growth> {
        initramfs::growth(self.initramfs(kind), &self.bare_initramfs(kind)?)
    }

    /// An initramfs without Persona's part.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn bare_initramfs(&self, kind: ImageKind) -> Result<PathBuf> {
        initramfs::bare(&self.folder, &self.debian, &self.root, kind)
    }
}

/// The bench's key pair, made once.
fn ssh_key(folder: &Path) -> Result<PathBuf> {
    let key = folder.join("id_ed25519");
    if !key.exists() {
        Tool::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "test machine", "-f"]).arg(&key).run()?;
    }
    Ok(key)
}
