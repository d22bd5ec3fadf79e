//! Everything that the machine boots from.

use crate::accel::{self, Accel};
use crate::debian::{self, Debian};
use crate::folders;
use crate::initramfs::{self, Growth, ImageKind};
use crate::log::Log;
use crate::root_image::RootImage;
use crate::tool::Tool;
use crate::{binaries, cartridge, overlay, root_image, settings};
use nix::fcntl::{Flock, FlockArg};
use persona::error::{Context, Error, Result};
use persona::settings::Settings;
use std::fs;
use std::path::{Path, PathBuf};

/// Kernel, images and keys, built and cached in `target/machine`.
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
    images: [PathBuf; 2],
    debian: Debian,
    root: RootImage,
}

impl Artifacts {
    /// Builds what is lacking or out of date.
    ///
    /// # Errors
    /// When a tool is missing or fails.
    pub fn build(log: &Log) -> Result<Self> {
        Self::build_in(folders::output()?, &[], log)
    }

    /// The same with `packages` of Debian in the root file system, which the ordinary machine does not have: in a folder
    /// `name` of their own, so that only those who need them wait for them.
    ///
    /// # Errors
    /// As [`Artifacts::build`].
    fn build_with(name: &str, packages: &[&str], log: &Log) -> Result<Self> {
        let folder = folders::output()?.join(name);
        overlay::make_folder(&folder)?;
        Self::build_in(folder, packages, log)
    }

    /// The same with what does parts of Persona's work in other ways: driverctl and libvirt.
    ///
    /// # Errors
    /// As [`Artifacts::build`].
    pub fn build_with_rivals(log: &Log) -> Result<Self> {
        Self::build_with("bench", &["driverctl", "libvirt-clients", "libvirt-daemon"], log)
    }

    fn build_in(folder: PathBuf, packages: &[&str], log: &Log) -> Result<Self> {
        let lock = fs::File::create(folder.join("lock")).doing(|| format!("writing to {}", folder.display()))?;
        let waiting = |(_, errno)| Error::because("waiting for another build of the machine", errno);
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(waiting)?;

        let binaries = binaries::build(log)?;
        let example = folders::repository().join("config/persona.toml");
        let settings = settings::for_machine(&fs::read_to_string(&example).doing(|| format!("reading {}", example.display()))?)?;
        let parsed = Settings::parse(&settings, "the machine's settings")?;
        let debian = debian::tree(&folder, packages, log)?;
        let ssh_key = ssh_key(&folder)?;
        let public = ssh_key.with_extension("pub");
        let public = fs::read_to_string(&public).doing(|| format!("reading {}", public.display()))?;
        let cartridges = cartridge::build(&folder, &debian, &binaries.cartridge_guest, &parsed, log)?;
        let overlay = overlay::build(&folder, &binaries, &settings, &public)?;
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
        let accel = accel::choose(&folder, &kernel, &debian.tree, log)?;
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
            debian,
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
