//! The distribution in the machine: a Debian tree, made once.

use crate::folders;
use crate::log::Log;
use crate::tool::Tool;
use persona::error::Result;
use std::path::{Path, PathBuf};

const SUITE: &str = "bookworm";
/// debootstrap, unlike mmdebstrap, must be told where Debian is.
const MIRROR: &str = "http://deb.debian.org/debian";

const PACKAGES: [&str; 19] = [
    "systemd",
    "systemd-sysv",
    "udev",
    "kmod",
    "dbus-broker",
    "libpam-systemd",
    "linux-image-amd64",
    "qemu-system-x86",
    "qemu-utils",
    "swtpm",
    "ovmf",
    "openssh-server",
    "iproute2",
    "busybox-static",
    "e2fsprogs",
    "libdrm-tests",
    "cpio",
    "zstd",
    "procps",
];

/// Left out: documentation, and drivers of hardware that QEMU does not play. They are most of the tree.
const LEFT_OUT: [&str; 13] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/lib/modules/*/kernel/sound/*",
    "/lib/modules/*/kernel/drivers/media/*",
    "/lib/modules/*/kernel/drivers/net/wireless/*",
    "/lib/modules/*/kernel/drivers/net/ethernet/*",
    "/lib/modules/*/kernel/drivers/infiniband/*",
    "/lib/modules/*/kernel/drivers/iio/*",
    "/lib/modules/*/kernel/drivers/isdn/*",
    "/lib/modules/*/kernel/drivers/staging/*",
    "/lib/modules/*/kernel/drivers/scsi/*/*",
    "/lib/modules/*/kernel/net/wireless/*",
];

/// The tree, as a folder owned by root, and what identifies it.
#[derive(Debug)]
pub(crate) struct Debian {
    pub(crate) tree: PathBuf,
    pub(crate) recipe: String,
}

/// Makes the tree below `output`, with `more` packages than every machine has, unless it is there already.
///
/// # Errors
/// When the packages cannot be had.
pub(crate) fn tree(output: &Path, more: &[&str], log: &Log) -> Result<Debian> {
    let tree = output.join("debian");
    let packages = [&PACKAGES, more].concat();
    let recipe = format!("{SUITE}\n{}\n{}\n", packages.join("\n"), LEFT_OUT.join("\n"));
    if !folders::is_current(&tree, &recipe) {
        log.step("making a Debian tree (once; downloads about 200 MB)");
        folders::forget_recipe(&tree);
        Tool::new("rm").args(["-rf", "--one-file-system", "--"]).arg(&tree).by_root().run()?;
        bootstrap(&tree, &packages)?;
        folders::keep_recipe(&tree, &recipe)?;
        log.step("the Debian tree is there");
    }
    Ok(Debian { tree, recipe })
}

fn bootstrap(tree: &Path, packages: &[&str]) -> Result<()> {
    let packages = format!("--include={}", packages.join(","));
    // INITRD=No: the image is made by our own hooks.
    if Tool::exists("mmdebstrap") {
        let without = LEFT_OUT.iter().map(|pattern| format!("--dpkgopt=path-exclude={pattern}"));
        let options = ["INITRD=No", "mmdebstrap", "--quiet", "--variant=minbase", "--aptopt=APT::Install-Recommends \"false\""];
        Tool::new("env").args(options).arg(packages).args(without).arg(SUITE).arg(tree).by_root().run()
    } else {
        let options = ["INITRD=No", "debootstrap", "--variant=minbase"];
        Tool::new("env").args(options).arg(packages).arg(SUITE).arg(tree).arg(MIRROR).by_root().run()
    }
}

impl Debian {
    /// The version of the tree's kernel.
    ///
    /// # Errors
    /// When the tree has none.
    pub(crate) fn kernel_version(&self) -> Result<String> {
        use persona::error::{Context, Error};
        let folder = self.tree.join("usr/lib/modules");
        let doing = || format!("looking for a kernel in {}", folder.display());
        let mut versions = Vec::new();
        for entry in std::fs::read_dir(&folder).doing(doing)? {
            versions.push(entry.doing(doing)?.file_name().to_string_lossy().into_owned());
        }
        versions.into_iter().max().ok_or_else(|| Error::new(doing()))
    }

    /// Its kernel.
    pub(crate) fn kernel(&self, version: &str) -> PathBuf {
        self.tree.join("boot").join(format!("vmlinuz-{version}"))
    }

    /// Its kernel modules.
    pub(crate) fn modules(&self, version: &str) -> PathBuf {
        self.tree.join("usr/lib/modules").join(version)
    }
}
